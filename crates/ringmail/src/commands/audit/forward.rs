//! `ringmail audit forward`: what is on record, sent on to the receivers of the project.

use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{BOLD, Format, clean, paint, print, print_json, say};
use anyhow::Context;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Forwarder, Forwards, forward_status};
use std::sync::Arc;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The receivers; all of `ringmail.toml` if none is named
    names: Vec<String>,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long, conflicts_with = "names")]
    follow: bool,
    /// Send nothing; say how far each receiver is
    #[arg(long)]
    status: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let project = &place.project;
        if project.forwards.is_empty() {
            return Err(Fault::user("the project has no receiver of records")
                .hint("add to `ringmail.toml`:\n[forward.siem]\nto = \"syslog\"\naddress = \"tls://logs.example.com:6514\""));
        }
        for name in &self.names {
            if !project.forwards.iter().any(|setting| *setting.name == **name) {
                return Err(Fault::user(format!("there is no receiver `{}`", clean(name))));
            }
        }
        let wanted = |name: &str| self.names.is_empty() || self.names.iter().any(|known| known == name);
        if self.status {
            return status(place, self.format, &wanted);
        }
        let around = place.forward_around()?;
        if self.follow {
            let told = |what: &str| say(&clean(what));
            let _forwards = Forwards::start(project, around, told).map_err(Fault::user)?;
            say("forwarding; Ctrl-C ends it");
            loop {
                std::thread::park();
            }
        }
        let (around, mut exit) = (Arc::new(around), Exit::Done);
        for setting in project.forwards.iter().filter(|setting| wanted(&setting.name)) {
            let mut forwarder = Forwarder::new(setting, project, &around).map_err(Fault::user)?;
            let (mut records, mut sendings) = (0, 0);
            let ended = loop {
                match forwarder.step() {
                    Ok(0) => break Ok(()),
                    Ok(sent) => (records, sendings) = (records + sent, sendings + 1),
                    Err(why) => break Err(why),
                }
            };
            let plural = |count: usize, word: &str| match count {
                1 => format!("1 {word}"),
                count => format!("{count} {word}s"),
            };
            let (records, sendings) = (plural(records, "record"), plural(sendings, "sending"));
            print(&format!("{}  {records} arrived, in {sendings}", paint(BOLD, &setting.name)))?;
            if let Err(why) = ended {
                say(&format!("records do not arrive at `{}`: {}", setting.name, clean(&why)));
                exit = Exit::User;
            }
        }
        Ok(exit)
    }
}

fn status(place: &Place, format: Format, wanted: &dyn Fn(&str) -> bool) -> Result<Exit, Fault> {
    let all = forward_status(&place.project, &place.data(), &place.audit_folder());
    let all = all.map_err(anyhow::Error::msg).context("cannot tell how far receivers are")?;
    let mut cards = Vec::new();
    for one in all.iter().filter(|one| wanted(&one.name)) {
        let behind = one.recorded - one.arrived;
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        match format {
            Format::Json => cards.push(Value::map([
                ("name", Value::Str(one.name.clone())),
                ("arrived", number(one.arrived)),
                ("behind", number(behind)),
                ("failed", one.failed.as_deref().map_or(Value::Null, Value::from)),
            ])),
            Format::Text => {
                let why = one.failed.as_ref().map_or(String::new(), |why| format!(": {}", clean(why)));
                let name = paint(BOLD, &one.name);
                print(&format!("{name}  {} arrived, {behind} behind{why}", one.arrived))?;
            }
        }
    }
    if format == Format::Json {
        print_json(&Value::list(cards))?;
    }
    Ok(Exit::Done)
}
