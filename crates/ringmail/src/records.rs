//! Runs as the audit log has them. Shows what it finds and never invents what is missing.

use crate::exit::Fault;
use crate::place::Place;
use anyhow::Context;
use ringmail_engine::core::doc::{Source, Span, Spot};
use ringmail_engine::core::refusal::{Refusal, Rule};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::stages;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One recorded run.
pub(crate) struct Record {
    pub(crate) run: String,
    pub(crate) lines: Vec<Value>,
}

impl Record {
    /// The run whose id starts with `wanted`, or the latest.
    pub(crate) fn find(place: &Place, wanted: Option<&str>) -> Result<Record, Fault> {
        let latest = if wanted.is_none() { latest(place)? } else { None };
        let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        if let Some(asked) = wanted.or(latest.as_deref()) {
            let fits = |text: &[u8]| run_of(text).is_some_and(|run| run.starts_with(asked.as_bytes()));
            let mut log = place.recorded(0)?;
            while let Some(entry) = log.next_where(fits).context("cannot read the log")? {
                let Some(run) = text(&entry.record, "run").map(String::from) else { continue };
                found.entry(run).or_default().extend(stages(&entry));
            }
        }
        let count = found.len();
        match (wanted, found.pop_last()) {
            (None, Some((run, lines))) => Ok(Record { run, lines }),
            (Some(_), Some((run, lines))) if count == 1 => Ok(Record { run, lines }),
            (Some(wanted), None) => Err(Fault::user(format!("there is no run `{wanted}` on record"))
                .hint("leave the id out for the latest run, or name a rule such as `clearance`")),
            (Some(wanted), Some(_)) => {
                Err(Fault::user(format!("{count} runs start with `{wanted}`")).hint("write more of the id"))
            }
            (None, None) => {
                Err(Fault::user("no run is on record").hint("run a chain first: ringmail run CHAIN"))
            }
        }
    }

    /// The line with which the run began.
    pub(crate) fn start(&self) -> Option<&Value> {
        self.lines.iter().find(|line| text(line, "stage") == Some("started"))
    }

    /// How a run ended that failed: its last stage, with the link and what is said of it.
    pub(crate) fn failure(&self) -> Option<(&str, &str)> {
        let last = self.lines.iter().rev().find(|line| text(line, "stage") == Some("failed"))?;
        let after = self.lines.iter().rev().take_while(|line| !std::ptr::eq(*line, last));
        let went_on =
            after.into_iter().any(|line| matches!(text(line, "stage"), Some("admitted" | "answered")));
        if went_on { None } else { Some((text(last, "link")?, text(last, "failure")?)) }
    }

    /// Every refusal, in order.
    pub(crate) fn refusals(&self) -> Vec<&Value> {
        self.lines.iter().filter_map(|line| line.get("refusal")).collect()
    }
}

/// The run that began last: ids start with the time.
fn latest(place: &Place) -> Result<Option<String>, Fault> {
    let latest = RefCell::new(None);
    let look = |text: &[u8]| {
        let run = run_of(text).and_then(|run| std::str::from_utf8(run).ok()).map(String::from);
        let known = latest.take().max(run);
        latest.replace(known);
        // None of them need be taken apart.
        false
    };
    place.recorded(0)?.next_where(look).context("cannot read the log")?;
    Ok(latest.into_inner())
}

/// How a line says which run it is of; nothing that a run says of itself stands before it.
const MEMBER: &[u8] = b"\"run\":\"";

fn run_of(line: &[u8]) -> Option<&[u8]> {
    let at = line.windows(MEMBER.len()).position(|window| window == MEMBER)?;
    line.get(at + MEMBER.len()..)?.split(|byte| *byte == b'"').next()
}

pub(crate) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

pub(crate) fn number(value: &Value, key: &str) -> Option<u64> {
    match value.get(key)? {
        Value::Int(int) => u64::try_from(*int).ok(),
        _ => None,
    }
}

/// A recorded refusal; `sources` are the files as they are now.
pub(crate) fn refusal(record: &Value, sources: &[Arc<Source>]) -> Option<Refusal> {
    let rule = Rule::ALL.iter().find(|rule| Some(rule.id()) == text(record, "rule"))?;
    let strings = |key: &str| -> Vec<Str> {
        let list = record.get(key).and_then(Value::as_list);
        list.map(|list| list.iter().filter_map(Value::as_str).map(Str::from).collect()).unwrap_or_default()
    };
    let spot = record.get("spot").and_then(|spot| {
        let file = text(spot, "file")?;
        let source = sources.iter().find(|source| is_same(&source.name, file))?;
        let at = |key| number(spot, key).and_then(|at| usize::try_from(at).ok());
        Some(Spot { source: source.clone(), span: Span { start: at("start")?, end: at("end")? } })
    });
    Some(Refusal {
        rule: *rule,
        link: text(record, "link")?.into(),
        sink: text(record, "sink").map(String::from),
        path: text(record, "path").map(String::from),
        origins: strings("origins"),
        message: text(record, "message")?.to_string(),
        changes: strings("changes").iter().map(ToString::to_string).collect(),
        policies: strings("policies"),
        spot,
        label: Default::default(),
    })
}

/// Whether two names of a file agree as far as both say; a run may have been started from another folder.
fn is_same(one: &str, two: &str) -> bool {
    let parts = |name: &'_ str| -> Vec<String> {
        let plain = |part: &&str| !matches!(*part, "" | "." | "..");
        name.split('/').filter(plain).map(String::from).collect()
    };
    let (one, two) = (parts(one), parts(two));
    one.ends_with(&two) || two.ends_with(&one)
}
