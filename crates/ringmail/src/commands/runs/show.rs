//! `ringmail runs show`: what a run was given, and what its calls brought so far.

use super::fault;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::records::Record;
use crate::terminal::{Format, clean, print, print_json};
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::Value;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The run's id, or how it begins
    run: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let run = Record::find(place, Some(&self.run))?.run;
        let past = place.audit()?.past(&run).map_err(fault)?;
        let (calls, in_doubt) = (past.calls(), past.in_doubt());
        if self.format == Format::Json {
            let calls =
                calls.into_iter().map(|(at, what)| Value::map([("call", Value::Str(at)), ("ended", what)]));
            print_json(&Value::map([
                ("run", Value::from(run)),
                ("chain", Value::Str(past.chain().clone())),
                ("principal", Value::Str(past.principal().subject.clone())),
                ("input", past.input().clone()),
                ("calls", Value::list(calls)),
                ("in_doubt", Value::list(in_doubt.into_iter().map(Value::Str))),
            ]))?;
            return Ok(Exit::Done);
        }
        print(&clean(&format!("{run}  {} for {}", past.chain(), past.principal().subject)))?;
        print(&clean(&format!("input  {}", to_string(past.input()))))?;
        for (at, what) in calls {
            print(&clean(&format!("{at}  {}", shown(&what))))?;
        }
        for at in in_doubt {
            print(&clean(&format!("{at}  nobody knows whether it happened")))?;
            print(&clean(&format!("    if it did not: ringmail runs resume {run} --undone {at}")))?;
            print(&clean(&format!("    if it did: ringmail runs resume {run} --done {at} --output JSON")))?;
        }
        Ok(Exit::Done)
    }
}

fn shown(what: &Value) -> String {
    match (what.get("value"), what.get("failed").and_then(Value::as_str)) {
        (Some(value), _) => to_string(value),
        (None, Some(kind)) => {
            format!("failed: {kind}: {}", what.get("message").and_then(Value::as_str).unwrap_or_default())
        }
        _ => "did not happen".into(),
    }
}
