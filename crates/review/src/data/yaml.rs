//! YAML and JSON as a tree, whatever tags it has and however many documents: several become a list of them.

use ringmail_core::doc::{Data, Node, NodeKey, Span};
use saphyr_parser::{Event, Parser, ScalarStyle};

const NODES_MAX: usize = 400_000;
const DEPTH_MAX: usize = 100;

struct Open {
    start: usize,
    data: Data,
    key: Option<NodeKey>,
}

pub(super) fn parse(text: &str) -> Result<Node, (Span, String)> {
    let bytes: Option<Vec<usize>> =
        (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
    let byte = |at: usize| match &bytes {
        None => at.min(text.len()),
        Some(bytes) => bytes.get(at).copied().unwrap_or(text.len()),
    };
    let mut open: Vec<Open> = Vec::new();
    let mut documents: Vec<Node> = Vec::new();
    let mut nodes = 0;
    for event in Parser::new_from_str(text) {
        let (event, marks) = event.map_err(|error| {
            let at = byte(error.marker().index());
            (Span { start: at, end: at }, format!("not valid YAML: {}", error.info()))
        })?;
        let span = Span { start: byte(marks.start.index()), end: byte(marks.end.index()) };
        nodes += 1;
        if nodes > NODES_MAX || open.len() > DEPTH_MAX {
            return Err((span, "it is larger or deeper than what is looked at".into()));
        }
        let done = match event {
            Event::Scalar(text, style, ..) => Node { span, data: scalar(&text, style) },
            // What it repeats was looked at where it stands.
            Event::Alias(_) => Node { span, data: Data::Null },
            Event::SequenceStart(..) => {
                open.push(Open { start: span.start, data: Data::List(Vec::new()), key: None });
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open { start: span.start, data: Data::Map(Vec::new()), key: None });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => Node { span: Span { start: closed.start, end: span.end }, data: closed.data },
                None => continue,
            },
            _ => continue,
        };
        place(&mut open, &mut documents, done);
    }
    Ok(match documents.len() {
        1 => documents.remove(0),
        _ => Node { span: Span { start: 0, end: text.len() }, data: Data::List(documents) },
    })
}

fn place(open: &mut [Open], documents: &mut Vec<Node>, done: Node) {
    let Some(top) = open.last_mut() else {
        documents.push(done);
        return;
    };
    match &mut top.data {
        Data::List(items) => items.push(done),
        Data::Map(entries) => match top.key.take() {
            Some(key) => entries.push((key, done)),
            None => {
                let name = match &done.data {
                    Data::Text(text) => text.clone(),
                    Data::Int(number) => number.to_string(),
                    Data::Bool(truth) => truth.to_string(),
                    _ => String::new(),
                };
                top.key = Some(NodeKey { name, span: done.span });
            }
        },
        _ => {}
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Data {
    if style != ScalarStyle::Plain {
        return Data::Text(text.to_string());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => text.parse().map_or_else(|_| Data::Text(text.to_string()), Data::Int),
    }
}
