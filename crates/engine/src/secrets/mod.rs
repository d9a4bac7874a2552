//! Secret values: read where they are kept, one file for each such place, kept for the egress alone, wiped when dropped,
//! never shown by `Debug`.

mod asker;
mod held;
mod local;
mod times;
mod watch;

use crate::clock::Clock;
use crate::egress::resolve::Resolve;
use crate::recorder::Recorder;
use crate::sign::HostKey;
use asker::Asker;
use local::{BYTES_MAX, Locals};
use ringmail_core::grant::SecretRule;
use ringmail_core::label::{Label, Labeled, Labels};
use ringmail_core::project::{Project, SecretSetting};
use ringmail_core::value::{Str, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use held::Secrets;
pub(crate) use sealed::reseal_secret;
pub use sealed::seal_secret;
pub use times::{SecretLedger, SecretTimes};
pub(crate) use watch::SecretSources;
pub use watch::SecretWatch;

#[derive(Clone, Debug, Error)]
pub enum SecretError {
    #[error("the environment has no `{0}`")]
    NotSet(String),
    #[error("cannot read `{path}`: {cause}")]
    File { path: String, cause: String },
    #[error("`{0}` is empty, longer than 64 KiB, or no text")]
    Unusable(String),
    #[error("`{0}` can be read by others than its owner; make it mode 600")]
    Open(String),
    #[error("`{0}` was not sealed for this secret with the key of this host")]
    Foreign(String),
    #[error("there is no key of this host to open `{0}` with")]
    NoKey(String),
    #[error("`.env` is for development, and this is production")]
    Production,
    #[error("`.env` has no `{0}`")]
    NotInDotenv(String),
    /// What a provider said, or why it could not be asked.
    #[error("the provider `{provider}`: {why}")]
    Provider { provider: Str, why: String },
}

/// Somewhere that secrets are kept. Whoever reads waits for the value.
trait Keeps: Send + Sync {
    fn read(&self, name: &str, item: &str) -> Result<Zeroizing<String>, SecretError>;
}

/// How one is opened: with what this host has, or with a way to ask somebody else.
enum Opens {
    Here(fn(&Arc<SecretsAround>) -> Box<dyn Keeps>),
    Elsewhere(fn(Asker) -> Box<dyn Keeps>),
}

struct Unit {
    name: &'static str,
    opens: Opens,
}

macro_rules! providers {
    ($($name:ident,)*) => {
        $(mod $name;)*

        static UNITS: &[Unit] = &[$($name::UNIT),*];
    };
}

providers! {
    env,
    file,
    dotenv,
    sealed,
    vault,
    aws,
    google,
    azure,
}

/// What reading secrets needs of its surroundings.
#[derive(Clone)]
pub struct SecretsAround {
    /// What paths begin at.
    pub folder: PathBuf,
    pub key: Option<Arc<HostKey>>,
    /// Whether a file of a developer counts.
    pub is_development: bool,
    /// Where it stands on record that a provider was asked.
    pub recorder: Option<Arc<dyn Recorder>>,
    pub clock: Arc<dyn Clock>,
    pub resolver: Arc<dyn Resolve>,
}

impl fmt::Debug for SecretsAround {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsAround").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Reads secrets of a project where they are kept. What a provider gave to be asked again with is held as long as this is.
pub struct SecretReader {
    locals: Arc<Locals>,
    elsewhere: BTreeMap<Str, Box<dyn Keeps>>,
}

impl fmt::Debug for SecretReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretReader").field("elsewhere", &self.elsewhere.keys()).finish_non_exhaustive()
    }
}

impl SecretReader {
    pub fn new(project: &Project, around: SecretsAround) -> SecretReader {
        let around = Arc::new(around);
        let locals = Arc::new(Locals::new(&around));
        let mut elsewhere = BTreeMap::new();
        for setting in &project.providers {
            let asker = Asker::new(setting, project, locals.clone(), around.clone());
            for unit in UNITS.iter().filter(|unit| unit.name == setting.kind) {
                if let Opens::Elsewhere(open) = unit.opens {
                    elsewhere.insert(setting.name.clone(), open(asker.clone()));
                }
            }
        }
        SecretReader { locals, elsewhere }
    }

    pub fn read(&self, setting: &SecretSetting) -> Result<Zeroizing<String>, SecretError> {
        let Some(provider) = self.elsewhere.get(&setting.from.place) else {
            return self.locals.read(&setting.name, &setting.from);
        };
        let value = provider.read(&setting.name, &setting.from.item)?;
        if value.is_empty() || value.len() as u64 > BYTES_MAX {
            return Err(SecretError::Unusable(setting.from.item.clone()));
        }
        Ok(value)
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
    use ringmail_core::doc::{Source, toml};
    use ringmail_core::label::TagTable;
    use ringmail_core::project::{LOCAL_SECRETS, PROVIDER_KEYS};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    #[test]
    fn every_place_that_a_project_may_name_is_there() {
        let kinds = PROVIDER_KEYS.iter().find_map(|key| match (key.name, &key.form) {
            ("kind", ringmail_core::doc::form::Form::OneOf(kinds)) => Some(*kinds),
            _ => None,
        });
        for unit in UNITS {
            let named = match unit.opens {
                Opens::Here(_) => LOCAL_SECRETS.contains(&unit.name),
                Opens::Elsewhere(_) => kinds.unwrap().contains(&unit.name),
            };
            assert!(named, "no project can name `{}`", unit.name);
        }
        assert_eq!(UNITS.len(), LOCAL_SECRETS.len() + kinds.unwrap().len());
    }

    fn read(folder: &Path, key: Option<&HostKey>, name: &str, from: &str) -> Result<String, SecretError> {
        let text = format!("[secret.{name}]\nfrom = \"{from}\"\nbound_to = [\"https://a.test\"]\n");
        let source = Source::new("ringmail.toml", text);
        let project =
            Project::load(&toml::parse(&source).unwrap(), &source, &mut TagTable::default()).unwrap();
        let around = SecretsAround {
            folder: folder.into(),
            key: key.map(|key| Arc::new(key.again())),
            is_development: false,
            recorder: None,
            clock: Arc::new(crate::clock::SystemClock),
            resolver: Arc::new(crate::egress::resolve::SystemResolver),
        };
        SecretReader::new(&project, around).read(&project.secrets[0]).map(|value| value.to_string())
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "value\n").unwrap();
        let read = |from: &str| read(folder.path(), None, "a", from);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read("file:key"), Err(SecretError::Open(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read("file:key").unwrap(), "value");
        assert!(matches!(read("env:RINGMAIL_TEST_NOT_SET"), Err(SecretError::NotSet(_))));
    }

    #[test]
    fn what_is_sealed_opens_for_its_name_and_with_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (key, other) = (HostKey::ephemeral(), HostKey::ephemeral());
        let text = seal_secret("bank", "hunter2hunter2", &key).unwrap();
        assert!(!text.contains("hunter2"));
        let path = folder.path().join("bank.sealed");
        let read = |name: &str, key: Option<&HostKey>| read(folder.path(), key, name, "sealed:bank.sealed");
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
