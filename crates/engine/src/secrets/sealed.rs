//! `sealed:PATH`: a file that everybody may read and this host alone can open, for the secret of that name.

use super::local::{text_of, value_in};
use super::{Keeps, Opens, SecretError, SecretsAround, Unit};
use crate::sealed::SealKey;
use crate::sign::HostKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use zeroize::Zeroizing;

pub(super) const UNIT: Unit =
    Unit { name: "sealed", opens: Opens::Here(|around| Box::new(Sealed(around.clone()))) };

/// How a file begins that holds a secret under the host's key.
const SEALED: &str = "ringmail sealed secret 1\n";

struct Sealed(Arc<SecretsAround>);

impl Keeps for Sealed {
    fn read(&self, name: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        let text = text_of(item, &self.0.folder.join(item), false)?;
        let key = self.0.key.as_ref().ok_or_else(|| SecretError::NoKey(item.into()))?;
        let text = value_in(item, &text)?;
        unseal(name, &text, key).ok_or_else(|| SecretError::Foreign(item.into()))
    }
}

/// A secret as a file may hold it that everybody reads: for its name, under the key of this host.
pub fn seal_secret(name: &str, value: &str, key: &HostKey) -> Option<String> {
    let sealed = seal_key(key).seal(value.as_bytes(), name.as_bytes())?;
    Some(format!("{SEALED}{}\n", STANDARD.encode(sealed)))
}

/// The same secret under another key; nothing if this one does not open it.
pub(crate) fn reseal_secret(name: &str, text: &str, from: &HostKey, to: &HostKey) -> Option<String> {
    seal_secret(name, &unseal(name, text.trim_start_matches('\u{feff}'), from)?, to)
}

fn unseal(name: &str, text: &str, key: &HostKey) -> Option<Zeroizing<String>> {
    let sealed = STANDARD.decode(text.strip_prefix(SEALED)?.trim()).ok()?;
    let opened = seal_key(key).open(&sealed, name.as_bytes())?;
    std::str::from_utf8(&opened).ok().map(|text| Zeroizing::new(text.to_string()))
}

fn seal_key(key: &HostKey) -> SealKey {
    SealKey::of(&key.secret_for("sealed secrets"))
}
