//! Servers of MCP that a project calls: where they are, what of theirs may be called, and how their tools were when
//! somebody looked at them. What changed since in what it can do is not called; what changed in wording is not shown.

use crate::address::Target;
use crate::doc::Span;
use crate::doc::form::{Form, Key};
use crate::grant::{NetRule, SecretRule};
use crate::label::{TagTable, Tags};
use crate::offer::{Card, Offered, names};
use crate::openapi::{Operation, Operations, operations};
use crate::value::{Str, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys of `[upstream.NAME]` in `ringmail.toml`.
pub const UPSTREAM_KEYS: &[Key] = &[
    Key::new("command", Form::Name, "the program of `[command.NAME]` that is the server, over its pipes"),
    Key::new("url", Form::Text, "where the server answers over HTTP, such as `https://mcp.example.com/mcp`"),
    Key::new(
        "openapi",
        Form::Text,
        "the OpenAPI document of what answers under `url`: a file of the project, and each operation a tool",
    ),
    Key::new("bearer", Form::Name, "the secret that an HTTP server is shown as a token"),
    Key::new(
        "headers",
        Form::List(&Form::Table(UPSTREAM_HEADER_KEYS)),
        "what else an HTTP server is shown, each from a secret",
    ),
    Key::new(
        "resolves_to",
        Form::List(&Form::Text),
        "special addresses or ranges the name of `url` may lead to",
    ),
    Key::new(
        "pins",
        Form::List(&Form::Text),
        "SHA-256 fingerprints of certificates; the server of `url` must show one",
    ),
    Key::new(
        "tools",
        Form::List(&Form::Text),
        "tools that may be called, such as `read_*`, and `prompt:NAME` and `resource:URI`; default all pinned ones",
    ),
    Key::new(
        "serve",
        Form::List(&Form::Text),
        "what callers of this project get to see, such as `*`, `prompt:*` and `resource:docs://*`; default nothing",
    ),
    Key::new(
        "prefix",
        Form::Text,
        "what stands before the names of those, but not before URIs; default `NAME_`",
    ),
    Key::new("timeout", Form::Duration, "longest wait for an answer; default 30s"),
    Key::new("answer", Form::Size, "largest answer; default 4MiB"),
    Key::new(
        "sessions",
        Form::Int { min: 1, max: 10_000 },
        "sessions open at once, one for each principal; default 16",
    ),
    Key::new("idle", Form::Duration, "how long a session stays open that nobody uses; default 5m"),
    Key::new(
        "check",
        Form::Duration,
        "how long the server's definitions count until they are asked for again; default 5m",
    ),
];

pub const UPSTREAM_HEADER_KEYS: &[Key] = &[
    Key::required("name", Form::Text, "the header, such as `x-api-key`"),
    Key::required("secret", Form::Name, "the secret that is its value"),
];

/// Tools of one server, and prompts, and resources.
pub const OFFERS_MAX: usize = 10_000;

/// Where a server is.
#[derive(Clone, Debug)]
pub enum UpstreamAt {
    /// A program of the project.
    Command(Str),
    Http(Box<HttpUpstream>),
}

#[derive(Clone, Debug)]
pub struct HttpUpstream {
    pub target: Target,
    /// What may be asked there, which is calls of this server and nothing else.
    pub rule: Arc<NetRule>,
    /// The secret that is shown there.
    pub bearer: Option<Str>,
    /// Headers, and the secrets that are their values.
    pub headers: Vec<(Str, Str)>,
    /// The document that says what is there, where that is no server of MCP.
    pub openapi: Option<Str>,
}

/// A server as the project names it.
#[derive(Clone, Debug)]
pub struct UpstreamSetting {
    pub name: Str,
    pub at: UpstreamAt,
    /// Nothing means all that are pinned.
    pub tools: Option<Vec<Str>>,
    pub serve: Vec<Str>,
    pub prefix: Str,
    pub timeout_ms: u64,
    pub answer_bytes_max: u64,
    pub sessions_max: usize,
    pub idle_ms: u64,
    pub check_ms: u64,
    pub span: Span,
}

impl UpstreamSetting {
    /// Whether it is shown this secret.
    pub fn shows(&self, secret: &str) -> bool {
        match &self.at {
            UpstreamAt::Http(http) => {
                let mut headers = http.headers.iter();
                http.bearer.as_deref() == Some(secret) || headers.any(|(_, named)| **named == *secret)
            }
            _ => false,
        }
    }
}

/// A server with the tools that were pinned; what links name.
#[derive(Debug)]
pub struct Upstream {
    pub setting: UpstreamSetting,
    pub cards: BTreeMap<Str, Arc<Card>>,
    /// Pinned ones that cannot be used, and why.
    pub unusable: BTreeMap<Str, String>,
}

impl Upstream {
    /// Whether the project lets this be called, whoever is granted it.
    pub fn allows(&self, name: &str) -> bool {
        self.setting.tools.as_ref().is_none_or(|tools| names(tools, name))
    }

    /// Tags of the secrets that may be sent to this server, wherever they stand.
    pub(crate) fn bound_tags(&self, secrets: &[SecretRule]) -> Tags {
        let UpstreamAt::Http(http) = &self.setting.at else { return Tags::NONE };
        let bound = secrets.iter().filter(|secret| secret.is_bound_to(&http.target));
        bound.fold(Tags::NONE, |tags, secret| tags.with(secret.tag))
    }

    /// What callers of the project see something as, if they see it.
    pub fn seen_as(&self, card: &Card) -> Option<String> {
        let seen = names(&self.setting.serve, &card.name) && self.allows(&card.name);
        seen.then(|| format!("{}{}", self.setting.prefix, card.bare()))
    }

    /// What callers of the project see, by the names it has there.
    pub fn served(&self) -> impl Iterator<Item = (String, &Arc<Card>)> {
        self.cards.values().filter_map(|card| Some((self.seen_as(card)?, card)))
    }
}

/// Whom grants are for that let callers of the project use what a server offers.
pub const POWER_OF_SERVER: &str = "upstream:";

/// The file of a project that holds what was pinned of a server.
pub fn pins_file(upstream: &str) -> String {
    format!("tools/{upstream}.json")
}

impl Upstream {
    /// A server with what was pinned of it.
    pub fn new(
        setting: UpstreamSetting,
        pinned: &[(Offered, Value)],
        tags: &mut TagTable,
    ) -> Result<Upstream, String> {
        let pinned = pinned.iter().map(|(offer, said)| (*offer, said.clone(), None));
        Upstream::with(setting, pinned, BTreeMap::new(), tags)
    }

    /// A server that a document of the project describes, which is what it is held to.
    pub fn described(
        setting: UpstreamSetting,
        document: &Value,
        tags: &mut TagTable,
    ) -> Result<Upstream, String> {
        let Operations { usable, unusable } = operations(document)?;
        let usable = usable.into_iter().map(|(said, operation)| (Offered::Tool, said, Some(operation)));
        Upstream::with(setting, usable, unusable, tags)
    }

    /// A definition that cannot be held to is not used, and no other suffers.
    fn with(
        setting: UpstreamSetting,
        all: impl Iterator<Item = (Offered, Value, Option<Operation>)>,
        mut unusable: BTreeMap<Str, String>,
        tags: &mut TagTable,
    ) -> Result<Upstream, String> {
        let mut cards = BTreeMap::new();
        for (offer, said, operation) in all {
            let name = offer.name(&said)?;
            match Card::new(offer, name.clone(), said, operation, tags) {
                Ok(card) => drop(cards.insert(name, Arc::new(card))),
                Err(why) => drop(unusable.insert(name, why)),
            }
        }
        Ok(Upstream { setting, cards, unusable })
    }
}
