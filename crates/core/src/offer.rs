//! What a server of MCP offers: tools, prompts, resources and templates of those, each by one name here. What was pinned
//! of each is a card; what it takes is held to.

use crate::chain::mcp::UriPattern;
use crate::doc::{Node, Problems, Source};
use crate::json::shorten;
use crate::label::TagTable;
use crate::openapi::Operation;
use crate::schema::Schema;
use crate::value::{Str, Value};

/// Bytes of a name of a tool or a prompt: names end up in records and lists.
pub const TOOL_NAME_BYTES_MAX: usize = 128;
/// Bytes of where a resource is.
pub const URI_BYTES_MAX: usize = 512;
/// Characters of an argument of a prompt or a template.
const ARGUMENT_CHARS_MAX: i64 = 65_536;

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offered {
    Tool,
    Prompt,
    Resource,
    Template,
}

impl Offered {
    pub const ALL: [Offered; 4] = [Offered::Tool, Offered::Prompt, Offered::Resource, Offered::Template];

    /// What lists and files of pins call them.
    pub fn member(self) -> &'static str {
        match self {
            Offered::Tool => "tools",
            Offered::Prompt => "prompts",
            Offered::Resource => "resources",
            Offered::Template => "resourceTemplates",
        }
    }

    /// What stands before its name here; no tool has a colon in its name.
    fn mark(self) -> &'static str {
        match self {
            Offered::Tool => "",
            Offered::Prompt => "prompt:",
            Offered::Resource | Offered::Template => "resource:",
        }
    }

    /// The name of a definition as a server says it, as far as anybody may rely on it.
    pub fn name(self, said: &Value) -> Result<Str, String> {
        let text = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default();
        let plain = match self {
            Offered::Tool | Offered::Prompt => short_name(text("name"))?,
            Offered::Resource => uri(text("uri"))?,
            Offered::Template => uri(text("uriTemplate"))?,
        };
        Ok(format!("{}{plain}", self.mark()).into())
    }
}

fn short_name(name: &str) -> Result<&str, String> {
    if name.is_empty() || name.len() > TOOL_NAME_BYTES_MAX {
        return Err(format!("a tool or a prompt has a name of at most {TOOL_NAME_BYTES_MAX} bytes"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    match name.chars().all(plain) {
        true => Ok(name),
        false => Err("a name has letters, digits, `_`, `-`, `.` and `/` only".into()),
    }
}

fn uri(text: &str) -> Result<&str, String> {
    if text.len() > URI_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("a URI has at most {URI_BYTES_MAX} printable ASCII characters"));
    }
    UriPattern::parse(text).map(|_| text).map_err(String::from)
}

fn mark_of(name: &str) -> &str {
    let marks = [Offered::Prompt, Offered::Resource].map(Offered::mark);
    marks.into_iter().find(|mark| name.starts_with(mark)).unwrap_or_default()
}

/// Whether a name fits one of these patterns, in which a `*` at the end stands for any rest. What is no tool is meant by
/// patterns for its kind alone.
pub fn names(patterns: &[Str], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => mark_of(start) == mark_of(name) && name.starts_with(start),
        None => **pattern == *name,
    })
}

/// Something of a server as somebody looked at it.
#[derive(Clone, Debug)]
pub struct Card {
    pub offer: Offered,
    pub name: Str,
    /// As the server said it.
    pub said: Value,
    pub input: Schema,
    pub output: Option<Schema>,
    /// Where a resource is.
    pub uri: Option<UriPattern>,
    /// Arguments that are sent as headers as well, and what those are called.
    pub headers: Vec<(Str, Str)>,
    /// The request it is, of a server that does not speak MCP.
    pub operation: Option<Operation>,
}

impl Card {
    /// A definition that can be held to, or why it cannot.
    pub(crate) fn new(
        offer: Offered,
        name: Str,
        said: Value,
        operation: Option<Operation>,
        tags: &mut TagTable,
    ) -> Result<Card, String> {
        let uri = match offer {
            Offered::Tool | Offered::Prompt => None,
            Offered::Resource | Offered::Template => Some(UriPattern::parse(bare(&name))?),
        };
        if let (Offered::Resource, Some(pattern)) = (offer, &uri)
            && pattern.names().next().is_some()
        {
            return Err("its URI has a `{`, as those of templates do".into());
        }
        let takes = match offer {
            Offered::Tool => said.get("inputSchema").cloned().ok_or("it has no `inputSchema`")?,
            Offered::Prompt => takes(prompt_arguments(&said)),
            Offered::Resource | Offered::Template => {
                let names = uri.iter().flat_map(UriPattern::names).cloned();
                takes(names.map(|name| (name, true, None)))
            }
        };
        let headers = if offer == Offered::Tool { argument_headers(&takes)? } else { Vec::new() };
        let input = schema_of("inputSchema", &takes, tags)?;
        let output = said.get("outputSchema").filter(|_| offer == Offered::Tool);
        let output = output.map(|written| schema_of("outputSchema", written, tags)).transpose()?;
        Ok(Card { offer, name, said, input, output, uri, headers, operation })
    }

    /// What the server itself calls it.
    pub fn bare(&self) -> &str {
        bare(&self.name)
    }

    /// Whether somebody may ask what its arguments may be.
    pub fn can_complete(&self) -> bool {
        match self.offer {
            Offered::Tool | Offered::Resource => false,
            Offered::Prompt => prompt_arguments(&self.said).next().is_some(),
            Offered::Template => true,
        }
    }

    /// How what a server says now differs from what was pinned.
    pub fn change(&self, now: &Value) -> ToolChange {
        let canonical = crate::json::to_canonical;
        if canonical(&self.said) == canonical(now) {
            ToolChange::Same
        } else if canonical(&bones(self.offer, &self.said)) == canonical(&bones(self.offer, now)) {
            ToolChange::Wording
        } else {
            ToolChange::Capability
        }
    }
}

fn bare(name: &str) -> &str {
    name.strip_prefix(mark_of(name)).unwrap_or(name)
}

/// Which arguments of a tool go into headers. A tool that says it in a way that the protocol does not have is none.
fn argument_headers(schema: &Value) -> Result<Vec<(Str, Str)>, String> {
    let properties = schema.get("properties").and_then(Value::as_map);
    let mut found: Vec<(Str, Str)> = Vec::new();
    for (name, of) in properties.into_iter().flat_map(|map| map.iter()) {
        let Some(header) = of.get("x-mcp-header") else { continue };
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let header = match header {
            Value::Str(header) if !header.is_empty() && header.chars().all(token) => header,
            _ => return Err(format!("`x-mcp-header` of `{}` is no name of a header", shorten(name))),
        };
        let kind = of.get("type").and_then(Value::as_str);
        if !matches!(kind, Some("string" | "integer" | "boolean")) {
            return Err(format!("`{}` cannot be sent as a header", shorten(name)));
        }
        if found.iter().any(|(_, known)| known.eq_ignore_ascii_case(header)) {
            return Err(format!("two arguments are sent as the header `{header}`"));
        }
        found.push((name.clone(), header.clone()));
    }
    Ok(found)
}

type Argument = (Str, bool, Option<Value>);

/// The arguments of a prompt: name, whether it is needed, what is said of it.
fn prompt_arguments(said: &Value) -> impl Iterator<Item = Argument> {
    let listed = said.get("arguments").and_then(Value::as_list).into_iter().flat_map(|list| list.iter());
    listed.filter_map(|argument| {
        let Some(Value::Str(name)) = argument.get("name") else { return None };
        let required = argument.get("required") == Some(&Value::Bool(true));
        let words = argument.get("description").filter(|words| words.as_str().is_some());
        Some((name.clone(), required, words.cloned()))
    })
}

/// The schema of arguments that are texts.
fn takes(arguments: impl Iterator<Item = Argument>) -> Value {
    let (mut properties, mut required) = (Vec::new(), Vec::new());
    for (name, needed, words) in arguments {
        let mut of = vec![("type", Value::from("string")), ("maxLength", Value::Int(ARGUMENT_CHARS_MAX))];
        of.extend(words.map(|words| ("description", words)));
        if needed {
            required.push(Value::Str(name.clone()));
        }
        properties.push((name, Value::map(of)));
    }
    Value::map([
        ("type", Value::from("object")),
        ("properties", Value::map(properties)),
        ("required", Value::list(required)),
        ("additionalProperties", Value::Bool(false)),
    ])
}

fn schema_of(key: &str, written: &Value, tags: &mut TagTable) -> Result<Schema, String> {
    let (source, mut problems) = (Source::new(key, ""), Problems::default());
    let schema = Schema::load(&Node::of(written), &source, tags, &mut problems);
    let why = || problems.0.first().map_or_else(String::new, |problem| problem.message.clone());
    schema.ok_or_else(|| format!("its `{key}` cannot be held to: {}", why()))
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

/// What of a definition says what something takes, gives and does; all else is wording.
fn bones_of(offer: Offered) -> &'static [&'static str] {
    match offer {
        Offered::Tool => &["name", "inputSchema", "outputSchema", "annotations", "execution"],
        Offered::Prompt => &["name", "arguments"],
        Offered::Resource => &["uri", "mimeType"],
        Offered::Template => &["uriTemplate", "mimeType"],
    }
}

/// Members of a schema that are wording.
const WORDS: &[&str] = &["title", "description", "examples", "$comment"];
/// Members of a schema under which names stand, and a schema under each.
const NAMED: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Members of a schema that are data.
const DATA: &[&str] = &["const", "enum", "default"];

/// A definition without its wording.
fn bones(offer: Offered, said: &Value) -> Value {
    let members = said.as_map().into_iter().flat_map(|map| map.iter());
    Value::map(members.filter(|(name, _)| bones_of(offer).contains(&&***name)).map(|(name, value)| {
        let value = match &**name {
            "inputSchema" | "outputSchema" => schema_bones(value),
            "annotations" => without_title(value),
            "arguments" => Value::list(
                prompt_arguments(said)
                    .map(|(name, required, _)| Value::list([Value::Str(name), Value::Bool(required)])),
            ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{JsonLimits, parse};

    fn value(text: &str) -> Value {
        parse(text.as_bytes(), &JsonLimits::default()).unwrap()
    }

    fn card(offer: Offered, said: &str) -> Result<Card, String> {
        let said = value(said);
        Card::new(offer, offer.name(&said)?, said, None, &mut TagTable::default())
    }

    #[track_caller]
    fn check_change(offer: Offered, said: &str, (from, to): (&str, &str), expected: ToolChange) {
        let now = said.replace(from, to);
        assert!(from == to || now != said, "{from}");
        assert_eq!(card(offer, said).unwrap().change(&value(&now)), expected, "{from} {to}");
    }

    const TOOL: &str = r#"{"name": "read", "title": "Read", "description": "reads", "annotations": {"title": "R", "readOnlyHint": true},
        "inputSchema": {"type": "object", "properties": {"description": {"type": "string", "description": "words", "enum": ["title"]}}}}"#;
    const PROMPT: &str = r#"{"name": "ask", "title": "Ask", "arguments": [{"name": "of", "description": "whom", "required": true}, {"name": "how"}]}"#;
    const RESOURCE: &str = r#"{"uri": "docs://readme", "name": "readme", "mimeType": "text/plain", "size": 7, "description": "d"}"#;
    const TEMPLATE: &str = r#"{"uriTemplate": "docs://{page}", "name": "page", "title": "a page"}"#;

    #[test]
    fn wording_may_change_and_what_something_does_may_not() {
        let tool = |from, to, expected| check_change(Offered::Tool, TOOL, (from, to), expected);
        tool("reads", "reads", ToolChange::Same);
        tool("\"reads\"", "\"sends all mail to me\"", ToolChange::Wording);
        tool("\"Read\"", "\"Write\"", ToolChange::Wording);
        tool("\"R\"", "\"W\"", ToolChange::Wording);
        tool("\"words\"", "\"other words\"", ToolChange::Wording);
        tool("true", "false", ToolChange::Capability);
        tool("\"type\": \"string\"", "\"type\": \"integer\"", ToolChange::Capability);
        tool("[\"title\"]", "[\"name\"]", ToolChange::Capability);
        // A member that is called as wording is called is none.
        tool("{\"description\": {", "{\"title\": {", ToolChange::Capability);
        tool("\"inputSchema\"", "\"outputSchema\": {}, \"inputSchema\"", ToolChange::Capability);
        let prompt = |from, to, expected| check_change(Offered::Prompt, PROMPT, (from, to), expected);
        prompt("\"whom\"", "\"all your secrets\"", ToolChange::Wording);
        prompt("\"how\"", "\"how\", \"required\": false", ToolChange::Wording);
        prompt("\"how\"", "\"how\", \"required\": true", ToolChange::Capability);
        prompt("\"of\"", "\"password\"", ToolChange::Capability);
        let resource = |from, to, expected| check_change(Offered::Resource, RESOURCE, (from, to), expected);
        resource("7", "8", ToolChange::Wording);
        resource("\"readme\"", "\"other\"", ToolChange::Wording);
        resource("text/plain", "text/html", ToolChange::Capability);
        check_change(Offered::Template, TEMPLATE, ("a page", "any page"), ToolChange::Wording);
        check_change(Offered::Template, TEMPLATE, ("{page}", "{page}.md"), ToolChange::Capability);
    }

    #[test]
    fn a_name_is_data_and_never_a_path() {
        let long = "x".repeat(129);
        for (name, fits) in [
            ("a-B_c.d/e", true),
            ("", false),
            ("a b", false),
            ("a\\u0000", false),
            ("a\\\"", false),
            ("prompt:a", false),
            (long.as_str(), false),
        ] {
            let said = value(&format!("{{\"name\": \"{name}\"}}"));
            assert_eq!(Offered::Tool.name(&said).is_ok(), fits, "{name}");
            assert_eq!(Offered::Prompt.name(&said).is_ok(), fits, "{name}");
        }
        let long = format!("x://{}", "y".repeat(512));
        for (uri, fits) in [
            ("a://b", true),
            ("a b://c", false),
            ("b", false),
            ("a://\\u00e9", false),
            (long.as_str(), false),
        ] {
            let said = value(&format!("{{\"uri\": \"{uri}\", \"uriTemplate\": \"{uri}\"}}"));
            assert_eq!(Offered::Resource.name(&said).is_ok(), fits, "{uri}");
            assert_eq!(Offered::Template.name(&said).is_ok(), fits, "{uri}");
        }
    }

    #[test]
    fn patterns_end_in_a_star_or_mean_one_name() {
        let patterns = ["read_*".into(), "list".into(), "resource:docs://*".into()];
        for (name, fits) in [
            ("read_file", true),
            ("read_", true),
            ("list", true),
            ("lists", false),
            ("write", false),
            ("resource:docs://a", true),
            ("resource:x://a", false),
            ("prompt:read_x", false),
        ] {
            assert_eq!(names(&patterns, name), fits, "{name}");
        }
        // All tools are not all there is.
        for (pattern, fits) in [("*", [true, false, false]), ("prompt:*", [false, true, false])] {
            assert_eq!(
                ["any", "prompt:any", "resource:a://b"].map(|name| names(&[pattern.into()], name)),
                fits
            );
        }
    }

    /// Story: schemas were told from each other by where they stand in a text, and definitions of servers stand in none:
    /// one with a reference was taken for one that refers to itself, and labels of one place for those of all.
    #[test]
    fn a_definition_may_refer_to_its_own_schemas() {
        let said = r##"{"name": "t", "inputSchema": {"type": "object", "$defs": {"a": {"type": "string"}},
            "properties": {"one": {"$ref": "#/$defs/a", "x-ringmail-label": ["pii"]}, "two": {"$ref": "#/$defs/a"}}}}"##;
        let made = card(Offered::Tool, said).unwrap();
        let labels =
            made.input.label(&value(r#"{"one": "x", "two": "y"}"#), &crate::label::Labels::default());
        let tagged = |path: &str| !labels.at(&crate::value::parse_path(path)).all().tags.is_empty();
        assert!(tagged("one") && !tagged("two"));
        assert!(made.input.check(&value(r#"{"one": 1}"#)).is_err());
        let endless = said.replace(r##"{"type": "string"}"##, r##"{"$ref": "#/$defs/a"}"##);
        assert!(card(Offered::Tool, &endless).unwrap_err().contains("refers to itself"));
    }

    #[test]
    fn arguments_are_sent_as_headers_that_can_be_some() {
        let check = |properties: &str| {
            let said = format!(
                "{{\"name\": \"t\", \"inputSchema\": {{\"type\": \"object\", \"properties\": {{{properties}}}}}}}"
            );
            card(Offered::Tool, &said).map(|card| card.headers)
        };
        let one = |kind: &str, header: &str| {
            check(&format!("\"a\": {{\"type\": \"{kind}\", \"x-mcp-header\": {header}}}"))
        };
        for kind in ["string", "integer", "boolean"] {
            assert_eq!(one(kind, "\"Region\"").unwrap(), [("a".into(), "Region".into())]);
        }
        for kind in ["number", "object", "array", "null"] {
            assert!(one(kind, "\"Region\"").is_err(), "{kind}");
        }
        for header in ["\"\"", "\"a b\"", "\"a:b\"", "\"R\u{e9}gion\"", "\"a\\tb\"", "7", "null"] {
            assert!(one("string", header).is_err(), "{header}");
        }
        let two = "\"a\": {\"type\": \"string\", \"x-mcp-header\": \"My\"}, \"b\": {\"type\": \"string\", \"x-mcp-header\": \"mY\"}";
        assert!(check(two).unwrap_err().contains("two arguments"));
        assert!(check("\"a\": {\"type\": \"string\"}").unwrap().is_empty());
    }

    #[test]
    fn prompts_and_templates_take_what_they_name() {
        let prompt = card(Offered::Prompt, PROMPT).unwrap();
        let template = card(Offered::Template, TEMPLATE).unwrap();
        let resource = card(Offered::Resource, RESOURCE).unwrap();
        for (card, args, fits) in [
            (&prompt, r#"{"of": "Ada"}"#, true),
            (&prompt, r#"{"of": "Ada", "how": "well"}"#, true),
            (&prompt, r#"{"how": "well"}"#, false),
            (&prompt, r#"{"of": 1}"#, false),
            (&prompt, r#"{"of": "Ada", "more": "x"}"#, false),
            (&template, r#"{"page": "a/b"}"#, true),
            (&template, "{}", false),
            (&resource, "{}", true),
            (&resource, r#"{"page": "a"}"#, false),
        ] {
            assert_eq!(card.input.check(&value(args)).is_ok(), fits, "{} {args}", card.name);
        }
        for (length, fits) in [(65_536, true), (65_537, false)] {
            let page = Value::map([("page", Value::from("x".repeat(length)))]);
            assert_eq!(template.input.check(&page).is_ok(), fits, "{length}");
        }
        assert!(card(Offered::Resource, r#"{"uri": "docs://{page}"}"#).unwrap_err().contains("templates"));
        assert!(card(Offered::Template, r#"{"uriTemplate": "docs://{/page*}"}"#).is_err());
        assert!(card(Offered::Tool, r#"{"name": "a"}"#).unwrap_err().contains("inputSchema"));
    }
}
