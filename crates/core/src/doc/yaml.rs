//! YAML text to a document tree. Plain data only: no tags, one document, no merge keys, no duplicate keys, and
//! limits on size, depth and on what aliases expand to. Called for chain files.

use super::{Data, Node, NodeKey, Problems, Source, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub const BYTES_MAX: usize = 4 << 20;
pub const DEPTH_MAX: usize = 64;
pub const NODES_MAX: usize = 200_000;
/// As many bytes of text as count as a node where an alias repeats them.
const TEXT_BYTES: usize = 64;

/// Reads one document. The first problem ends reading: what follows a broken indentation is guesswork.
pub fn parse(source: &Arc<Source>) -> Result<Node, Problems> {
    let mut problems = Problems::default();
    if source.text.len() > BYTES_MAX {
        problems.add(source, Span::default(), format!("the file is larger than {BYTES_MAX} bytes"));
        return Err(problems);
    }
    let places = Places::new(&source.text);
    let mut builder = Builder::default();
    for event in Parser::new_from_str(&source.text) {
        let step = match event {
            Ok((event, marks)) => builder.event(event, places.span(marks)),
            Err(error) => {
                let at = places.byte(error.marker().index());
                Err((Span { start: at, end: at }, format!("not valid YAML: {}", error.info())))
            }
        };
        if let Err((span, message)) = step {
            problems.add(source, span, message);
            return Err(problems);
        }
    }
    let empty = Node { span: Span::default(), data: Data::Null };
    Ok(builder.root.unwrap_or(empty))
}

/// The parser counts characters; spans count bytes.
struct Places {
    /// Byte position of each character, or nothing for pure ASCII.
    bytes: Option<Vec<usize>>,
    len: usize,
}

impl Places {
    fn new(text: &str) -> Places {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Places { bytes, len: text.len() }
    }

    fn byte(&self, char_index: usize) -> usize {
        match &self.bytes {
            None => char_index.min(self.len),
            Some(bytes) => bytes.get(char_index).copied().unwrap_or(self.len),
        }
    }

    fn span(&self, marks: Marks) -> Span {
        Span { start: self.byte(marks.start.index()), end: self.byte(marks.end.index()) }
    }
}

type Step = Result<(), (Span, String)>;

/// A list or map whose end has not come yet.
struct Open {
    anchor: usize,
    start: usize,
    data: Data,
    key: Option<NodeKey>,
    /// The keys so far.
    names: HashSet<String>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
    documents: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((span, "a file holds one document, and a second starts here".into()));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err((span, "tags are not used here".into()));
                }
                let data = scalar(&text, style).map_err(|message| (span, message))?;
                self.place(Node { span, data }, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(span, anchor, tag.is_some(), Data::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.start(span, anchor, tag.is_some(), Data::Map(Vec::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let (node, nodes) =
                    known.ok_or((span, "this alias stands inside what it names".to_string()))?;
                self.place(node, 0, nodes)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn start(&mut self, span: Span, anchor: usize, tagged: bool, data: Data) -> Step {
        if tagged {
            return Err((span, "tags are not used here".into()));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err((span, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.open.push(Open { anchor, start: span.start, data, key: None, names: HashSet::new() });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Step {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let node = Node { span: Span { start: open.start, end: span.end.max(open.start) }, data: open.data };
        self.place(node, open.anchor, 1)
    }

    /// Puts a finished node where it belongs; `nodes` is what an alias adds to the count.
    fn place(&mut self, node: Node, anchor: usize, nodes: usize) -> Step {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err((
                node.span,
                format!("more than {NODES_MAX} nodes, aliases counted where they are used"),
            ));
        }
        if anchor != 0 {
            let size = count(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.data {
            Data::List(items) => items.push(node),
            Data::Map(entries) => match open.key.take() {
                Some(key) => entries.push((key, node)),
                None => open.key = Some(map_key(node, &mut open.names)?),
            },
            _ => {}
        }
        Ok(())
    }
}

fn map_key(node: Node, names: &mut HashSet<String>) -> Result<NodeKey, (Span, String)> {
    let name = match node.data {
        Data::Text(text) => text,
        Data::Int(int) => int.to_string(),
        Data::Bool(truth) => truth.to_string(),
        _ => return Err((node.span, "a key is a text".into())),
    };
    if name == "<<" {
        return Err((
            node.span,
            "merge keys are not used here; write the members out or use an alias".into(),
        ));
    }
    if !names.insert(name.clone()) {
        return Err((node.span, format!("the key `{name}` stands twice")));
    }
    Ok(NodeKey { name, span: node.span })
}

/// What a copy of a node costs: one for each node, and one for each stretch of a long text.
fn count(node: &Node) -> usize {
    1 + node.text().map_or(0, |text| text.len() / TEXT_BYTES)
        + node.items().iter().map(count).sum::<usize>()
        + node.entries().iter().map(|(_, value)| 1 + count(value)).sum::<usize>()
}

/// Resolves a scalar by the YAML 1.2 core rules; anything quoted or in a block is text.
fn scalar(text: &str, style: ScalarStyle) -> Result<Data, String> {
    if style != ScalarStyle::Plain {
        return Ok(Data::Text(text.into()));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let data = match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Err("a number must be finite".into()),
        _ if matches!(digits, ".inf" | ".Inf" | ".INF") => return Err("a number must be finite".into()),
        _ if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let int = text.strip_prefix('+').unwrap_or(text).parse().map_err(|_| {
                format!("the number `{}` does not fit a 64-bit integer", crate::json::shorten(text))
            })?;
            Data::Int(int)
        }
        _ if is_float(digits) => {
            let float: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
            if !float.is_finite() {
                return Err(format!(
                    "the number `{}` does not fit a 64-bit float",
                    crate::json::shorten(text)
                ));
            }
            Data::Float(float)
        }
        _ => Data::Text(text.into()),
    };
    Ok(data)
}

fn is_float(digits: &str) -> bool {
    let mut bytes = digits.bytes();
    let starts = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().any(|b| b.is_ascii_digit());
    starts
        && bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+'))
        && digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let source = Source::new("t", text);
        let shown = match parse(&source) {
            Ok(node) => crate::json::to_string(&node.to_value()),
            Err(problems) => problems.to_string(),
        };
        assert_eq!(shown, expected, "for {text}");
    }

    #[test]
    fn reads_plain_data() {
        check(
            "a: 1\nb: [x, 2.5, true, null, '1']\nc:\n  d: |\n    two\n    lines\n",
            r#"{"a":1,"b":["x",2.5,true,null,"1"],"c":{"d":"two\nlines\n"}}"#,
        );
        check("", "null");
        check("v: 1.2.3\nn: 1e3\non: yes", r#"{"v":"1.2.3","n":1000.0,"on":"yes"}"#);
        check("base: &b {x: 1}\nuse: *b", r#"{"base":{"x":1},"use":{"x":1}}"#);
    }

    #[test]
    fn attack_29_refuses_what_is_not() {
        check("a: 1\na: 2", "t:2:1: the key `a` stands twice");
        check("a: !!python/object x", "t:1:4: tags are not used here");
        check("a: .nan", "t:1:4: a number must be finite");
        check("a: 1e999", "t:1:4: the number `1e999` does not fit a 64-bit float");
        check(
            "a: 99999999999999999999",
            "t:1:4: the number `99999999999999999999` does not fit a 64-bit integer",
        );
        check("a: 1\n---\nb: 2", "t:2:1: a file holds one document, and a second starts here");
        check("<<: {a: 1}", "t:1:1: merge keys are not used here; write the members out or use an alias");
        check("a: &x [*x]", "t:1:8: this alias stands inside what it names");
        check(&format!("a: {}1{}", "[".repeat(70), "]".repeat(70)), "t:1:67: nested deeper than 64 levels");
    }

    #[test]
    fn attack_29_an_alias_bomb_is_counted_where_it_is_used() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let uses = vec![format!("*a{}", level - 1); 10].join(",");
            text.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
        }
        let problems = parse(&Source::new("t", text)).unwrap_err().to_string();
        assert!(problems.contains("more than 200000 nodes"), "{problems}");
    }

    #[test]
    fn spans_point_at_bytes_after_wide_characters() {
        let source = Source::new("t", "é: [ü, key]");
        let node = parse(&source).unwrap();
        let item = &node.entries()[0].1.items()[1];
        assert_eq!(source.text.get(item.span.start..item.span.end), Some("key"));
    }
}
