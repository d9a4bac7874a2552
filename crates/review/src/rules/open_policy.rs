//! Policies that permit everything.

use crate::file::Looked;
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Span;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "open-policy",
    area: Area::Authentication,
    title: "a policy permits everybody everything",
    why: "Nothing that another policy leaves out is denied any more: a new chain, a new caller and a new link are permitted before anybody thought of them.",
    mend: "say who may do what: a role, an action, a chain or a link, or a condition",
    file: "policies/all.cedar",
    bad: "permit (principal, action, resource);\n",
    good: "permit (principal in Ringmail::Role::\"clerk\", action == Ringmail::Action::\"run\", resource);\n",
    owasp: &["LLM03", "ASI03", "MCP02"],
    refusal: Some("policy-silent"),
    looks: &[Look::File(file)],
};

fn file(file: &Looked) -> Vec<Hit> {
    if !file.path().ends_with(".cedar") {
        return Vec::new();
    }
    let text = file.text();
    let mut hits = Vec::new();
    for (at, _) in text.match_indices("permit") {
        let line = file.lines.text(text, file.lines.line(at));
        let Some(end) = text.get(at..).and_then(|rest| rest.find(';')) else { continue };
        let whole = text.get(at..at + end).unwrap_or_default();
        let plain: String = whole.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        let plain: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
        if !line.trim_start().starts_with("//") && plain == "permit(principal,action,resource)" {
            hits.push(Hit::high(Span { start: at, end: at + end }, "this permits everybody everything"));
        }
    }
    hits
}
