//! `ringmail store backup`: first how far receivers are, then the log up to a checkpoint, then all that its records name. What is written
//! meanwhile is none of it. The folder gets its name once it is whole.

use super::parts::{KEPT, MODULES, entries};
use super::{alone, plural};
use crate::exit::{Exit, Fault};
use crate::place::{HOST_KEY, Place, shown};
use crate::steer;
use crate::terminal::{Format, print_json, say};
use anyhow::Context;
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::core::value::Value;
use ringmail_engine::{
    Audit, Clock, DataSubject, Note, OPEN, Principal, Recorder, SystemClock, copy_file, copy_kept, copy_log,
    sync_folders,
};
use ringmail_server::{CONTROL_FILE, TOKENS_FILE};
use ringmail_verify::{Checkpoint, verify};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What is in a backup, under the host's signature.
pub(super) const MANIFEST: &str = "backup.json";
/// How a backup is laid out.
pub(super) const FORMAT: i64 = 1;
const DEPTH_MAX: usize = 16;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder to make
    to: PathBuf,
    /// With what opens and signs: the host's key, keys of certificates and tokens. Without it, keep those elsewhere
    #[arg(long)]
    with_keys: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What there is of a file in a backup.
enum Fate {
    Taken,
    /// Only with the keys.
    Key,
    /// Made anew, of one process, or taken otherwise.
    Left,
}

/// By its path in the data folder.
fn fate(path: &Path) -> Fate {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    let name = parts.last().copied().unwrap_or_default();
    match *parts.as_slice() {
        [HOST_KEY | TOKENS_FILE] | ["certs", ..] => Fate::Key,
        [MODULES | "dumps" | "approvals" | "schedules", ..] | ["audit", OPEN | "exchange", ..] => Fate::Left,
        ["audit", name] if name.ends_with(".log") || name == "checkpoint" => Fate::Left,
        [KEPT | CONTROL_FILE | "kept.copy"] => Fate::Left,
        _ if parts.starts_with(&["python"]) && parts.contains(&"toolchain") => Fate::Left,
        _ if matches!(name, "lock" | "held") || name.ends_with(".lock") || name.ends_with(".new") => {
            Fate::Left
        }
        _ => Fate::Taken,
    }
}

/// A backup that is being made.
struct Copy<'p> {
    data: &'p Path,
    to: PathBuf,
    with_keys: bool,
    /// By path, with the digest.
    files: BTreeMap<String, String>,
}

impl Args {
    pub(super) fn run(self, place: &Place, chosen: Option<&Path>) -> Result<Exit, Fault> {
        let _alone = alone(place)?;
        let (data, audit) = (place.data(), place.audit()?);
        let draft = draft(&self.to)?;
        if is_inside(&draft, &data) {
            let _empty = std::fs::remove_dir(&draft);
            return Err(Fault::user(format!("`{}` lies in the data folder itself", shown(&self.to))));
        }
        let copy = Copy { data: &data, to: draft.clone(), with_keys: self.with_keys, files: BTreeMap::new() };
        let made = copy.make(place, &audit, chosen);
        let made = made.and_then(|made| {
            std::fs::rename(&draft, &self.to)
                .with_context(|| format!("cannot make `{}`", shown(&self.to)))?;
            Ok(made)
        });
        let (records, files) = match made {
            Ok(made) => made,
            Err(fault) => {
                // What was copied in part is no backup; one that cannot be removed has no name of one.
                let _left = std::fs::remove_dir_all(&draft);
                return Err(fault);
            }
        };
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let open = vec![("records", number(records)), ("keys", Value::Bool(self.with_keys))];
        let who = DataSubject::of(&Principal::host());
        let at_ms = SystemClock.now_ms();
        let note = Note { kind: "backed-up", at_ms, open, who, sealed: Vec::new() };
        audit.note(&note).context("the backup is made, and it cannot be recorded")?;
        if self.format == Format::Json {
            print_json(&Value::map([("records", number(records)), ("files", number(files))]))?;
        }
        say(&format!(
            "{} and {} are in `{}`",
            plural(records, "record"),
            plural(files, "file"),
            shown(&self.to)
        ));
        if !self.with_keys {
            let key = shown(&data.join(HOST_KEY));
            say(&format!(
                "the host's key is not: keep `{key}` elsewhere, nothing that is sealed is read without it"
            ));
        }
        Ok(Exit::Done)
    }
}

fn is_inside(folder: &Path, data: &Path) -> bool {
    match (folder.canonicalize(), data.canonicalize()) {
        (Ok(folder), Ok(data)) => folder.starts_with(data),
        _ => true,
    }
}

/// The folder under the name it has until it is whole.
fn draft(to: &Path) -> Result<PathBuf, Fault> {
    if to.symlink_metadata().is_ok() {
        return Err(Fault::user(format!("there is something in `{}` already", shown(to))));
    }
    let mut name = to.as_os_str().to_os_string();
    name.push(".new");
    let draft = PathBuf::from(name);
    let made = std::fs::DirBuilder::new().mode(0o700).create(&draft);
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let fault = Fault::user(format!("`{}` is a backup that did not become whole", shown(&draft)));
            Err(fault.hint("remove it"))
        }
        made => {
            made.with_context(|| format!("cannot make `{}`", shown(&draft)))?;
            Ok(draft)
        }
    }
}

impl Copy<'_> {
    /// Answers how many records and files there are.
    fn make(mut self, place: &Place, audit: &Audit, chosen: Option<&Path>) -> Result<(u64, u64), Fault> {
        for folder in ["forward", "anchor"] {
            self.folder(Path::new(folder), DEPTH_MAX)?;
        }
        let records = self.log(place, audit)?;
        self.folder(Path::new(""), DEPTH_MAX)?;
        self.kept(chosen)?;
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let files = self.files.iter().map(|(path, digest)| (path.as_str(), Value::from(digest.as_str())));
        let act = Value::map([
            ("backup", Value::Int(FORMAT)),
            ("project", Value::from(place.project.name.as_str())),
            ("at_ms", number(SystemClock.now_ms())),
            ("records", number(records)),
            ("files", Value::map(files)),
        ]);
        let signed = place.host_key()?.signed(act);
        let text = to_pretty(&Value::map([
            ("manifest", signed.act),
            ("public_key", Value::from(signed.public_key)),
            ("signature", Value::from(signed.signature)),
        ]));
        write(&self.to.join(MANIFEST), text.as_bytes()).with_context(|| self.failed())?;
        sync_folders(&self.to, DEPTH_MAX).with_context(|| self.failed())?;
        Ok((records, self.files.len() as u64))
    }

    fn failed(&self) -> String {
        format!("cannot write to `{}`", shown(&self.to))
    }

    /// Up to a checkpoint, which is looked at as anybody would who has the copy alone.
    fn log(&mut self, place: &Place, audit: &Audit) -> Result<u64, Fault> {
        let (from, to) = (place.audit_folder(), self.to.join("audit"));
        if place.recorded_lines(0)?.next().is_none() {
            return Ok(0);
        }
        let checkpoint = audit.checkpoint().context("cannot sign for the log")?;
        let signed = Checkpoint::parse(&checkpoint).map_err(Fault::user)?;
        copy_log(&from, &to, signed.size).with_context(|| self.failed())?;
        write(&to.join("checkpoint"), checkpoint.as_bytes()).with_context(|| self.failed())?;
        let size = signed.size;
        verify(&to, &[signed]).map_err(|wrong| {
            Fault::user(format!("the log is not what was written, from {wrong}"))
                .hint("ringmail audit verify")
        })?;
        for path in entries(&to)? {
            let digest = ringmail_engine::digest_file(&path).with_context(|| self.failed())?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.files.insert(format!("audit/{name}"), hex(&digest));
        }
        Ok(size)
    }

    /// Copies what is in a folder of the data folder, and not copied yet.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), Fault> {
        for path in entries(&self.data.join(folder))? {
            let Ok(inside) = path.strip_prefix(self.data).map(Path::to_path_buf) else { continue };
            let is_taken = match fate(&inside) {
                Fate::Taken => true,
                Fate::Key => self.with_keys,
                Fate::Left => false,
            };
            // What went meanwhile is named by nothing that was copied.
            let Ok(meta) = path.symlink_metadata() else { continue };
            if meta.is_dir() && depth > 0 {
                self.folder(&inside, depth - 1)?;
            } else if meta.is_file() && is_taken {
                self.file(&path, &inside.to_string_lossy())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<(), Fault> {
        if self.files.contains_key(name) {
            return Ok(());
        }
        let digest = match copy_file(path, &self.to.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound && !path.exists() => return Ok(()),
            digest => digest.with_context(|| format!("cannot copy `{}`", shown(path)))?,
        };
        self.files.insert(name.into(), hex(&digest));
        Ok(())
    }

    /// What plugins keep: whoever has it open copies it, at one moment.
    fn kept(&mut self, chosen: Option<&Path>) -> Result<(), Fault> {
        let path = self.data.join(KEPT);
        if !path.exists() {
            return Ok(());
        }
        let copied = match std::os::unix::net::UnixStream::connect(self.data.join(CONTROL_FILE)) {
            Ok(_) => {
                let told = steer::order(chosen, "POST", "/backup")?;
                (told.get("kept") == Some(&Value::Bool(true))).then(|| path.with_extension("copy"))
            }
            Err(_) => copy_kept(&path)
                .map_err(|why| Fault::user(format!("what plugins keep cannot be copied: {why}")))?,
        };
        if let Some(copied) = copied {
            self.file(&copied, KEPT)?;
            std::fs::remove_file(&copied).with_context(|| format!("cannot remove `{}`", shown(&copied)))?;
        }
        Ok(())
    }
}

pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
