//! Where secrets are kept, where they may go, and whom a project asks for those that lie elsewhere.

use super::{Loader, texts};
use crate::address::{Pattern, Target};
use crate::doc::form::{Form, Key, duration_ms};
use crate::doc::{Node, NodeKey};
use crate::label::{Tags, secret_tag};
use crate::value::Str;
use std::collections::BTreeMap;
use std::fmt;

pub const SECRET_KEYS: &[Key] = &[
    Key::required(
        "from",
        Form::Text,
        "`env:NAME`, `file:PATH`, `sealed:PATH`, `dotenv:NAME` in development, or what a provider of the project calls it: `PROVIDER:NAME`",
    ),
    Key::required("bound_to", Form::List(&Form::Text), "the only addresses it may be sent to"),
    Key::new(
        "refresh",
        Form::Duration,
        "how long a server goes on with a value before it reads it anew; default 5m",
    ),
    Key::new(
        "overlap",
        Form::Duration,
        "how long the value before a new one still counts for what others sign with it, and stays hidden; default 10m",
    ),
];

const REFRESH_MS: u64 = 5 * 60_000;
const OVERLAP_MS: u64 = 10 * 60_000;

pub const PROVIDER_KEYS: &[Key] = &[
    Key::required("kind", Form::OneOf(KIND_NAMES), "what it is"),
    Key::required("url", Form::Text, "where it is asked; it is reached there and nowhere else"),
    Key::required(
        "secret",
        Form::Name,
        "the secret that says who asks: a token, or with `role_id` its secret id, of Vault; a secret access key of AWS; the key file of a service account of Google; a client's secret of Azure",
    ),
    Key::new("resolves_to", Form::List(&Form::Text), "special addresses or ranges its name may lead to"),
    Key::new("mount", Form::Text, "vault: where its key-value engine is mounted; default `secret`"),
    Key::new("role_id", Form::Text, "vault: the role that logs in with AppRole"),
    Key::new("namespace", Form::Text, "vault: the namespace"),
    Key::new("region", Form::Text, "aws: the region that requests are signed for"),
    Key::new("key_id", Form::Text, "aws: the id of the access key"),
    Key::new("session", Form::Name, "aws: the secret that is the session's token, for keys that end"),
    Key::new("project", Form::Text, "google: the project that has the secrets"),
    Key::new("login", Form::Text, "google, azure: where tokens come from"),
    Key::new("client_id", Form::Text, "azure: who asks"),
    Key::new("scope", Form::Text, "azure: what the token is for; default `https://vault.azure.net/.default`"),
];

const KIND_NAMES: &[&str] = &["vault", "aws", "google", "azure"];
/// What a kind needs besides the keys that all need, and what else it takes.
const KINDS: &[(&str, &[&str], &[&str])] = &[
    ("vault", &[], &["mount", "role_id", "namespace"]),
    ("aws", &["region", "key_id"], &["session"]),
    ("google", &["project", "login"], &[]),
    ("azure", &["client_id", "login"], &["scope"]),
];
const OF_ALL: &[&str] = &["kind", "url", "secret", "resolves_to"];
/// Kinds whose secret signs and is sent nowhere.
const SIGNING: &[&str] = &["aws", "google"];
/// Where secrets are kept on this host.
pub const LOCAL_SECRETS: &[&str] = &["env", "file", "dotenv", "sealed"];
const FORMS: &str = "a secret comes from `env:NAME`, `file:PATH`, `sealed:PATH`, or from `PROVIDER:NAME` with a `[provider.PROVIDER]`";

/// Where a secret is kept and where it may go.
#[derive(Clone, Debug)]
pub struct SecretSetting {
    pub name: Str,
    pub tag: Tags,
    pub from: SecretSource,
    pub bound_to: Vec<Pattern>,
    /// How long a value is used before it is read anew.
    pub refresh_ms: u64,
    /// How long the one before counts beside it.
    pub overlap_ms: u64,
}

/// One of [`LOCAL_SECRETS`] or the name of a provider, and what the secret is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    pub place: Str,
    pub item: String,
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.place, self.item)
    }
}

/// Somebody who is asked for secrets.
#[derive(Clone, Debug)]
pub struct ProviderSetting {
    pub name: Str,
    pub kind: &'static str,
    pub url: Target,
    pub resolves_to: Vec<String>,
    /// The secret that says who asks.
    pub secret: Str,
    texts: BTreeMap<&'static str, String>,
}

impl ProviderSetting {
    /// What it says under a key, if anything.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }
}

impl Loader<'_> {
    pub(super) fn secrets(&mut self, node: &Node) -> Vec<SecretSetting> {
        let mut out = Vec::new();
        let provided = node.get("provider").map_or(&[][..], Node::entries);
        for (key, item) in node.get("secret").map_or(&[][..], Node::entries) {
            let from = item.get("from").and_then(Node::text).unwrap_or_default();
            let place = from.split_once(':').filter(|(_, item)| !item.is_empty());
            let known = place.filter(|(place, _)| {
                LOCAL_SECRETS.contains(place) || provided.iter().any(|(name, _)| name.name == *place)
            });
            let Some((place, name)) = known else {
                self.wrong(item.get("from").map_or(item.span, |from| from.span), FORMS);
                continue;
            };
            let from = SecretSource { place: place.into(), item: name.into() };
            let bound_to: Vec<Pattern> =
                texts(Some(item), "bound_to").filter_map(|(text, span)| self.pattern(text, span)).collect();
            if bound_to.is_empty() && !signs(node, &key.name) {
                self.wrong(item.span, "a secret is bound to at least one address");
            }
            let Some(tag) = self.tags.intern(&secret_tag(&key.name)) else {
                self.wrong(key.span, "too many different tags");
                continue;
            };
            let time = |key: &str, standard| {
                let written = item.get(key).and_then(Node::text);
                written.and_then(|text| duration_ms(text).ok()).unwrap_or(standard)
            };
            out.push(SecretSetting {
                name: key.name.as_str().into(),
                tag,
                from,
                bound_to,
                refresh_ms: time("refresh", REFRESH_MS),
                overlap_ms: time("overlap", OVERLAP_MS),
            });
        }
        out
    }

    pub(super) fn providers(&mut self, node: &Node, secrets: &[SecretSetting]) -> Vec<ProviderSetting> {
        let entries = node.get("provider").map_or(&[][..], Node::entries);
        entries.iter().filter_map(|(key, item)| self.provider(key, item, secrets)).collect()
    }

    fn provider(&mut self, key: &NodeKey, item: &Node, secrets: &[SecretSetting]) -> Option<ProviderSetting> {
        let said = item.get("kind").and_then(Node::text).unwrap_or_default();
        let (kind, needs, takes) = KINDS.iter().find(|(kind, ..)| *kind == said)?;
        if LOCAL_SECRETS.contains(&key.name.as_str()) {
            let message = format!("`{}:` says where on this host a secret is kept", key.name);
            self.wrong(key.span, message);
        }
        for (own, _) in item.entries() {
            let name = own.name.as_str();
            if !OF_ALL.contains(&name) && !needs.contains(&name) && !takes.contains(&name) {
                self.wrong(own.span, format!("`{name}` is not for a provider of the kind `{kind}`"));
            }
        }
        for needed in needs.iter().filter(|needed| item.get(needed).is_none()) {
            self.wrong(key.span, format!("a provider of the kind `{kind}` needs `{needed}`"));
        }
        for name in ["secret", "session"] {
            let Some(named) = item.get(name) else { continue };
            let wanted = named.text().unwrap_or_default();
            match secrets.iter().find(|secret| &*secret.name == wanted) {
                None => self.wrong(named.span, format!("there is no secret `{wanted}`")),
                Some(secret) if !LOCAL_SECRETS.contains(&&*secret.from.place) => {
                    self.wrong(named.span, format!("`{wanted}` must be kept on this host to ask for others"));
                }
                Some(_) => {}
            }
        }
        self.ranges(item);
        let url = self.place_of(item.get("url")?);
        if let Some(login) = item.get("login") {
            self.place_of(login);
        }
        let texts = needs.iter().chain(*takes).filter_map(|key| Some((*key, item.get(key)?.text()?.into())));
        Some(ProviderSetting {
            name: key.name.as_str().into(),
            kind,
            resolves_to: super::texts(Some(item), "resolves_to").map(|(text, _)| text.to_string()).collect(),
            secret: item.get("secret")?.text()?.into(),
            texts: texts.collect(),
            url: url?,
        })
    }

    /// A provider elsewhere is asked over TLS: whoever listens would have the secret.
    fn place_of(&mut self, node: &Node) -> Option<Target> {
        match Target::parse(node.text().unwrap_or_default()) {
            Ok(target) if !target.is_tls() && target.host().special() != Some("loopback") => {
                self.wrong(node.span, "a provider elsewhere is asked over `https`");
                None
            }
            Ok(target) => Some(target),
            Err(message) => {
                self.wrong(node.span, message);
                None
            }
        }
    }
}

/// Whether a secret signs something and is sent nowhere: deliveries of a webhook, requests to a provider.
fn signs(node: &Node, name: &str) -> bool {
    let named = |item: &Node| item.get("secret").and_then(Node::text) == Some(name);
    let mut hooks = node.get("webhook").map_or(&[][..], Node::entries).iter();
    let mut providers = node.get("provider").map_or(&[][..], Node::entries).iter();
    let kind =
        |item: &Node| item.get("kind").and_then(Node::text).is_some_and(|kind| SIGNING.contains(&kind));
    hooks.any(|(_, hook)| named(hook)) || providers.any(|(_, item)| named(item) && kind(item))
}
