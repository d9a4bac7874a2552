//! Calls that other services make when something happened there, signed with a secret that both know.

use crate::doc::Node;
use crate::doc::form::{Form, Key, duration_ms};
use crate::value::Str;

pub const WEBHOOK_KEYS: &[Key] = &[
    Key::required("chain", Form::Text, "the chain that is run"),
    Key::required(
        "secret",
        Form::Name,
        "the secret both sides sign with; it needs no `bound_to` beside this",
    ),
    Key::required("scheme", Form::OneOf(HookScheme::NAMES), "how the sender signs"),
    Key::new(
        "within",
        Form::Duration,
        "how far the sender's clock may be off, and how long a delivery is known again; default `5m`",
    ),
    Key::new("headers", Form::List(&Form::Text), "headers that the chain sees besides"),
];

/// How a sender signs: which headers, over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookScheme {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`, as Standard Webhooks have it.
    Standard,
    /// `x-hub-signature-256` over the body, which tells no time.
    Github,
    /// `stripe-signature` with its time.
    Stripe,
    /// `x-slack-signature` and `x-slack-request-timestamp`.
    Slack,
}

impl HookScheme {
    pub const NAMES: &[&str] = &["standard", "github", "stripe", "slack"];

    fn named(name: &str) -> Option<HookScheme> {
        let all = [HookScheme::Standard, HookScheme::Github, HookScheme::Stripe, HookScheme::Slack];
        all.into_iter().zip(HookScheme::NAMES).find(|(_, known)| **known == name).map(|(scheme, _)| scheme)
    }
}

/// One webhook.
#[derive(Clone, Debug)]
pub struct WebhookSetting {
    pub name: Str,
    pub chain: Str,
    pub secret: Str,
    pub scheme: HookScheme,
    pub within_ms: u64,
    /// In lower case.
    pub headers: Vec<String>,
}

impl WebhookSetting {
    pub(crate) fn load(name: &str, node: &Node) -> Option<WebhookSetting> {
        const WITHIN_MS: u64 = 300_000;
        let text = |key: &str| node.get(key).and_then(Node::text);
        let headers = node.get("headers").map_or(&[][..], Node::items).iter().filter_map(Node::text);
        Some(WebhookSetting {
            name: name.into(),
            chain: text("chain")?.into(),
            secret: text("secret")?.into(),
            scheme: HookScheme::named(text("scheme")?)?,
            within_ms: text("within").and_then(|text| duration_ms(text).ok()).unwrap_or(WITHIN_MS),
            headers: headers.map(str::to_ascii_lowercase).collect(),
        })
    }
}
