//! Which keys the published schemas have, and in which of them two documents differ. The binary's tests use this too.

use ringmail_engine::Value;
use ringmail_engine::core::doc::{Source, toml};
use ringmail_engine::core::json::from_serde;
use ringmail_engine::core::{plugin, project};
use std::collections::BTreeSet;

/// Keys that the binary reads and the engine does not, or that only it can show at work: its own tests have their cases.
pub const OF_THE_BINARY: &[&str] = &[
    "plugin.toml: clock.reason",
    "plugin.toml: description",
    "plugin.toml: env.reason",
    "plugin.toml: fs.reason",
    "plugin.toml: kv.reason",
    "plugin.toml: log.reason",
    "plugin.toml: needs.reason",
    "plugin.toml: net.reason",
    "plugin.toml: random.reason",
    "plugin.toml: secret.reason",
    "plugin.toml: tool.reason",
    "ringmail.toml: advisories",
    "ringmail.toml: advisories.path",
    "ringmail.toml: advisories.refuse",
    "ringmail.toml: anchor",
    "ringmail.toml: anchor.*.resolves_to",
    "ringmail.toml: anchor.*.secret",
    "ringmail.toml: anchor.*.to",
    "ringmail.toml: forward",
    "ringmail.toml: forward.*.address",
    "ringmail.toml: forward.*.batch",
    "ringmail.toml: forward.*.resolves_to",
    "ringmail.toml: forward.*.secret",
    "ringmail.toml: forward.*.to",
    "ringmail.toml: grant.approved_by",
    "ringmail.toml: grant.reason",
    "ringmail.toml: plugin.*.approved_by",
    "ringmail.toml: plugin.*.publisher",
    "ringmail.toml: plugin.*.reason",
    "ringmail.toml: principal",
    "ringmail.toml: principal.name",
    "ringmail.toml: principal.roles",
    "ringmail.toml: principal.tenant",
    "ringmail.toml: project",
    "ringmail.toml: project.chains",
    "ringmail.toml: project.data",
    "ringmail.toml: project.name",
    "ringmail.toml: project.policies",
    "ringmail.toml: project.require_signed",
    "ringmail.toml: provider",
    "ringmail.toml: provider.*.client_id",
    "ringmail.toml: provider.*.key_id",
    "ringmail.toml: provider.*.kind",
    "ringmail.toml: provider.*.login",
    "ringmail.toml: provider.*.mount",
    "ringmail.toml: provider.*.namespace",
    "ringmail.toml: provider.*.project",
    "ringmail.toml: provider.*.region",
    "ringmail.toml: provider.*.resolves_to",
    "ringmail.toml: provider.*.role_id",
    "ringmail.toml: provider.*.scope",
    "ringmail.toml: provider.*.secret",
    "ringmail.toml: provider.*.session",
    "ringmail.toml: provider.*.url",
    "ringmail.toml: publisher",
    "ringmail.toml: publisher.*.files",
    "ringmail.toml: publisher.*.keys",
    "ringmail.toml: publisher.*.keys.not_after",
    "ringmail.toml: publisher.*.keys.not_before",
    "ringmail.toml: publisher.*.keys.public",
    "ringmail.toml: publisher.*.keys.revoked",
    "ringmail.toml: publisher.*.plugins",
    "ringmail.toml: python",
    "ringmail.toml: python.clock",
    "ringmail.toml: python.digest",
    "ringmail.toml: python.fast",
    "ringmail.toml: python.fast.digest",
    "ringmail.toml: python.fast.interpreter",
    "ringmail.toml: python.interpreter",
    "ringmail.toml: python.libraries",
    "ringmail.toml: python.libraries.digest",
    "ringmail.toml: python.libraries.path",
    "ringmail.toml: python.limits",
    "ringmail.toml: python.limits.asks",
    "ringmail.toml: python.limits.fuel",
    "ringmail.toml: python.limits.memory",
    "ringmail.toml: python.limits.output",
    "ringmail.toml: python.limits.time",
    "ringmail.toml: python.random",
    "ringmail.toml: registry",
    "ringmail.toml: registry.*.folder",
    "ringmail.toml: registry.*.fresh",
    "ringmail.toml: registry.*.keys",
    "ringmail.toml: registry.*.keys.not_after",
    "ringmail.toml: registry.*.keys.not_before",
    "ringmail.toml: registry.*.keys.public",
    "ringmail.toml: registry.*.keys.revoked",
    "ringmail.toml: registry.*.oci",
    "ringmail.toml: registry.*.plugins",
    "ringmail.toml: registry.*.resolves_to",
    "ringmail.toml: registry.*.secret",
    "ringmail.toml: registry.*.url",
    "ringmail.toml: registry.*.user",
    "ringmail.toml: retention",
    "ringmail.toml: retention.keep",
    "ringmail.toml: retention.tag",
    "ringmail.toml: run",
    "ringmail.toml: run.as",
    "ringmail.toml: schedule",
    "ringmail.toml: schedule.*.chain",
    "ringmail.toml: schedule.*.cron",
    "ringmail.toml: schedule.*.every",
    "ringmail.toml: schedule.*.input",
    "ringmail.toml: schedule.*.late",
    "ringmail.toml: schedule.*.missed",
    "ringmail.toml: schedule.*.zone",
];

/// Whether a key belongs to the doors: the server's tests have their cases.
#[allow(dead_code, reason = "the binary's tests look at keys of their own")]
pub fn is_of_the_doors(key: &str) -> bool {
    const OF_THE_DOORS: &[&str] = &["control", "issuer", "listener", "rate", "server", "webhook"];
    if is_of_what_runs_on(key) {
        return true;
    }
    let table = key.strip_prefix("ringmail.toml: ").and_then(|rest| rest.split('.').next());
    table.is_some_and(|table| OF_THE_DOORS.contains(&table))
}

/// Keys that change something only as time passes: the binary's tests of rotation, forwarding and schedules hold them.
#[allow(dead_code, reason = "the server's tests ask")]
pub fn is_of_what_runs_on(key: &str) -> bool {
    [
        "anchor.*.every",
        "forward.*.keep",
        "forward.*.max",
        "schedule.*.beside",
        "secret.*.overlap",
        "secret.*.refresh",
    ]
    .iter()
    .any(|known| key.ends_with(known))
}

pub const MANIFEST: &str = "plugin.toml";
pub const PROJECT: &str = "ringmail.toml";

/// The published schema of a file.
pub fn schema(file: &str) -> Value {
    let schema = match file {
        MANIFEST => plugin::manifest_schema(),
        _ => project::project_schema(),
    };
    from_serde(&schema).unwrap()
}

/// Both texts of a document with one spot `<<one||other>>`; twice the same without.
pub fn variants(text: &str) -> [String; 2] {
    let Some((before, rest)) = text.split_once("<<") else { return [text.into(), text.into()] };
    let (spot, after) = rest.split_once(">>").expect("a spot ends");
    let (one, other) = spot.split_once("||").expect("a spot has two sides");
    [format!("{before}{one}{after}"), format!("{before}{other}{after}")]
}

/// Every key of a file, by its path.
pub fn keys(file: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(&schema(file), "", &mut found);
    found.into_iter().map(|key| format!("{file}: {key}")).collect()
}

/// The keys in which both texts of a document differ.
pub fn differing(file: &str, text: &str) -> BTreeSet<String> {
    let read = |text: &String| {
        let source = Source::new(file, text.as_str());
        toml::parse(&source).unwrap_or_else(|problems| panic!("{problems}\n{text}")).to_value()
    };
    let [one, other] = variants(text).each_ref().map(read);
    let mut found = BTreeSet::new();
    differ(&schema(file), Some(&one), Some(&other), "", &mut found);
    found.into_iter().map(|key| format!("{file}: {key}")).collect()
}

enum Shape<'s> {
    Table(&'s Value),
    Tables(&'s Value),
    Names(&'s Value),
    Leaf,
}

fn shape(schema: &Value) -> Shape<'_> {
    let holds = |schema: &Value| schema.get("properties").is_some();
    match (schema.get("additionalProperties"), schema.get("items")) {
        _ if holds(schema) => Shape::Table(schema),
        (Some(named), _) if holds(named) => Shape::Names(named),
        (_, Some(items)) if holds(items) => Shape::Tables(items),
        _ => Shape::Leaf,
    }
}

fn members(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = schema.get("properties").and_then(Value::as_map).unwrap();
    members.iter().map(|(name, schema)| (&**name, schema))
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

fn walk(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, schema) in members(schema) {
        let path = below(path, name);
        found.insert(path.clone());
        match shape(schema) {
            Shape::Table(inner) | Shape::Tables(inner) => walk(inner, &path, found),
            Shape::Names(inner) => walk(inner, &below(&path, "*"), found),
            Shape::Leaf => {}
        }
    }
}

fn differ(
    schema: &Value,
    one: Option<&Value>,
    other: Option<&Value>,
    path: &str,
    found: &mut BTreeSet<String>,
) {
    if one == other {
        return;
    }
    let items = |list: Option<&Value>| list.and_then(Value::as_list).map_or(0, |list| list.len());
    let item =
        |list: Option<&Value>, at| list.and_then(Value::as_list).and_then(|list| list.get(at).cloned());
    match (shape(schema), one, other) {
        (Shape::Table(_), Some(one), Some(other)) => members(schema).for_each(|(name, inner)| {
            differ(inner, one.get(name), other.get(name), &below(path, name), found)
        }),
        (Shape::Table(table), one, other) => alone(table, one.or(other), path, found),
        (Shape::Tables(inner), one, other) => {
            for at in 0..items(one).max(items(other)) {
                differ(inner, item(one, at).as_ref(), item(other, at).as_ref(), path, found);
            }
        }
        (Shape::Names(inner), Some(one), Some(other)) => {
            let named = [one, other].into_iter().filter_map(Value::as_map).flat_map(|map| map.iter());
            for name in named.map(|(name, _)| name.to_string()).collect::<BTreeSet<String>>() {
                match (one.get(&name), other.get(&name)) {
                    (Some(one), Some(other)) => {
                        differ(inner, Some(one), Some(other), &below(path, "*"), found)
                    }
                    _ => drop(found.insert(path.into())),
                }
            }
        }
        _ => drop(found.insert(path.into())),
    }
}

/// A table that only one document has: it counts itself, and the one key in it, if it could stand without that.
fn alone(schema: &Value, table: Option<&Value>, path: &str, found: &mut BTreeSet<String>) {
    found.insert(path.into());
    let written: Vec<String> = table
        .and_then(Value::as_map)
        .into_iter()
        .flat_map(|map| map.iter())
        .map(|(key, _)| key.to_string())
        .collect();
    let [only] = &written[..] else { return };
    let required = schema.get("required").and_then(Value::as_list);
    if !required.is_some_and(|list| list.iter().any(|name| name.as_str() == Some(only))) {
        found.insert(below(path, only));
    }
}
