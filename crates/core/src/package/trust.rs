//! Whom a project believes: publishers with their keys, and what each may publish. What is not named is not trusted;
//! there is no mode in which a signature only warns. [`Vouched`] is the evidence, and only [`Publishers`] makes it.

use super::statement::{FILE_STATEMENT, PACKAGE_STATEMENT, Signed, sha256, unhex};
use super::{Package, PackageError};
use crate::doc::form::{Form, Key, date_ms};
use crate::doc::{Node, Problems, Source};
use crate::value::Str;
use std::sync::Arc;
use thiserror::Error;

/// Keys of `[publisher.NAME]` in `ringmail.toml`.
pub const PUBLISHER_KEYS: &[Key] = &[
    Key::required(
        "keys",
        Form::List(&Form::Table(TRUSTED_KEY_KEYS)),
        "its public keys; several, while one takes over from another",
    ),
    Key::new("plugins", Form::List(&Form::Name), "the plugins it may publish; default none"),
    Key::new("files", Form::Bool, "whether it may sign chains and other files; default no"),
];

pub const TRUSTED_KEY_KEYS: &[Key] = &[
    Key::required("public", Form::Text, "the key, as `ringmail plugin keygen` tells it"),
    Key::new("not_before", Form::Date, "from when on it may sign"),
    Key::new("not_after", Form::Date, "until when it may sign, and be installed from"),
    Key::new("revoked", Form::Text, "why nothing it ever signed is believed any more"),
];

/// A signature may be this much ahead of the host's clock.
const AHEAD_MS_MAX: u64 = 10 * 60 * 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publisher {
    pub(crate) name: Str,
    keys: Vec<TrustedKey>,
    plugins: Vec<Str>,
    files: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrustedKey {
    public: [u8; 32],
    not_before_ms: Option<u64>,
    not_after_ms: Option<u64>,
    revoked: Option<Str>,
}

/// Why a signature is not believed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Distrust {
    #[error("it is not signed")]
    Unsigned,
    #[error("the project does not know its publisher `{0}`")]
    Unknown(String),
    #[error("it is signed with a key that is none of `{0}`'s")]
    Key(String),
    #[error("its signature is wrong")]
    Signature,
    #[error("the key of `{0}` that signed it was revoked: {1}")]
    Revoked(String, Str),
    #[error("it was signed when the key of `{0}` could not sign")]
    Window(String),
    #[error("the time of the key of `{0}` that signed it is over")]
    Over(String),
    #[error("it was signed in the future; is the clock right?")]
    Ahead,
    #[error("`{0}` may not publish the plugin `{1}`")]
    Plugin(String, Str),
    #[error("`{0}` may not sign files")]
    Files(String),
    #[error("its signature is for the file `{0}`")]
    Name(String),
    #[error("its signature is for other content")]
    Content,
    #[error("{0}")]
    Malformed(String),
}

/// The publishers of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publishers(Vec<Publisher>);

/// A package whose signature the project believes. Made by [`Publishers::package`] and nowhere else.
#[derive(Debug)]
pub struct Vouched {
    package: Package,
    signed: Signed,
}

impl Vouched {
    pub fn package(&self) -> &Package {
        &self.package
    }

    pub(super) fn publisher(&self) -> &str {
        self.signed.statement.get("publisher")
    }

    pub(super) fn issued_ms(&self) -> u64 {
        self.signed.statement.issued_ms()
    }

    pub fn into_package(self) -> Package {
        self.package
    }
}

impl Publishers {
    pub(crate) fn load(node: &Node, source: &Arc<Source>, problems: &mut Problems) -> Publishers {
        let mut out: Vec<Publisher> = Vec::new();
        for (name, item) in node.get("publisher").map_or(&[][..], Node::entries) {
            let keys = item.get("keys").map_or(&[][..], Node::items);
            let keys: Vec<TrustedKey> =
                keys.iter().filter_map(|key| trusted(key, source, problems)).collect();
            if keys.is_empty() {
                problems.add(source, name.span, format!("the publisher `{}` has no key", name.name));
            }
            for key in &keys {
                let other =
                    out.iter().find(|other| other.keys.iter().any(|known| known.public == key.public));
                if let Some(other) = other {
                    let message = format!("`{}` and `{}` have the same key", other.name, name.name);
                    problems.add(source, name.span, message);
                }
            }
            let plugins = item.get("plugins").map_or(&[][..], Node::items);
            out.push(Publisher {
                name: name.name.as_str().into(),
                keys,
                plugins: plugins.iter().filter_map(Node::text).map(Str::from).collect(),
                files: matches!(item.get("files").map(|node| &node.data), Some(crate::doc::Data::Bool(true))),
            });
        }
        Publishers(out)
    }

    pub(crate) fn all(&self) -> &[Publisher] {
        &self.0
    }

    /// Believes a package, or says why not. `now_ms` is given where it is about to be installed: a key whose time is
    /// over brings nothing new in, and what came in while it was good stays.
    pub fn package(&self, package: Package, now_ms: Option<u64>) -> Result<Vouched, Distrust> {
        let signed = package.signed.clone().ok_or(Distrust::Unsigned)?;
        self.plugin(&signed, &package.manifest.name, now_ms)?;
        Ok(Vouched { package, signed })
    }

    /// Whether the signature under a plugin that is already here is still believed.
    pub fn still(&self, signed: &Signed, plugin: &Str) -> Result<(), Distrust> {
        self.plugin(signed, plugin, None)
    }

    fn plugin(&self, signed: &Signed, plugin: &Str, now_ms: Option<u64>) -> Result<(), Distrust> {
        let publisher = self.judge(signed, PACKAGE_STATEMENT, now_ms)?;
        match publisher.plugins.contains(plugin) {
            true => Ok(()),
            false => Err(Distrust::Plugin(publisher.name.to_string(), plugin.clone())),
        }
    }

    /// Believes a file under a detached signature; answers with who signed it.
    pub fn file(
        &self,
        name: &str,
        bytes: &[u8],
        signature: &[u8],
        now_ms: Option<u64>,
    ) -> Result<&Str, Distrust> {
        let signed = Signed::parse(signature, FILE_STATEMENT).map_err(Distrust::Malformed)?;
        let publisher = self.judge(&signed, FILE_STATEMENT, now_ms)?;
        if !publisher.files {
            return Err(Distrust::Files(publisher.name.to_string()));
        }
        let said = signed.statement.get("file");
        if said != name {
            return Err(Distrust::Name(crate::json::shorten(said)));
        }
        match signed.statement.get("sha256") == sha256(bytes) {
            true => Ok(&publisher.name),
            false => Err(Distrust::Content),
        }
    }

    fn judge(&self, signed: &Signed, kind: &str, now_ms: Option<u64>) -> Result<&Publisher, Distrust> {
        let name = crate::json::shorten(signed.statement.get("publisher"));
        let publisher = self.0.iter().find(|known| *known.name == *signed.statement.get("publisher"));
        let publisher = publisher.ok_or_else(|| Distrust::Unknown(name.clone()))?;
        signed_by(&publisher.keys, &name, signed, kind, now_ms)?;
        Ok(publisher)
    }
}

/// Whether one of these keys, which are `name`'s, signed this while it could.
pub(super) fn signed_by(
    keys: &[TrustedKey],
    name: &str,
    signed: &Signed,
    kind: &str,
    now_ms: Option<u64>,
) -> Result<(), Distrust> {
    let key = keys.iter().find(|key| key.public == signed.key);
    let key = key.ok_or_else(|| Distrust::Key(name.into()))?;
    if signed.statement.kind() != kind || !signed.holds() {
        return Err(Distrust::Signature);
    }
    if let Some(why) = &key.revoked {
        return Err(Distrust::Revoked(name.into(), why.clone()));
    }
    let issued_ms = signed.statement.issued_ms();
    if now_ms.is_some_and(|now_ms| issued_ms > now_ms.saturating_add(AHEAD_MS_MAX)) {
        return Err(Distrust::Ahead);
    }
    let begun = |at_ms: u64| key.not_before_ms.is_none_or(|from_ms| at_ms >= from_ms);
    let over = |at_ms: u64| key.not_after_ms.is_some_and(|until_ms| at_ms >= until_ms);
    if !begun(issued_ms) || over(issued_ms) {
        return Err(Distrust::Window(name.into()));
    }
    if now_ms.is_some_and(over) {
        return Err(Distrust::Over(name.into()));
    }
    Ok(())
}

pub(super) fn trusted(node: &Node, source: &Arc<Source>, problems: &mut Problems) -> Option<TrustedKey> {
    let public = node.get("public")?;
    let date = |key: &str| node.get(key).and_then(Node::text).and_then(|text| date_ms(text).ok());
    let Some(bytes) = unhex(public.text().unwrap_or_default()) else {
        problems.add(source, public.span, "a public key is 64 hexadecimal digits in lower case");
        return None;
    };
    let (not_before_ms, not_after_ms) = (date("not_before"), date("not_after"));
    if let (Some(from), Some(until)) = (not_before_ms, not_after_ms)
        && from >= until
    {
        problems.add(source, node.span, "the key's time ends before it begins");
    }
    let revoked = node.get("revoked").and_then(Node::text).map(Str::from);
    Some(TrustedKey { public: bytes, not_before_ms, not_after_ms, revoked })
}

impl From<PackageError> for Distrust {
    fn from(error: PackageError) -> Distrust {
        Distrust::Malformed(error.to_string())
    }
}
