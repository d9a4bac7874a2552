//! Servers of MCP that offer something else than was looked at.

use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "pin-changed",
    area: Area::Llm,
    title: "a server offers something else than was pinned",
    why: "Somebody read what its tools say of themselves, and let the model use them. What a server changes afterwards nobody has read. Asked of the servers themselves with `--live`.",
    mend: "read what changed with `ringmail tool list`, and pin it anew if it is meant",
    file: "ringmail.toml",
    bad: "[upstream.desk]\nurl = \"https://desk.example.com/mcp\"\n",
    good: "[upstream.desk]\nurl = \"https://desk.example.com/mcp\"\n",
    owasp: &["LLM04", "ASI04", "MCP03"],
    refusal: Some("tool-changed"),
    looks: &[Look::Asked],
};
