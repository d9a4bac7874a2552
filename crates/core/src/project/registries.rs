//! Where a project has its plugins from, and whom it believes about what there is.

use super::{Loader, texts};
use crate::address::Target;
use crate::doc::form::{Form, Key, duration_ms};
use crate::doc::{Node, NodeKey};
use crate::package::{IndexSigners, Severity, TRUSTED_KEY_KEYS};
use crate::value::Str;

pub const REGISTRY_KEYS: &[Key] = &[
    Key::new("folder", Form::Text, "a folder with an `index.json`, from the project's own"),
    Key::new("url", Form::Text, "the address of a folder with an `index.json`"),
    Key::new("oci", Form::Text, "an OCI registry, `https://host/prefix`; a plugin's name follows"),
    Key::new("plugins", Form::List(&Form::Name), "the plugins that come from here and from nowhere else"),
    Key::new("resolves_to", Form::List(&Form::Text), "special addresses or ranges its name may lead to"),
    Key::new(
        "secret",
        Form::Name,
        "the secret it takes: a bearer token, or with `user` a password; it goes where it is bound to and nowhere else",
    ),
    Key::new(
        "user",
        Form::Text,
        "whose password `secret` is; given to the registry, or to the server that its tokens come from, as it asks",
    ),
    Key::new(
        "keys",
        Form::List(&Form::Table(TRUSTED_KEY_KEYS)),
        "public keys that its index is signed with; an index that is not, or is older than one that was seen, is refused",
    ),
    Key::new("fresh", Form::Duration, "how long a signed index counts; default 30d"),
];

/// Where plugins are installed from.
#[derive(Debug)]
pub struct RegistrySetting {
    pub name: Str,
    pub place: RegistryPlace,
    /// Those that come from here and from nowhere else.
    pub plugins: Vec<Str>,
    pub resolves_to: Vec<String>,
    pub secret: Option<Str>,
    /// Whose password the secret is.
    pub user: Option<String>,
    /// Who signs its index, if anybody must.
    pub signers: Option<IndexSigners>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryPlace {
    Folder(String),
    Index(String),
    Oci(String),
}

pub const ADVISORIES_KEYS: &[Key] = &[
    Key::required(
        "path",
        Form::Text,
        "an export of OSV: a file of JSON, or a folder of such, from the project's own",
    ),
    Key::new(
        "refuse",
        Form::OneOf(&["low", "moderate", "high", "critical", "never"]),
        "from which severity on nothing is installed; default `high`",
    ),
];

/// Which holes are known, and how bad one is that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisoriesSetting {
    pub path: Option<String>,
    /// Nothing means that everything comes in.
    pub refuse: Option<Severity>,
}

impl AdvisoriesSetting {
    pub(super) fn read(node: Option<&Node>) -> AdvisoriesSetting {
        let text = |key: &str| node.and_then(|node| node.get(key)).and_then(Node::text);
        let known =
            |word: &str| Severity::NAMES.iter().find(|(name, _)| *name == word).map(|(_, known)| *known);
        AdvisoriesSetting {
            path: text("path").map(String::from),
            refuse: text("refuse").map_or(Some(Severity::High), known),
        }
    }
}

impl Loader<'_> {
    pub(super) fn registries(&mut self, node: &Node) -> Vec<RegistrySetting> {
        let mut out: Vec<RegistrySetting> = Vec::new();
        for (key, item) in node.get("registry").map_or(&[][..], Node::entries) {
            let text = |key: &str| item.get(key).and_then(Node::text).map(String::from);
            let place = match (text("folder"), text("url"), text("oci")) {
                (Some(folder), None, None) => RegistryPlace::Folder(folder),
                (None, Some(url), None) => RegistryPlace::Index(url),
                (None, None, Some(url)) => RegistryPlace::Oci(url),
                _ => {
                    self.wrong(key.span, format!("`{}` needs one of `folder`, `url` and `oci`", key.name));
                    continue;
                }
            };
            if let Some(url) = item.get("url").or_else(|| item.get("oci")) {
                match Target::parse(url.text().unwrap_or_default()) {
                    Ok(target) if !target.is_tls() && target.host().special() != Some("loopback") => {
                        self.wrong(url.span, "a registry elsewhere is asked over `https`");
                    }
                    Ok(_) => {}
                    Err(message) => self.wrong(url.span, message),
                }
            }
            if let Some(user) = item.get("user")
                && (item.get("secret").is_none() || user.text().is_some_and(|name| name.contains(':')))
            {
                self.wrong(user.span, "a `user` needs the `secret` that is its password, and has no colon");
            }
            let plugins: Vec<Str> = texts(Some(item), "plugins").map(|(name, _)| name.into()).collect();
            for (name, span) in texts(Some(item), "plugins") {
                if let Some(other) =
                    out.iter().find(|other| other.plugins.iter().any(|known| **known == *name))
                {
                    let message = format!("`{name}` comes from `{}` and from nowhere else", other.name);
                    self.wrong(span, message);
                }
            }
            out.push(RegistrySetting {
                name: key.name.as_str().into(),
                place,
                plugins,
                resolves_to: texts(Some(item), "resolves_to").map(|(text, _)| text.to_string()).collect(),
                secret: text("secret").map(Str::from),
                user: text("user"),
                signers: self.signers(key, item),
            });
        }
        out
    }

    fn signers(&mut self, key: &NodeKey, item: &Node) -> Option<IndexSigners> {
        let fresh = item.get("fresh");
        if let (Some(fresh), None) = (fresh, item.get("keys")) {
            self.wrong(fresh.span, "`fresh` is for a signed index: name the `keys` that sign it");
        }
        let keys = item.get("keys")?;
        if item.get("oci").is_some() {
            self.wrong(keys.span, "an OCI registry has no index that could be signed");
        }
        let fresh_ms = fresh.and_then(Node::text).and_then(|text| duration_ms(text).ok());
        let signers = IndexSigners::load(keys, fresh_ms, self.source, self.problems);
        if signers.is_none() {
            self.wrong(key.span, format!("the registry `{}` has no key", key.name));
        }
        signers
    }
}
