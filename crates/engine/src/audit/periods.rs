//! Keys that end. What runs carry is sealed with the key of its subject and with one of the day on which its run began and of
//! what is known of it: whoever takes either away has erased it. Wrapped with the host's key, like those of subjects.

use super::subjects::{SubjectsError, disk};
use crate::sealed::SealKey;
use crate::sign::{HostKey, from_hex, to_hex};
use ringmail_core::retention::DAY_MS;
use ringmail_core::value::Str;
use ringmail_store::put_once;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const FOLDER: &str = "periods";
/// How long a key counts after its file was seen last: somebody may have taken it away.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const KNOWN_MAX: usize = 1_000;

/// A day, counted from the beginning of 1970, and which rule of retention it is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    pub day: u64,
    /// Nothing is what no rule was about.
    pub class: Str,
}

impl Period {
    pub(super) fn of(at_ms: u64, class: &str) -> Period {
        Period { day: at_ms / DAY_MS, class: class.into() }
    }

    /// As it stands in records, and is called on disk.
    pub(super) fn words(&self) -> String {
        format!("{}-{}", self.day, self.class)
    }

    /// A name that is none leads nowhere.
    pub(super) fn read(words: &str) -> Option<Period> {
        let (day, class) = words.split_once('-')?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-:".contains(&byte);
        let fits = day.bytes().all(|byte| byte.is_ascii_digit()) && class.bytes().all(plain);
        fits.then_some(Period { day: day.parse().ok()?, class: class.into() })
    }

    /// When all of it was begun.
    pub fn end_ms(&self) -> u64 {
        self.day.saturating_add(1).saturating_mul(DAY_MS)
    }
}

/// The keys of periods, by their files.
pub(super) struct Periods {
    folder: PathBuf,
    host: SealKey,
    /// How the files of this host's keys end: those of another are none of its business.
    ending: String,
    known: Mutex<HashMap<Period, (PeriodKey, Instant)>>,
}

/// Goes into the key that seals.
pub(super) type PeriodKey = Arc<Zeroizing<Vec<u8>>>;

impl std::fmt::Debug for Periods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Periods({})", self.folder.display())
    }
}

impl Periods {
    pub(super) fn open(folder: &Path, host: &HostKey) -> Result<Periods, SubjectsError> {
        let folder = folder.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(disk("make the folder for"))?;
        let mark = host.secret_for("audit period names");
        let ending = format!(".{}.key", to_hex(mark.get(..4).unwrap_or_default()));
        let host = SealKey::of(&host.secret_for("audit periods"));
        Ok(Periods { folder, host, ending, known: Mutex::default() })
    }

    fn file_of(&self, period: &Period) -> PathBuf {
        self.folder.join(format!("{}{}", period.words(), self.ending))
    }

    /// The key of a period, if there still is one.
    pub(super) fn find(&self, period: &Period) -> Result<Option<PeriodKey>, SubjectsError> {
        let (path, now) = (self.file_of(period), Instant::now());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, seen)) = known.get_mut(period) {
            if now.duration_since(*seen) < LOOK_AGAIN {
                return Ok(Some(key.clone()));
            }
            if path.exists() {
                *seen = now;
                return Ok(Some(key.clone()));
            }
            known.remove(period);
        }
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(disk("read"))?,
        };
        let key = from_hex(text.trim()).and_then(|sealed| self.host.open(&sealed, period.words().as_bytes()));
        let key = Arc::new(key.ok_or_else(|| SubjectsError::Foreign(path.display().to_string()))?);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(period.clone(), (key.clone(), now));
        Ok(Some(key))
    }

    /// The key of a period, which is made where there is none.
    pub(super) fn key(&self, period: &Period) -> Result<PeriodKey, SubjectsError> {
        if let Some(key) = self.find(period)? {
            return Ok(key);
        }
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| SubjectsError::NoRandomness)?;
        self.put(period, &*bytes)?;
        let lost = || SubjectsError::Foreign(self.file_of(period).display().to_string());
        self.find(period)?.ok_or_else(lost)
    }

    /// All whose keys are still there.
    pub(super) fn all(&self) -> Result<Vec<Period>, SubjectsError> {
        let mut all: Vec<Period> =
            self.named()?.into_iter().filter_map(|(period, own)| own.then_some(period)).collect();
        all.sort();
        Ok(all)
    }

    /// Every key, and whether this host can use it.
    pub(super) fn usable(&self) -> Result<Vec<(Period, bool)>, SubjectsError> {
        let found = |(period, own): (Period, bool)| match own.then(|| self.find(&period)).transpose() {
            Ok(Some(None)) => Ok(None),
            Ok(found) => Ok(Some((period, found.is_some()))),
            Err(SubjectsError::Foreign(_)) => Ok(Some((period, false))),
            Err(error) => Err(error),
        };
        self.named()?.into_iter().filter_map(|named| found(named).transpose()).collect()
    }

    /// Wraps every key of this host for another, in the other's folder.
    pub(super) fn wrap_for(&self, other: &Periods) -> Result<(), SubjectsError> {
        for period in self.all()? {
            if let Some(key) = self.find(&period)? {
                other.put(&period, &key)?;
            }
        }
        Ok(())
    }

    fn put(&self, period: &Period, key: &[u8]) -> Result<(), SubjectsError> {
        let sealed = self.host.seal(key, period.words().as_bytes());
        let sealed = sealed.ok_or(SubjectsError::NoRandomness)?;
        put_once(&self.file_of(period), to_hex(&sealed).as_bytes()).map_err(disk("write"))
    }

    /// What the files are called, and whether they are this host's.
    fn named(&self) -> Result<Vec<(Period, bool)>, SubjectsError> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(disk("list"))? {
            let name = entry.map_err(disk("list"))?.file_name();
            let Some(name) = name.to_str().filter(|name| name.ends_with(".key")) else { continue };
            let words = name.split('.').next().and_then(Period::read);
            all.extend(words.map(|period| (period, name.ends_with(&*self.ending))));
        }
        Ok(all)
    }

    /// Takes a key away: what was sealed with it is gone.
    pub(super) fn erase(&self, period: &Period) -> Result<(), SubjectsError> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(period);
        match std::fs::remove_file(self.file_of(period)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk("remove")(error)),
            _ => {
                std::fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(disk("remove"))
            }
        }
    }
}
