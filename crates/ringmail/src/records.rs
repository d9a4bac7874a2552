//! Reads what runs left behind: files of JSON lines, each line with the run it is of. Shows what it finds and never
//! invents what is missing.

use crate::exit::Fault;
use crate::place::shown;
use anyhow::Context;
use ringmail_engine::core::doc::{Source, Span, Spot};
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::refusal::{Refusal, Rule};
use ringmail_engine::core::value::{Str, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Larger files are no records: they are full at less.
const BYTES_MAX: u64 = 256 << 20;

/// One recorded run.
pub(crate) struct Record {
    pub(crate) run: String,
    pub(crate) lines: Vec<Value>,
}

impl Record {
    /// The run whose id starts with `wanted`, or the latest.
    pub(crate) fn find(folder: &Path, wanted: Option<&str>) -> Result<Record, Fault> {
        let files = files(folder)?;
        let mut latest = None;
        if wanted.is_none() {
            // Ids start with the time, and so do the names of files: no older one has a later run.
            for file in files.iter().rev() {
                latest = latest_of(&bytes(file)?);
                if latest.is_some() {
                    break;
                }
            }
        }
        let mut found: Vec<Record> = Vec::new();
        if let Some(wanted) = wanted.or(latest.as_deref()) {
            for file in &files {
                read(file, wanted, &mut found)?;
            }
        }
        found.sort_by(|one, other| one.run.cmp(&other.run));
        let count = found.len();
        match (wanted, found.pop()) {
            (None, Some(latest)) => Ok(latest),
            (Some(_), Some(only)) if count == 1 => Ok(only),
            (Some(wanted), None) => {
                Err(Fault::user(format!("there is no run `{wanted}` in `{}`", shown(folder)))
                    .hint("leave the id out for the latest run, or name a rule such as `clearance`"))
            }
            (Some(wanted), Some(_)) => {
                Err(Fault::user(format!("{count} runs start with `{wanted}`")).hint("write more of the id"))
            }
            (None, None) => Err(Fault::user(format!("no run is recorded in `{}`", shown(folder)))
                .hint("run a chain first: ringmail run CHAIN")),
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

/// All files of records, the oldest first.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(anyhow::Error::new(error).context(format!("cannot read `{}`", shown(folder))).into());
        }
    };
    let file = |entry: std::io::Result<std::fs::DirEntry>| Some(entry.ok()?.path());
    let mut files: Vec<PathBuf> = entries.filter_map(file).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    Ok(files)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Fault> {
    let failed = || format!("cannot read `{}`", shown(path));
    if std::fs::metadata(path).with_context(failed)?.len() > BYTES_MAX {
        return Err(Fault::user(format!("`{}` is longer than 256 MiB", shown(path))));
    }
    Ok(std::fs::read(path).with_context(failed)?)
}

/// How a line says which run it is of; nothing that a run says of itself stands before it.
const MEMBER: &[u8] = b"\"run\":\"";

fn run_of(line: &[u8]) -> Option<&[u8]> {
    let at = line.windows(MEMBER.len()).position(|window| window == MEMBER)?;
    line.get(at + MEMBER.len()..)?.split(|byte| *byte == b'"').next()
}

fn latest_of(text: &[u8]) -> Option<String> {
    let latest = text.split(|byte| *byte == b'\n').filter_map(run_of).max()?;
    String::from_utf8(latest.to_vec()).ok()
}

/// Adds the lines of the runs that are looked for; those of others are passed over unread.
fn read(path: &Path, wanted: &str, found: &mut Vec<Record>) -> Result<(), Fault> {
    let text = bytes(path)?;
    let whole = text.ends_with(b"\n");
    let pieces: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    for (at, piece) in pieces.iter().enumerate() {
        if run_of(piece).is_some_and(|run| !run.starts_with(wanted.as_bytes())) {
            continue;
        }
        match parse(piece, &JsonLimits::default()) {
            Ok(line) => {
                let Some(run) = self::text(&line, "run").map(String::from) else { continue };
                match found.iter_mut().rev().find(|record| record.run == run) {
                    Some(record) => record.lines.push(line),
                    None => found.push(Record { run, lines: vec![line] }),
                }
            }
            // A crash can cut the last line short; anywhere else the file is not what was written.
            Err(_) if at + 1 == pieces.len() && !whole => {}
            Err(error) => {
                return Err(Fault::user(format!(
                    "line {} of `{}` is no record: {error}",
                    at + 1,
                    shown(path)
                )));
            }
        }
    }
    Ok(())
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
