//! Tools that stand in for others.

use crate::data::Entry;
use crate::rule::{Area, Hit, Look, ReviewRule};
use foldhash::{HashSet, HashSetExt};
use ringmail_core::doc::Node;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "shadowed-tool",
    area: Area::Llm,
    title: "two tools have one name",
    why: "A model calls by name: the second tool, from a server that nobody thinks of, gets the calls and the data of the first.",
    mend: "give each tool a name of its own, with the server's in front",
    file: "tools.json",
    bad: "{\"tools\": [{\"name\": \"send_mail\", \"description\": \"Sends.\"}, {\"name\": \"Send-Mail\", \"description\": \"Sends too.\"}]}\n",
    good: "{\"tools\": [{\"name\": \"send_mail\", \"description\": \"Sends.\"}, {\"name\": \"read_mail\", \"description\": \"Reads.\"}]}\n",
    owasp: &["LLM04", "ASI04", "MCP03"],
    refusal: Some("tool-changed"),
    looks: &[Look::Entry(entry)],
};

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    if entry.key != "tools" {
        return None;
    }
    let name = |tool: &Node| {
        tool.get("description")?;
        let name = tool.get("name")?;
        let plain: String =
            name.text()?.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        Some((plain, name.span))
    };
    let mut seen: HashSet<String> = HashSet::new();
    for (name, span) in entry.value.items().iter().filter_map(name) {
        if !seen.insert(name) {
            return Some(Hit::high(span, "another tool is called so"));
        }
    }
    None
}
