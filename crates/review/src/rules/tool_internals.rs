//! Descriptions of tools that tell how they are built.

use crate::look::{detected, host, is_internal, is_loopback};
use crate::python::Bind;
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "tool-internals",
    area: Area::Llm,
    title: "the description of a tool tells of what is inside",
    why: "Every model, and whoever talks to it, reads descriptions: hosts and accounts in them are a map for an attack.",
    mend: "say what the tool does and takes, not where and as whom",
    file: "tools.py",
    bad: "from langchain_core.tools import StructuredTool\n\ntool = StructuredTool.from_function(func=find, description=\"Reads the table users at http://10.0.3.7:5432 as admin\")\n",
    good: "from langchain_core.tools import StructuredTool\n\ntool = StructuredTool.from_function(func=find, description=\"Finds a user by name\")\n",
    owasp: &["LLM08", "ASI02", "MCP10"],
    refusal: Some("clearance"),
    looks: &[Look::Bind(bind)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let text = bind.text().filter(|_| ["description", "tool_description", "doc"].contains(&bind.name))?;
    let inside = text.match_indices("://").find_map(|(at, _)| {
        let start = text.get(..at)?.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
        host(text.get(start..)?).filter(|host| is_internal(host) && !is_loopback(host))
    });
    let secret =
        || detected(text).iter().any(|one| ["token", "url_credentials"].contains(&one.detector.name));
    match inside {
        Some(host) => Some(Hit::high(bind.span, format!("the description names the internal host `{host}`"))),
        None => secret().then(|| Hit::high(bind.span, "the description holds a secret")),
    }
}
