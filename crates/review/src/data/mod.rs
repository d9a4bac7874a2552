//! Documents: YAML, JSON and TOML as others write them, each key with its place shown to the rules once. More lenient
//! than the readers of Ringmail's own files: tags, several documents and repeated keys are looked at, too.

mod yaml;

use crate::file::{Format, Looked};
use crate::python::{Bind, Bound, Hits, LOOKS, TextSite};
use ringmail_core::doc::{Data, Node, Problems, Span, toml};

/// Keys that are looked through for another one: with each key of a map of any width, that must not take its square.
const BESIDE_MAX: usize = 256;

/// A key of a document.
pub(crate) struct Entry<'d> {
    pub(crate) file: &'d Looked,
    /// The keys above it, outermost first; items of lists have no name.
    pub(crate) above: &'d [&'d str],
    pub(crate) key: &'d str,
    pub(crate) value: &'d Node,
    map: &'d Node,
    pub(crate) span: Span,
}

impl<'d> Entry<'d> {
    /// Another key of the map that it stands in; of a very wide map, one of its first.
    pub(crate) fn beside(&self, name: &str) -> Option<&'d Node> {
        let entries = self.map.entries().iter().take(BESIDE_MAX);
        entries.rev().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The keys of the map that it stands in, as many as are looked through.
    pub(crate) fn siblings(&self) -> impl Iterator<Item = (&'d str, &'d Node)> {
        self.map.entries().iter().take(BESIDE_MAX).map(|(key, value)| (key.name.as_str(), value))
    }

    pub(crate) fn under(&self, name: &str) -> bool {
        self.above.contains(&name)
    }
}

pub(crate) fn parse(file: &Looked) -> Result<Node, (Span, String)> {
    let first = |problems: Problems| {
        let problem = problems.0.into_iter().next();
        problem.map_or((Span::default(), "it cannot be read".into()), |problem| {
            (problem.spot.map_or_else(Span::default, |spot| spot.span), problem.message)
        })
    };
    match file.format {
        Format::Toml => toml::parse(&file.source).map_err(first),
        _ => yaml::parse(file.text()),
    }
}

/// Shows a document to the rules.
pub(crate) fn walk(file: &Looked, node: &Node) -> Hits {
    let mut hits = Hits::new();
    let mut above = Vec::new();
    visit(file, node, &mut above, &mut hits);
    hits
}

fn visit<'d>(file: &'d Looked, node: &'d Node, above: &mut Vec<&'d str>, hits: &mut Hits) {
    for item in node.items() {
        scalar(item, hits);
        visit(file, item, above, hits);
    }
    for (key, value) in node.entries() {
        let bind =
            Bind { file, name: &key.name, value: bound(value), span: value.span, callee: "", default: false };
        for (rule, look) in &LOOKS.binds {
            hits.extend(look(&bind).map(|hit| (*rule, hit)));
        }
        let span = if value.span.end > value.span.start { value.span } else { key.span };
        let entry = Entry { file, above, key: &key.name, value, map: node, span };
        for (rule, look) in &LOOKS.entries {
            hits.extend(look(&entry).map(|hit| (*rule, hit)));
        }
        scalar(value, hits);
        above.push(&key.name);
        visit(file, value, above, hits);
        above.pop();
    }
}

fn scalar(node: &Node, hits: &mut Hits) {
    if let Data::Text(text) = &node.data {
        let site = TextSite { text, span: node.span };
        for (rule, look) in &LOOKS.texts {
            hits.extend(look(&site).map(|hit| (*rule, hit)));
        }
    }
}

fn bound(node: &Node) -> Bound<'_> {
    match &node.data {
        Data::Text(text) => Bound::Text(text),
        Data::Bool(truth) => Bound::Bool(*truth),
        Data::Null => Bound::Nothing,
        _ => Bound::Other,
    }
}
