//! Places and names as editors have them: lines from 0, columns in units of UTF-16, files as URIs.

use ringmail_engine::core::doc::Span;
use ringmail_engine::core::value::Value;
use std::path::{Path, PathBuf};

fn number(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A place in a text, as an editor says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    pub(super) fn of(text: &str, at: usize) -> Position {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count();
        let last = before.rsplit('\n').next().unwrap_or_default();
        Position { line, column: last.encode_utf16().count() }
    }

    pub(super) fn read(value: &Value) -> Option<Position> {
        let part = |name: &str| match value.get(name) {
            Some(Value::Int(number)) => usize::try_from(*number).ok(),
            _ => None,
        };
        Some(Position { line: part("line")?, column: part("character")? })
    }

    fn value(self) -> Value {
        Value::map([("line", number(self.line)), ("character", number(self.column))])
    }
}

/// A range of a text, as editors take it.
pub(super) fn range(text: &str, span: Span) -> Value {
    let ends = [Position::of(text, span.start), Position::of(text, span.end.max(span.start))];
    Value::map([("start", ends[0].value()), ("end", ends[1].value())])
}

/// The path of a `file:` URI.
pub(super) fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::new();
    let mut left = rest.bytes();
    while let Some(byte) = left.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(left.next()?)? * 16 + digit(left.next()?)?);
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

pub(super) fn uri(path: &Path) -> String {
    let mut out = String::from("file://");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
