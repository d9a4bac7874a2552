//! A key for each subject that stands in the log, wrapped with the host's. Whoever takes it away has erased the subject: what
//! was sealed with it stays as it was written, and nobody reads it any more.

use super::periods::{PeriodKey, Periods};
use crate::recorder::DataSubject;
use crate::sealed::SealKey;
use crate::sign::{HostKey, from_hex, to_hex};
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::{Str, Value};
use ringmail_store::put_once;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use zeroize::Zeroizing;

/// Keys held in memory.
const KNOWN_MAX: usize = 10_000;
/// How long a key counts after its file was seen last: somebody may have taken it away.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Error)]
pub enum SubjectsError {
    #[error("cannot {what} the key of a subject: {why}")]
    Disk { what: &'static str, why: std::io::Error },
    #[error("the key of a subject in `{0}` is none of this host")]
    Foreign(String),
    #[error("there is no randomness for a key")]
    NoRandomness,
}

pub(super) fn disk(what: &'static str) -> impl FnOnce(std::io::Error) -> SubjectsError {
    move |why| SubjectsError::Disk { what, why }
}

/// What seals the data of one subject.
pub struct SubjectKey {
    id: Str,
    key: SealKey,
    /// Makes the keys of what its runs carried.
    carries: ring::hmac::Key,
    /// The last of them, with what it was made of.
    carrier: Mutex<Option<(PeriodKey, Arc<SealKey>)>>,
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SubjectKey({})", self.id)
    }
}

/// The subjects of one log.
#[derive(Debug)]
pub struct Subjects {
    folder: PathBuf,
    /// Wraps the keys.
    host: SealKey,
    /// Makes the names of their files, which tell nothing.
    names: ring::hmac::Key,
    periods: Periods,
    known: Mutex<HashMap<DataSubject, (Arc<SubjectKey>, Instant)>>,
}

impl SubjectKey {
    pub fn id(&self) -> &Str {
        &self.id
    }

    /// Nothing where there is no randomness.
    pub(super) fn seal(&self, plain: &[u8], purpose: &[u8]) -> Option<Vec<u8>> {
        self.key.seal(plain, purpose)
    }

    /// What seals data of this subject in a period, whose key goes into it.
    pub(super) fn carrier(&self, period: &PeriodKey) -> Arc<SealKey> {
        let mut carrier = self.carrier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_of, key)) = &*carrier
            && Arc::ptr_eq(made_of, period)
        {
            return key.clone();
        }
        let mut bytes = Zeroizing::new([0_u8; 32]);
        bytes.copy_from_slice(ring::hmac::sign(&self.carries, period).as_ref());
        let key = Arc::new(SealKey::of(&bytes));
        *carrier = Some((period.clone(), key.clone()));
        key
    }

    fn new(id: Str, bytes: &[u8; 32]) -> SubjectKey {
        let carries = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, bytes);
        SubjectKey { id, key: SealKey::of(bytes), carries, carrier: Mutex::default() }
    }

    pub(super) fn unseal(&self, sealed: &[u8], purpose: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.key.open(sealed, purpose)
    }
}

impl Subjects {
    pub fn open(folder: &Path, host: &HostKey) -> Result<Subjects, SubjectsError> {
        std::fs::create_dir_all(folder).map_err(disk("make the folder for"))?;
        let secret = host.secret_for("audit subjects");
        let names = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &*host.secret_for("audit subject names"));
        let periods = Periods::open(folder, host)?;
        let host = SealKey::of(&secret);
        Ok(Subjects { folder: folder.to_path_buf(), host, names, periods, known: Mutex::default() })
    }

    pub(super) fn periods(&self) -> &Periods {
        &self.periods
    }

    /// The key of a subject, which is made where there is none.
    pub(super) fn key(&self, who: &DataSubject) -> Result<Arc<SubjectKey>, SubjectsError> {
        let now = Instant::now();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((key, seen)) = known.get_mut(who) {
                if now.duration_since(*seen) < LOOK_AGAIN {
                    return Ok(key.clone());
                }
                if self.file_of(who).exists() {
                    *seen = now;
                    return Ok(key.clone());
                }
                known.remove(who);
            }
        }
        let key = Arc::new(match self.read(&self.file_of(who))? {
            Some((key, _)) => key,
            None => self.make(who)?,
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(who.clone(), (key.clone(), now));
        Ok(key)
    }

    /// Every subject that has a key, by the id that stands in the log.
    pub fn all(&self) -> Result<HashMap<Str, (DataSubject, Arc<SubjectKey>)>, SubjectsError> {
        let mut out = HashMap::new();
        for entry in std::fs::read_dir(&self.folder).map_err(disk("list"))? {
            let path = entry.map_err(disk("list"))?.path();
            if path.extension().is_some_and(|ending| ending == "key")
                && let Some((key, who)) = self.read(&path)?
            {
                out.insert(key.id.clone(), (who, Arc::new(key)));
            }
        }
        Ok(out)
    }

    /// Every file of a key, and for which id it is; nothing where it is none of this host.
    pub fn files(&self) -> Result<Vec<(PathBuf, Option<Str>)>, SubjectsError> {
        let mut out = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(disk("list"))? {
            let path = entry.map_err(disk("list"))?.path();
            if path.extension().is_some_and(|ending| ending == "key") {
                let text = std::fs::read(&path).map_err(disk("read"))?;
                let id = self.unwrap(&text).map(|(key, _)| key.id);
                out.push((path, id));
            }
        }
        Ok(out)
    }

    /// Every period that has a key, as it stands in records, and whether the key is of this host.
    pub fn period_keys(&self) -> Result<Vec<(String, bool)>, SubjectsError> {
        let all = self.periods.usable()?.into_iter();
        Ok(all.map(|(period, usable)| (period.words(), usable)).collect())
    }

    /// Takes the key away. What was sealed with it is gone; false if there was none.
    pub fn erase(&self, who: &DataSubject) -> Result<bool, SubjectsError> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
        match std::fs::remove_file(self.file_of(who)) {
            Ok(()) => self.sync_folder().map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(disk("remove")(error)),
        }
    }

    /// Wraps every key of this host for another, in the other's folder.
    pub(super) fn wrap_for(&self, other: &Subjects) -> Result<(), SubjectsError> {
        for (path, _) in self.files()? {
            let text = std::fs::read(&path).map_err(disk("read"))?;
            // One that this host cannot use, it does not pass on.
            let Some((_, who)) = self.unwrap(&text) else { continue };
            let wrapped = self.bytes(&text).and_then(|bytes| {
                let said = parse(&text, &JsonLimits::default()).ok()?;
                let key = Value::from(to_hex(&other.host.seal(&bytes, b"")?));
                Some(to_string(&Value::Map(said.as_map()?.with("key", key))))
            });
            let wrapped = wrapped.ok_or(SubjectsError::NoRandomness)?;
            put_once(&other.file_of(&who), wrapped.as_bytes()).map_err(disk("write"))?;
        }
        self.periods.wrap_for(&other.periods)
    }

    /// Takes away every key of this host.
    pub(super) fn remove_all(&self) -> Result<(), SubjectsError> {
        for (path, id) in self.files()? {
            if id.is_some() {
                std::fs::remove_file(&path).map_err(disk("remove"))?;
            }
        }
        for period in self.periods.all()? {
            self.periods.erase(&period)?;
        }
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<(), SubjectsError> {
        std::fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(disk("write"))
    }

    fn file_of(&self, who: &DataSubject) -> PathBuf {
        let tenant =
            who.tenant.as_ref().map_or_else(String::new, |tenant| format!("{} {tenant}", tenant.len()));
        let tag = ring::hmac::sign(&self.names, format!("{tenant}\0{}", who.name).as_bytes());
        self.folder.join(format!("{}.key", to_hex(tag.as_ref().get(..16).unwrap_or_default())))
    }

    fn read(&self, path: &Path) -> Result<Option<(SubjectKey, DataSubject)>, SubjectsError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk("read")(error)),
        };
        let foreign = || SubjectsError::Foreign(path.display().to_string());
        self.unwrap(&text).map(Some).ok_or_else(foreign)
    }

    fn bytes(&self, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let said = parse(text, &JsonLimits::default()).ok()?;
        self.host.open(&from_hex(said.get("key")?.as_str()?)?, b"")
    }

    fn unwrap(&self, text: &[u8]) -> Option<(SubjectKey, DataSubject)> {
        let said = parse(text, &JsonLimits::default()).ok()?;
        let id = said.get("id")?.as_str()?.into();
        let key = SubjectKey::new(id, self.bytes(text)?.as_slice().try_into().ok()?);
        let name = from_hex(said.get("name")?.as_str()?)?;
        let who = parse(&key.unseal(&name, b"")?, &JsonLimits::default()).ok()?;
        let name = who.get("name")?.as_str()?.into();
        let tenant = who.get("tenant").and_then(Value::as_str).map(Str::from);
        Some((key, DataSubject { name, tenant }))
    }

    fn make(&self, who: &DataSubject) -> Result<SubjectKey, SubjectsError> {
        let (mut bytes, mut id) = (Zeroizing::new([0_u8; 32]), [0_u8; 16]);
        let filled = getrandom::fill(&mut *bytes).and_then(|()| getrandom::fill(&mut id));
        filled.map_err(|_| SubjectsError::NoRandomness)?;
        let text = self.wrapped(&id, &bytes, who).ok_or(SubjectsError::NoRandomness)?;
        let path = self.file_of(who);
        put_once(&path, text.as_bytes()).map_err(disk("write"))?;
        let found = self.read(&path)?;
        found.map(|(key, _)| key).ok_or_else(|| SubjectsError::Foreign(path.display().to_string()))
    }

    fn wrapped(&self, id: &[u8], bytes: &[u8; 32], who: &DataSubject) -> Option<String> {
        let name = Value::map([
            ("name", Value::Str(who.name.clone())),
            ("tenant", who.tenant.clone().map_or(Value::Null, Value::Str)),
        ]);
        Some(to_string(&Value::map([
            ("id", Value::from(to_hex(id))),
            ("key", Value::from(to_hex(&self.host.seal(bytes, b"")?))),
            ("name", Value::from(to_hex(&SealKey::of(bytes).seal(to_string(&name).as_bytes(), b"")?))),
        ])))
    }
}
