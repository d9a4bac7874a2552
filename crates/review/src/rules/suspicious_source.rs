//! Packages from places that anybody may fill.

use crate::file::{Format, Looked};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Span;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "suspicious-source",
    area: Area::Dependencies,
    title: "a package comes from a place that anybody may fill",
    why: "With a second index, whoever registers the name of an inner package at the public one is installed. Scripts from the network run unread.",
    mend: "use one index that you control, over TLS, and pin by digest",
    file: "requirements.txt",
    bad: "--extra-index-url https://pypi.internal.example.com/simple\nacme-core==1.0.0\n",
    good: "--index-url https://pypi.internal.example.com/simple\nacme-core==1.0.0\n",
    owasp: &["LLM04", "ASI04", "MCP04"],
    refusal: None,
    looks: &[Look::File(file)],
};

const SIGNS: &[(&str, &str)] = &[
    ("--extra-index-url", "names are looked up in two indexes, and the newer version wins"),
    ("--trusted-host", "the index is asked without a look at its certificate"),
    ("--index-url http://", "the index is asked without TLS"),
    ("git+http://", "the repository is asked without TLS"),
    ("git+git://", "the repository is asked without TLS"),
];

fn file(file: &Looked) -> Vec<Hit> {
    if !matches!(file.format, Format::Requirements | Format::Docker | Format::Lines) {
        return Vec::new();
    }
    let mut hits = Vec::new();
    for line in 1..=file.lines.count() {
        let text = file.lines.text(file.text(), line);
        let start = file.lines.start(line);
        let span = Span { start, end: start + text.len() };
        if text.trim_start().starts_with('#') {
            continue;
        }
        if let Some((_, why)) = SIGNS.iter().find(|(sign, _)| text.contains(sign)) {
            hits.push(Hit::medium(span, *why));
        }
        let fetched = text.contains("curl ") || text.contains("wget ");
        if fetched
            && ["| sh", "| bash", "|sh", "|bash", "| python", "| sudo"].iter().any(|run| text.contains(run))
        {
            hits.push(Hit::medium(span, "what the network answers is run unread"));
        }
    }
    hits
}
