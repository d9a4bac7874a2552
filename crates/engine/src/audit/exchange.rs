//! A new key for a host. All that is wrapped with the old one is wrapped anew beside it, the old key hands the log over under its
//! signature, and then the new files take their places, the key last. A crash before the handing over changed nothing; after it,
//! the same command goes on.

use super::{Audit, AuditError, SUBJECTS, Subjects, SubjectsError, used};
use crate::approvals::Approvals;
use crate::packages::write_whole;
use crate::recorder::{DataSubject, Note, RecordError, Recorder};
use crate::secrets::{SecretLedger, reseal_secret};
use crate::sign::HostKey;
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use ringmail_store::{Lineage, LogError, put_once, sync_folders};
use std::fs::TryLockError;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Where the new files wait, beside the log. Whoever opens the log takes away what an exchange left that did not come to its handing over:
/// somebody may be erased from now on, and the keys of all are in it.
pub(super) const FOLDER: &str = "exchange";
const KEY: &str = "key";
/// What lies in the project's folder: each file behind a line with its path there.
const PROJECT: &str = "project";
/// What lies in the data folder.
const DATA: &str = "data";
const APPROVALS: &str = "approvals";
const DEPTH_MAX: usize = 16;

#[derive(Debug, Error)]
pub enum ExchangeError {
    /// Somebody may write with the old key.
    #[error("other processes of this host have its log open")]
    Busy,
    #[error("cannot {what} `{path}`: {why}")]
    Disk { what: &'static str, path: PathBuf, why: std::io::Error },
    #[error("`{0}` cannot be read by this host, and would be lost")]
    Foreign(PathBuf),
    #[error("cannot record it: {0}")]
    Record(RecordError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Subjects(#[from] SubjectsError),
}

fn disk(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ExchangeError {
    let path = path.to_path_buf();
    move |why| ExchangeError::Disk { what, path, why }
}

/// What a host's key is exchanged in.
#[derive(Debug)]
pub struct Exchange {
    /// The folder of the project.
    pub root: PathBuf,
    pub data: PathBuf,
    /// In the data folder, as all that follow.
    pub key: PathBuf,
    pub audit: PathBuf,
    pub approvals: PathBuf,
    /// Compiled under the old key, and made anew when they are needed.
    pub modules: PathBuf,
    /// Secrets that are sealed in files of the project.
    pub sealed: Vec<(Str, PathBuf)>,
    /// Where the old key is kept, which opens backups that were made with it.
    pub keep: Option<PathBuf>,
    pub now_ms: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Exchanged {
    pub from: String,
    pub to: String,
    /// Files that were wrapped anew.
    pub files: u64,
    /// Whether it was begun before, and only ended now.
    pub resumed: bool,
}

impl Exchange {
    pub fn run(&self) -> Result<Exchanged, ExchangeError> {
        let used = used(&self.audit)?;
        match used.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ExchangeError::Busy),
            Err(TryLockError::Error(why)) => return Err(disk("lock", &self.audit)(why)),
        }
        let stage = self.audit.join(FOLDER);
        let from = HostKey::open(&self.key).map_err(disk("read", &self.key))?;
        let waits = stage.join(KEY);
        let begun =
            waits.exists().then(|| HostKey::open(&waits)).transpose().map_err(disk("read", &waits))?;
        // Whose log it is says whether the old key has handed it over.
        let begun = begun.filter(|to| self.is_of(to));
        let resumed = begun.is_some();
        let to = match begun {
            Some(to) => to,
            None => self.hand_over(&stage, &from, used)?,
        };
        if let Some(keep) = &self.keep {
            put_once(keep, from.to_text().as_bytes()).map_err(disk("write", keep))?;
        }
        let files = self.take_places(&stage)?;
        self.remove_old(&from)?;
        std::fs::rename(&waits, &self.key).map_err(disk("write", &self.key))?;
        sync_folders(&self.data, 0).map_err(disk("write", &self.key))?;
        std::fs::remove_dir_all(&stage).map_err(disk("remove", &stage))?;
        Ok(Exchanged { from: from.public_hex(), to: to.public_hex(), files, resumed })
    }

    fn is_of(&self, key: &HostKey) -> bool {
        let read = Lineage::read(&self.audit, "", key.public_bytes());
        // A log that nobody took over is anybody's.
        read.is_ok_and(|lineage| lineage.was_taken_over())
    }

    /// Wraps everything anew, and lets the old key say so.
    fn hand_over(&self, stage: &Path, from: &HostKey, used: std::fs::File) -> Result<HostKey, ExchangeError> {
        match std::fs::remove_dir_all(stage) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(disk("remove", stage)(error));
            }
            _ => {}
        }
        let folder = stage.join(DATA).join(SUBJECTS);
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&folder).map_err(disk("make", &folder))?;
        let to = HostKey::open(&stage.join(KEY)).map_err(disk("write", stage))?;
        let audit = Audit::open_used(&self.audit, from, used)?;
        audit.subjects.wrap_for(&Subjects::open(&folder, &to)?)?;
        let approvals = Approvals::new(self.approvals.clone(), from);
        let questions = stage.join(DATA).join(APPROVALS);
        let wrapped = approvals.wrap_for(&Approvals::new(questions, &to));
        if let Some(foreign) = wrapped.map_err(disk("wrap", &self.approvals))? {
            return Err(ExchangeError::Foreign(foreign));
        }
        if let Some(text) = SecretLedger::unmarked(&self.data) {
            let new = stage.join(DATA).join(SecretLedger::FILE);
            write_whole(&new, text.as_bytes()).map_err(disk("write", &new))?;
        }
        for (at, (name, path)) in self.sealed.iter().enumerate() {
            let own = self.root.join(path);
            let text = match std::fs::read_to_string(&own) {
                // Whoever needs it is told when it is read.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                text => text.map_err(disk("read", &own))?,
            };
            let sealed = reseal_secret(name, &text, from, &to);
            let sealed = sealed.ok_or_else(|| ExchangeError::Foreign(own.clone()))?;
            let new = stage.join(PROJECT).join(at.to_string());
            let said = format!("{}\n{sealed}", path.display());
            let made = std::fs::create_dir_all(stage.join(PROJECT));
            made.and_then(|()| write_whole(&new, said.as_bytes())).map_err(disk("write", &new))?;
        }
        let open = vec![("from", Value::from(from.public_hex())), ("to", Value::from(to.public_hex()))];
        let who = DataSubject::of(&Principal::host());
        let note = Note { kind: "key-exchanged", at_ms: self.now_ms, open, who, sealed: Vec::new() };
        audit.note(&note).map_err(ExchangeError::Record)?;
        // The subject of that record may have been a new one.
        audit.subjects.wrap_for(&Subjects::open(&folder, &to)?)?;
        sync_folders(stage, DEPTH_MAX).map_err(disk("write", stage))?;
        audit.log.hand_over(&to).map_err(|error: LogError| AuditError::from(error))?;
        Ok(to)
    }

    /// Answers how many there were that are there now.
    fn take_places(&self, stage: &Path) -> Result<u64, ExchangeError> {
        let data = stage.join(DATA);
        let mut moved = Vec::new();
        for (from, to) in
            [(data.join(SUBJECTS), self.audit.join(SUBJECTS)), (data.join(APPROVALS), self.approvals.clone())]
        {
            let mut files = Vec::new();
            list(&from, DEPTH_MAX, &mut files).map_err(disk("list", &from))?;
            let to = |path: &Path| to.join(path.strip_prefix(&from).unwrap_or(path));
            moved.extend(files.into_iter().map(|path| (to(&path), path)));
        }
        let times = data.join(SecretLedger::FILE);
        if times.exists() {
            moved.push((self.data.join(SecretLedger::FILE), times));
        }
        for (to, path) in &moved {
            let made = to.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::rename(path, to)).map_err(disk("write", to))?;
        }
        sync_folders(&self.audit, DEPTH_MAX).map_err(disk("write", &self.audit))?;
        let mut sealed = Vec::new();
        list(&stage.join(PROJECT), 0, &mut sealed).map_err(disk("list", stage))?;
        for path in &sealed {
            let said = std::fs::read_to_string(path).map_err(disk("read", path))?;
            let Some((to, text)) = said.split_once('\n') else { continue };
            let to = self.root.join(to);
            write_whole(&to, text.as_bytes()).map_err(disk("write", &to))?;
        }
        Ok((moved.len() + sealed.len()) as u64)
    }

    /// What only the old key opens: all of it has been wrapped anew.
    fn remove_old(&self, from: &HostKey) -> Result<(), ExchangeError> {
        Subjects::open(&self.audit.join(SUBJECTS), from)?.remove_all()?;
        match std::fs::remove_dir_all(&self.modules) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(disk("remove", &self.modules)(error))
            }
            _ => Ok(()),
        }
    }
}

/// All files in a folder and below; none where it is not there.
fn list(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && depth > 0 {
            list(&entry.path(), depth - 1, out)?;
        } else {
            out.push(entry.path());
        }
    }
    Ok(())
}
