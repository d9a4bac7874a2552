//! `ringmail store restore`: believes a backup as far as this host's key signed for it, and puts it where nothing is. Runs that were open then
//! do not go on: what they did since is not in it.

use super::backup::{FORMAT, MANIFEST, hex, write};
use super::parts::entries;
use super::plural;
use crate::exit::{Exit, Fault};
use crate::place::{HOST_KEY, Place, shown};
use crate::terminal::{Format, clean, print_json, say};
use anyhow::Context;
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::value::Value;
use ringmail_engine::packages::read_bounded;
use ringmail_engine::{
    Clock, DataSubject, HostKey, Note, Principal, Recorder, SignedAct, SystemClock, copy_file, sync_folders,
};
use ringmail_verify::{Checkpoint, KeysOfLog, verify};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

const MANIFEST_BYTES_MAX: u64 = 256 << 20;
/// What a data folder holds before anything is kept in it.
const EMPTY: &[&str] = &[".gitignore", crate::place::FORMAT];
const DEPTH_MAX: usize = 16;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The backup
    from: PathBuf,
    /// The host's key, where it is not in the backup; whoever changed a backup may have changed a key in it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let data = place.data();
        vacant(&data)?;
        let (key_path, key) = self.key()?;
        let manifest = self.manifest(&key)?;
        let mut draft = data.as_os_str().to_os_string();
        draft.push(".new");
        let draft = PathBuf::from(draft);
        let failed = || format!("cannot make `{}`", shown(&draft));
        std::fs::DirBuilder::new().mode(0o700).create(&draft).with_context(failed)?;
        let made = self.fill(&draft, &manifest, &key, &key_path).and_then(|made| {
            vacant(&data)?;
            for name in EMPTY {
                // What cannot be removed keeps the name taken, which is told below.
                let _none = std::fs::remove_file(data.join(name));
            }
            std::fs::rename(&draft, &data).with_context(|| format!("cannot make `{}`", shown(&data)))?;
            Ok(made)
        });
        let (records, files) = match made {
            Ok(made) => made,
            Err(fault) => {
                let _left = std::fs::remove_dir_all(&draft);
                return Err(fault);
            }
        };
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let backed_up = manifest.get("at_ms").cloned().unwrap_or_default();
        let open = vec![("records", number(records)), ("backed_up_ms", backed_up)];
        let (at_ms, who) = (SystemClock.now_ms(), DataSubject::of(&Principal::host()));
        let audit = place.audit()?;
        audit
            .note(&Note { kind: "restored", at_ms, open, who, sealed: Vec::new() })
            .context("it is restored, and cannot be recorded")?;
        if self.format == Format::Json {
            print_json(&Value::map([("records", number(records)), ("files", number(files))]))?;
        }
        say(&format!("{} and {} are what was backed up", plural(records, "record"), plural(files, "file")));
        say("runs that were open do not go on: what they did since is not known here");
        Ok(Exit::Done)
    }

    fn key(&self) -> Result<(PathBuf, HostKey), Fault> {
        let path = self.key.clone().unwrap_or_else(|| self.from.join(HOST_KEY));
        if !path.is_file() {
            let fault = Fault::user(format!("there is no key of a host in `{}`", shown(&path)));
            return Err(fault.hint("say where it is kept: --key FILE"));
        }
        let key = HostKey::open(&path).with_context(|| format!("cannot read `{}`", shown(&path)))?;
        Ok((path, key))
    }

    /// What is in the backup, if this key signed for it.
    fn manifest(&self, key: &HostKey) -> Result<Value, Fault> {
        let path = self.from.join(MANIFEST);
        let wrong = |why: &str| Fault::user(format!("`{}` {why}", shown(&path)));
        if !path.exists() {
            return Err(wrong("is not there: this is no backup, or one that did not become whole"));
        }
        let bytes = read_bounded(&path, MANIFEST_BYTES_MAX).map_err(Fault::user)?;
        let limits = JsonLimits { bytes_max: usize::MAX, values_max: usize::MAX, ..JsonLimits::default() };
        let read = parse(&bytes, &limits).map_err(|_| wrong("is no JSON"))?;
        let text = |name: &str| read.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let signed = SignedAct {
            act: read.get("manifest").cloned().unwrap_or_default(),
            public_key: text("public_key"),
            signature: text("signature"),
        };
        if !signed.verify(&key.public_hex()) {
            return Err(wrong("is not what this host signed"));
        }
        match signed.act.get("backup") {
            Some(Value::Int(FORMAT)) => Ok(signed.act),
            _ => Err(wrong("is of a format that this version does not know")),
        }
    }

    /// Copies what was signed for, each file held against its digest, and looks at the log as anybody would.
    fn fill(
        &self,
        draft: &Path,
        manifest: &Value,
        key: &HostKey,
        key_path: &Path,
    ) -> Result<(u64, u64), Fault> {
        let files = manifest.get("files").and_then(Value::as_map);
        let mut count = 0;
        for (name, digest) in files.into_iter().flat_map(|files| files.iter()) {
            let path = Path::new(&**name);
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(Fault::user(format!("`{}` leads elsewhere", clean(name))));
            }
            let from = self.from.join(path);
            let found = copy_file(&from, &draft.join(path));
            let found = found.with_context(|| format!("cannot copy `{}`", shown(&from)))?;
            if Some(hex(&found).as_str()) != digest.as_str() {
                return Err(Fault::user(format!("`{}` is not what was backed up", shown(&from))));
            }
            count += 1;
        }
        let own = draft.join(HOST_KEY);
        if !own.exists() {
            let text =
                std::fs::read(key_path).with_context(|| format!("cannot read `{}`", shown(key_path)))?;
            write(&own, &text).with_context(|| format!("cannot write `{}`", shown(&own)))?;
        }
        let records = match manifest.get("records") {
            Some(Value::Int(records)) => u64::try_from(*records).unwrap_or(0),
            _ => 0,
        };
        if records > 0 {
            let (folder, path) = (draft.join("audit"), draft.join("audit/checkpoint"));
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", shown(&path)))?;
            let checkpoint = Checkpoint::parse(&text).map_err(Fault::user)?;
            let trusted = KeysOfLog::of_log(&folder, key.public_bytes()).map_err(Fault::user)?;
            let fits = trusted.signed(&checkpoint) && checkpoint.size == records;
            let verified = verify(&folder, &[checkpoint]).map_err(|wrong| wrong.to_string());
            match verified {
                Ok(found) if fits && found.records == records => {}
                Ok(_) => return Err(Fault::user("the log is not the one that was backed up")),
                Err(wrong) => {
                    return Err(Fault::user(format!("the log is not what was written, from {wrong}")));
                }
            }
        }
        sync_folders(draft, DEPTH_MAX).with_context(|| format!("cannot write `{}`", shown(draft)))?;
        Ok((records, count))
    }
}

/// Nothing is ever written over.
fn vacant(data: &Path) -> Result<(), Fault> {
    let all = entries(data)?;
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match all.iter().find(|path| !EMPTY.contains(&name(path).as_str())) {
        None => Ok(()),
        Some(path) => {
            let fault = Fault::user(format!("`{}` is not empty: `{}` is in it", shown(data), shown(path)));
            Err(fault.hint("move it away first: nothing is written over"))
        }
    }
}
