//! Secrets of Ringmail's projects that lie beside what uses them.

use crate::data::Entry;
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-file",
    area: Area::Credentials,
    title: "a secret lies in the project as it is",
    why: "Whoever copies, backs up or publishes the folder has the secret, too, and version control never forgets it.",
    mend: "seal it with `ringmail secret seal` and `from = \"sealed:...\"`, or take it from the environment or a keeper of secrets",
    file: "ringmail.toml",
    bad: "[secret.bank]\nfrom = \"file:keys/bank.txt\"\nbound_to = [\"https://bank.example.com\"]\n",
    good: "[secret.bank]\nfrom = \"env:BANK_KEY\"\nbound_to = [\"https://bank.example.com\"]\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: None,
    looks: &[Look::Entry(entry)],
};

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    if !super::wide_grant::is_project(entry) || entry.key != "from" || entry.above.first() != Some(&"secret")
    {
        return None;
    }
    let path = entry.value.text()?.strip_prefix("file:")?;
    // What is mounted for the process is no file of the project.
    let inside = !path.starts_with('/') && !path.starts_with("..") && !path.starts_with(".ringmail/");
    inside.then(|| Hit::medium(entry.span, format!("`{path}` is read as it lies there")))
}
