//! Every setting with where it came from, for those who look: no value that is a secret by its looks or by its variable's
//! name is in it.

use super::Config;
use crate::detect::{Detectors, Gives};
use crate::doc::form::{Form, Key};
use crate::doc::{Data, Node, Spot};
use crate::label::{TagTable, Tags};
use crate::project::PROJECT_KEYS;
use crate::value::{Str, Value};

/// How parts of the names of variables end that hold what nobody should see.
const SECRETIVE: &[&str] = &[
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "PWD",
    "KEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "COOKIE",
    "AUTHORIZATION",
];

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigValue {
    pub path: String,
    /// Nothing where it is not to be shown.
    pub value: Option<Value>,
    pub from: ValueFrom,
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueFrom {
    /// A file; the variables it was made of; and what it stands over, in a lower layer.
    File { spot: Spot, variables: Vec<Str>, over: Option<Spot> },
    /// It is not written; the reference says what holds.
    Default,
}

impl Config {
    /// All that the files say; with `resolved` also what holds where they say nothing.
    pub fn values(&self, resolved: bool) -> Vec<ConfigValue> {
        let mut detectors = Detectors::standard(&mut TagTable::default());
        // What a project may hold in its data it need not show of its settings.
        ["url_credentials", "authorization"].iter().for_each(|name| detectors.tag(name, Tags::ALL));
        let mut lister = Lister { config: self, resolved, detectors, out: Vec::new() };
        lister.table(Some(&self.node), PROJECT_KEYS, "");
        lister.out
    }
}

struct Lister<'l> {
    config: &'l Config,
    resolved: bool,
    detectors: Detectors,
    out: Vec<ConfigValue>,
}

impl Lister<'_> {
    fn table(&mut self, node: Option<&Node>, keys: &[Key], path: &str) {
        for key in keys {
            let written = node.and_then(|node| node.get(key.name));
            let path = if path.is_empty() { key.name.to_string() } else { format!("{path}.{}", key.name) };
            match (written, &key.form) {
                (Some(node), form) => self.node(node, form, &path),
                // What is there anyway, with or without its table.
                (None, Form::Table(keys))
                    if self.resolved && matches!(key.name, "project" | "limits" | "server") =>
                {
                    self.table(None, keys, &path);
                }
                (None, _) => self.default(key, path),
            }
        }
    }

    fn node(&mut self, node: &Node, form: &Form, path: &str) {
        match (&node.data, form) {
            (Data::Map(_), Form::Table(keys)) => self.table(Some(node), keys, path),
            (Data::Map(entries), Form::Names(inner)) => {
                entries
                    .iter()
                    .for_each(|(key, node)| self.node(node, inner, &format!("{path}.{}", key.name)));
            }
            (_, Form::Either(forms)) => match forms.iter().find(|form| matches!(form, Form::Table(_))) {
                Some(form) if matches!(node.data, Data::Map(_)) => self.node(node, form, path),
                _ => self.value(node, path),
            },
            (Data::List(items), Form::List(inner))
                if items.iter().any(|item| matches!(item.data, Data::Map(_))) =>
            {
                for (at, item) in items.iter().enumerate() {
                    self.node(item, inner, &format!("{path}.{at}"));
                }
            }
            _ => self.value(node, path),
        }
    }

    fn value(&mut self, node: &Node, path: &str) {
        let config = self.config;
        let variables: Vec<Str> = variables(config, node);
        let over = config.under.get(&node.span).map(|span| config.source.spot(*span));
        let hidden = variables.iter().any(|name| is_secretive(name)) || self.is_credential(node);
        self.out.push(ConfigValue {
            path: path.into(),
            value: (!hidden).then(|| node.to_value()),
            from: ValueFrom::File { spot: config.source.spot(node.span), variables, over },
        });
    }

    fn default(&mut self, key: &Key, path: String) {
        if let Some(words) = key.default_words().filter(|_| self.resolved) {
            let value = Some(Value::from(words.replace('`', "")));
            self.out.push(ConfigValue { path, value, from: ValueFrom::Default });
        }
    }

    fn is_credential(&self, node: &Node) -> bool {
        match &node.data {
            Data::Text(text) => {
                let found = self.detectors.find(text);
                found.iter().any(|found| matches!(found.detector.gives, Gives::Tag(_)))
            }
            Data::List(items) => items.iter().any(|item| self.is_credential(item)),
            Data::Map(entries) => entries.iter().any(|(_, node)| self.is_credential(node)),
            _ => false,
        }
    }
}

/// The variables that a value and all in it was made of.
fn variables(config: &Config, node: &Node) -> Vec<Str> {
    let inside = |span: &crate::doc::Span| node.span.start <= span.start && span.end <= node.span.end;
    let used = config.variables.iter().filter(|(span, _)| inside(span));
    let mut out: Vec<Str> = used.flat_map(|(_, names)| names.iter().cloned()).collect();
    out.sort();
    out.dedup();
    out
}

fn is_secretive(variable: &str) -> bool {
    let upper = variable.to_ascii_uppercase();
    let mut parts = upper.split('_').map(|part| part.trim_end_matches(|end: char| end.is_ascii_digit()));
    parts.any(|part| SECRETIVE.iter().any(|known| part.ends_with(known)))
}
