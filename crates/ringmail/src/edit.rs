//! Changes of `ringmail.toml`: the table of one plugin, and not a byte of the rest. What comes out is read again and held
//! against what was meant; nothing is written that would not load. Whoever calls holds the project's packages, so that
//! two do not write at once.

use crate::exit::Fault;
use crate::layers;
use crate::place::PROJECT_FILE;
use ringmail_engine::core::doc::{Data, Node, Problems, Source, toml};
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::value::{Map, Value};
use ringmail_engine::packages::write_whole;
use std::fmt::Write;
use std::path::Path;

/// A table's keys in the order they are written.
pub(crate) type Pairs = Vec<(&'static str, Value)>;

/// Puts `[plugin.NAME]` in, or takes it out. Answers whether anything changed.
pub(crate) fn plugin_table(root: &Path, name: &str, table: Option<Pairs>) -> Result<bool, Fault> {
    let path = root.join(PROJECT_FILE);
    let shown = path.display();
    let before = std::fs::read_to_string(&path)
        .map_err(|error| Fault::user(format!("cannot read `{shown}`: {error}")))?;
    let old = parsed(&before)?;
    let written = old.get("plugin").and_then(|plugins| plugins.get(name));
    if written.is_none() && table.is_none() {
        let config = layers::config_with(root, Source::new(PROJECT_FILE, before.clone()))?;
        let plugins = config.node.get("plugin").map_or(&[][..], Node::entries).iter();
        let Some((key, _)) = plugins.into_iter().find(|(key, _)| key.name == name) else { return Ok(false) };
        let layer = config.source.spot(key.span).source.name.clone();
        return Err(Fault::user(format!("`{layer}` grants `plugin.{name}`, and `{PROJECT_FILE}` does not"))
            .hint(format!("take `[plugin.{name}]` out of `{layer}`: what runs now stops within a second")));
    }
    let text = table.as_ref().map(|pairs| table_text(name, pairs)).unwrap_or_default();
    let after = match written {
        Some(table) => splice(&before, name, &old, table, &text),
        None => format!("{}\n\n{text}", before.trim_end()),
    };
    let meant = meant(&old, name, table.as_ref());
    let project = parsed(&after).ok().filter(|node| node.to_value() == meant);
    if project.is_none() {
        return Err(Fault::user(format!(
            "`plugin.{name}` in `{shown}` is not written as a table of its own"
        ))
        .hint(format!("change it by hand; it should read:\n{text}")));
    }
    let config = layers::config_with(root, Source::new(PROJECT_FILE, after.clone()))?;
    let plugins = config.node.get("plugin").map_or(&[][..], Node::entries).iter();
    // What a layer says counts, whatever stands below it.
    let above = plugins.filter(|(key, _)| key.name == name).find_map(|(key, node)| {
        let values = node.entries().iter().map(|(key, _)| key.span).chain([key.span]);
        values.map(|span| config.source.spot(span).source).find(|source| source.name != PROJECT_FILE)
    });
    if let Some(layer) = above {
        return Err(Fault::user(format!("`{}` changes `plugin.{name}`", layer.name))
            .hint(format!("change it there by hand; it should read:\n{text}")));
    }
    config.project(&mut TagTable::default())?;
    write_whole(&path, after.as_bytes())
        .map_err(|error| Fault::user(format!("cannot write `{shown}`: {error}")))?;
    Ok(true)
}

fn parsed(text: &str) -> Result<Node, Problems> {
    toml::parse(&Source::new(PROJECT_FILE, text))
}

/// The whole file with this table in it, as data.
fn meant(old: &Node, name: &str, table: Option<&Pairs>) -> Value {
    let entries = |value: &Value| -> Vec<_> {
        let map = value.as_map().map(Map::iter);
        map.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let old = old.to_value();
    let mut plugins = entries(old.get("plugin").unwrap_or(&Value::Null));
    plugins.retain(|(known, _)| **known != *name);
    if let Some(pairs) = table {
        plugins.push((name.into(), Value::map(pairs.iter().map(|(key, value)| (*key, value.clone())))));
    }
    let mut all = entries(&old);
    all.retain(|(key, _)| **key != *"plugin");
    if !plugins.is_empty() {
        all.push(("plugin".into(), Value::map(plugins)));
    }
    Value::map(all)
}

/// Replaces the lines from the table's header to its last value.
fn splice(before: &str, name: &str, old: &Node, table: &Node, text: &str) -> String {
    let keys = old.get("plugin").map_or(&[][..], Node::entries);
    let key = keys.iter().find(|(key, _)| key.name == name).map_or(0, |(key, _)| key.span.start);
    let line_start = |at: usize| before.get(..at).and_then(|head| head.rfind('\n')).map_or(0, |end| end + 1);
    let line_end = |at: usize| {
        before.get(at..).and_then(|tail| tail.find('\n')).map_or(before.len(), |end| at + end + 1)
    };
    let (start, end) = (line_start(key), line_end(last(table).max(key)));
    let (head, tail) = (before.get(..start).unwrap_or_default(), before.get(end..).unwrap_or_default());
    match text {
        "" => format!("{}\n{}{tail}", head.trim_end(), if tail.trim().is_empty() { "" } else { "\n" })
            .trim_start()
            .to_string(),
        text => format!("{head}{text}{tail}"),
    }
}

/// Where the last value of a node ends.
fn last(node: &Node) -> usize {
    let below = match &node.data {
        Data::List(items) => items.iter().map(last).max(),
        Data::Map(entries) => entries.iter().map(|(key, node)| last(node).max(key.span.end)).max(),
        _ => None,
    };
    match (&node.data, below) {
        // A table's own span is its header's.
        (Data::Map(_), Some(below)) => below,
        _ => below.unwrap_or(0).max(node.span.end),
    }
}

fn table_text(name: &str, pairs: &Pairs) -> String {
    let mut out = format!("[plugin.{name}]\n");
    for (key, value) in pairs {
        let _infallible = writeln!(out, "{key} = {}", toml_value(value));
    }
    out
}

/// Data as TOML writes it; JSON's texts are texts there, too, but for one character.
pub(crate) fn toml_value(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Value::List(items) => format!("[{}]", joined(items.iter().map(toml_value).collect())),
        Value::Map(map) if map.is_empty() => "{}".into(),
        Value::Map(map) => {
            let pair = |(key, value): (&ringmail_engine::core::value::Str, &Value)| {
                format!("{key} = {}", toml_value(value))
            };
            format!("{{ {} }}", joined(map.iter().map(pair).collect()))
        }
        other => to_string(other).replace('\u{7f}', "\\u007f"),
    }
}
