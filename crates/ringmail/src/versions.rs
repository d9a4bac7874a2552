//! What was served: each configuration that a server took, kept in the data folder by what it holds. Written by whoever
//! serves and by `config rollback`; a content that is not what it was kept as counts for nothing.

use crate::exit::Fault;
use anyhow::{Context, anyhow};
use ringmail_engine::core::config::content_digest;
use ringmail_engine::core::json::{JsonLimits, parse, to_pretty};
use ringmail_engine::core::value::Value;
use ringmail_engine::packages::write_whole;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

const FOLDER: &str = "config";
const INDEX: &str = "versions.json";
const LOCK: &str = "lock";
const CONTENTS: &str = "contents";
/// Older ones go.
pub(crate) const VERSIONS_MAX: usize = 50;
/// What a version is called by: enough that no two of them meet.
const ID_DIGITS: usize = 12;

/// One configuration, and when it was taken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) at_ms: u64,
    pub(crate) by: String,
    /// `start`, `reload`, or `set aside` by a rollback.
    pub(crate) how: String,
    pub(crate) environment: String,
    /// Files by their paths, with the digests of their contents.
    pub(crate) files: BTreeMap<String, String>,
}

/// How a configuration came to be kept.
pub(crate) struct Occasion<'o> {
    pub(crate) by: &'o str,
    pub(crate) how: &'o str,
    pub(crate) environment: &'o str,
    pub(crate) at_ms: u64,
}

/// All versions of one project, the oldest first; others wait while they are held.
pub(crate) struct Versions {
    folder: PathBuf,
    pub(crate) all: Vec<Version>,
    _held: File,
}

impl Versions {
    pub(crate) fn open(data: &Path) -> Result<Versions, Fault> {
        let folder = data.join(FOLDER);
        let failed = || format!("cannot use `{}`", folder.display());
        std::fs::create_dir_all(data).with_context(failed)?;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder.join(CONTENTS))
            .with_context(failed)?;
        let held = File::create(folder.join(LOCK)).with_context(failed)?;
        held.lock().with_context(failed)?;
        let all = index(&folder)?;
        Ok(Versions { folder, all, _held: held })
    }

    /// Keeps what is served now, unless it is what was served before. Answers with its id, if it is new.
    pub(crate) fn keep(
        &mut self,
        files: &BTreeMap<String, Vec<u8>>,
        occasion: &Occasion<'_>,
    ) -> Result<Option<String>, Fault> {
        let named = files.iter().map(|(path, bytes)| (path.clone(), content_digest(bytes)));
        let named: BTreeMap<String, String> = named.collect();
        let id = id_of(occasion.environment, &named);
        if self.all.last().is_some_and(|last| last.id == id) {
            return Ok(None);
        }
        let failed = || format!("cannot write to `{}`", self.folder.display());
        for (path, digest) in &named {
            let content = self.content(digest);
            if let Some(bytes) = files.get(path).filter(|_| !content.exists()) {
                write_whole(&content, bytes).with_context(failed)?;
                std::fs::set_permissions(&content, PermissionsExt::from_mode(0o600)).with_context(failed)?;
            }
        }
        self.all.push(Version {
            id: id.clone(),
            at_ms: occasion.at_ms,
            by: occasion.by.into(),
            how: occasion.how.into(),
            environment: occasion.environment.into(),
            files: named,
        });
        let over = self.all.len().saturating_sub(VERSIONS_MAX);
        self.all.drain(..over);
        let text = to_pretty(&Value::list(self.all.iter().map(Version::to_value)));
        write_whole(&self.folder.join(INDEX), text.as_bytes()).with_context(failed)?;
        self.forget();
        Ok(Some(id))
    }

    /// Contents that no version holds any more.
    fn forget(&self) {
        let held: BTreeSet<&String> = self.all.iter().flat_map(|version| version.files.values()).collect();
        for entry in std::fs::read_dir(self.folder.join(CONTENTS)).into_iter().flatten().flatten() {
            if !held.contains(&entry.file_name().to_string_lossy().into_owned()) {
                // It takes room and does no harm.
                let _left = std::fs::remove_file(entry.path());
            }
        }
    }

    fn content(&self, digest: &str) -> PathBuf {
        self.folder.join(CONTENTS).join(digest)
    }

    /// What a file held.
    pub(crate) fn read(&self, digest: &str) -> Result<Vec<u8>, Fault> {
        let path = self.content(digest);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        match content_digest(&bytes) == digest {
            true => Ok(bytes),
            false => Err(Fault::user(format!("`{}` is not what was kept", path.display()))),
        }
    }

    /// All files of a version.
    pub(crate) fn files(&self, version: &Version) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        let file = |(path, digest): (&String, &String)| Ok((path.clone(), self.read(digest)?));
        version.files.iter().map(file).collect()
    }

    /// Whether any version holds this file with this content.
    pub(crate) fn knows(&self, path: &str, bytes: &[u8]) -> bool {
        let digest = content_digest(bytes);
        self.all.iter().any(|version| version.files.get(path) == Some(&digest))
    }

    /// A version by the start of its id, or `latest`, or `previous`: what was served before what is served.
    pub(crate) fn find(&self, name: &str) -> Result<&Version, Fault> {
        const DIGITS_MIN: usize = 4;
        let found: Option<&Version> = match name {
            "latest" => self.all.last(),
            "previous" => self.all.iter().rev().nth(1),
            _ if name.len() < DIGITS_MIN => None,
            _ => {
                let fits = self.all.iter().rev().filter(|version| version.id.starts_with(name));
                let ids: BTreeSet<&String> = fits.clone().map(|version| &version.id).collect();
                if ids.len() > 1 {
                    return Err(Fault::user(format!("`{name}` is the start of several versions")));
                }
                fits.into_iter().next()
            }
        };
        found.ok_or_else(|| {
            let none = Fault::user(format!("there is no version `{}`", name.escape_debug()));
            match self.all.is_empty() {
                true => none.hint("a version is kept whenever `ringmail serve` takes a configuration"),
                false => none.hint("see them: ringmail config versions"),
            }
        })
    }
}

fn id_of(environment: &str, files: &BTreeMap<String, String>) -> String {
    let mut text = format!("{environment}\n");
    for (path, digest) in files {
        text.push_str(&format!("{digest} {path:?}\n"));
    }
    content_digest(text.as_bytes()).chars().take(ID_DIGITS).collect()
}

fn index(folder: &Path) -> Result<Vec<Version>, Fault> {
    let path = folder.join(INDEX);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(anyhow!(error).context(format!("cannot read `{}`", path.display())).into()),
    };
    let read = parse(&bytes, &JsonLimits::default()).ok();
    let all = read.as_ref().and_then(Value::as_list).and_then(|list| list.iter().map(Version::of).collect());
    all.ok_or_else(|| {
        Fault::user(format!("`{}` is not what was written there", path.display()))
            .hint("move it away: versions are kept anew from then on")
    })
}

impl Version {
    /// Paths that are not there in the other, are there alone, or hold something else.
    pub(crate) fn changed(&self, before: Option<&Version>) -> Vec<(char, String)> {
        let none = BTreeMap::new();
        let old = before.map_or(&none, |before| &before.files);
        let paths: BTreeSet<&String> = self.files.keys().chain(old.keys()).collect();
        let sign = |path: &&String| match (old.get(*path), self.files.get(*path)) {
            (None, _) => Some('+'),
            (_, None) => Some('-'),
            (one, other) => (one != other).then_some('~'),
        };
        paths.into_iter().filter_map(|path| Some((sign(&path)?, path.clone()))).collect()
    }

    pub(crate) fn to_value(&self) -> Value {
        let text = |text: &str| Value::from(text);
        Value::map([
            ("id", text(&self.id)),
            ("at_ms", Value::Int(i64::try_from(self.at_ms).unwrap_or(i64::MAX))),
            ("by", text(&self.by)),
            ("how", text(&self.how)),
            ("environment", text(&self.environment)),
            ("files", Value::map(self.files.iter().map(|(path, digest)| (path.as_str(), text(digest))))),
        ])
    }

    fn of(value: &Value) -> Option<Version> {
        let text = |key: &str| Some(value.get(key)?.as_str()?.to_string());
        let Value::Int(at_ms) = value.get("at_ms")? else { return None };
        let file = |(path, digest): (&ringmail_engine::core::value::Str, &Value)| {
            let digest =
                digest.as_str().filter(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            Some((path.to_string(), digest.to_string()))
        };
        Some(Version {
            id: text("id")?,
            at_ms: u64::try_from(*at_ms).ok()?,
            by: text("by")?,
            how: text("how")?,
            environment: text("environment")?,
            files: value.get("files")?.as_map()?.iter().map(file).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_go_and_so_does_what_only_they_held() {
        let folder = crate::folder::Folder::temporary("versions").unwrap();
        let occasion = Occasion { by: "a", how: "start", environment: "production", at_ms: 1 };
        let mut versions = Versions::open(&folder.path).unwrap();
        let files = |at: usize| {
            BTreeMap::from([
                ("a".to_string(), at.to_string().into_bytes()),
                ("b".to_string(), b"same".to_vec()),
            ])
        };
        for at in 0..VERSIONS_MAX + 10 {
            assert!(versions.keep(&files(at), &occasion).unwrap().is_some());
            assert!(versions.keep(&files(at), &occasion).unwrap().is_none(), "the same again");
        }
        drop(versions);
        let versions = Versions::open(&folder.path).unwrap();
        assert_eq!(versions.all.len(), VERSIONS_MAX);
        let contents = std::fs::read_dir(folder.path.join(FOLDER).join(CONTENTS)).unwrap().count();
        assert_eq!(contents, VERSIONS_MAX + 1);
        assert_eq!(versions.files(versions.find("latest").unwrap()).unwrap(), files(VERSIONS_MAX + 9));
        assert_eq!(versions.files(versions.find("previous").unwrap()).unwrap(), files(VERSIONS_MAX + 8));
        assert!(versions.knows("a", b"12") && !versions.knows("a", b"9") && !versions.knows("b", b"12"));
        assert!(versions.find("").is_err() && versions.find("000").is_err());
    }
}
