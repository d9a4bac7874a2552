//! TOML text to a document tree, with every syntax error at once. Dates stay text.
//! Called for `ringmail.toml` and grant files.

use super::{Data, Node, NodeKey, Problems, Source, Span};
use ::toml::de::{DeTable, DeValue};
use std::sync::Arc;

pub const BYTES_MAX: usize = 4 << 20;

pub fn parse(source: &Arc<Source>) -> Result<Node, Problems> {
    let mut problems = Problems::default();
    if source.text.len() > BYTES_MAX {
        problems.add(source, Span::default(), format!("the file is larger than {BYTES_MAX} bytes"));
        return Err(problems);
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let range = error.span().unwrap_or_default();
        let span = Span { start: range.start, end: range.end };
        problems.add(source, span, format!("not valid TOML: {}", error.message()));
    }
    let node = Node {
        span: Span { start: 0, end: source.text.len() },
        data: map(table.get_ref(), source, &mut problems),
    };
    problems.or(node)
}

fn map(table: &DeTable<'_>, source: &Arc<Source>, problems: &mut Problems) -> Data {
    let mut entries: Vec<(NodeKey, Node)> = Vec::new();
    for (key, value) in table {
        let range = key.span();
        let key =
            NodeKey { name: key.get_ref().to_string(), span: Span { start: range.start, end: range.end } };
        let range = value.span();
        let span = Span { start: range.start, end: range.end };
        let data = data(value.get_ref(), span, source, problems);
        entries.push((key, Node { span, data }));
    }
    entries.sort_by_key(|(key, _)| key.span);
    Data::Map(entries)
}

fn data(value: &DeValue<'_>, span: Span, source: &Arc<Source>, problems: &mut Problems) -> Data {
    match value {
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Boolean(truth) => Data::Bool(*truth),
        DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
            Ok(int) => Data::Int(int),
            Err(_) => {
                problems.add(source, span, "the number does not fit a 64-bit integer");
                Data::Null
            }
        },
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(float) if float.is_finite() => Data::Float(float),
            _ => {
                problems.add(source, span, "a number must be finite");
                Data::Null
            }
        },
        DeValue::Datetime(date) => Data::Text(date.to_string()),
        DeValue::Array(items) => {
            let node = |item: &::toml::Spanned<DeValue<'_>>, problems: &mut Problems| {
                let range = item.span();
                let span = Span { start: range.start, end: range.end };
                Node { span, data: data(item.get_ref(), span, source, problems) }
            };
            Data::List(items.iter().map(|item| node(item, problems)).collect())
        }
        DeValue::Table(table) => map(table, source, problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match parse(&Source::new("t", text)) {
            Ok(node) => crate::json::to_string(&node.to_value()),
            Err(problems) => problems.to_string(),
        };
        assert_eq!(shown, expected, "for {text}");
    }

    #[test]
    fn reads_tables_in_the_order_written() {
        check(
            "b = 1\na = [1.5, \"x\"]\nd = 2026-12-31\n[t.u]\nk = true",
            r#"{"b":1,"a":[1.5,"x"],"d":"2026-12-31","t":{"u":{"k":true}}}"#,
        );
        check("[[g]]\nx = 1\n[[g]]\nx = 0x10", r#"{"g":[{"x":1},{"x":16}]}"#);
    }

    #[test]
    fn names_every_syntax_error() {
        let problems = parse(&Source::new("t", "a = \nb = 1\nb = 2\nc = nan\n")).unwrap_err();
        assert!(problems.0.len() >= 3, "{problems}");
        assert!(problems.to_string().contains("t:1:"), "{problems}");
        assert!(problems.to_string().contains("duplicate"), "{problems}");
    }
}
