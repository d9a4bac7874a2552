//! Packages with known holes.

use crate::file::Looked;
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::{Node, Span};
use ringmail_core::package::{Advisory, Part};

pub(crate) static RULE: ReviewRule = ReviewRule {
    id: "known-vulnerability",
    area: Area::Dependencies,
    title: "a package has a known hole",
    why: "What is published is tried everywhere. Looked up in the advisories that `--advisories` names, as OSV exports them.",
    mend: "take a version that mends it",
    file: "requirements.txt",
    bad: "acme-parser==1.0.0\n",
    good: "acme-parser==1.2.0\n",
    owasp: &["LLM04", "ASI04", "MCP04"],
    refusal: None,
    looks: &[Look::Asked],
};

/// What is known of the packages that a file names.
pub(crate) fn hits(file: &Looked, node: Option<&Node>, advisories: &[Advisory]) -> Vec<Hit> {
    let mut hits = Vec::new();
    if advisories.is_empty() {
        return hits;
    }
    for (part, span) in parts(file, node) {
        for advisory in advisories.iter().filter(|advisory| advisory.hits(&part)) {
            let message = format!(
                "{} {}: {} ({}), {}",
                part.name,
                part.version,
                advisory.id,
                advisory.severity.name(),
                advisory.summary
            );
            hits.push(Hit::high(span, message));
        }
    }
    hits
}

/// Whether a file of this name pins packages.
pub(crate) fn pins(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let locks = ["uv.lock", "poetry.lock", "cargo.lock", "package-lock.json", "pipfile.lock", "go.sum"];
    locks.contains(&name.as_str()) || crate::file::Format::of(path) == Some(crate::file::Format::Requirements)
}

/// The packages that a file pins, each with its place.
pub(crate) fn parts(file: &Looked, node: Option<&Node>) -> Vec<(Part, Span)> {
    let name = file.path().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    match (name.as_str(), node) {
        ("uv.lock" | "poetry.lock", Some(node)) => tables(node, "PyPI"),
        ("cargo.lock", Some(node)) => tables(node, "crates.io"),
        ("package-lock.json", Some(node)) => npm(node),
        ("pipfile.lock", Some(node)) => pipfile(node),
        ("go.sum", _) => lines(file, go),
        _ if file.format == crate::file::Format::Requirements => lines(file, requirement),
        _ => Vec::new(),
    }
}

fn part(ecosystem: &str, name: &str, version: &str) -> Part {
    Part { ecosystem: ecosystem.into(), name: name.into(), version: version.into() }
}

fn tables(node: &Node, ecosystem: &str) -> Vec<(Part, Span)> {
    let packages = node.get("package").map_or(&[][..], Node::items);
    let one = |package: &Node| {
        let (name, version) = (package.get("name")?, package.get("version")?);
        Some((part(ecosystem, name.text()?, version.text()?), name.span))
    };
    packages.iter().filter_map(one).collect()
}

fn npm(node: &Node) -> Vec<(Part, Span)> {
    let packages = node.get("packages").map_or(&[][..], Node::entries);
    let one = |(key, package): &(ringmail_core::doc::NodeKey, Node)| {
        let (_, name) = key.name.rsplit_once("node_modules/")?;
        Some((part("npm", name, package.get("version")?.text()?), key.span))
    };
    packages.iter().filter_map(one).collect()
}

fn pipfile(node: &Node) -> Vec<(Part, Span)> {
    let groups = ["default", "develop"].into_iter().filter_map(|group| node.get(group));
    let one = |(key, package): &(ringmail_core::doc::NodeKey, Node)| {
        let version = package.get("version")?.text()?.trim_start_matches("==");
        Some((part("PyPI", &key.name, version), key.span))
    };
    groups.flat_map(|group| group.entries().iter().filter_map(one).collect::<Vec<_>>()).collect()
}

fn lines(file: &Looked, read: fn(&str) -> Option<Part>) -> Vec<(Part, Span)> {
    let mut out = Vec::new();
    for line in 1..=file.lines.count() {
        let text = file.lines.text(file.text(), line);
        let start = file.lines.start(line);
        out.extend(read(text).map(|part| (part, Span { start, end: start + text.len() })));
    }
    out
}

fn requirement(line: &str) -> Option<Part> {
    let line = line.split(['#', ';', ' ']).next()?.trim();
    let (name, version) = line.split_once("==")?;
    let name = name.split('[').next()?;
    Some(part("PyPI", name, version.trim_start_matches('=')))
}

fn go(line: &str) -> Option<Part> {
    let mut words = line.split(' ');
    let (name, version) = (words.next()?, words.next()?);
    Some(part("Go", name, version.trim_end_matches("/go.mod").trim_start_matches('v')))
}
