//! `ringmail runs purge`: what runs were given and what their calls brought, kept no longer.

use super::fault;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_json, say, time};
use anyhow::Context;
use ringmail_engine::core::doc::form::duration_ms;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Clock, Period, SystemClock};

/// What runs were given and what their calls brought, kept no longer
///
/// By the rules of `[[retention]]`, which `ringmail serve` follows by itself every hour, or all that is older than some time. It goes day by day, by taking
/// away the keys it was sealed with: the log still verifies, and says who did what. Days with runs that are not over stay.
#[derive(clap::Args)]
pub(super) struct Args {
    /// All of days that ended so long ago, whatever the rules say: `30d`
    #[arg(long, value_name = "TIME", value_parser = duration_ms)]
    older: Option<u64>,
    /// It cannot be taken back; without this it is only shown
    #[arg(long)]
    yes: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let retention = &place.project.retention;
        if retention.is_empty() && self.older.is_none() {
            return Err(Fault::user("the project has no `[[retention]]`, so everything is kept")
                .hint("say how old what goes must be: ringmail runs purge --older 30d"));
        }
        let (audit, now_ms) = (place.audit()?, SystemClock.now_ms());
        let overdue = audit.overdue(retention, self.older, now_ms).map_err(fault)?;
        if self.yes {
            audit.purge(&overdue.gone, now_ms).context("cannot purge")?;
        }
        if self.format == Format::Json {
            let gone = overdue.gone.iter().map(to_value);
            let held = overdue.held.iter().map(|(period, run)| {
                Value::map([("period", to_value(period)), ("run", Value::Str(run.clone()))])
            });
            print_json(&Value::map([
                ("purged", Value::Bool(self.yes)),
                ("overdue", Value::list(gone)),
                ("held", Value::list(held)),
            ]))?;
            return Ok(Exit::Done);
        }
        for period in &overdue.gone {
            print(&clean(&shown(period)))?;
        }
        for (period, run) in &overdue.held {
            print(&clean(&format!("{}  stays: run {run} is not over", shown(period))))?;
        }
        say(match (overdue.gone.is_empty(), self.yes) {
            (true, _) => "nothing is kept longer than it should be",
            (false, true) => "gone for good",
            (false, false) => "would be gone for good; say so with --yes",
        });
        Ok(Exit::Done)
    }
}

fn shown(period: &Period) -> String {
    let day = time(period.end_ms().saturating_sub(1));
    let day = day.split(' ').next().unwrap_or_default().to_string();
    match &*period.class {
        "" => day,
        class => format!("{day}  {class}"),
    }
}

fn to_value(period: &Period) -> Value {
    let end_ms = Value::Int(i64::try_from(period.end_ms()).unwrap_or(i64::MAX));
    let class = if period.class.is_empty() { Value::Null } else { Value::Str(period.class.clone()) };
    Value::map([("ended_ms", end_ms), ("tag", class)])
}
