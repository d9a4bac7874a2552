//! The parts of a data folder, each looked at by itself: what it holds, what is wrong with it, and what in it nothing names any
//! more. Changes nothing.

use super::plural;
use crate::exit::Fault;
use crate::place::{HOST_KEY, Place, shown};
use crate::versions::Versions;
use anyhow::Context;
use ringmail_engine::core::value::Str;
use ringmail_engine::{
    ASIDE, Audit, HostKey, SUBJECTS, Subjects, check_kept, digest_file, lost_records, named_by,
};
use ringmail_server::{KEYS_FILE, KeyStore, TOKENS_FILE, TokenStore};
use ringmail_verify::{Checkpoint, KeysOfLog, verify};
use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was made just now may be named in a moment.
const SETTLED: Duration = Duration::from_secs(600);
/// A compiled module that is used is compiled anew after so long; one that is not is gone.
const MODULE_LIFE: Duration = Duration::from_secs(30 * 86_400);
pub(super) const KEPT: &str = "kept.redb";
pub(super) const MODULES: &str = "modules";
/// All that may lie in a data folder, besides what is held while something there is changed.
const KNOWN: &[&str] = &[
    ".gitignore",
    crate::place::FORMAT,
    HOST_KEY,
    "audit",
    "approvals",
    "anchor",
    "certs",
    "config",
    "control.sock",
    "deliveries",
    "dumps",
    "forward",
    "kept.copy",
    KEPT,
    KEYS_FILE,
    MODULES,
    "plugins",
    "python",
    "schedules",
    "secrets.json",
    TOKENS_FILE,
];

/// One part of the folder.
#[derive(Default)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) holds: String,
    pub(super) wrong: Vec<String>,
    /// What nothing names any more.
    pub(super) left: Vec<PathBuf>,
}

impl Part {
    fn new(name: &'static str) -> Part {
        Part { name, ..Part::default() }
    }

    fn wrong(mut self, why: impl Into<String>) -> Part {
        self.wrong.push(why.into());
        self
    }
}

/// Files and folders in a folder, by name; none if it is not there.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let failed = || format!("cannot read `{}`", shown(folder));
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.with_context(failed)?,
    };
    let paths = listed.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.with_context(failed)?;
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a file has not changed for so long; one that is gone has nothing to be looked at.
fn is_older(path: &Path, life: Duration) -> bool {
    let changed = std::fs::metadata(path).and_then(|meta| meta.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age >= life))
}

/// Every part. What nothing names is listed before it is looked up who names what: whatever is written meanwhile is named by what is
/// written after it.
pub(super) fn look(place: &Place) -> Result<Vec<Part>, Fault> {
    let data = super::data(place)?;
    let (key_part, key) = key(place, &data)?;
    let subjects = match &key {
        Some(key) => subjects(place, key)?,
        None => (Part::new("subjects"), Readable::default()),
    };
    let mut parts = vec![key_part, log(place, key.as_ref())?];
    parts.push(aside(place, &subjects.1, key.is_some())?);
    parts.push(subjects.0);
    parts.push(approvals(place, key.as_ref())?);
    parts.push(kept(&data));
    parts.push(callers(&data)?);
    parts.push(versions(&data)?);
    parts.push(modules(&data)?);
    parts.push(others(&data)?);
    Ok(parts)
}

/// The host's key, which opens everything else.
fn key(place: &Place, data: &Path) -> Result<(Part, Option<HostKey>), Fault> {
    let (path, part) = (data.join(HOST_KEY), Part::new("key"));
    let Ok(meta) = std::fs::metadata(&path) else {
        return Ok((part.wrong("it is not there: nothing that is sealed can be read"), None));
    };
    let mut part = match meta.permissions().mode() & 0o077 {
        0 => part,
        _ => part.wrong(format!("others than its owner can use `{}`", shown(&path))),
    };
    match HostKey::open(&path) {
        Ok(key) => {
            part.holds = key.public_hex();
            if Audit::is_taken_over(&place.audit_folder(), &key) {
                part.wrong
                    .push("another took the log over; end an exchange: ringmail store rotate-key".into());
            }
            Ok((part, Some(key)))
        }
        Err(error) => Ok((part.wrong(error.to_string()), None)),
    }
}

fn log(place: &Place, key: Option<&HostKey>) -> Result<Part, Fault> {
    let (folder, mut part) = (place.audit_folder(), Part::new("log"));
    if !folder.is_dir() {
        return Ok(part);
    }
    let mut checkpoints = Vec::new();
    let trusted = key.map(|key| KeysOfLog::of_log(&folder, key.public_bytes())).transpose();
    let trusted = trusted.unwrap_or_else(|why| {
        part.wrong.push(why);
        None
    });
    checkpoints.extend(trusted.iter().flat_map(KeysOfLog::taken_over).cloned());
    if let Ok(text) = std::fs::read_to_string(folder.join("checkpoint")) {
        match Checkpoint::parse(&text) {
            Ok(one) if trusted.as_ref().is_none_or(|all| all.signed(&one)) => checkpoints.push(one),
            Ok(_) => part = part.wrong("its checkpoint is not signed by this host"),
            Err(why) => part = part.wrong(why),
        }
    }
    match verify(&folder, &checkpoints) {
        Ok(found) => part.holds = plural(found.records, "record"),
        Err(wrong) => part = part.wrong(format!("it is not what was written, from {wrong}")),
    }
    part.wrong.extend(lost_records(&place.project, &place.data(), &folder).unwrap_or_else(Some));
    Ok(part)
}

/// What can be read, since its keys are still there.
#[derive(Default)]
struct Readable {
    /// By their ids.
    subjects: HashSet<Str>,
    periods: HashSet<String>,
}

/// The keys of subjects and of periods, and what they are for.
fn subjects(place: &Place, key: &HostKey) -> Result<(Part, Readable), Fault> {
    let (folder, mut part) = (place.audit_folder().join(SUBJECTS), Part::new("subjects"));
    if !folder.is_dir() {
        return Ok((part, Readable::default()));
    }
    let failed = "cannot read the keys of subjects";
    let subjects = Subjects::open(&folder, key).context(failed)?;
    let mut known = Readable::default();
    for (period, is_own) in subjects.period_keys().context(failed)? {
        if !is_own {
            part.wrong.push(format!("the key of the period `{period}` is none of this host"));
        }
        known.periods.insert(period);
    }
    for (path, id) in subjects.files().context(failed)? {
        match id {
            Some(id) => drop(known.subjects.insert(id)),
            None => part.wrong.push(format!("`{}` is none of this host", shown(&path))),
        }
    }
    let drafts = entries(&folder)?.into_iter().filter(|path| name_of(path).ends_with(".new"));
    part.left = drafts.filter(|path| is_older(path, SETTLED)).collect();
    part.holds = format!(
        "{}, {}",
        plural(known.subjects.len() as u64, "key"),
        plural(known.periods.len() as u64, "period")
    );
    Ok((part, known))
}

/// What was too large for the log. What a subject had who was erased is nobody's any more.
fn aside(place: &Place, known: &Readable, has_key: bool) -> Result<Part, Fault> {
    let (folder, mut part) = (place.audit_folder().join(ASIDE), Part::new("aside"));
    let mut there: BTreeMap<String, PathBuf> =
        entries(&folder)?.into_iter().map(|path| (name_of(&path), path)).collect();
    let count = there.len() as u64;
    for (name, path) in &there {
        let digest = digest_file(path).with_context(|| format!("cannot read `{}`", shown(path)))?;
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != *name && !name.ends_with(".new") {
            part.wrong.push(format!("`{}` is not what was put aside", shown(path)));
        }
    }
    let mut named_here: HashSet<Str> = HashSet::new();
    for line in place.recorded_lines(0)? {
        let (at, record) = line.context("cannot read the log")?;
        let Some(named) = named_by(&record) else { continue };
        // Without the host's key nobody knows who was erased.
        if has_key && named.who.as_ref().is_some_and(|who| !known.subjects.contains(who)) {
            continue;
        }
        let is_over = |period: &Str| has_key && !known.periods.contains(&**period);
        let (over, carried) = match named.carried {
            Some((period, name)) if is_over(&period) => (Some(name), None),
            carried => (None, carried.map(|(_, name)| name)),
        };
        for name in named.sealed.iter().chain(&carried).filter(|name| !there.contains_key(&***name)) {
            part.wrong.push(format!("record {at} has something put aside that is not there: `{name}`"));
        }
        named_here.extend(named.all.into_iter().filter(|name| Some(name) != over.as_ref()));
    }
    there.retain(|name, _| !named_here.contains(&**name));
    part.holds = plural(count, "file");
    part.left = there.into_values().filter(|path| is_older(path, SETTLED)).collect();
    Ok(part)
}

/// Questions to persons; those of runs that are over are left.
fn approvals(place: &Place, key: Option<&HostKey>) -> Result<Part, Fault> {
    let mut part = Part::new("approvals");
    let Some(key) = key.filter(|_| place.approvals().is_dir()) else { return Ok(part) };
    let failed = "cannot read what persons are asked";
    let all = ringmail_engine::Approvals::new(place.approvals(), key).all().context(failed)?;
    if all.is_empty() {
        return Ok(part);
    }
    let open = place.audit().ok().and_then(|audit| audit.open_runs().ok());
    let Some(open) = open else { return Ok(part.wrong("nobody can tell which runs are open")) };
    part.holds = plural(all.len() as u64, "question");
    for (path, question) in all {
        match question {
            Some(question) if open.iter().any(|run| run.run == question.run) => {}
            Some(_) if is_older(&path, SETTLED) => part.left.push(path),
            Some(_) => {}
            None if is_older(&path, SETTLED) => {
                part.wrong.push(format!("`{}` cannot be read by this host", shown(&path)));
            }
            None => {}
        }
    }
    Ok(part)
}

fn kept(data: &Path) -> Part {
    let (path, mut part) = (data.join(KEPT), Part::new("kept"));
    let copy = path.with_extension("copy");
    if is_older(&copy, SETTLED) {
        part.left.push(copy);
    }
    if path.exists() {
        match check_kept(&path) {
            Ok(Some(count)) => part.holds = plural(count, "value"),
            Ok(None) => part.holds = "in use by another process, and not looked at".into(),
            Err(why) => part = part.wrong(why),
        }
    }
    part
}

/// API keys and tokens.
fn callers(data: &Path) -> Result<Part, Fault> {
    let mut part = Part::new("callers");
    let (keys, tokens) = (data.join(KEYS_FILE), data.join(TOKENS_FILE));
    let mut holds = Vec::new();
    if keys.exists() {
        match KeyStore::open(&keys) {
            Ok(store) => holds.push(plural(store.all().len() as u64, "key")),
            Err(error) => part.wrong.push(error.to_string()),
        }
    }
    if tokens.exists() {
        match TokenStore::open(&tokens) {
            Ok(store) => holds.push(plural(store.all().len() as u64, "token")),
            Err(error) => part.wrong.push(error.to_string()),
        }
    }
    part.holds = holds.join(", ");
    Ok(part)
}

/// Configurations that were served.
fn versions(data: &Path) -> Result<Part, Fault> {
    let mut part = Part::new("config");
    if data.join("config").is_dir() {
        match Versions::open(data) {
            Ok(versions) => {
                part.holds = plural(versions.all.len() as u64, "version");
                for version in &versions.all {
                    if let Err(fault) = versions.files(version) {
                        part.wrong.push(format!("{}: {}", version.id, fault.text()));
                    }
                }
            }
            Err(fault) => part.wrong.push(fault.text()),
        }
    }
    Ok(part)
}

fn modules(data: &Path) -> Result<Part, Fault> {
    let mut part = Part::new("modules");
    let all = entries(&data.join(MODULES))?;
    part.holds = plural(all.len() as u64, "module");
    part.left = all.into_iter().filter(|path| is_older(path, MODULE_LIFE)).collect();
    Ok(part)
}

/// What nobody put there.
fn others(data: &Path) -> Result<Part, Fault> {
    let mut part = Part::new("others");
    let unknown = entries(data)?
        .into_iter()
        .map(|path| name_of(&path))
        .filter(|name| !KNOWN.contains(&&**name) && !name.ends_with(".lock"));
    let unknown: Vec<String> = unknown.collect();
    part.holds = unknown.join(", ");
    Ok(part)
}
