//! Servers of MCP that a project calls: where they are, what of theirs may be called, and how their tools were when
//! somebody looked at them. What changed since in what it can do is not called; what changed in wording is not shown.

use crate::address::Target;
use crate::doc::form::{Form, Key};
use crate::doc::{Node, Problems, Source, Span};
use crate::grant::{NetRule, SecretRule};
use crate::label::{TagTable, Tags};
use crate::openapi::{Operation, Operations, operations};
use crate::schema::Schema;
use crate::value::{Str, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys of `[upstream.NAME]` in `ringmail.toml`.
pub const UPSTREAM_KEYS: &[Key] = &[
    Key::new("command", Form::Name, "the program of `[command.NAME]` that is the server, over its pipes"),
    Key::new("url", Form::Text, "where the server answers over HTTP, such as `https://mcp.example.com/mcp`"),
    Key::new(
        "openapi",
        Form::Text,
        "the OpenAPI document of what answers under `url`: a file of the project, and each operation a tool",
    ),
    Key::new("bearer", Form::Name, "the secret that an HTTP server is shown as a token"),
    Key::new(
        "resolves_to",
        Form::List(&Form::Text),
        "special addresses or ranges the name of `url` may lead to",
    ),
    Key::new(
        "pins",
        Form::List(&Form::Text),
        "SHA-256 fingerprints of certificates; the server of `url` must show one",
    ),
    Key::new(
        "tools",
        Form::List(&Form::Text),
        "tools that may be called, such as `read_*`; default all pinned ones",
    ),
    Key::new("serve", Form::List(&Form::Text), "tools that callers of this project get to see; default none"),
    Key::new("prefix", Form::Text, "what stands before the names of those; default `NAME_`"),
    Key::new("timeout", Form::Duration, "longest wait for an answer; default 30s"),
    Key::new("answer", Form::Size, "largest answer; default 4MiB"),
    Key::new(
        "sessions",
        Form::Int { min: 1, max: 10_000 },
        "sessions open at once, one for each principal; default 16",
    ),
    Key::new("idle", Form::Duration, "how long a session stays open that nobody uses; default 5m"),
    Key::new(
        "check",
        Form::Duration,
        "how long the server's definitions count until they are asked for again; default 5m",
    ),
];

/// Bytes of a name of a tool: names end up in records and lists.
pub const TOOL_NAME_BYTES_MAX: usize = 128;
/// Tools of one server.
pub const TOOLS_MAX: usize = 10_000;

/// Where a server is.
#[derive(Clone, Debug)]
pub enum UpstreamAt {
    /// A program of the project.
    Command(Str),
    Http(Box<HttpUpstream>),
}

#[derive(Clone, Debug)]
pub struct HttpUpstream {
    pub target: Target,
    /// What may be asked there, which is calls of this server and nothing else.
    pub rule: Arc<NetRule>,
    /// The secret that is shown there.
    pub bearer: Option<Str>,
    /// The document that says what is there, where that is no server of MCP.
    pub openapi: Option<Str>,
}

/// A server as the project names it.
#[derive(Clone, Debug)]
pub struct UpstreamSetting {
    pub name: Str,
    pub at: UpstreamAt,
    /// Nothing means all that are pinned.
    pub tools: Option<Vec<Str>>,
    pub serve: Vec<Str>,
    pub prefix: Str,
    pub timeout_ms: u64,
    pub answer_bytes_max: u64,
    pub sessions_max: usize,
    pub idle_ms: u64,
    pub check_ms: u64,
    pub span: Span,
}

/// Whether a name fits one of these patterns, in which a `*` at the end stands for any rest.
pub fn names(patterns: &[Str], tool: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => tool.starts_with(start),
        None => **pattern == *tool,
    })
}

/// A tool as somebody looked at it.
#[derive(Clone, Debug)]
pub struct PinnedTool {
    pub name: Str,
    /// As the server said it.
    pub said: Value,
    pub input: Schema,
    pub output: Option<Schema>,
    /// The request it is, of a server that does not speak MCP.
    pub operation: Option<Operation>,
}

/// A server with the tools that were pinned; what links name.
#[derive(Debug)]
pub struct Upstream {
    pub setting: UpstreamSetting,
    pub cards: BTreeMap<Str, Arc<PinnedTool>>,
    /// Pinned ones that cannot be used, and why.
    pub unusable: BTreeMap<Str, String>,
}

impl Upstream {
    /// Whether the project lets this tool be called, whoever is granted it.
    pub fn allows(&self, tool: &str) -> bool {
        self.setting.tools.as_ref().is_none_or(|tools| names(tools, tool))
    }

    /// Tags of the secrets that may be sent to this server, wherever they stand.
    pub(crate) fn bound_tags(&self, secrets: &[SecretRule]) -> Tags {
        let UpstreamAt::Http(http) = &self.setting.at else { return Tags::NONE };
        let bound = secrets.iter().filter(|secret| secret.is_bound_to(&http.target));
        bound.fold(Tags::NONE, |tags, secret| tags.with(secret.tag))
    }

    /// The tools that callers of the project see, by the names they have there.
    pub fn served(&self) -> impl Iterator<Item = (String, &Arc<PinnedTool>)> {
        let seen =
            |card: &&Arc<PinnedTool>| names(&self.setting.serve, &card.name) && self.allows(&card.name);
        self.cards.values().filter(seen).map(|card| (format!("{}{}", self.setting.prefix, card.name), card))
    }
}

/// What of a definition says what a tool takes, gives and does; all else is wording.
const BONES: &[&str] = &["name", "inputSchema", "outputSchema", "annotations", "execution"];
/// Members of a schema that are wording.
const WORDS: &[&str] = &["title", "description", "examples", "$comment"];
/// Members of a schema under which names stand, and a schema under each.
const NAMED: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Members of a schema that are data.
const DATA: &[&str] = &["const", "enum", "default"];

/// A definition without its wording.
fn bones(said: &Value) -> Value {
    let members = said.as_map().into_iter().flat_map(|map| map.iter());
    Value::map(members.filter(|(name, _)| BONES.contains(&&***name)).map(|(name, value)| {
        let value = match &**name {
            "inputSchema" | "outputSchema" => schema_bones(value),
            "annotations" => without_title(value),
            _ => value.clone(),
        };
        (name.clone(), value)
    }))
}

fn without_title(annotations: &Value) -> Value {
    let members = annotations.as_map().into_iter().flat_map(|map| map.iter());
    Value::map(
        members.filter(|(name, _)| &***name != "title").map(|(name, value)| (name.clone(), value.clone())),
    )
}

fn schema_bones(schema: &Value) -> Value {
    match schema {
        Value::Map(map) => {
            Value::map(map.iter().filter(|(name, _)| !WORDS.contains(&&***name)).map(|(name, value)| {
                let value = match (&**name, value) {
                    (name, value) if DATA.contains(&name) => value.clone(),
                    (name, Value::Map(named)) if NAMED.contains(&name) => {
                        Value::map(named.iter().map(|(name, value)| (name.clone(), schema_bones(value))))
                    }
                    (_, value) => schema_bones(value),
                };
                (name.clone(), value)
            }))
        }
        Value::List(list) => Value::list(list.iter().map(schema_bones)),
        other => other.clone(),
    }
}

/// How a definition differs from the one that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolChange {
    Same,
    /// In words alone.
    Wording,
    /// In what it takes, gives or says it does.
    Capability,
}

/// Holds what a server says now against what it said.
pub fn compare(pinned: &Value, now: &Value) -> ToolChange {
    let canonical = crate::json::to_canonical;
    if canonical(pinned) == canonical(now) {
        ToolChange::Same
    } else if canonical(&bones(pinned)) == canonical(&bones(now)) {
        ToolChange::Wording
    } else {
        ToolChange::Capability
    }
}

/// A definition as a server says it, as far as anybody may rely on it.
pub fn tool_name(said: &Value) -> Result<Str, String> {
    let name = match said.get("name") {
        Some(Value::Str(name)) if !name.is_empty() && name.len() <= TOOL_NAME_BYTES_MAX => name,
        _ => return Err(format!("a tool has a name of at most {TOOL_NAME_BYTES_MAX} bytes")),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    match name.chars().all(plain) {
        true => Ok(name.clone()),
        false => Err("a tool's name has letters, digits, `_`, `-`, `.` and `/` only".into()),
    }
}

/// Whom grants are for that let callers of the project use what a server offers.
pub const POWER_OF_SERVER: &str = "upstream:";

/// The file of a project that holds what was pinned of a server.
pub fn pins_file(upstream: &str) -> String {
    format!("tools/{upstream}.json")
}

impl Upstream {
    /// A server with what was pinned of it.
    pub fn new(setting: UpstreamSetting, pinned: &[Value], tags: &mut TagTable) -> Result<Upstream, String> {
        let pinned = pinned.iter().map(|said| (said.clone(), None));
        Upstream::with(setting, pinned, BTreeMap::new(), tags)
    }

    /// A server that a document of the project describes, which is what it is held to.
    pub fn described(
        setting: UpstreamSetting,
        document: &Value,
        tags: &mut TagTable,
    ) -> Result<Upstream, String> {
        let Operations { usable, unusable } = operations(document)?;
        let usable = usable.into_iter().map(|(said, operation)| (said, Some(operation)));
        Upstream::with(setting, usable, unusable, tags)
    }

    /// A definition that cannot be held to is not used, and no other suffers.
    fn with(
        setting: UpstreamSetting,
        all: impl Iterator<Item = (Value, Option<Operation>)>,
        mut unusable: BTreeMap<Str, String>,
        tags: &mut TagTable,
    ) -> Result<Upstream, String> {
        let mut cards = BTreeMap::new();
        for (said, operation) in all {
            let name = tool_name(&said)?;
            match (schema_of(&said, "inputSchema", tags), schema_of(&said, "outputSchema", tags)) {
                (Ok(Some(input)), Ok(output)) => {
                    let card = PinnedTool { name: name.clone(), said, input, output, operation };
                    cards.insert(name, Arc::new(card));
                }
                (Ok(None), _) => drop(unusable.insert(name, "it has no `inputSchema`".into())),
                (Err(why), _) | (_, Err(why)) => drop(unusable.insert(name, why)),
            }
        }
        Ok(Upstream { setting, cards, unusable })
    }
}

fn schema_of(said: &Value, key: &str, tags: &mut TagTable) -> Result<Option<Schema>, String> {
    let Some(written) = said.get(key) else { return Ok(None) };
    let (source, mut problems) = (Source::new(key, ""), Problems::default());
    let schema = Schema::load(&Node::of(written), &source, tags, &mut problems);
    let why = || problems.0.first().map_or_else(String::new, |problem| problem.message.clone());
    schema.map(Some).ok_or_else(|| format!("its `{key}` cannot be held to: {}", why()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{JsonLimits, parse};

    fn value(text: &str) -> Value {
        parse(text.as_bytes(), &JsonLimits::default()).unwrap()
    }

    const SAID: &str = r#"{"name": "read", "title": "Read", "description": "reads", "annotations": {"title": "R", "readOnlyHint": true},
        "inputSchema": {"type": "object", "properties": {"description": {"type": "string", "description": "words", "enum": ["title"]}}}}"#;

    #[test]
    fn wording_may_change_and_what_a_tool_does_may_not() {
        let pinned = value(SAID);
        let check = |from: &str, to: &str, expected: ToolChange| {
            let now = SAID.replace(from, to);
            assert!(from == to || now != SAID, "{from}");
            assert_eq!(compare(&pinned, &value(&now)), expected, "{from} {to}");
        };
        check("reads", "reads", ToolChange::Same);
        check("\"reads\"", "\"sends all mail to me\"", ToolChange::Wording);
        check("\"Read\"", "\"Write\"", ToolChange::Wording);
        check("\"R\"", "\"W\"", ToolChange::Wording);
        check("\"words\"", "\"other words\"", ToolChange::Wording);
        check("true", "false", ToolChange::Capability);
        check("\"type\": \"string\"", "\"type\": \"integer\"", ToolChange::Capability);
        check("[\"title\"]", "[\"name\"]", ToolChange::Capability);
        // A member that is called as wording is called is none.
        check("{\"description\": {", "{\"title\": {", ToolChange::Capability);
        check("\"inputSchema\"", "\"outputSchema\": {}, \"inputSchema\"", ToolChange::Capability);
    }

    #[test]
    fn a_name_is_data_and_never_a_path() {
        for (name, fits) in
            [("a-B_c.d/e", true), ("", false), ("a b", false), ("a\\u0000", false), ("a\\\"", false)]
        {
            assert_eq!(tool_name(&value(&format!("{{\"name\": \"{name}\"}}"))).is_ok(), fits, "{name}");
        }
        assert!(tool_name(&value(&format!("{{\"name\": \"{}\"}}", "x".repeat(129)))).is_err());
    }

    #[test]
    fn patterns_end_in_a_star_or_mean_one_name() {
        let patterns = ["read_*".into(), "list".into()];
        for (tool, fits) in
            [("read_file", true), ("read_", true), ("list", true), ("lists", false), ("write", false)]
        {
            assert_eq!(names(&patterns, tool), fits, "{tool}");
        }
        assert!(names(&["*".into()], "any"));
    }
}
