//! The audit log: one record for each part of a run, in a log that can only grow, signed for by the host. What is of a person
//! is sealed with that person's key, so that it can be erased and the log still holds.

mod read;
mod record;
mod subjects;

use crate::recorder::{LogMark, Note, RecordError, Recorded, Recorder, RunPart};
use crate::sign::HostKey;
pub use read::{AuditReader, Entry, LogLines, stages, transcript};
use ringmail_store::{Log, LogError, LogSettings, Position, Signs};
use std::path::Path;
use std::sync::Arc;
pub use subjects::{Subjects, SubjectsError};
use thiserror::Error;

/// Where the keys of subjects lie, beside the log.
const SUBJECTS: &str = "subjects";

#[derive(Debug, Error)]
pub enum AuditError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Subjects(#[from] SubjectsError),
}

/// The one log of a data folder. Several engines and processes may have it open.
#[derive(Clone, Debug)]
pub struct Audit {
    log: Arc<Log>,
    subjects: Arc<Subjects>,
}

impl Audit {
    pub fn open(folder: &Path, key: &HostKey) -> Result<Audit, AuditError> {
        let settings = LogSettings::new(origin(key), Arc::new(key.again()));
        let log = Arc::new(Log::open(folder, settings)?);
        Ok(Audit { log, subjects: Arc::new(Subjects::open(&folder.join(SUBJECTS), key)?) })
    }

    /// Signs for all there is, and answers what was signed.
    pub fn checkpoint(&self) -> Result<String, AuditError> {
        Ok(self.log.checkpoint()?)
    }

    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    fn append(&self, record: Option<String>) -> Result<LogMark, RecordError> {
        let record = record.ok_or_else(|| RecordError("there is no randomness to seal with".into()))?;
        let position =
            self.log.append(&[record.as_bytes()]).map_err(|error| RecordError(error.to_string()))?;
        Ok(LogMark(position.0))
    }
}

/// What the log of a host calls itself.
pub fn origin(key: &HostKey) -> String {
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

impl Recorder for Audit {
    fn part(&self, part: RunPart<'_>) -> Result<LogMark, RecordError> {
        let key = self.subjects.key(&part.run.who).map_err(|error| RecordError(error.to_string()))?;
        self.append(record::part(part, &key))
    }

    fn note(&self, note: &Note) -> Result<LogMark, RecordError> {
        let key = self.subjects.key(&note.who).map_err(|error| RecordError(error.to_string()))?;
        self.append(record::note(note, &key))
    }

    fn durable(&self, mark: LogMark) -> Recorded<'_> {
        Box::pin(async move {
            self.log.durable(Position(mark.0)).await.map_err(|error| RecordError(error.to_string()))
        })
    }
}
