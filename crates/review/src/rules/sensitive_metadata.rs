//! Metadata that says too much.

use crate::python::{CallSite, literal, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "sensitive-metadata",
    area: Area::VectorStores,
    title: "metadata of a document holds what is sensitive",
    why: "Metadata is neither embedded nor masked: it comes back with every hit and stands in logs of queries.",
    mend: "keep an id in metadata and the rest where access is checked",
    file: "index.py",
    bad: "def document(text, person):\n    return Document(page_content=text, metadata={\"ssn\": person.ssn})\n",
    good: "def document(text, person):\n    return Document(page_content=text, metadata={\"person\": person.id})\n",
    owasp: &["LLM09", "ASI06", "MCP10"],
    refusal: Some("clearance"),
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let Some(Expr::Dict(metadata)) = site.named("metadata").or_else(|| site.named("meta")) else {
        return None;
    };
    let words =
        || super::stored_in_plain::PERSONAL.iter().chain(&["password", "api_key", "secret", "access_token"]);
    let found = metadata.items.iter().find_map(|item| {
        let key = literal(item.key.as_ref()?)?;
        words().any(|word| *word == key.to_ascii_lowercase()).then_some((key, item))
    });
    let (key, item) = found?;
    Some(Hit::high(span(item.value.range()), format!("`{key}` stands in the metadata")))
}
