//! The keys of a chain file. One table each: the check of a file, the editor schema and the reference read these.

use super::mcp::MCP_KEYS;
use crate::doc::form::table_schema;
use crate::doc::form::{Form, Key};
use crate::failure::FailureKind;
use crate::kind::{Kind, With};
use serde_json::{Value as Json, json};

pub const CHAIN_KEYS: &[Key] = &[
    Key::required("chain", Form::Name, "the chain's name"),
    Key::new("description", Form::Text, "what it is for"),
    Key::new("input", Form::Schema, "JSON Schema of the input; objects are closed unless they say otherwise"),
    Key::new("limits", Form::Table(LIMIT_KEYS), "what one run may use; only narrows the limits of the host"),
    Key::new("middleware", Form::List(&Form::Name), "middleware around every link, outermost first"),
    Key::new("stream", Form::Name, "the link whose pieces are passed on to the caller as they come"),
    Key::new("links", Form::Links, "the links by name"),
    Key::new("output", Form::Template, "what the chain answers; default nothing"),
    Key::new("returns", Form::Schema, "JSON Schema of the output"),
    Key::new("mcp", Form::Table(MCP_KEYS), "how the chain shows itself to clients of MCP"),
];

pub const LIMIT_KEYS: &[Key] = &[
    Key::new("steps", Form::Int { min: 1, max: 10_000_000 }, "calls in one run, attempts and rounds counted"),
    Key::new("time", Form::Duration, "how long one run may last"),
    Key::new("depth", Form::Int { min: 1, max: 64 }, "how deep chains may call chains"),
    Key::new("bytes", Form::Size, "data released in one run, all links together"),
];

/// Keys every link may have.
pub const LINK_KEYS: &[Key] = &[
    Key::required("kind", Form::Text, "what runs"),
    Key::new("description", Form::Text, "what it is for"),
    Key::new("with", Form::Template, "what the link is handed; it sees nothing else"),
    Key::new("when", Form::Expr, "runs only if this holds"),
    Key::new("after", Form::List(&Form::Name), "links that must have succeeded before"),
    Key::new(
        "edges",
        Form::List(&Form::Table(EDGE_KEYS)),
        "what follows; the first that fits is taken instead of the default path",
    ),
    Key::new("timeout", Form::Duration, "for each attempt; default 30s"),
    Key::new("retry", Form::Table(RETRY_KEYS), "try again after failures"),
    Key::new("fallback", Form::Template, "stands in for the output once every attempt failed"),
    Key::new(
        "cache",
        Form::Table(CACHE_KEYS),
        "use an earlier result for the same arguments, labels and tenant",
    ),
    Key::new(
        "idempotency_key",
        Form::Template,
        "one effect for each key, tenant and link while the engine lives; an `http` link sends it along as `idempotency-key`",
    ),
    Key::new(
        "repeatable",
        Form::Bool,
        "whether its effect does no harm if it happens twice: it is called again where a crash left open whether it happened; default false",
    ),
    Key::new(
        "concurrency",
        Form::Int { min: 1, max: 10_000 },
        "calls of this link at the same time, all runs together",
    ),
    Key::new("middleware", Form::List(&Form::Name), "middleware around this link, inside the chain's"),
    Key::new("returns", Form::Schema, "JSON Schema of the output; `x-ringmail-label` adds tags"),
];

pub const EDGE_KEYS: &[Key] = &[
    Key::new("on", Form::OneOf(&["success", "error", "refused"]), "how the link ended; default success"),
    Key::new("if", Form::Expr, "taken only if this holds; reads the link, what came before it, and `error`"),
    Key::new("to", Form::Name, "the link that follows"),
    Key::new("chain", Form::Name, "the chain that follows"),
    Key::new("with", Form::Template, "the input of that chain"),
];

pub const RETRY_KEYS: &[Key] = &[
    Key::required("attempts", Form::Int { min: 1, max: 100 }, "how often at most, the first included"),
    Key::new("backoff", Form::Duration, "pause before the second attempt, doubled each time; default 200ms"),
    Key::new("backoff_max", Form::Duration, "longest pause; default 10s"),
    Key::new("jitter", Form::Bool, "draw each pause at random up to its length; default true"),
    Key::new(
        "on",
        Form::List(&Form::OneOf(FailureKind::IDS)),
        "failures that are tried again; default timeout and unavailable",
    ),
];

pub const CACHE_KEYS: &[Key] = &[
    Key::required("ttl", Form::Duration, "how long a result may be used"),
    Key::new("entries", Form::Int { min: 1, max: 1_000_000 }, "results kept; default 1000"),
];

/// A body: links and an output, or a chain, or a value.
pub const BODY_KEYS: &[Key] = &[
    Key::new("links", Form::Links, "the links by name"),
    Key::new("output", Form::Template, "the body's result"),
];

pub const DO_KEY: Key =
    Key::new("do", Form::Table(BODY_KEYS), "links to run; they may read what surrounds them");
pub const DO_CHAIN_KEY: Key =
    Key::new("chain", Form::Name, "a chain to run instead, with `with` as its input");

pub const CASE_KEYS: &[Key] = &[
    Key::required("when", Form::Expr, "the case is taken if this holds"),
    DO_KEY,
    DO_CHAIN_KEY,
    Key::new("with", Form::Template, "the input of that chain"),
    Key::new("value", Form::Template, "the result, without running anything"),
];

pub const OTHERWISE_KEYS: &[Key] = &[
    DO_KEY,
    DO_CHAIN_KEY,
    Key::new("with", Form::Template, "the input of that chain"),
    Key::new("value", Form::Template, "the result, without running anything"),
];

pub(crate) const TIMEOUT_MS: u64 = 30_000;
pub(crate) const CACHE_ENTRIES: usize = 1_000;
pub(crate) const EACH_ITEMS: usize = 1_000;
pub(crate) const CHAIN_DEPTH: u64 = 1;

/// The JSON Schema of a chain file whose links may be of these kinds, for editors.
pub fn chain_schema(kinds: &[&Kind]) -> Json {
    let mut schema = table_schema(&[CHAIN_KEYS]);
    // One condition for each kind, so that an editor shows what is wrong with the kind that was meant.
    let is = |kind: &Kind| json!({"required": ["kind"], "properties": {"kind": {"const": kind.name}}});
    let links: Vec<Json> =
        kinds.iter().map(|kind| json!({"if": is(kind), "then": link_schema(kind)})).collect();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let more = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a Ringmail chain",
        "$defs": {
            "links": {"type": "object", "propertyNames": Form::Name.json_schema(), "additionalProperties": {
                "type": "object", "required": ["kind"], "properties": {"kind": {"enum": names}}, "allOf": links,
            }},
        },
    });
    merge(&mut schema, more);
    schema
}

fn link_schema(kind: &Kind) -> Json {
    let mut schema = table_schema(&[LINK_KEYS, kind.settings]);
    let with = match kind.with {
        With::Nothing if kind.may_name_chain() => json!({}),
        With::Nothing => json!(false),
        With::Anything => json!({}),
        With::Fields(fields) => with_schema(fields),
    };
    merge(
        &mut schema,
        json!({"title": kind.doc, "properties": {"kind": {"const": kind.name}, "with": with}}),
    );
    schema
}

/// Arguments by name, or one expression for all; wherever something else than a text is due, an expression may stand.
fn with_schema(fields: &[Key]) -> Json {
    let computed = json!({"type": "string", "pattern": "\\$\\{"});
    let mut schema = table_schema(&[fields]);
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        for property in
            properties.values_mut().filter(|property| property.get("type") != Some(&json!("string")))
        {
            *property = json!({"anyOf": [property.take(), computed]});
        }
    }
    json!({"anyOf": [schema, computed]})
}

/// Adds the members of `more`, deep in objects.
fn merge(schema: &mut Json, more: Json) {
    match (schema, more) {
        (Json::Object(into), Json::Object(more)) => {
            for (key, value) in more {
                match into.get_mut(&key) {
                    Some(known) if known.is_object() && value.is_object() => merge(known, value),
                    _ => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (schema, more) => *schema = more,
    }
}
