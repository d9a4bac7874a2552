//! `ringmail runs list`.

use super::fault;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_json, say, time};
use anyhow::Context;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Approvals, OpenRun};

#[derive(clap::Args)]
pub(super) struct Args {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let open = place.audit()?.open_runs().map_err(fault)?;
        let asked = Approvals::new(place.approvals(), &place.host_key()?).open();
        let asked = asked.context("cannot read what is asked")?;
        let asks = |run: &OpenRun| asked.iter().any(|inquiry| inquiry.run == run.run);
        let state = |run: &OpenRun| state(run, asks(run));
        if self.format == Format::Json {
            print_json(&Value::list(open.iter().map(|run| to_value(run, state(run)))))?;
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

fn state(run: &OpenRun, asks: bool) -> &'static str {
    match (asks, run.lives, run.in_doubt.is_empty()) {
        (true, ..) => "waiting    ",
        (_, true, _) => "running    ",
        (_, false, true) => "interrupted",
        (_, false, false) => "in doubt   ",
    }
}

fn to_value(run: &OpenRun, state: &str) -> Value {
    let who = run.who.as_ref().map_or(Value::Null, |who| Value::Str(who.name.clone()));
    Value::map([
        ("run", Value::Str(run.run.clone())),
        ("chain", Value::Str(run.chain.clone())),
        ("at_ms", Value::Int(i64::try_from(run.at_ms).unwrap_or(i64::MAX))),
        ("principal", who),
        ("state", Value::from(state.trim_end())),
        ("in_doubt", Value::list(run.in_doubt.iter().map(|at| Value::Str(at.clone())))),
    ])
}
