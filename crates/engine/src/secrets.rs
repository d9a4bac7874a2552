//! Secret values: read once, kept for the egress alone, wiped when dropped, never shown by `Debug`.

use ringmail_core::grant::SecretRule;
use ringmail_core::label::{Label, Labeled, Labels};
use ringmail_core::project::SecretSource;
use ringmail_core::value::{Str, Value};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest secret; anything longer is a mistaken file.
const BYTES_MAX: u64 = 64 << 10;

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
}

/// Reads a secret from where it is kept.
pub fn read_secret(source: &SecretSource, folder: &Path) -> Result<String, SecretError> {
    match source {
        SecretSource::Env(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() && value.len() as u64 <= BYTES_MAX => Ok(value),
            Ok(_) | Err(std::env::VarError::NotUnicode(_)) => Err(SecretError::Unusable(name.clone())),
            Err(std::env::VarError::NotPresent) => Err(SecretError::NotSet(name.clone())),
        },
        SecretSource::File(path) => read_file(path, &folder.join(path)),
    }
}

fn read_file(shown: &str, path: &Path) -> Result<String, SecretError> {
    let failed = |cause| SecretError::File { path: shown.into(), cause };
    let meta = std::fs::metadata(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        const OTHERS: u32 = 0o077;
        if meta.permissions().mode() & OTHERS != 0 {
            return Err(SecretError::Open(shown.into()));
        }
    }
    if !meta.is_file() || meta.len() > BYTES_MAX {
        return Err(SecretError::Unusable(shown.into()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
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

    #[test]
    fn a_file_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "value\n").unwrap();
        let source = SecretSource::File("key".into());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read_secret(&source, folder.path()), Err(SecretError::Open(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret(&source, folder.path()).unwrap(), "value");
        assert!(matches!(
            read_secret(&SecretSource::Env("RINGMAIL_TEST_NOT_SET".into()), folder.path()),
            Err(SecretError::NotSet(_))
        ));
    }
}
