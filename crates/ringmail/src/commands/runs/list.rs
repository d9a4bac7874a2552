//! `ringmail runs list`.

use super::fault;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_json, say, time};
use ringmail_engine::OpenRun;
use ringmail_engine::core::value::Value;

#[derive(clap::Args)]
pub(super) struct Args {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let open = place.audit()?.open_runs().map_err(fault)?;
        if self.format == Format::Json {
            print_json(&Value::list(open.iter().map(to_value)))?;
            return Ok(Exit::Done);
        }
        for run in &open {
            let who = run.who.as_ref().map_or("somebody who was erased", |who| &who.name);
            let line = format!("{}  {}  {}  {}  {}", run.run, time(run.at_ms), state(run), run.chain, who);
            print(&clean(&line))?;
            for at in &run.in_doubt {
                print(&clean(&format!("    `{at}` may have happened")))?;
            }
        }
        if open.is_empty() {
            say("no run is open");
        }
        Ok(Exit::Done)
    }
}

fn state(run: &OpenRun) -> &'static str {
    match (run.lives, run.in_doubt.is_empty()) {
        (true, _) => "running    ",
        (false, true) => "interrupted",
        (false, false) => "in doubt   ",
    }
}

fn to_value(run: &OpenRun) -> Value {
    let who = run.who.as_ref().map_or(Value::Null, |who| Value::Str(who.name.clone()));
    Value::map([
        ("run", Value::Str(run.run.clone())),
        ("chain", Value::Str(run.chain.clone())),
        ("at_ms", Value::Int(i64::try_from(run.at_ms).unwrap_or(i64::MAX))),
        ("principal", who),
        ("state", Value::from(state(run).trim_end())),
        ("in_doubt", Value::list(run.in_doubt.iter().map(|at| Value::Str(at.clone())))),
    ])
}
