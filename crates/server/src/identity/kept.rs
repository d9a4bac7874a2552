//! A file of secrets that several processes change: read whole, exchanged whole under a lock, so whoever reads it sees
//! one state or the next.

use ringmail_core::json::{JsonLimits, parse, to_pretty};
use ringmail_core::value::{Str, Value};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use thiserror::Error;

const FILE_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Error)]
pub enum KeptError {
    #[error("`{path}` cannot be read or written: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("`{path}` is damaged: {cause}")]
    Damaged { path: String, cause: String },
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("it was not changed to the end")]
    Broken,
}

#[derive(Debug)]
pub(super) struct KeptFile {
    path: PathBuf,
    taking: Mutex<()>,
}

impl KeptFile {
    pub(super) fn at(path: &Path) -> KeptFile {
        KeptFile { path: path.to_path_buf(), taking: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Held from reading the file until what it said is taken in: else an older state may come in after a newer one.
    pub(super) fn taking(&self) -> MutexGuard<'_, ()> {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn damaged(&self, cause: impl Into<String>) -> KeptError {
        KeptError::Damaged { path: self.path.display().to_string(), cause: cause.into() }
    }

    fn failed(&self, cause: std::io::Error) -> KeptError {
        KeptError::File { path: self.path.display().to_string(), cause }
    }

    /// What it says now; nothing if it is not there.
    pub(super) fn read(&self) -> Result<Option<Value>, KeptError> {
        let bytes = match std::fs::metadata(&self.path) {
            Ok(meta) if meta.len() > FILE_BYTES_MAX => return Err(self.damaged("it is too large")),
            Ok(_) => std::fs::read(&self.path).map_err(|cause| self.failed(cause))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(self.failed(cause)),
        };
        let limits = JsonLimits { bytes_max: bytes.len(), ..JsonLimits::default() };
        parse(&bytes, &limits).map(Some).map_err(|error| self.damaged(error.to_string()))
    }

    /// Puts another state in its place, under a lock that other processes respect.
    pub(super) fn change<E: From<KeptError>>(
        &self,
        change: impl FnOnce(Option<Value>) -> Result<Value, E>,
    ) -> Result<(), E> {
        let failed = |cause| E::from(self.failed(cause));
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let options = || {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options
        };
        let lock = options().open(self.path.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let text = to_pretty(&change(self.read()?)?);
        let half = self.path.with_extension("half");
        let mut file = options().open(&half).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&half, &self.path).map_err(failed)
    }
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeptError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|_| KeptError::NoRandomness)?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Bytes of digits, two for each; nothing else is taken for a digit.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.then(|| text.as_bytes().chunks(2).map(pair).collect())?
}

/// Takes as long whatever differs.
pub(super) fn same(one: &[u8; 32], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

/// A time, or none.
pub(super) fn time(ms: Option<u64>) -> Value {
    ms.map_or(Value::Null, |ms| Value::Int(i64::try_from(ms).unwrap_or(i64::MAX)))
}

pub(super) fn read_time(value: &Value, key: &str) -> Option<Option<u64>> {
    match value.get(key)? {
        Value::Int(ms) => u64::try_from(*ms).ok().map(Some),
        Value::Null => Some(None),
        _ => None,
    }
}

pub(super) fn texts(texts: &[Str]) -> Value {
    Value::list(texts.iter().map(|text| Value::Str(text.clone())))
}

pub(super) fn read_text(value: &Value, key: &str) -> Option<Str> {
    value.get(key)?.as_str().map(Str::from)
}

/// A list of texts, or none.
pub(super) fn read_texts(value: &Value, key: &str) -> Option<Option<Vec<Str>>> {
    match value.get(key)? {
        Value::List(list) => {
            Some(Some(list.iter().map(|item| item.as_str().map(Str::from)).collect::<Option<_>>()?))
        }
        Value::Null => Some(None),
        _ => None,
    }
}

/// The same without what is nobody's to see.
pub(super) fn without(written: &Value, secret: &str) -> Value {
    let members = written.as_map().into_iter().flat_map(|map| map.iter());
    let shown = members.filter(|(name, _)| &***name != secret);
    Value::map(shown.map(|(name, value)| (name.clone(), value.clone())))
}
