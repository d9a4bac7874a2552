//! `ringmail replay`: a recorded run once more, with no effect.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::{Place, Wanted};
use crate::records::Record;
use crate::terminal::{Format, clean, print, print_json, print_value};
use anyhow::Context;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Chain, Past, Redecided, Replay};
use std::path::PathBuf;

/// Walk a recorded run once more: every call ends as it did then, every gate judges by what is granted and permitted now
///
/// Nothing is called, sent, written or recorded. Says whether the same was decided and the same answered, or what would be
/// different.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The run's id, or how it begins; by default the latest
    run: Option<String>,
    /// The chain's file, where it is none of a project
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print what the run answered
    #[arg(long)]
    output: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let mut place = Place::here(common.project.as_deref())?;
        let run = Record::find(&place, self.run.as_deref())?.run;
        let past = place.audit()?.past(&run).map_err(super::runs::fault)?;
        let wanted = match &self.file {
            Some(path) => Wanted::File(place.add(path)?),
            None => Wanted::Name(past.chain().to_string()),
        };
        let engine = place.checker()?;
        let chains = engine.load_unjudged(&place.chains);
        let chain = wanted.pick(&chains, |chain| chain.plan())?;
        if chain.plan().digest != *past.digest() {
            let why = format!("`{}` is not the chain that it was when the run began", chain.name());
            return Err(Fault::user(why).hint("what policies would change for it: ringmail policy diff"));
        }
        let replay = replay(chain, past)?;
        if self.format == Format::Json {
            print_json(&to_value(&run, &replay))?;
        } else {
            if let (true, Ok(answer)) = (self.output, &replay.result) {
                print_value(answer.value())?;
            }
            for line in lines(&replay) {
                print(&clean(&line))?;
            }
        }
        if replay.is_same() { Ok(Exit::Done) } else { Err(Fault::silent(Exit::User)) }
    }
}

pub(super) fn replay(chain: &Chain, past: Past) -> Result<Replay, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start")?.block_on(chain.replay(past)))
}

fn lines(replay: &Replay) -> Vec<String> {
    let mut lines: Vec<String> = replay.changes.iter().map(change).collect();
    if let Some(at) = &replay.beyond {
        lines.push(format!(
            "`{at}` is not on record as it would be called now: from there on nothing is known"
        ));
    }
    match replay.same_answer {
        Some(true) => lines.push("the answer is the same".into()),
        Some(false) => lines.push("the answer is another".into()),
        None => {}
    }
    if replay.is_same() {
        lines.push(format!("the same was decided, {} times", replay.decisions));
    }
    lines
}

fn change(change: &Redecided) -> String {
    let told = |all: &[String]| if all.is_empty() { "nothing".to_string() } else { all.join(", ") };
    format!("{}: was {}; would be {}", change.link, told(&change.before), told(&change.now))
}

fn to_value(run: &str, replay: &Replay) -> Value {
    let texts = |all: &[String]| Value::list(all.iter().map(|text| Value::from(text.as_str())));
    let changes = replay.changes.iter().map(|change| {
        Value::map([
            ("link", Value::Str(change.link.clone())),
            ("before", texts(&change.before)),
            ("now", texts(&change.now)),
        ])
    });
    Value::map([
        ("run", Value::from(run)),
        ("same", Value::Bool(replay.is_same())),
        ("decisions", Value::Int(i64::try_from(replay.decisions).unwrap_or(i64::MAX))),
        ("changes", Value::list(changes)),
        ("beyond", replay.beyond.clone().map_or(Value::Null, Value::Str)),
        ("same_answer", replay.same_answer.map_or(Value::Null, Value::Bool)),
    ])
}
