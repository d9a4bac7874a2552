//! `ringmail policy diff`: what the grants and policies of now would change of what happened.

use crate::commands::Common;
use crate::commands::replay::replay;
use crate::commands::runs::fault;
use crate::exit::{Exit, Fault};
use crate::input::moment;
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_json, say};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{Chain, Clock, Redecided, SystemClock};
use std::collections::BTreeMap;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Runs since then: a date, or how long ago, such as `7d`
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    since: String,
    /// How many runs to look at, the latest
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    limit: usize,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What would change of some runs, alike.
#[derive(Default)]
struct Alike {
    runs: usize,
    /// One of them.
    run: Str,
}

#[derive(Default)]
struct Seen {
    runs: usize,
    changed: usize,
    /// Of chains that are others now, or not there any more.
    others: usize,
    /// What they carried is kept no longer, or their subject was erased.
    unread: usize,
    changes: BTreeMap<Redecided, Alike>,
}

impl Args {
    pub(super) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        let since_ms = moment(&self.since, SystemClock.now_ms())?;
        let engine = place.checker()?;
        let chains = engine.load_unjudged(&place.chains).into_iter();
        let chains: BTreeMap<Str, Chain> = chains.map(|chain| (chain.plan().name.clone(), chain)).collect();
        let (pasts, unread) = place.audit()?.latest(since_ms, self.limit).map_err(fault)?;
        let mut seen = Seen { unread, ..Seen::default() };
        for past in pasts {
            let run = past.run().clone();
            let chain = chains.get(past.chain()).filter(|chain| chain.plan().digest == *past.digest());
            let Some(chain) = chain else {
                seen.others += 1;
                continue;
            };
            seen.runs += 1;
            let replayed = replay(chain, past)?;
            seen.changed += usize::from(!replayed.changes.is_empty());
            for change in replayed.changes {
                let alike = seen.changes.entry(change).or_default();
                alike.runs += 1;
                alike.run = run.clone();
            }
        }
        self.print(&seen)
    }

    fn print(&self, seen: &Seen) -> Result<Exit, Fault> {
        if self.format == Format::Json {
            let changes = seen.changes.iter().map(|(change, alike)| {
                let texts = |all: &[String]| Value::list(all.iter().map(|text| Value::from(text.as_str())));
                Value::map([
                    ("link", Value::Str(change.link.clone())),
                    ("before", texts(&change.before)),
                    ("now", texts(&change.now)),
                    ("runs", count(alike.runs)),
                    ("run", Value::Str(alike.run.clone())),
                ])
            });
            print_json(&Value::map([
                ("runs", count(seen.runs)),
                ("changed", count(seen.changed)),
                ("other_chains", count(seen.others)),
                ("unread", count(seen.unread)),
                ("changes", Value::list(changes)),
            ]))?;
        } else {
            for (change, alike) in &seen.changes {
                let told = |all: &[String]| if all.is_empty() { "nothing".into() } else { all.join(", ") };
                let (link, before, now) = (&change.link, told(&change.before), told(&change.now));
                print(&clean(&format!("{link}: was {before}; would be {now}")))?;
                print(&clean(&format!("  in {} runs, such as {}", alike.runs, alike.run)))?;
            }
            say(&format!("{} of {} runs would come out differently", seen.changed, seen.runs));
            if seen.others > 0 {
                say(&format!("{} runs are of chains that have changed since, or are gone", seen.others));
            }
            if seen.unread > 0 {
                say(&format!(
                    "{} runs cannot be looked at: what they carried is kept no longer",
                    seen.unread
                ));
            }
        }
        if seen.changes.is_empty() { Ok(Exit::Done) } else { Err(Fault::silent(Exit::User)) }
    }
}

fn count(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
