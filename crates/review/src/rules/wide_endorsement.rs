//! Endorsements of Ringmail that vouch for more than somebody looked at.

use crate::data::Entry;
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Node;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "wide-endorsement",
    area: Area::Validation,
    title: "an effect relies on an endorsement that vouches for anything",
    why: "What is endorsed counts as trusted from there on. Without `scope` it is trusted whatever it says, and without `expires` for ever.",
    mend: "say in `scope` what must hold of the value, and in `expires` when somebody has to decide anew",
    file: "chains/pay.yaml",
    bad: "chain: pay\nlinks:\n  order:\n    kind: endorse\n    reason: finance looked at it\n    with: {value: '${input.invoice}'}\n  send:\n    kind: http\n    with: {method: POST, url: 'https://bank.example.com/payments', body: '${order}'}\n",
    good: "chain: pay\nlinks:\n  order:\n    kind: endorse\n    reason: finance looked at it\n    scope: value.cents <= 50000\n    expires: 2027-06-30\n    with: {value: '${input.invoice}'}\n  show:\n    kind: native\n    call: sha256\n    with: {text: '${input.note}'}\n",
    owasp: &["LLM01", "ASI09", "MCP06"],
    refusal: Some("untrusted-argument"),
    looks: &[Look::Entry(entry)],
};

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    let kind = entry.value.get("kind").and_then(Node::text)?;
    if entry.above.last() != Some(&"links") || !["endorse", "declassify"].contains(&kind) {
        return None;
    }
    let users = || entry.siblings().filter(|(key, other)| *key != entry.key && uses(other, entry.key));
    let users: Vec<&str> = users().map(|(key, _)| key).collect();
    let first = users.first()?;
    let has = |key: &str| entry.value.get(key).is_some();
    let at = entry.value.get("kind").map_or(entry.span, |kind| kind.span);
    match (has("scope"), has("expires")) {
        (false, _) => Some(Hit::high(
            at,
            format!("`{first}` relies on `{}`, which lets through whatever comes", entry.key),
        )),
        (true, false) => {
            Some(Hit::medium(at, format!("`{first}` relies on `{}`, which never ends", entry.key)))
        }
        (true, true) => Some(Hit::low(at, format!("`{first}` relies on `{}`", entry.key))),
    }
}

/// Whether an expression somewhere in a link reads what another gave.
fn uses(node: &Node, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let here = node.text().is_some_and(|text| {
        text.match_indices(name).any(|(at, _)| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(|c| is_part(c) || c == '.') && !after.is_some_and(is_part)
        })
    });
    here || node.items().iter().any(|item| uses(item, name))
        || node.entries().iter().any(|(_, value)| uses(value, name))
}
