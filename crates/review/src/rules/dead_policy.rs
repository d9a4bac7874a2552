//! Policies of Ringmail that decide nothing.

use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "dead-policy",
    area: Area::Authentication,
    title: "a policy can never match",
    why: "A name with a slip in it, or a link that was renamed, and a policy that forbids something forbids nothing. Found where the project of the policy loads.",
    mend: "name what is there; `ringmail policy check` says what each policy matches",
    file: "policies/shop.cedar",
    bad: "forbid (principal, action, resource == Ringmail::Link::\"shop.sned\");\n",
    good: "forbid (principal, action, resource == Ringmail::Link::\"shop.send\");\n",
    owasp: &["LLM03", "ASI03", "MCP07"],
    refusal: Some("policy-forbids"),
    looks: &[Look::Asked],
};
