//! Prompts that tell of what is inside.

use crate::look::{detected, host, is_internal};
use crate::python::Bind;
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "prompt-internals",
    area: Area::Llm,
    title: "the instructions of a model hold what is internal",
    why: "What stands in a prompt can be asked out of the model, and goes to whoever runs it.",
    mend: "leave hosts, paths and keys out of prompts; give them to the tools that need them",
    file: "agent.py",
    bad: "system_prompt = \"You look things up at http://ldap.corp.internal:389 as svc-agent.\"\n",
    good: "system_prompt = \"You look things up with the tool `directory`.\"\n",
    owasp: &["LLM08", "ASI01", "MCP10"],
    refusal: Some("clearance"),
    looks: &[Look::Bind(bind)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let name = bind.name.to_ascii_lowercase();
    let prompt = name.contains("prompt")
        || ["role", "backstory", "goal", "instructions", "system", "system_message"].contains(&name.as_str());
    let text = bind.text().filter(|text| prompt && text.len() > 20)?;
    let inside = text.match_indices("://").find_map(|(at, _)| {
        let start = text.get(..at)?.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
        host(text.get(start..)?).filter(|host| is_internal(host))
    });
    if let Some(host) = inside {
        return Some(Hit::high(bind.span, format!("`{}` names the internal host `{host}`", bind.name)));
    }
    let secret = detected(text)
        .iter()
        .any(|one| ["token", "private_key", "url_credentials"].contains(&one.detector.name));
    secret.then(|| Hit::high(bind.span, format!("`{}` holds a secret", bind.name)))
}
