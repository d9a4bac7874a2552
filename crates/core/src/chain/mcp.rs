//! How a chain shows itself to clients of MCP, as its file says it. What a client may call is decided elsewhere.

use crate::doc::form::{Form, Key};
use crate::doc::{Data, Node, Span};
use crate::schema::Schema;
use crate::value::{Str, Value};

pub const MCP_KEYS: &[Key] = &[
    Key::new(
        "as",
        Form::OneOf(&["tool", "prompt", "resource", "nothing"]),
        "what clients of MCP see the chain as; `nothing` is not seen by them; default `tool`",
    ),
    Key::new("uri", Form::Text, "where a `resource` is; `{name}` stands for that member of the input"),
    Key::new("type", Form::Text, "the media type of a `resource`; default `text/plain`"),
    Key::new(
        "content",
        Form::Bool,
        "whether the output is content as MCP has it: `{content: [...]}` of a tool, `{messages: [...]}` of a prompt, \
         `{text: ...}`, `{blob: ...}` or `{contents: [...]}` of a resource; default no",
    ),
];

/// What clients of MCP see a chain as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Tool,
    Prompt,
    Resource {
        uri: UriPattern,
        media: Str,
    },
    Nothing,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct McpSetting {
    pub shown: Shown,
    /// The output is content of MCP already.
    pub content: bool,
    /// How that of a server is shown which the chain stands for.
    pub card: Option<Value>,
    /// The chain that says what arguments of this one may be.
    pub completes: Option<Str>,
}

/// A URI in which `{name}` stands for a part without a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriPattern {
    text: Str,
    /// What stands before each name, and the name.
    parts: Vec<(String, Str)>,
    rest: String,
}

impl UriPattern {
    pub fn parse(text: &str) -> Result<UriPattern, &'static str> {
        if !text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) {
            return Err("a URI begins with a scheme, such as `docs://`");
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a `{` has no `}`")?;
            let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if name.is_empty() || !plain(name) {
                return Err("between `{` and `}` stands one name");
            }
            if before.is_empty() {
                return Err("something must stand between two names");
            }
            parts.push((before.to_string(), name.into()));
            rest = after;
        }
        Ok(UriPattern { text: text.into(), parts, rest: rest.into() })
    }

    pub fn text(&self) -> &Str {
        &self.text
    }

    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.parts.iter().map(|(_, name)| name)
    }

    /// What the names stand for in a URI that fits.
    pub fn fit(&self, uri: &str) -> Option<Vec<(Str, String)>> {
        let mut found = Vec::new();
        let mut left = uri;
        let ends = self.parts.iter().skip(1).map(|(before, _)| before).chain([&self.rest]);
        for ((before, name), after) in self.parts.iter().zip(ends) {
            left = left.strip_prefix(before.as_str())?;
            let end = if after.is_empty() { left.len() } else { left.find(after.as_str())? };
            let (value, rest) = left.split_at_checked(end)?;
            if value.is_empty() || value.contains('/') {
                return None;
            }
            found.push((name.clone(), unescaped(value)?));
            left = rest;
        }
        (left == self.rest).then_some(found)
    }

    /// The URI in which the names stand for these texts.
    pub fn fill(&self, texts: &Value) -> Option<String> {
        let mut uri = String::new();
        for (before, name) in &self.parts {
            uri.push_str(before);
            for byte in texts.get(name)?.as_str()?.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        uri.push(byte.into())
                    }
                    other => uri.push_str(&format!("%{other:02X}")),
                }
            }
        }
        uri.push_str(&self.rest);
        Some(uri)
    }
}

/// Percent signs resolved; nothing if that is no text.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push(high * 16 + low);
    }
    String::from_utf8(bytes).ok()
}

/// What a chain file says of MCP; it fits the keys above.
pub(super) fn load(
    node: &Node,
    input: Option<&Schema>,
    wrong: &mut dyn FnMut(Span, String),
) -> Option<McpSetting> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    let shown = match text("as").unwrap_or("tool") {
        "prompt" => Shown::Prompt,
        "resource" => {
            let Some(uri) = node.get("uri") else {
                wrong(node.span, "a `resource` needs a `uri`".into());
                return None;
            };
            let pattern = match UriPattern::parse(uri.text().unwrap_or_default()) {
                Ok(pattern) => pattern,
                Err(why) => {
                    wrong(uri.span, why.into());
                    return None;
                }
            };
            let known = input.and_then(|schema| schema.json().get("properties"));
            for name in pattern.names() {
                if known.is_none_or(|known| known.get(&**name).is_none()) {
                    wrong(uri.span, format!("the input has no `{name}`"));
                }
            }
            Shown::Resource { uri: pattern, media: text("type").unwrap_or("text/plain").into() }
        }
        "nothing" => Shown::Nothing,
        _ => Shown::Tool,
    };
    if !matches!(shown, Shown::Resource { .. }) {
        for key in ["uri", "type"] {
            if let Some(node) = node.get(key) {
                wrong(node.span, format!("only a `resource` has a `{key}`"));
            }
        }
    }
    let content = node.get("content").is_some_and(|node| node.data == Data::Bool(true));
    Some(McpSetting { shown, content, ..McpSetting::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, uri: &str, expected: Option<&[(&str, &str)]>) {
        let found = UriPattern::parse(pattern).unwrap().fit(uri);
        let found: Option<Vec<(&str, &str)>> =
            found.as_ref().map(|found| found.iter().map(|(name, value)| (&**name, value.as_str())).collect());
        assert_eq!(found.as_deref(), expected, "{pattern} {uri}");
    }

    #[test]
    fn a_name_stands_for_one_part_of_a_uri() {
        check("docs://readme", "docs://readme", Some(&[]));
        check("docs://readme", "docs://readme2", None);
        check("docs://{page}", "docs://intro", Some(&[("page", "intro")]));
        check("docs://{page}", "docs://", None);
        check("docs://{page}", "docs://a/b", None);
        check("docs://{page}", "docs://a%2Fb%20c", Some(&[("page", "a/b c")]));
        check("docs://{page}", "docs://a%2", None);
        check("docs://{page}", "docs://%ff", None);
        check("t://{a}/x/{b}.md", "t://1/x/2.md", Some(&[("a", "1"), ("b", "2")]));
        check("t://{a}/x/{b}.md", "t://1/y/2.md", None);
    }

    #[test]
    fn what_fits_a_pattern_fills_it_again() {
        for (pattern, uri) in [
            ("docs://readme", "docs://readme"),
            ("docs://{page}", "docs://a%2Fb%20c%C3%A9"),
            ("t://{a}/x/{b}.md", "t://1/x/2~.md"),
        ] {
            let pattern = UriPattern::parse(pattern).unwrap();
            let named = pattern.fit(uri).unwrap();
            let texts = Value::map(named.into_iter().map(|(name, text)| (name, Value::from(text))));
            assert_eq!(pattern.fill(&texts).as_deref(), Some(uri));
        }
        let pattern = UriPattern::parse("t://{a}").unwrap();
        assert_eq!(pattern.fill(&Value::map([("a", Value::Int(1))])), None);
    }

    #[test]
    fn what_is_no_uri_is_said() {
        for (text, why) in [
            ("readme", "scheme"),
            ("t://{a", "no `}`"),
            ("t://{}", "one name"),
            ("t://{a b}", "one name"),
            ("t://{a}{b}", "between two names"),
        ] {
            assert!(UriPattern::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
