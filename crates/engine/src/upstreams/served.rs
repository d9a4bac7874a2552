//! What servers offer, as chains: what callers of a project get to see runs as any chain does, under the same gates, with
//! grants for `upstream:SERVER`.

use ringmail_core::chain::Plan;
use ringmail_core::doc::{Node, Source};
use ringmail_core::json::to_pretty;
use ringmail_core::offer::{Card, Offered};
use ringmail_core::upstream::{POWER_OF_SERVER, Upstream};
use ringmail_core::value::{Str, Value};
use std::sync::Arc;

/// A chain that stands for something a server offers.
pub(crate) struct Served {
    pub(crate) node: Node,
    pub(crate) source: Arc<Source>,
    power: Str,
    card: Option<Value>,
    completes: Option<Str>,
}

/// Characters of what somebody has written so far of an argument.
const BEGUN_CHARS_MAX: i64 = 1_024;

type Members = Vec<(Str, Value)>;

/// What callers are shown of a definition, besides its name.
const SHOWN: &[&str] = &[
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
    "arguments",
    "uri",
    "uriTemplate",
    "mimeType",
    "size",
];

/// The chain for something that is served, and the one that completes its arguments if it has any.
pub(super) fn chains(upstream: &Upstream, name: &str, card: &Card) -> Vec<Served> {
    let chain = chain_name(&upstream.setting.prefix, card);
    let completes = card.can_complete().then(|| Str::from(format!("{chain}_complete")));
    let served = |members: Members, card: Option<Value>, completes: Option<Str>| {
        let chain = Value::map(members);
        Served {
            node: Node::of(&chain),
            source: Source::new(format!("{name} of {}", upstream.setting.name), to_pretty(&chain)),
            power: format!("{POWER_OF_SERVER}{}", upstream.setting.name).into(),
            card,
            completes,
        }
    };
    let call = served(call(upstream, chain, card), Some(shown(name, card)), completes.clone());
    let completer = completes.map(|name| served(completion(upstream, name, card), None, None));
    [call].into_iter().chain(completer).collect()
}

fn shown(name: &str, card: &Card) -> Value {
    let named = match card.offer {
        Offered::Tool | Offered::Prompt => Value::from(name),
        Offered::Resource | Offered::Template => match card.said.get("name") {
            Some(Value::Str(own)) => Value::Str(own.clone()),
            _ => Value::from(card.bare()),
        },
    };
    let rest = SHOWN.iter().filter_map(|key| Some((Str::from(*key), card.said.get(key)?.clone())));
    Value::map([(Str::from("name"), named)].into_iter().chain(rest).collect::<Members>())
}

fn link(upstream: &Upstream, card: &Card, more: (&'static str, Value)) -> Value {
    let call = [
        ("kind", Value::from("tool")),
        ("tool", Value::from(format!("{}/{}", upstream.setting.name, card.name))),
        more,
    ];
    // What takes nothing is given nothing.
    let with = (card.offer != Offered::Resource).then(|| ("with", Value::from("${input}")));
    Value::map([("call", Value::map(call.into_iter().chain(with).collect::<Vec<_>>()))])
}

fn call(upstream: &Upstream, chain: Str, card: &Card) -> Members {
    let mut mcp = vec![("content", Value::Bool(true))];
    match card.offer {
        Offered::Tool => {}
        Offered::Prompt => mcp.push(("as", Value::from("prompt"))),
        Offered::Resource | Offered::Template => {
            mcp.extend([("as", Value::from("resource")), ("uri", Value::from(card.bare()))]);
        }
    }
    let mut members = vec![
        ("chain".into(), Value::Str(chain)),
        ("mcp".into(), Value::map(mcp)),
        ("links".into(), link(upstream, card, ("expect", Value::from("any")))),
        ("output".into(), Value::from("${call}")),
    ];
    match card.offer {
        Offered::Tool => {
            members.push(("input".into(), card.said.get("inputSchema").cloned().unwrap_or_default()));
            members.push(("stream".into(), Value::from("call")));
        }
        Offered::Resource => {}
        Offered::Prompt | Offered::Template => members.push(("input".into(), Value::from(card.input.json()))),
    }
    let words = card.said.get("description").filter(|words| words.as_str().is_some());
    members.extend(words.map(|words| ("description".into(), words.clone())));
    members
}

fn completion(upstream: &Upstream, chain: Str, card: &Card) -> Members {
    let text = |more: (&'static str, Value)| Value::map([("type", Value::from("string")), more]);
    let properties = card.input.json().get("properties").map(Value::from);
    let known = properties.as_ref().and_then(Value::as_map).into_iter().flat_map(|map| map.iter());
    let known = Value::list(known.map(|(name, _)| Value::Str(name.clone())));
    let argument =
        [("name", text(("enum", known))), ("value", text(("maxLength", Value::Int(BEGUN_CHARS_MAX))))];
    let object = |properties: Value, required: &[&str]| {
        let required = required.iter().map(|name| Value::from(*name));
        Value::map([
            ("type", Value::from("object")),
            ("properties", properties),
            ("required", Value::list(required)),
            ("additionalProperties", Value::Bool(false)),
        ])
    };
    let context = Value::map([("type", Value::from("object"))]);
    let argument = object(Value::map(argument), &["name", "value"]);
    let input = object(Value::map([("argument", argument), ("context", context)]), &["argument"]);
    vec![
        ("chain".into(), Value::Str(chain)),
        ("description".into(), Value::from("what an argument may be")),
        ("mcp".into(), Value::map([("as", Value::from("nothing"))])),
        ("input".into(), input),
        ("links".into(), link(upstream, card, ("complete", Value::Bool(true)))),
        ("output".into(), Value::from("${call}")),
    ]
}

impl Served {
    /// The chain under the power of its server, shown as what it stands for.
    pub(crate) fn seal(&self, mut plan: Plan) -> Plan {
        for link in &mut plan.links {
            link.power = self.power.clone();
        }
        plan.mcp.card = self.card.clone();
        plan.mcp.completes = self.completes.clone();
        plan
    }
}

/// A name as chains are called: what is no letter and no digit is `_`, and in a URI once only.
fn chain_name(prefix: &str, card: &Card) -> Str {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let mut name: String = format!("{prefix}{}", card.name).chars().map(plain).collect();
    if card.uri.is_some() {
        while name.contains("__") {
            name = name.replace("__", "_");
        }
        name.truncate(name.trim_end_matches('_').len());
    }
    name.into()
}
