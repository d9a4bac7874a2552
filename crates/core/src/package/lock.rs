//! `ringmail.lock`: which packages a project has, to the byte, and the newest of each it ever saw. Nothing older than
//! that comes in again, and nothing else than what stands here is loaded.

use super::{Distrust, Package, Publishers, SeenIndex, Vouched, sha256};
use crate::doc::form::{Form, Key, conform};
use crate::doc::{Data, Node, Problems, Source, toml};
use crate::label::TagTable;
use crate::value::Str;
use std::fmt::Write;
use std::sync::Arc;
use thiserror::Error;

pub const LOCK_FILE: &str = "ringmail.lock";

const LOCK_KEYS: &[Key] = &[
    Key::required("version", Form::Int { min: 1, max: 1 }, "of this format"),
    Key::new("plugin", Form::List(&Form::Table(LOCKED_KEYS)), "the packages"),
    Key::new(
        "index",
        Form::List(&Form::Table(SEEN_KEYS)),
        "the newest signed index that was seen of each registry",
    ),
];

const SEEN_KEYS: &[Key] = &[
    Key::required("registry", Form::Name, "whose"),
    Key::required("number", Form::Int { min: 0, max: i64::MAX }, "its number"),
    Key::required("sha256", Form::Text, "of the index"),
];

const LOCKED_KEYS: &[Key] = &[
    Key::required("name", Form::Name, "the plugin"),
    Key::required("version", Form::Text, "its version"),
    Key::required("publisher", Form::Name, "who signed it"),
    Key::required("issued", Form::Int { min: 0, max: i64::MAX }, "when, in milliseconds since 1970"),
    Key::required("source", Form::Text, "where it came from"),
    Key::required("digest", Form::Text, "of manifest and module"),
    Key::required("package", Form::Text, "of the whole archive"),
];

/// One package of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    pub name: Str,
    pub version: Str,
    pub publisher: Str,
    pub issued_ms: u64,
    /// A registry's name, or `file`.
    pub source: String,
    pub digest: Str,
    pub package: Str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// At most two of a plugin: the one that was granted, and the newest.
    plugins: Vec<Locked>,
    /// The newest index of each registry that signs its own.
    indexes: Vec<SeenIndex>,
}

/// Why a package does not come in beside what was there before.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Rollback {
    #[error("`{plugin}` {version} is older than {seen}, which was here already")]
    Version { plugin: Str, version: Str, seen: Str },
    #[error("`{plugin}` {version} was signed before the {seen} that was here already")]
    Issued { plugin: Str, version: Str, seen: Str },
    #[error("`{plugin}` was published by `{seen}`, and this is signed by `{publisher}`")]
    Publisher { plugin: Str, publisher: String, seen: Str },
    #[error("`{plugin}` came from `{seen}`, and this is from `{from}`")]
    Source { plugin: Str, from: String, seen: String },
}

fn int(node: &Node, key: &str) -> u64 {
    match node.get(key).map(|node| &node.data) {
        Some(Data::Int(int)) => u64::try_from(*int).unwrap_or(0),
        _ => 0,
    }
}

/// A version's three numbers, if it is one.
pub fn version_of(version: &str) -> Option<(u64, u64, u64)> {
    let mut numbers = version.split('.').map(|part| part.parse().ok());
    crate::plugin::is_version(version).then_some(())?;
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

impl Locked {
    pub fn new(vouched: &Vouched, archive: &[u8], source: &str) -> Locked {
        let manifest = &vouched.package().manifest;
        Locked {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            publisher: vouched.publisher().into(),
            issued_ms: vouched.issued_ms(),
            source: source.into(),
            digest: vouched.package().digest(),
            package: sha256(archive).into(),
        }
    }

    /// Reads the archive that stands here: the very bytes, still believed.
    pub fn open(
        &self,
        archive: &[u8],
        publishers: &Publishers,
        tags: &mut TagTable,
    ) -> Result<Vouched, Distrust> {
        if sha256(archive) != *self.package {
            return Err(Distrust::Malformed(format!("its bytes are not those of `{LOCK_FILE}`")));
        }
        let vouched = publishers.package(Package::read(archive, tags)?, None)?;
        match Locked::new(&vouched, archive, &self.source) == *self {
            true => Ok(vouched),
            false => Err(Distrust::Malformed(format!("`{LOCK_FILE}` says something else of it"))),
        }
    }

    /// The file of its archive, among the installed.
    pub fn file(&self) -> String {
        format!("{}.tar", self.package.trim_start_matches("sha256:"))
    }
}

impl Lock {
    pub fn parse(source: &Arc<Source>) -> Result<Lock, Problems> {
        let node = toml::parse(source)?;
        let mut problems = Problems::default();
        conform(&node, &Form::Table(LOCK_KEYS), "the lock file", source, &mut problems);
        let mut out = Vec::new();
        for item in node.get("plugin").map_or(&[][..], Node::items) {
            let text = |key: &str| item.get(key).and_then(Node::text).unwrap_or_default();
            for key in ["digest", "package"] {
                let hex = text(key).strip_prefix("sha256:").and_then(super::statement::unhex::<32>);
                if let (None, Some(node)) = (hex, item.get(key)) {
                    problems.add(source, node.span, format!("`{key}` is not a SHA-256 digest"));
                }
            }
            let issued_ms = int(item, "issued");
            out.push(Locked {
                name: text("name").into(),
                version: text("version").into(),
                publisher: text("publisher").into(),
                issued_ms,
                source: text("source").into(),
                digest: text("digest").into(),
                package: text("package").into(),
            });
        }
        let indexes = node.get("index").map_or(&[][..], Node::items).iter().map(|item| SeenIndex {
            registry: item.get("registry").and_then(Node::text).unwrap_or_default().into(),
            number: int(item, "number"),
            sha256: item.get("sha256").and_then(Node::text).unwrap_or_default().into(),
        });
        problems.or(Lock { plugins: out, indexes: indexes.collect() })
    }

    pub fn text(&self) -> String {
        let mut out = String::from(
            "# Written by `ringmail plugin install`. Keep it with the project, and do not edit it.\nversion = 1\n",
        );
        let quoted = |text: &str| crate::json::to_string(&crate::value::Value::from(text));
        for one in &self.plugins {
            let _infallible = write!(
                out,
                "\n[[plugin]]\nname = {}\nversion = {}\npublisher = {}\nissued = {}\nsource = {}\ndigest = {}\npackage = {}\n",
                quoted(&one.name),
                quoted(&one.version),
                quoted(&one.publisher),
                one.issued_ms,
                quoted(&one.source),
                quoted(&one.digest),
                quoted(&one.package),
            );
        }
        for seen in &self.indexes {
            let (registry, digest) = (quoted(&seen.registry), quoted(&seen.sha256));
            let _infallible = write!(
                out,
                "\n[[index]]\nregistry = {registry}\nnumber = {}\nsha256 = {digest}\n",
                seen.number
            );
        }
        out
    }

    pub fn all(&self) -> &[Locked] {
        &self.plugins
    }

    /// The newest of a plugin.
    pub fn newest(&self, plugin: &str) -> Option<&Locked> {
        self.plugins.iter().rev().find(|one| *one.name == *plugin)
    }

    /// The one a project pins.
    pub fn pinned(&self, plugin: &str, digest: &str) -> Option<&Locked> {
        self.plugins.iter().rev().find(|one| *one.name == *plugin && *one.digest == *digest)
    }

    /// Whether this may come in beside what the project saw before.
    fn judge(&self, next: &Locked) -> Result<(), Rollback> {
        let (plugin, version) = (next.name.clone(), next.version.clone());
        for seen in self.plugins.iter().filter(|seen| seen.name == next.name) {
            if seen.publisher != next.publisher {
                let publisher = next.publisher.to_string();
                return Err(Rollback::Publisher { plugin, publisher, seen: seen.publisher.clone() });
            }
            if seen.source != next.source {
                let (from, seen) = (next.source.clone(), seen.source.clone());
                return Err(Rollback::Source { plugin, from, seen });
            }
            if version_of(&next.version) < version_of(&seen.version) {
                return Err(Rollback::Version { plugin, version, seen: seen.version.clone() });
            }
            if next.issued_ms < seen.issued_ms {
                return Err(Rollback::Issued { plugin, version, seen: seen.version.clone() });
            }
        }
        Ok(())
    }

    /// Takes one in as the newest. Of those before it only the one with the digest `granted` stays. What is older than
    /// those comes in for whoever insists; what is another's does not.
    pub fn with(mut self, next: Locked, granted: Option<&str>, older_too: bool) -> Result<Lock, Rollback> {
        match self.judge(&next) {
            Err(Rollback::Version { .. } | Rollback::Issued { .. }) if older_too => {}
            judged => judged?,
        }
        self.plugins.retain(|one| {
            one.name != next.name || (one.digest != next.digest && granted == Some(&*one.digest))
        });
        self.plugins.push(next);
        Ok(self)
    }

    /// The newest index of a registry that was ever believed.
    pub fn seen(&self, registry: &str) -> Option<&SeenIndex> {
        self.indexes.iter().find(|seen| *seen.registry == *registry)
    }

    #[must_use]
    pub fn with_seen(mut self, seen: SeenIndex) -> Lock {
        self.indexes.retain(|known| known.registry != seen.registry);
        self.indexes.push(seen);
        self.indexes.sort_by(|one, two| one.registry.cmp(&two.registry));
        self
    }

    /// Forgets a plugin.
    #[must_use]
    pub fn without(mut self, plugin: &str) -> Lock {
        self.plugins.retain(|one| *one.name != *plugin);
        self
    }
}
