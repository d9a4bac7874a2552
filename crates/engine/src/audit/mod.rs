//! The audit log: one record for each part of a run, in a log that can only grow, signed for by the host. What is of a person
//! is sealed with that person's key, so that it can be erased and the log still holds.

mod exchange;
mod index;
mod open;
mod past;
mod periods;
mod purge;
mod read;
mod record;
mod subjects;

use crate::recorder::{LogMark, Marked, Note, RecordError, Recorded, Recorder, RunPart};
use crate::sign::HostKey;
pub use exchange::{Exchange, ExchangeError, Exchanged};
pub use index::Sought;
use open::OpenRuns;
pub use past::{OpenRun, OverRun, PastError};
pub use periods::Period;
pub use purge::{Overdue, Purges};
pub use read::{AuditReader, Entry, LogLines, NamedBy, named_by, stages, transcript};
use record::{Carrier, Sealing};
use ringmail_store::{Lineage, Log, LogError, LogSettings, Position, Signs};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subjects::SubjectKey;
pub use subjects::{Subjects, SubjectsError};
use thiserror::Error;

/// Where the keys of subjects lie, beside the log.
pub const SUBJECTS: &str = "subjects";
/// What is too large for a record, sealed as it is, under its digest.
pub const ASIDE: &str = "aside";
/// Who has runs that are not over.
pub const OPEN: &str = "open";
/// Held together by all who have the log open, and alone by whoever exchanges the host's key.
const USED: &str = "used.lock";

#[derive(Debug, Error)]
pub enum AuditError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Subjects(#[from] SubjectsError),
    #[error("the key of this host is being exchanged")]
    Exchanging,
    #[error("cannot use `{path}`: {why}")]
    Disk { path: PathBuf, why: std::io::Error },
}

impl AuditError {
    /// The key of this host is not the one that has the log now.
    pub fn is_taken_over(&self) -> bool {
        matches!(self, AuditError::Log(LogError::TakenOver))
    }
}

/// The one log of a data folder. Several engines and processes may have it open.
#[derive(Clone, Debug)]
pub struct Audit {
    log: Arc<Log>,
    subjects: Arc<Subjects>,
    folder: Arc<Path>,
    open: Arc<OpenRuns>,
    lineage: Arc<Lineage>,
    _used: Arc<File>,
}

impl Audit {
    pub fn open(folder: &Path, key: &HostKey) -> Result<Audit, AuditError> {
        let used = used(folder)?;
        match used.try_lock_shared() {
            Ok(()) => {
                let audit = Audit::open_used(folder, key, used)?;
                let path = folder.join(exchange::FOLDER);
                match std::fs::remove_dir_all(&path) {
                    Err(why) if why.kind() != ErrorKind::NotFound => Err(AuditError::Disk { path, why }),
                    _ => Ok(audit),
                }
            }
            Err(TryLockError::WouldBlock) => Err(AuditError::Exchanging),
            Err(TryLockError::Error(why)) => Err(AuditError::Disk { path: folder.join(USED), why }),
        }
    }

    fn open_used(folder: &Path, key: &HostKey, used: File) -> Result<Audit, AuditError> {
        let lineage = Lineage::read(folder, &origin(key), key.public_bytes())?;
        let settings = LogSettings::new(lineage.origin(), Arc::new(key.again()));
        let log = Arc::new(Log::open(folder, settings)?);
        let open = OpenRuns::new(folder.join(OPEN)).ok_or(SubjectsError::NoRandomness)?;
        let subjects = Arc::new(Subjects::open(&folder.join(SUBJECTS), key)?);
        let (open, lineage, used) = (Arc::new(open), Arc::new(lineage), Arc::new(used));
        Ok(Audit { log, subjects, folder: folder.into(), open, lineage, _used: used })
    }

    /// Whether another key than this has the log in a folder. Changes nothing.
    pub fn is_taken_over(folder: &Path, key: &HostKey) -> bool {
        matches!(Lineage::read(folder, "", key.public_bytes()), Err(LogError::TakenOver))
    }

    /// What the log calls itself.
    pub fn origin(&self) -> &str {
        self.lineage.origin()
    }

    pub(crate) fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Signs for all there is, and answers what was signed.
    pub fn checkpoint(&self) -> Result<String, AuditError> {
        Ok(self.log.checkpoint()?)
    }

    /// Makes durable what anybody has written so far; answers how many records that are.
    pub(crate) fn settle(&self) -> Result<u64, AuditError> {
        Ok(self.log.settle()?)
    }

    /// How many records there are, as far as this one has seen.
    pub(crate) fn count(&self) -> u64 {
        self.log.count()
    }

    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// What seals what a part of a run carries, if it carries anything.
    fn carrier(&self, part: &RunPart<'_>, key: &SubjectKey) -> Result<Option<Carrier>, RecordError> {
        if !part.run.keeps || (part.number > 0 && part.kept.is_empty()) {
            return Ok(None);
        }
        let period = Period::of(part.run.at_ms, part.class);
        let made_of = self.subjects.periods().key(&period).map_err(failed)?;
        Ok(Some(Carrier { period: period.words(), key: key.carrier(&made_of) }))
    }

    /// A record as it is written, with what is too large for it put aside.
    fn sealed(&self, sealing: Option<Sealing>) -> Result<Vec<u8>, RecordError> {
        let sealing = sealing.ok_or_else(|| RecordError("there is no randomness to seal with".into()))?;
        for (name, sealed) in &sealing.aside {
            aside(&self.folder.join(ASIDE), name, sealed).map_err(failed)?;
        }
        Ok(sealing.record.into_bytes())
    }

    fn sealed_part(&self, part: RunPart<'_>) -> Result<Vec<u8>, RecordError> {
        let key = self.subjects.key(&part.run.who).map_err(failed)?;
        let carrier = self.carrier(&part, &key)?;
        self.sealed(record::part(part, &key, carrier.as_ref(), &self.open.by))
    }

    fn append(&self, record: &[u8]) -> Result<LogMark, RecordError> {
        let position = self.log.append(&[record]).map_err(failed)?;
        Ok(LogMark(position.0))
    }
}

/// What all who have a log open hold.
fn used(folder: &Path) -> Result<File, AuditError> {
    let path = folder.join(USED);
    let mut options = File::options();
    let opened = std::fs::create_dir_all(folder)
        .and_then(|()| options.write(true).create(true).truncate(false).mode(0o600).open(&path));
    opened.map_err(|why| AuditError::Disk { path, why })
}

/// What the log calls itself that a host began.
fn origin(key: &HostKey) -> String {
    format!("ringmail/{}", key.public_hex().get(..16).unwrap_or_default())
}

impl Signs for HostKey {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signature(message)
    }

    fn public(&self) -> [u8; 32] {
        self.public_bytes()
    }
}

fn failed(error: impl std::fmt::Display) -> RecordError {
    RecordError(error.to_string())
}

/// Puts aside what is too large for a record, durably, before the record names it.
fn aside(folder: &Path, name: &str, sealed: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    let new = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(sealed)?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}

impl Recorder for Audit {
    fn part(&self, part: RunPart<'_>) -> Result<LogMark, RecordError> {
        let (run, is_last) = (part.run, part.is_last);
        let record = self.sealed_part(part)?;
        let first = part.resumes.or((part.number == 0 && !is_last).then(|| self.log.count()));
        if let Some(first) = first.filter(|_| run.keeps) {
            self.open.begin(&run.run, first).map_err(failed)?;
        }
        let mark = self.append(&record)?;
        if is_last {
            self.open.end(&run.run, mark.0);
        }
        Ok(mark)
    }

    fn whole(&self, part: RunPart<'_>) -> Marked<'_> {
        let run = part.run.run.clone();
        let record = self.sealed_part(part);
        Box::pin(async move {
            let mark = self.log.append_together(record?).await.map_err(failed)?;
            self.open.end(&run, mark.0);
            Ok(LogMark(mark.0))
        })
    }

    fn note(&self, note: &Note) -> Result<LogMark, RecordError> {
        let key = self.subjects.key(&note.who).map_err(failed)?;
        self.append(&self.sealed(record::note(note, &key))?)
    }

    fn durable(&self, mark: LogMark) -> Recorded<'_> {
        Box::pin(async move { self.log.durable(Position(mark.0)).await.map_err(failed) })
    }
}
