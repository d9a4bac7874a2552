//! Reads what runs left behind: one file of JSON lines each, named by the run. Shows what it finds and never
//! invents what is missing.

use crate::exit::Fault;
use crate::place::shown;
use anyhow::Context;
use ringmail_engine::core::doc::{Source, Span, Spot};
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::refusal::{Refusal, Rule};
use ringmail_engine::core::value::{Str, Value};
use std::path::Path;
use std::sync::Arc;

/// Longer records are not read whole.
const BYTES_MAX: u64 = 64 << 20;

/// One recorded run.
pub(crate) struct Record {
    pub(crate) run: String,
    pub(crate) lines: Vec<Value>,
}

impl Record {
    /// The run whose id starts with `wanted`, or the latest.
    pub(crate) fn find(folder: &Path, wanted: Option<&str>) -> Result<Record, Fault> {
        let mut runs = names(folder)?;
        runs.retain(|run| wanted.is_none_or(|wanted| run.starts_with(wanted)));
        // Ids start with the time, so the last is the latest.
        runs.sort();
        match (wanted, runs.as_slice()) {
            (_, [run]) | (None, [.., run]) => Record::read(folder, run),
            (Some(wanted), []) => {
                Err(Fault::user(format!("there is no run `{wanted}` in `{}`", shown(folder)))
                    .hint("leave the id out for the latest run, or name a rule such as `clearance`"))
            }
            (Some(wanted), several) => {
                Err(Fault::user(format!("{} runs start with `{wanted}`", several.len()))
                    .hint("write more of the id"))
            }
            (None, []) => Err(Fault::user(format!("no run is recorded in `{}`", shown(folder)))
                .hint("run a chain first: ringmail run CHAIN")),
        }
    }

    fn read(folder: &Path, run: &str) -> Result<Record, Fault> {
        let path = folder.join(format!("{run}.jsonl"));
        let failed = || format!("cannot read `{}`", shown(&path));
        if std::fs::metadata(&path).with_context(failed)?.len() > BYTES_MAX {
            return Err(Fault::user(format!("`{}` is longer than 64 MiB", shown(&path))));
        }
        let text = std::fs::read(&path).with_context(failed)?;
        let mut lines = Vec::new();
        let pieces: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        for (at, line) in pieces.iter().enumerate() {
            match parse(line, &JsonLimits::default()) {
                Ok(line) => lines.push(line),
                // A crash can cut the last line short; anywhere else the file is not what was written.
                Err(_) if at + 1 == pieces.len() => {}
                Err(error) => {
                    return Err(Fault::user(format!(
                        "line {} of `{}` is no record: {error}",
                        at + 1,
                        shown(&path)
                    )));
                }
            }
        }
        Ok(Record { run: run.to_string(), lines })
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

fn names(folder: &Path) -> Result<Vec<String>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(anyhow::Error::new(error).context(format!("cannot read `{}`", shown(folder))).into());
        }
    };
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        Some(entry.ok()?.file_name().to_str()?.strip_suffix(".jsonl")?.to_string())
    };
    Ok(entries.filter_map(file).collect())
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
