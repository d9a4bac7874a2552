//! What a project's settings are once all of it is read: `ringmail.toml`, the layer of an environment over it, and
//! variables of the process in some values. The environment says where things are and how much of the machine they may use;
//! what is allowed and who is believed stands in files, and a layer that changes such a thing says so at its head.

mod listing;

pub use listing::{ConfigValue, ValueFrom};

use crate::doc::form::{Form, Key, conform, table_schema};
use crate::doc::{Data, Node, NodeKey, Problems, Source, Span, suggest, toml};
use crate::label::TagTable;
use crate::project::{PROJECT_KEYS, Project, project_schema};
use crate::value::Str;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const LAYER_KEYS: &[Key] = &[Key::new(
    "authority",
    Form::List(&Form::Text),
    "the tables in which this layer changes what is allowed or who is believed, all of them and no others",
)];

/// Settings that say where things are and how much they may use. Every other is about what is allowed.
const PLACES: &[&[&str]] = &[
    &["project", "name"],
    &["project", "data"],
    &["limits"],
    &["server"],
    &["rate"],
    &["secret", "*", "from"],
    &["mount", "*", "path"],
    &["plugin", "*", "path"],
    &["python", "interpreter"],
    &["registry", "*", "url"],
    &["registry", "*", "oci"],
    &["registry", "*", "folder"],
    &["registry", "*", "user"],
    &["advisories", "path"],
    &["listener", "*", "bind"],
    &["listener", "*", "path"],
    &["listener", "*", "resource"],
    &["listener", "*", "frames"],
    &["listener", "*", "tls", "certificate"],
    &["listener", "*", "tls", "key"],
    &["control", "bind"],
    &["control", "tls", "certificate"],
    &["control", "tls", "key"],
];

/// Longer values of variables are no settings.
const VARIABLE_BYTES_MAX: usize = 64 << 10;

/// The environment that is meant where nobody says which.
pub const PRODUCTION: &str = "production";

/// Looks a variable of the process up, or says why there is none.
pub type Variables<'v> = dyn Fn(&str) -> Result<String, &'static str> + 'v;

/// All settings of a project, each with its place.
#[derive(Clone, Debug)]
pub struct Config {
    pub node: Node,
    /// All layers, one after the other: what spans of the node point into.
    pub source: Arc<Source>,
    /// The variables that values were made of, by the place of the value.
    variables: BTreeMap<Span, BTreeSet<Str>>,
    /// Variables with their values, the longest first.
    values: Vec<(Str, String)>,
    /// What a value of a layer stands over, by the places of both.
    under: BTreeMap<Span, Span>,
}

impl Config {
    /// Reads layers, from the lowest to the one over all others.
    pub fn load(layers: &[Arc<Source>], variables: &Variables<'_>) -> Result<Config, Problems> {
        let (config, mut problems, unparsed) = Config::read(layers, variables);
        if problems.is_empty() {
            return Ok(config);
        }
        if !unparsed {
            // All that is wrong is told at once; a value that was not filled in is wrong but once.
            let mut others = Problems::default();
            conform(&config.node, &Form::Table(PROJECT_KEYS), "the project", &config.source, &mut others);
            let told: Vec<_> = problems.0.iter().map(|problem| problem.spot.clone()).collect();
            problems.0.extend(others.0.into_iter().filter(|problem| !told.contains(&problem.spot)));
        }
        Err(without_values(problems.or(()).err().unwrap_or_default(), &config.values))
    }

    /// What still stands of plugins and of those who sign them, whatever else is wrong. Nothing if a layer does not parse.
    pub fn standing(layers: &[Arc<Source>], variables: &Variables<'_>) -> Option<Project> {
        let (config, _, unparsed) = Config::read(layers, variables);
        (!unparsed).then(|| Project::standing(&config.node, &config.source))
    }

    /// What the layers say together, what is wrong with it, and whether one of them does not parse.
    fn read(layers: &[Arc<Source>], variables: &Variables<'_>) -> (Config, Problems, bool) {
        let (mut problems, mut unparsed) = (Problems::default(), false);
        let (source, mut under) = (Source::joined(layers), BTreeMap::new());
        let mut node = Node { span: Span::default(), data: Data::Map(Vec::new()) };
        for (at, layer) in layers.iter().enumerate() {
            let read = match toml::parse(layer) {
                Ok(read) => read,
                Err(wrong) => {
                    unparsed = true;
                    problems.0.extend(wrong.0);
                    continue;
                }
            };
            if at == 0 {
                node = read;
                continue;
            }
            let read = declared(read, layer, &mut problems);
            node = over(node, shifted(read, source.start_of(at)), &mut under);
        }
        let mut filling = Filling {
            source: &source,
            variables,
            used: BTreeMap::new(),
            values: Vec::new(),
            problems: &mut problems,
        };
        filling.node(&mut node, &Form::Table(PROJECT_KEYS), &mut Vec::new());
        let (variables, values) = (filling.used, filling.values);
        (Config { node, source, variables, values, under }, problems, unparsed)
    }

    pub fn project(&self, tags: &mut TagTable) -> Result<Project, Problems> {
        Project::load(&self.node, &self.source, tags)
            .map_err(|problems| without_values(problems, &self.values))
    }
}

/// Problems that name variables where they held their values, which may be nobody's to see.
fn without_values(mut problems: Problems, values: &[(Str, String)]) -> Problems {
    let named = |text: &str| {
        values.iter().fold(text.to_string(), |text, (name, value)| {
            // Messages show control characters as this one, and the start of what is long.
            let shown: String = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            without(&without(&text, name, value), name, &shown)
        })
    };
    for problem in &mut problems.0 {
        problem.message = named(&problem.message);
        problem.help = problem.help.as_deref().map(named);
    }
    problems
}

/// A text with the name of a variable wherever its value stands, or the start of it.
fn without(text: &str, name: &str, value: &str) -> String {
    const START_CHARS: usize = 8;
    let start: String = value.chars().take(START_CHARS).collect();
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(&start).filter(|_| !start.is_empty()) {
        let (before, found) = rest.split_at(at);
        let same: usize = found
            .chars()
            .zip(value.chars())
            .take_while(|(one, other)| one == other)
            .map(|(c, _)| c.len_utf8())
            .sum();
        out.push_str(&format!("{before}${{{name}}}"));
        rest = found.get(same..).unwrap_or_default();
    }
    out + rest
}

/// What a file's content is known by.
pub fn content_digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The settings that variables may be part of, and that a layer changes without saying so at its head.
pub fn places() -> impl Iterator<Item = String> {
    PLACES.iter().map(|place| place.join(".").replace('*', "NAME"))
}

/// The JSON Schema of a layer, for editors: of a project, of which nothing needs to be there.
pub fn layer_schema() -> serde_json::Value {
    let mut schema = project_schema();
    let mut head = table_schema(&[LAYER_KEYS]);
    if let Some(head) = head.as_object_mut() {
        head.insert("description".into(), "what the layer does to authority".into());
    }
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        properties.insert("layer".into(), head);
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".into(), "a layer over a Ringmail project".into());
    }
    needing_nothing(&mut schema);
    schema
}

fn needing_nothing(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(members) => {
            members.retain(|key, value| key != "required" || !value.is_array());
            members.values_mut().for_each(needing_nothing);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(needing_nothing),
        _ => {}
    }
}

/// Whether a setting says where something is or how much it may use.
pub fn is_place(path: &[&str]) -> bool {
    PLACES.iter().any(|place| {
        place.len() <= path.len()
            && place.iter().zip(path).all(|(known, step)| *known == "*" || known == step)
    })
}

/// A layer without its head, if the head says exactly what the layer does to authority.
fn declared(mut node: Node, layer: &Arc<Source>, problems: &mut Problems) -> Node {
    let head = match &mut node.data {
        Data::Map(entries) => {
            let at = entries.iter().position(|(key, _)| key.name == "layer");
            at.map(|at| entries.remove(at).1)
        }
        _ => None,
    };
    let mut said: Vec<(String, Span)> = Vec::new();
    if let Some(head) = &head {
        conform(head, &Form::Table(LAYER_KEYS), "`layer`", layer, problems);
        let tables = head.get("authority").map_or(&[][..], Node::items).iter();
        said.extend(tables.filter_map(|table| Some((table.text()?.to_string(), table.span))));
    }
    let mut touched: BTreeMap<String, Span> = BTreeMap::new();
    authority(&node, &mut Vec::new(), &mut touched);
    for (table, span) in &touched {
        if !said.iter().any(|(name, _)| name == table) {
            let message = format!("the layer changes what is allowed or who is believed: `{table}`");
            let mut all: Vec<&str> =
                said.iter().map(|(name, _)| name.as_str()).chain([table.as_str()]).collect();
            all.sort_unstable();
            let all = all.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            problems.add_help(
                layer,
                *span,
                message,
                format!("if it is meant, say so at the head:\n[layer]\nauthority = [{all}]"),
            );
        }
    }
    for (table, span) in said.iter().filter(|(table, _)| !touched.contains_key(table)) {
        let message = format!("the layer changes nothing of `{table}`");
        match suggest(table, touched.keys().map(String::as_str)) {
            Some(near) => problems.add_help(layer, *span, message, format!("did you mean `{near}`?")),
            None => problems.add(layer, *span, message),
        }
    }
    node
}

/// The tables of a layer that bear authority, each with the first place that does.
fn authority(node: &Node, path: &mut Vec<String>, touched: &mut BTreeMap<String, Span>) {
    for (key, value) in node.entries() {
        // What is no table at all is told where keys are.
        if path.is_empty() && !PROJECT_KEYS.iter().any(|known| known.name == key.name) {
            continue;
        }
        path.push(key.name.clone());
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        if !is_place(&steps) {
            match &value.data {
                Data::Map(inner) if !inner.is_empty() => authority(value, path, touched),
                _ => {
                    let table = path.first().cloned().unwrap_or_default();
                    touched.entry(table).or_insert(key.span);
                }
            }
        }
        path.pop();
    }
}

/// Tables merge by key; everything else, lists among them, replaces.
fn over(base: Node, layer: Node, under: &mut BTreeMap<Span, Span>) -> Node {
    let (Data::Map(mut entries), Data::Map(upper)) = (base.data, layer.data.clone()) else { return layer };
    for (key, value) in upper {
        match entries.iter_mut().find(|(known, _)| known.name == key.name) {
            Some(entry) => {
                let empty = Node { span: Span::default(), data: Data::Null };
                let below = std::mem::replace(&mut entry.1, empty);
                *entry = match (&below.data, &value.data) {
                    (Data::Map(_), Data::Map(_)) => (entry.0.clone(), over(below, value, under)),
                    _ => {
                        under.insert(value.span, below.span);
                        (key, value)
                    }
                };
            }
            None => entries.push((key, value)),
        }
    }
    Node { span: base.span, data: Data::Map(entries) }
}

fn shifted(node: Node, by: usize) -> Node {
    let moved = |span: Span| Span { start: span.start + by, end: span.end + by };
    let data = match node.data {
        Data::List(items) => Data::List(items.into_iter().map(|item| shifted(item, by)).collect()),
        Data::Map(entries) => {
            let key = |key: NodeKey| NodeKey { span: moved(key.span), name: key.name };
            Data::Map(entries.into_iter().map(|(name, node)| (key(name), shifted(node, by))).collect())
        }
        other => other,
    };
    Node { span: moved(node.span), data }
}

/// Puts variables into values.
struct Filling<'f> {
    source: &'f Arc<Source>,
    variables: &'f Variables<'f>,
    used: BTreeMap<Span, BTreeSet<Str>>,
    values: Vec<(Str, String)>,
    problems: &'f mut Problems,
}

enum Piece {
    Text(String),
    Variable(String),
}

impl Filling<'_> {
    fn node(&mut self, node: &mut Node, form: &Form, path: &mut Vec<String>) {
        let span = node.span;
        match &mut node.data {
            Data::Text(text) if text.contains("${") => {
                if let Some(data) = self.text(text, span, form, path) {
                    node.data = data;
                }
            }
            Data::List(items) => items.iter_mut().for_each(|item| self.node(item, inside(form), path)),
            Data::Map(entries) => {
                for (key, value) in entries {
                    path.push(key.name.clone());
                    self.node(value, member(form, &key.name), path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, span: Span, form: &Form, path: &[String]) -> Option<Data> {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(message) => {
                let help = "a variable is written `${NAME}`; `$${` writes the characters themselves";
                self.problems.add_help(self.source, span, message, help);
                return None;
            }
        };
        let names: Vec<&String> = pieces.iter().filter_map(Piece::variable).collect();
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        if let Some(name) = names.first().filter(|_| !is_place(&steps)) {
            let message = format!("`${{{name}}}` is not taken in `{}`", path.join("."));
            let help = "the environment says where things are and how much they may use; what is allowed stands in the file, or in the \
                        layer `ringmail.ENV.toml`";
            self.problems.add_help(self.source, span, message, help);
            return None;
        }
        let single = names.len() == 1 && pieces.len() == 1;
        let mut filled = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Variable(name) => match (self.variables)(name) {
                    Ok(value) if value.len() <= VARIABLE_BYTES_MAX => {
                        filled.push_str(&value);
                        self.keep(name, value);
                    }
                    Ok(_) => self.unset(span, name, "is longer than 64 KiB"),
                    Err(why) => self.unset(span, name, why),
                },
            }
        }
        if let (true, Some(name)) = (single, names.first()) {
            return self.typed(filled, span, form, name);
        }
        self.note(span, names.into_iter());
        Some(Data::Text(filled))
    }

    /// A variable by itself stands for a number or a bool where the key takes nothing else. Nothing is guessed from how
    /// its value looks.
    fn typed(&mut self, filled: String, span: Span, form: &Form, name: &String) -> Option<Data> {
        self.note(span, std::iter::once(name));
        if takes(form, &|form| !matches!(form, Form::Int { .. } | Form::Bool)) {
            return Some(Data::Text(filled));
        }
        let whole = takes(form, &|form| matches!(form, Form::Int { .. }));
        let data = match (&*filled, whole) {
            ("true", false) => Some(Data::Bool(true)),
            ("false", false) => Some(Data::Bool(false)),
            (digits, true) => digits.parse().ok().map(Data::Int),
            _ => None,
        };
        if data.is_none() {
            let what = if whole { "a whole number" } else { "`true` or `false`" };
            self.problems.add(self.source, span, format!("the variable `{name}` is not {what}"));
        }
        data
    }

    fn note<'n>(&mut self, span: Span, names: impl Iterator<Item = &'n String>) {
        let names: BTreeSet<Str> = names.map(|name| name.as_str().into()).collect();
        if !names.is_empty() {
            self.used.insert(span, names);
        }
    }

    fn keep(&mut self, name: &str, value: String) {
        /// What is shorter tells nothing, and would be found everywhere.
        const CHARS_MIN: usize = 4;
        if value.len() >= CHARS_MIN {
            self.values.push((name.into(), value));
            self.values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        }
    }

    fn unset(&mut self, span: Span, name: &str, why: &str) {
        let help = "set it where this program is started; `$${` writes the characters themselves";
        self.problems.add_help(self.source, span, format!("the variable `{name}` {why}"), help);
    }
}

impl Piece {
    fn variable(&self) -> Option<&String> {
        match self {
            Piece::Variable(name) => Some(name),
            Piece::Text(_) => None,
        }
    }
}

/// `$${` is `${`; `${NAME}` is a variable; anything else with `${` in it is a mistake.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        let after = after.get(2..).unwrap_or_default();
        if let Some(before) = before.strip_suffix('$') {
            plain.push_str(before);
            plain.push_str("${");
            rest = after;
            continue;
        }
        plain.push_str(before);
        let (name, tail) = after.split_once('}').ok_or("`${` is not closed")?;
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`{}` is not the name of a variable", crate::json::shorten(name)));
        }
        if !plain.is_empty() {
            out.push(Piece::Text(std::mem::take(&mut plain)));
        }
        out.push(Piece::Variable(name.into()));
        rest = tail;
    }
    plain.push_str(rest);
    if !plain.is_empty() || out.is_empty() {
        out.push(Piece::Text(plain));
    }
    Ok(out)
}

/// Whether a value of this form may be what is asked for.
fn takes(form: &Form, asked: &dyn Fn(&Form) -> bool) -> bool {
    match form {
        Form::Either(forms) => forms.iter().any(|form| takes(form, asked)),
        other => asked(other),
    }
}

fn inside(form: &Form) -> &Form {
    match form {
        Form::List(inner) => inner,
        Form::Either(forms) => {
            forms.iter().map(inside).find(|form| !matches!(form, Form::Any)).unwrap_or(&Form::Any)
        }
        _ => &Form::Any,
    }
}

fn member<'f>(form: &'f Form, name: &str) -> &'f Form {
    match form {
        Form::Table(keys) => keys.iter().find(|key| key.name == name).map_or(&Form::Any, |key| &key.form),
        Form::Names(inner) => inner,
        Form::Either(forms) => forms
            .iter()
            .map(|form| member(form, name))
            .find(|form| !matches!(form, Form::Any))
            .unwrap_or(&Form::Any),
        _ => &Form::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::form::Form;

    fn load(layers: &[&str]) -> Result<Config, String> {
        let name = |at: usize| if at == 0 { "ringmail.toml".to_string() } else { format!("layer{at}") };
        let sources: Vec<_> =
            layers.iter().enumerate().map(|(at, text)| Source::new(name(at), *text)).collect();
        let variables = |name: &str| match name {
            "PORT" => Ok("8443".to_string()),
            "MANY" => Ok("12".into()),
            "WORD" => Ok("many".into()),
            "ODD" => Ok("\"\n[[grant]]\nto = \"x".into()),
            "LONGER" => Ok("hunter2".repeat(20)),
            "LONG" => Ok("x".repeat(VARIABLE_BYTES_MAX + 1)),
            _ => Err("is not set"),
        };
        let config = Config::load(&sources, &variables).map_err(|problems| problems.to_string())?;
        config.project(&mut TagTable::default()).map_err(|problems| problems.to_string())?;
        Ok(config)
    }

    fn value(config: &Config, path: &str) -> String {
        let found = path.split('.').try_fold(&config.node, |node, key| node.get(key)).unwrap();
        crate::json::to_string(&found.to_value())
    }

    fn check(layers: &[&str], expected: &[&str]) {
        let told = load(layers).unwrap_err();
        for part in expected {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
    }

    const LISTENER: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:8080\"\n";

    #[test]
    fn tables_merge_by_key_and_all_else_replaces() {
        let base = "[project]\nname = \"a\"\n[server]\nheaders = 5\nbody = \"1KiB\"\n[[rate]]\nper = \"chain\"\ncalls = 1\nwithin = \"1s\"\n[[rate]]\nper = \"tenant\"\ncalls = 1\nwithin = \"1s\"\n";
        let layer = "[server]\nheaders = 6\n[[rate]]\nper = \"tenant\"\ncalls = 2\nwithin = \"1s\"\n";
        let config = load(&[base, layer]).unwrap();
        assert_eq!(value(&config, "server"), r#"{"headers":6,"body":"1KiB"}"#);
        assert_eq!(value(&config, "rate"), r#"[{"per":"tenant","calls":2,"within":"1s"}]"#);
        let third = load(&[base, layer, "[server]\nheaders = 7\n"]).unwrap();
        assert_eq!(value(&third, "server.headers"), "7");
    }

    #[test]
    fn problems_name_the_layer_they_stand_in() {
        check(
            &[LISTENER, "[server]\nheaders = 0\nboddy = 1\n"],
            &[
                "layer1:2:11: `headers` must lie between 1 and 1000",
                "layer1:3:1: unknown key `boddy` in `server` (did you mean `body`?)",
            ],
        );
        check(
            &["[server]\nheaders = 0\n", "[server]\nbody = \"x\"\n"],
            &["ringmail.toml:2:11: ", "layer1:2:8: "],
        );
        check(&["[project\n", "x = \n"], &["ringmail.toml:1:", "layer1:1:"]);
    }

    /// Whoever reads `ringmail.toml` and the head of a layer knows what kinds of authority there are.
    #[test]
    fn a_layer_says_at_its_head_what_authority_it_changes() {
        let base = "[[principal]]\nname = \"a\"\n[ceiling]\nnet = []\n[secret.s]\nfrom = \"env:A\"\nbound_to = [\"https://a.test\"]\n";
        for (layer, table) in [
            ("[[grant]]\nto = \"x\"\nreason = \"r\"\nlog = {}\n", "grant"),
            ("[[principal]]\nname = \"a\"\nroles = [\"admin\"]\n", "principal"),
            ("[ceiling]\nnet = [\"https://b.test\"]\n", "ceiling"),
            ("[secret.s]\nbound_to = [\"https://b.test\"]\n", "secret"),
            ("[detect]\ntoken = false\n", "detect"),
            ("[project]\npolicies = \"lax\"\n", "project"),
            ("[listener.w]\nkind = \"http\"\nbind = \"127.0.0.1:1\"\n", "listener"),
            ("[listener.w.dangerous]\nanonymous = true\n", "listener"),
            ("[run]\nas = \"a\"\n", "run"),
            ("[net]\nextra_roots = [\"x.pem\"]\n", "net"),
        ] {
            check(
                &[base, layer],
                &[
                    &format!("the layer changes what is allowed or who is believed: `{table}`"),
                    &format!("authority = [\"{table}\"]"),
                ],
            );
            if !layer.contains("dangerous") {
                load(&[base, &format!("[layer]\nauthority = [\"{table}\"]\n{layer}")]).unwrap();
            }
        }
        load(&[base, "[secret.s]\nfrom = \"env:B\"\n[limits]\nsteps = 7\n[mount.m]\npath = \"x\"\n"])
            .unwrap();
        check(
            &[base, "[layer]\nauthority = [\"grnt\", \"run\"]\n[[grant]]\nto = \"x\"\nreason = \"r\"\n"],
            &[
                "the layer changes nothing of `grnt` (did you mean `grant`?)",
                "the layer changes nothing of `run`",
                "`grant`",
            ],
        );
        check(&["[layer]\nauthority = []\n"], &["unknown key `layer`"]);
        check(&[base, "[layer]\nauthorty = []\n"], &["unknown key `authorty`"]);
    }

    #[test]
    fn variables_are_values_and_never_text_of_the_file() {
        let config =
            load(&["[project]\nname = \"${ODD}-${PORT}\"\n[server]\nheaders = \"${MANY}\"\n"]).unwrap();
        assert_eq!(value(&config, "project.name"), r#""\"\n[[grant]]\nto = \"x-8443""#);
        assert_eq!(value(&config, "server.headers"), "12");
        assert!(config.project(&mut TagTable::default()).unwrap().grants.is_empty());
        let escaped = load(&["[project]\nname = \"$${PORT} $$${PORT} $x\"\n"]).unwrap();
        assert_eq!(value(&escaped, "project.name"), r#""${PORT} $${PORT} $x""#);
        let key = load(&["[mount.\"${WORD}\"]\npath = \"x\"\n"]).unwrap_err();
        assert!(key.contains("is not a name"), "{key}");
    }

    #[test]
    fn what_is_wrong_with_a_variable_is_told_at_its_place() {
        check(
            &[
                "[project]\nname = \"${NONE}\"\ndata = \"${LONG}\"\n[server]\nheaders = \"${WORD}\"\nrequests = \"${MANY}0\"\n",
            ],
            &[
                "ringmail.toml:2:8: the variable `NONE` is not set",
                "ringmail.toml:3:8: the variable `LONG` is longer than 64 KiB",
                "ringmail.toml:5:11: the variable `WORD` is not a whole number",
            ],
        );
        check(&["[server]\nrequests = \"${MANY}0\"\n"], &["`requests` must be a whole number"]);
        // What it held may be a secret.
        let told = load(&["[server]\nbody = \"x${ODD}\"\n"]).unwrap_err();
        assert!(told.contains("`x${ODD}` is not a size"), "{told}");
        let told = load(&["[server]\nbody = \"yy${LONGER}\"\n"]).unwrap_err();
        assert!(told.contains("`yy${LONGER}...` is not a size"), "{told}");
        check(
            &["[project]\nname = \"${PORT\"\ndata = \"${secrets.x}\"\n"],
            &["`${` is not closed", "`secrets.x` is not the name of a variable"],
        );
        check(
            &[LISTENER, "[listener.web]\nbind = \"${NONE}\"\n"],
            &["layer1:2:8: the variable `NONE` is not set"],
        );
    }

    /// The environment of a process is not looked at by whoever reviews a project.
    #[test]
    fn no_variable_says_what_is_allowed() {
        for text in [
            "[[grant]]\nto = \"${WORD}\"\nreason = \"r\"\n",
            "[[grant]]\nto = \"x\"\nreason = \"r\"\nnet = [{ address = \"${WORD}\" }]\n",
            "[[principal]]\nname = \"a\"\nroles = [\"${WORD}\"]\n",
            "[secret.s]\nfrom = \"env:A\"\nbound_to = [\"${WORD}\"]\n",
            "[project]\npolicies = \"${WORD}\"\n",
            "[listener.w]\nkind = \"http\"\nbind = \"127.0.0.1:1\"\ndangerous = { anonymous = \"${WORD}\" }\n",
        ] {
            check(&[text], &["`${WORD}` is not taken in"]);
        }
    }

    /// A default that is written down is the one that counts.
    #[test]
    fn written_defaults_hold() {
        let bare = |project: Project| format!("{project:?}");
        let without = bare(load(&[""]).unwrap().project(&mut TagTable::default()).unwrap());
        let mut tried = 0;
        for table in ["project", "limits", "server"] {
            let Form::Table(keys) = PROJECT_KEYS.iter().find(|key| key.name == table).unwrap().form else {
                panic!()
            };
            for key in keys {
                let words =
                    key.default_words().unwrap_or_else(|| panic!("{table}.{} says no default", key.name));
                let words = words.split(',').next().unwrap().replace('`', "");
                // What follows from another key has no words of its own.
                if words.starts_with("as ") {
                    continue;
                }
                let written = match key.form {
                    Form::Int { .. } => words,
                    Form::Bool => (words == "yes").to_string(),
                    _ => format!("\"{words}\""),
                };
                let text = format!("[{table}]\n{} = {written}\n", key.name);
                let with = bare(load(&[&text]).unwrap().project(&mut TagTable::default()).unwrap());
                assert_eq!(with, without, "{text}");
                tried += 1;
            }
        }
        assert!(tried > 20, "{tried}");
    }
}
