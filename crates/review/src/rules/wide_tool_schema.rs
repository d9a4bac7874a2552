//! Tools that take anything.

use crate::data::Entry;
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::{Data, Node};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "wide-tool-schema",
    area: Area::Validation,
    title: "a tool takes whatever it is given",
    why: "A schema without fields, or with any others besides, lets a model pass on what it read: keys, other people's mails.",
    mend: "name the fields, bound texts, and set `additionalProperties` to false",
    file: "tools.json",
    bad: "{\"tools\": [{\"name\": \"add\", \"description\": \"Adds.\", \"inputSchema\": {\"type\": \"object\", \"additionalProperties\": true}}]}\n",
    good: "{\"tools\": [{\"name\": \"add\", \"description\": \"Adds.\", \"inputSchema\": {\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"number\"}}, \"additionalProperties\": false}}]}\n",
    owasp: &["LLM03", "ASI02", "MCP10"],
    refusal: None,
    looks: &[Look::Entry(entry)],
};

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    if !["inputSchema", "input_schema"].contains(&entry.key) || entry.beside("name").is_none() {
        return None;
    }
    let open =
        entry.value.get("additionalProperties").is_some_and(|more| matches!(more.data, Data::Bool(true)));
    let object = entry.value.get("type").and_then(Node::text) == Some("object");
    let none = entry.value.get("properties").is_none_or(|all| all.entries().is_empty());
    let closed =
        entry.value.get("additionalProperties").is_some_and(|more| matches!(more.data, Data::Bool(false)));
    match (open, object && none && !closed) {
        (true, _) => Some(Hit::high(entry.span, "this tool takes any fields whatever")),
        (false, true) => Some(Hit::low(entry.span, "this tool does not say what it takes")),
        (false, false) => None,
    }
}
