//! `ringmail store compact`. Takes out only what `check` shows to be named by nothing, and says so on record first.

use super::parts::look;
use super::{alone, plural};
use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::{Format, clean, print, print_json, say};
use anyhow::Context;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Clock, DataSubject, Note, Principal, Recorder, SystemClock};
use std::io::ErrorKind;
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Take out nothing; say what would be
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let _alone = alone(place)?;
        let parts = look(place)?;
        if let Some(part) = parts.iter().find(|part| !part.wrong.is_empty()) {
            let fault = Fault::user(format!("the data folder is not whole, in its part `{}`", part.name));
            return Err(fault.hint("look first: ringmail store check"));
        }
        let (mut files, mut bytes) = (Vec::new(), 0);
        for part in &parts {
            for path in &part.left {
                bytes += size(path)?;
                files.push((part.name, path));
            }
        }
        if !self.dry_run && !files.is_empty() {
            record(place, files.len(), bytes)?;
            for (_, path) in &files {
                remove(path).with_context(|| format!("cannot remove `{}`", shown(path)))?;
            }
        }
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        match self.format {
            Format::Json => print_json(&Value::map([
                ("removed", Value::Bool(!self.dry_run)),
                ("files", Value::list(files.iter().map(|(_, path)| Value::from(shown(path))))),
                ("bytes", number(bytes)),
            ]))?,
            Format::Text => {
                for (part, path) in &files {
                    print(&format!("{part}  {}", clean(&shown(path))))?;
                }
                let what = if self.dry_run { "would be taken out" } else { "were taken out" };
                let count = plural(files.len() as u64, "piece");
                say(&format!("{count} of {bytes} bytes {what}"));
            }
        }
        Ok(Exit::Done)
    }
}

fn record(place: &Place, files: usize, bytes: u64) -> Result<(), Fault> {
    let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let (audit, who) = (place.audit()?, DataSubject::of(&Principal::host()));
    let open = vec![("files", number(files as u64)), ("bytes", number(bytes))];
    let note = Note { kind: "compacted", at_ms: SystemClock.now_ms(), open, who, sealed: Vec::new() };
    audit.note(&note).context("it cannot be recorded")?;
    audit.checkpoint().context("it cannot be recorded")?;
    Ok(())
}

fn size(path: &Path) -> Result<u64, Fault> {
    let failed = || format!("cannot look at `{}`", shown(path));
    let meta = std::fs::symlink_metadata(path).with_context(failed)?;
    if !meta.is_dir() {
        return Ok(meta.len());
    }
    super::parts::entries(path)?.iter().try_fold(0, |all, path| Ok(all + size(path)?))
}

/// Whoever removed it before us did our work.
fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
