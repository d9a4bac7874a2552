//! Secret values: read once, kept for the egress alone, wiped when dropped, never shown by `Debug`.

use crate::sealed::SealKey;
use crate::sign::HostKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::grant::SecretRule;
use ringmail_core::label::{Label, Labeled, Labels};
use ringmail_core::project::{SecretSetting, SecretSource};
use ringmail_core::value::{Str, Value};
use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest secret; anything longer is a mistaken file.
const BYTES_MAX: u64 = 64 << 10;
/// Those who may not read a file with a secret.
const OTHERS: u32 = 0o077;

#[derive(Debug, Error)]
pub enum SecretError {
    #[error("the environment has no `{0}`")]
    NotSet(String),
    #[error("cannot read `{path}`: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("`{0}` is empty, longer than 64 KiB, or no text")]
    Unusable(String),
    #[error("`{0}` can be read by others than its owner; make it mode 600")]
    Open(String),
    #[error("`{0}` was not sealed for this secret with the key of this host")]
    Foreign(String),
    #[error("there is no key of this host to open `{0}` with")]
    NoKey(String),
}

/// How a file begins that holds a secret under the host's key.
const SEALED: &str = "ringmail sealed secret 1\n";

/// Reads a secret from where it is kept.
pub fn read_secret(
    setting: &SecretSetting,
    folder: &Path,
    key: Option<&HostKey>,
) -> Result<String, SecretError> {
    match &setting.from {
        SecretSource::Env(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() && value.len() as u64 <= BYTES_MAX => Ok(value),
            Ok(_) | Err(std::env::VarError::NotUnicode(_)) => Err(SecretError::Unusable(name.clone())),
            Err(std::env::VarError::NotPresent) => Err(SecretError::NotSet(name.clone())),
        },
        SecretSource::File(path) => {
            let meta = look(path, &folder.join(path))?;
            if meta.permissions().mode() & OTHERS != 0 {
                return Err(SecretError::Open(path.clone()));
            }
            text_of(path, &folder.join(path))
        }
        SecretSource::Sealed(path) => {
            look(path, &folder.join(path))?;
            let key = key.ok_or_else(|| SecretError::NoKey(path.clone()))?;
            unseal(&setting.name, &text_of(path, &folder.join(path))?, key)
                .ok_or_else(|| SecretError::Foreign(path.clone()))
        }
    }
}

/// A secret as a file may hold it that everybody reads: for its name, under the key of this host.
pub fn seal_secret(name: &str, value: &str, key: &HostKey) -> Option<String> {
    let sealed = seal_key(key).seal(value.as_bytes(), name.as_bytes())?;
    Some(format!("{SEALED}{}\n", STANDARD.encode(sealed)))
}

fn unseal(name: &str, text: &str, key: &HostKey) -> Option<String> {
    let sealed = STANDARD.decode(text.strip_prefix(SEALED)?.trim()).ok()?;
    let opened = seal_key(key).open(&sealed, name.as_bytes())?;
    std::str::from_utf8(&opened).ok().map(String::from)
}

fn seal_key(key: &HostKey) -> SealKey {
    SealKey::of(&key.secret_for("sealed secrets"))
}

fn look(shown: &str, path: &Path) -> Result<std::fs::Metadata, SecretError> {
    let meta = std::fs::metadata(path).map_err(|cause| SecretError::File { path: shown.into(), cause })?;
    if meta.is_file() && meta.len() <= BYTES_MAX {
        Ok(meta)
    } else {
        Err(SecretError::Unusable(shown.into()))
    }
}

fn text_of(shown: &str, path: &Path) -> Result<String, SecretError> {
    let text =
        std::fs::read_to_string(path).map_err(|cause| SecretError::File { path: shown.into(), cause })?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(SecretError::Unusable(shown.into())) } else { Ok(text.into()) }
}

/// All secret values of an engine, by name.
#[derive(Default)]
pub(crate) struct Secrets(HashMap<Str, Zeroizing<String>>);

impl Secrets {
    pub(crate) fn insert(&mut self, name: Str, value: String) {
        self.0.insert(name, Zeroizing::new(value));
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|value| value.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What `secrets` means in expressions: a placeholder for each, under its tag.
pub(crate) fn placeholders(rules: &[SecretRule]) -> Labeled {
    let values = rules.iter().map(|rule| (rule.name.clone(), Value::Str(rule.placeholder.clone())));
    let labels =
        rules.iter().map(|rule| (rule.name.clone(), Labels::from(Label { tags: rule.tag, ..Label::BOTTOM })));
    Labeled { value: Value::map(values), labels: Labels::keys(Label::BOTTOM, labels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_40_debug_output_never_shows_a_secret() {
        let mut secrets = Secrets::default();
        secrets.insert("bank".into(), "hunter2hunter2".into());
        assert_eq!(format!("{secrets:?}"), r#"{"bank"}"#);
    }

    fn setting(name: &str, from: SecretSource) -> SecretSetting {
        SecretSetting { name: name.into(), tag: Default::default(), from, bound_to: Vec::new() }
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "value\n").unwrap();
        let own = setting("a", SecretSource::File("key".into()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read_secret(&own, folder.path(), None), Err(SecretError::Open(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret(&own, folder.path(), None).unwrap(), "value");
        let unset = setting("a", SecretSource::Env("RINGMAIL_TEST_NOT_SET".into()));
        assert!(matches!(read_secret(&unset, folder.path(), None), Err(SecretError::NotSet(_))));
    }

    #[test]
    fn what_is_sealed_opens_for_its_name_and_with_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (key, other) = (HostKey::ephemeral(), HostKey::ephemeral());
        let text = seal_secret("bank", "hunter2hunter2", &key).unwrap();
        assert!(!text.contains("hunter2"));
        let path = folder.path().join("bank.sealed");
        let from = || SecretSource::Sealed("bank.sealed".into());
        let read =
            |name: &str, key: Option<&HostKey>| read_secret(&setting(name, from()), folder.path(), key);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read("bank", Some(&key)).unwrap(), "hunter2hunter2");
        assert!(matches!(read("bank", Some(&other)), Err(SecretError::Foreign(_))));
        assert!(matches!(read("shop", Some(&key)), Err(SecretError::Foreign(_))));
        assert!(matches!(read("bank", None), Err(SecretError::NoKey(_))));
        for at in 0..text.trim_end().len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert!(read("bank", Some(&key)).is_err(), "byte {at}");
        }
    }
}
