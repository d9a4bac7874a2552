//! Doors of Ringmail's projects that ask nobody.

use crate::data::Entry;
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Data;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "open-listener",
    area: Area::Authentication,
    title: "a listener lets in whoever comes",
    why: "Every caller is the same `anonymous` then: no policy tells them apart, no limit is one caller's, and the record names nobody. Without TLS others on the way read and change what is said.",
    mend: "let callers show a key, a token or a certificate, and give the listener a certificate",
    file: "ringmail.toml",
    bad: "[listener.web]\nkind = \"http\"\nbind = \"0.0.0.0:8080\"\ndangerous = { anonymous = true, plaintext = true }\n",
    good: "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:8080\"\naccept = [\"key\"]\n",
    owasp: &["LLM03", "ASI03", "MCP07"],
    refusal: Some("policy-silent"),
    looks: &[Look::Entry(entry)],
};

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    let on = matches!(entry.value.data, Data::Bool(true));
    if !super::wide_grant::is_project(entry) || entry.above.first() != Some(&"listener") || !on {
        return None;
    }
    match entry.key {
        "anonymous" => Some(Hit::high(entry.span, "nobody is asked here who they are")),
        "plaintext" => Some(Hit::high(entry.span, "others than this machine are served here without TLS")),
        _ => None,
    }
}
