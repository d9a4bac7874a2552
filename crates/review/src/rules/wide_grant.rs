//! Grants of Ringmail that give more than a link can need.

use crate::data::Entry;
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Node;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "wide-grant",
    area: Area::Network,
    title: "a grant reaches further than a link needs",
    why: "What is granted is what an attack gets. A wildcard for hosts, or the root of the file system, leaves nothing out.",
    mend: "name the hosts and the folder, and the methods where the link only reads",
    file: "ringmail.toml",
    bad: "[[grant]]\nto = \"mail.send\"\nreason = \"sends\"\nnet = [{ address = \"https://*\" }]\n",
    good: "[[grant]]\nto = \"mail.send\"\nreason = \"sends\"\nnet = [{ address = \"https://desk.example.com\", methods = [\"POST\"] }]\n",
    owasp: &["LLM03", "ASI03", "MCP02"],
    refusal: Some("no-grant"),
    looks: &[Look::Entry(entry)],
};

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    if !is_project(entry) {
        return None;
    }
    if entry.key == "dangerous" && entry.above.first() != Some(&"listener") {
        return Some(Hit::medium(entry.span, "something that keeps this project safe is turned off"));
    }
    let granted = entry.under("grant") || entry.under("net") || entry.key == "net";
    let wide = |node: &Node| {
        let host = crate::look::host(node.text()?)?;
        (host == "*" || host.starts_with("*.") && host.matches('.').count() < 2).then_some(())
    };
    if granted && entry.key == "address" && wide(entry.value).is_some() {
        return Some(Hit::high(entry.span, "this grant is for every host there is"));
    }
    let root = ["path", "folder", "host"].contains(&entry.key) && entry.value.text() == Some("/");
    (root && (entry.under("mount") || entry.under("fs")))
        .then(|| Hit::high(entry.span, "this is the whole file system"))
}

/// Whether a key is one of a project's settings, or of a layer of them.
pub(super) fn is_project(entry: &Entry<'_>) -> bool {
    let name = entry.file.path().rsplit('/').next().unwrap_or_default();
    name.starts_with("ringmail") && name.ends_with(".toml")
}
