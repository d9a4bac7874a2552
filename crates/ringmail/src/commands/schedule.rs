//! `ringmail schedule`: chains that run by themselves, how far each is and when it comes next.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_json, say, time};
use ringmail_engine::core::schedule::ScheduleSetting;
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{Clock, SystemClock};
use ringmail_server::ScheduleDone;

/// Chains that `ringmail serve` runs by itself
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// When each runs next, and what it ran last
    List(ListArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    /// How many of the next moments are shown
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    count: u16,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let Command::List(args) = self.command;
        let place = Place::project_in(common.project.as_deref())?;
        let now_ms = SystemClock.now_ms();
        let mut all = Vec::new();
        for setting in &place.project.server.schedules {
            let done =
                ScheduleDone::read(&place.data(), setting).map_err(|error| Fault::user(error.to_string()))?;
            // Nothing is run twice, whatever the clock says now.
            let from_ms = done.as_ref().map_or(now_ms, |done| done.at_ms.max(now_ms));
            let next = std::iter::successors(setting.after(from_ms), |at_ms| setting.after(*at_ms));
            let next: Vec<u64> = next.take(args.count.into()).collect();
            let due = done.as_ref().map(|done| setting.due(done.at_ms, now_ms).moments);
            all.push(Shown {
                setting,
                due: due.unwrap_or_default(),
                run: done.and_then(|done| done.run),
                next,
            });
        }
        if args.format == Format::Json {
            print_json(&Value::list(all.iter().map(Shown::to_value)))?;
            return Ok(Exit::Done);
        }
        if all.is_empty() {
            say("the project has no schedule");
        }
        for Shown { setting, due, run, next } in all {
            print(&clean(&format!("{}  {}  {}", setting.name, setting.chain, setting.words)))?;
            let times = |all: Vec<u64>| all.into_iter().map(time).collect::<Vec<String>>().join(", ");
            print(&clean(&format!("    next {}", times(next))))?;
            if !due.is_empty() {
                print(&clean(&format!("    due, and run as soon as something serves: {}", times(due))))?;
            }
            match run {
                Some(run) => print(&clean(&format!("    last run {run}")))?,
                None => print("    nothing was run yet")?,
            }
        }
        Ok(Exit::Done)
    }
}

/// A schedule, and how far it is.
struct Shown<'s> {
    setting: &'s ScheduleSetting,
    next: Vec<u64>,
    due: Vec<u64>,
    run: Option<Str>,
}

impl Shown<'_> {
    fn to_value(&self) -> Value {
        let Shown { setting, next, due, run } = self;
        let number = |at_ms: &u64| Value::Int(i64::try_from(*at_ms).unwrap_or(i64::MAX));
        let given = next.first().map_or(Value::Null, |at_ms| setting.input(*at_ms));
        Value::map([
            ("schedule", Value::Str(setting.name.clone())),
            ("when", Value::Str(setting.words.clone())),
            ("chain", Value::Str(setting.chain.clone())),
            ("input", given),
            ("principal", Value::from(setting.subject())),
            ("next_ms", Value::list(next.iter().map(number))),
            ("due_ms", Value::list(due.iter().map(number))),
            ("run", run.clone().map_or(Value::Null, Value::Str)),
        ])
    }
}
