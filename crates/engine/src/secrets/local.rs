//! The places on this host that secrets are kept in, and how a file with one is read.

use super::{Keeps, Opens, SecretError, SecretsAround, UNITS};
use ringmail_core::project::SecretSource;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest secret; anything longer is a mistaken file.
pub(super) const BYTES_MAX: u64 = 64 << 10;
/// Those who may not read a file with a secret.
const OTHERS: u32 = 0o077;

pub(super) struct Locals(BTreeMap<&'static str, Box<dyn Keeps>>);

impl Locals {
    pub(super) fn new(around: &Arc<SecretsAround>) -> Locals {
        let here = UNITS.iter().filter_map(|unit| match unit.opens {
            Opens::Here(open) => Some((unit.name, open(around))),
            Opens::Elsewhere(_) => None,
        });
        Locals(here.collect())
    }

    pub(super) fn read(&self, name: &str, from: &SecretSource) -> Result<Zeroizing<String>, SecretError> {
        match self.0.get(&*from.place) {
            Some(place) => place.read(name, &from.item),
            None => Err(SecretError::Unusable(from.to_string())),
        }
    }
}

/// The text of a file; of one that its owner alone may read, if it `hides` something.
pub(super) fn text_of(shown: &str, path: &Path, hides: bool) -> Result<Zeroizing<String>, SecretError> {
    let failed = |cause: std::io::Error| SecretError::File { path: shown.into(), cause: cause.to_string() };
    // Judged by what was opened: a name may lead elsewhere a moment later. Nobody waits for the other end of a pipe.
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(SecretError::Unusable(shown.into()));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() || meta.len() > BYTES_MAX {
        return Err(SecretError::Unusable(shown.into()));
    }
    if hides && meta.permissions().mode() & OTHERS != 0 {
        return Err(SecretError::Open(shown.into()));
    }
    let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX as usize + 1));
    match file.take(BYTES_MAX + 1).read_to_string(&mut text) {
        Ok(read) if read as u64 <= BYTES_MAX => Ok(text),
        Ok(_) => Err(SecretError::Unusable(shown.into())),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(SecretError::Unusable(shown.into()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// A value as a line of a file holds it.
pub(super) fn value_in(shown: &str, text: &str) -> Result<Zeroizing<String>, SecretError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(SecretError::Unusable(shown.into()));
    }
    Ok(Zeroizing::new(text.into()))
}
