//! `ringmail audit forward` and `anchor`: what is on record, and checkpoints over it, sent on to the receivers of the project.

use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{BOLD, Format, clean, paint, print, print_json, say};
use anyhow::Context;
use ringmail_engine::core::value::Value;
use ringmail_engine::{ForwardStatus, Forwarder, Forwards, Sending, forward_status};
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

/// What is missing where there is none.
fn none(what: Sending) -> Fault {
    let text = match what {
        Sending::Records => "[forward.siem]\nto = \"syslog\"\naddress = \"tls://logs.example.com:6514\"",
        Sending::Checkpoints => "[anchor.elsewhere]\nto = \"file:/mnt/elsewhere/checkpoints\"",
    };
    let fault = Fault::user(format!("the project has no receiver of {}", what.words()));
    fault.hint(format!("add to `ringmail.toml`:\n{text}"))
}

impl Args {
    pub(super) fn run(self, place: &Place, what: Sending) -> Result<Exit, Fault> {
        let (project, known) = (&place.project, what.receivers(&place.project));
        if known.is_empty() {
            return Err(none(what));
        }
        for name in &self.names {
            if !known.iter().any(|known| **known == **name) {
                return Err(Fault::user(format!("there is no receiver `{}`", clean(name))));
            }
        }
        let wanted = |name: &str| self.names.is_empty() || self.names.iter().any(|known| known == name);
        if self.status {
            return status(place, what, self.format, &wanted);
        }
        let around = place.forward_around()?;
        if self.follow {
            let told = |what: &str| say(&clean(what));
            let _forwards = Forwards::start(&[what], project, around, told).map_err(Fault::user)?;
            say("forwarding; Ctrl-C ends it");
            loop {
                std::thread::park();
            }
        }
        let (around, mut exit) = (Arc::new(around), Exit::Done);
        let all = Forwarder::all(what, project, &around).map_err(Fault::user)?;
        for mut forwarder in all.into_iter().filter(|one| wanted(one.name())) {
            let (mut count, mut sendings) = (0, 0);
            let ended = loop {
                match forwarder.step() {
                    Ok(0) => break Ok(()),
                    Ok(sent) => (count, sendings) = (count + sent, sendings + 1),
                    Err(why) => break Err(why),
                }
            };
            let plural = |count: usize, word: &str| match count {
                1 => format!("1 {word}"),
                count => format!("{count} {word}s"),
            };
            let word = what.words().trim_end_matches('s');
            let (count, sendings) = (plural(count, word), plural(sendings, "sending"));
            print(&format!("{}  {count} arrived, in {sendings}", paint(BOLD, forwarder.name())))?;
            if let Err(why) = ended {
                let (words, name) = (what.words(), forwarder.name());
                say(&format!("{words} do not arrive at `{name}`: {}", clean(&why)));
                exit = Exit::User;
            }
        }
        Ok(exit)
    }
}

fn status(
    place: &Place,
    what: Sending,
    format: Format,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Exit, Fault> {
    let all = forward_status(what, &place.project, &place.data(), &place.audit_folder());
    let all = all.map_err(anyhow::Error::msg).context("cannot tell how far receivers are")?;
    let all: Vec<&ForwardStatus> = all.iter().filter(|one| wanted(&one.name)).collect();
    let exit = if all.iter().any(|one| one.lost.is_some()) { Exit::User } else { Exit::Done };
    if format == Format::Json {
        print_json(&Value::list(all.into_iter().map(card)))?;
        return Ok(exit);
    }
    for one in all {
        let behind = one.recorded.saturating_sub(one.arrived);
        let why = one.failed.as_ref().map_or(String::new(), |why| format!(": {}", clean(why)));
        let name = paint(BOLD, &one.name);
        print(&format!("{name}  {} arrived, {behind} behind{why}", one.arrived))?;
    }
    Ok(exit)
}

/// How far a receiver is.
pub(crate) fn card(one: &ForwardStatus) -> Value {
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    Value::map([
        ("name", Value::Str(one.name.clone())),
        ("arrived", number(one.arrived)),
        ("behind", number(one.recorded.saturating_sub(one.arrived))),
        ("failed", one.failed.as_deref().map_or(Value::Null, Value::from)),
    ])
}
