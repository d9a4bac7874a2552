//! Strict JSON in and out. Refuses duplicate keys, numbers it would have to round, lone surrogates, byte order
//! marks and anything past its limits, naming line and column. Never coerces and never drops a byte silently.
//! Called by listeners, link kinds and the command line for everything that arrives as JSON text.

use crate::failure::{Failure, FailureKind};
use crate::value::{List, Map, Str, Value};
use thiserror::Error;

/// What a piece of JSON may be at most.
#[derive(Clone, Copy, Debug)]
pub struct JsonLimits {
    pub bytes_max: usize,
    pub depth_max: usize,
    pub values_max: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        JsonLimits { bytes_max: 16 << 20, depth_max: 64, values_max: 1_000_000 }
    }
}

/// Why a text is not acceptable JSON, and where.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{reason} at line {line}, column {column}")]
pub struct JsonError {
    pub reason: String,
    /// Bytes before it.
    pub at: usize,
    pub line: usize,
    pub column: usize,
}

/// Reads exactly one JSON value.
pub fn parse(text: &[u8], limits: &JsonLimits) -> Result<Value, JsonError> {
    let mut parser = Parser { text, at: 0, values: 0, limits };
    if text.len() > limits.bytes_max {
        return Err(parser.fail(format!(
            "{} bytes are more than the limit of {}",
            text.len(),
            limits.bytes_max
        )));
    }
    if text.starts_with(b"\xef\xbb\xbf") {
        return Err(parser.fail("a byte order mark is not part of JSON"));
    }
    if let Err(error) = std::str::from_utf8(text) {
        parser.at = error.valid_up_to();
        return Err(parser.fail("the text is not valid UTF-8"));
    }
    let value = parser.value(0)?;
    parser.space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.fail("text after the end of the value")),
    }
}

/// Writes compact JSON, members in their own order.
pub fn to_string(value: &Value) -> String {
    let mut out = String::with_capacity(value.bytes());
    write(value, &mut out, Layout::Compact, 0);
    out
}

/// Writes indented JSON for people.
pub fn to_pretty(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out, Layout::Pretty, 0);
    out
}

/// Writes the one form that equal values share: members by key, no space.
pub fn to_canonical(value: &Value) -> String {
    let mut out = String::with_capacity(value.bytes());
    write(value, &mut out, Layout::Canonical, 0);
    out
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    values: usize,
    limits: &'a JsonLimits,
}

impl Parser<'_> {
    fn fail(&self, reason: impl Into<String>) -> JsonError {
        let before = self.text.get(..self.at.min(self.text.len())).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count();
        JsonError { reason: reason.into(), at: before.len(), line, column }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.space();
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(self.fail(format!("more than {} values", self.limits.values_max)));
        }
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Value::Str(self.string()?.into())),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'N' | b'I') => Err(self.fail("NaN and Infinity are not JSON numbers")),
            Some(_) => Err(self.fail("no value starts here")),
            None => Err(self.fail("the text ends where a value should start")),
        }
    }

    fn enter(&self, depth: usize) -> Result<usize, JsonError> {
        if depth >= self.limits.depth_max {
            return Err(self.fail(format!("nested deeper than {} levels", self.limits.depth_max)));
        }
        Ok(depth + 1)
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.fail(format!("expected `{word}`")))
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonError> {
        let depth = self.enter(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(List::new(items)));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(List::new(items)));
                }
                _ => return Err(self.fail("expected `,` or `]`")),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, JsonError> {
        let depth = self.enter(depth)?;
        self.at += 1;
        let mut entries: Vec<(Str, Value)> = Vec::new();
        let mut seen = std::collections::BTreeSet::<Str>::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::new(entries)));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.fail("expected a key in double quotes"));
            }
            let key: Str = self.string()?.into();
            if !seen.insert(key.clone()) {
                self.at = start;
                return Err(self.fail("a key stands twice"));
            }
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.fail("expected `:`"));
            }
            self.at += 1;
            let value = self.value(depth)?;
            entries.push((key, value));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(Map::new(entries)));
                }
                _ => return Err(self.fail("expected `,` or `}`")),
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(byte) if byte != b'"' && byte != b'\\' && byte >= 0x20) {
                self.at += 1;
            }
            let plain = self.text.get(start..self.at).unwrap_or_default();
            out.push_str(std::str::from_utf8(plain).map_err(|_| self.fail("the text is not valid UTF-8"))?);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.fail("a control character must be escaped")),
                None => return Err(self.fail("the string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.at += 1;
        let short = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.fail("unknown escape in a string")),
        };
        self.at += 1;
        Ok(short)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        let first = self.hex4()?;
        let code = match first {
            0xd800..=0xdbff => {
                let paired = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u"));
                self.at += usize::from(paired);
                let second = if paired { self.hex4()? } else { 0 };
                if !(0xdc00..=0xdfff).contains(&second) {
                    self.at = start;
                    return Err(self.fail("half of a surrogate pair"));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| {
            self.at = start;
            self.fail("half of a surrogate pair")
        })
    }

    /// Reads `uXXXX`, standing on the `u`.
    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits =
            self.text.get(self.at + 1..self.at + 5).and_then(|digits| std::str::from_utf8(digits).ok());
        let valid = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = valid.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.fail("`\\u` needs four hexadecimal digits"))?;
        self.at += 5;
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            self.at = start;
            return Err(self.fail(if zero { "a number does not start with 0" } else { "expected a digit" }));
        }
        let mut real = false;
        if self.peek() == Some(b'.') {
            self.at += 1;
            real = true;
            if self.digits() == 0 {
                return Err(self.fail("expected a digit after `.`"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            real = true;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.fail("expected a digit in the exponent"));
            }
        }
        let digits =
            std::str::from_utf8(self.text.get(start..self.at).unwrap_or_default()).unwrap_or_default();
        let number = if real {
            digits.parse().ok().and_then(Value::float)
        } else {
            digits.parse().ok().map(Value::Int)
        };
        number.ok_or_else(|| {
            let kind = if real { "a 64-bit float" } else { "a 64-bit integer" };
            let reason = format!("the number does not fit {kind}");
            self.at = start;
            self.fail(reason)
        })
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }
}

/// Whether a media type is one of JSON, whatever its parameters.
pub fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json")
}

/// Keeps hostile input from filling a message.
pub fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let clean: String =
        text.chars().take(CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > CHARS_MAX { format!("{clean}...") } else { clean }
}

#[derive(Clone, Copy, PartialEq)]
enum Layout {
    Compact,
    Pretty,
    Canonical,
}

fn write(value: &Value, out: &mut String, layout: Layout, level: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => match whole(*number).filter(|_| layout == Layout::Canonical) {
            Some(int) => out.push_str(&int.to_string()),
            None => out.push_str(&float_text(*number)),
        },
        Value::Str(text) => write_text(text, out),
        Value::List(list) => {
            let items = list.iter().map(|item| (None, item));
            write_body(('[', ']'), items, list.is_empty(), out, layout, level);
        }
        Value::Map(map) if layout == Layout::Canonical => {
            let entries = map.iter_sorted().map(|(key, value)| (Some(key), value));
            write_body(('{', '}'), entries, map.is_empty(), out, layout, level);
        }
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| (Some(key), value));
            write_body(('{', '}'), entries, map.is_empty(), out, layout, level);
        }
    }
}

/// The shortest text that reads back as the same float, with a `.0` or exponent so that it stays one.
pub(crate) fn float_text(number: f64) -> String {
    format!("{number:?}")
}

/// The integer a float equals, so that equal numbers share one canonical form.
fn whole(number: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "the comparison below refuses what was truncated")]
    let int = number as i64;
    (crate::value::int_float_order(int, number) == Some(std::cmp::Ordering::Equal)).then_some(int)
}

fn write_body<'v>(
    (open, close): (char, char),
    entries: impl Iterator<Item = (Option<&'v Str>, &'v Value)>,
    empty: bool,
    out: &mut String,
    layout: Layout,
    level: usize,
) {
    out.push(open);
    for (position, (key, value)) in entries.enumerate() {
        if position > 0 {
            out.push(',');
        }
        new_line(out, layout, level + 1);
        if let Some(key) = key {
            write_text(key, out);
            out.push_str(if layout == Layout::Pretty { ": " } else { ":" });
        }
        write(value, out, layout, level + 1);
    }
    if !empty {
        new_line(out, layout, level);
    }
    out.push(close);
}

fn new_line(out: &mut String, layout: Layout, level: usize) {
    if layout == Layout::Pretty {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    }
}

/// Appends a text as JSON has it, with its quotes.
pub fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let special = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f);
    let mut rest = text;
    // Most texts have nothing to escape, and are taken whole.
    while let Some(at) = rest.bytes().position(special) {
        let (plain, escaped) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = escaped.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(c) => out.push_str(&format!("\\u{:04x}", c as u32)),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

impl From<&serde_json::Value> for Value {
    /// Numbers past 64 bits become floats; [`from_serde`] refuses them instead.
    fn from(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(truth) => Value::Bool(*truth),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(int) => Value::Int(int),
                None => number.as_f64().and_then(Value::float).unwrap_or_default(),
            },
            serde_json::Value::String(text) => Value::from(text.as_str()),
            serde_json::Value::Array(items) => Value::list(items.iter().map(Value::from)),
            serde_json::Value::Object(entries) => {
                Value::map(entries.iter().map(|(key, value)| (key.as_str(), Value::from(value))))
            }
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(truth) => (*truth).into(),
            Value::Int(int) => (*int).into(),
            Value::Float(float) => (*float).into(),
            Value::Str(text) => (&**text).into(),
            Value::List(list) => list.iter().map(serde_json::Value::from).collect(),
            Value::Map(map) => {
                map.iter().map(|(key, value)| (key.to_string(), serde_json::Value::from(value))).collect()
            }
        }
    }
}

/// What can become a chain value: anything serde can write, and a [`Value`] itself, untouched and uncopied.
pub trait IntoValue {
    fn into_value(self) -> Result<Value, Failure>;
}

impl IntoValue for Value {
    fn into_value(self) -> Result<Value, Failure> {
        Ok(self)
    }
}

/// Numbers past 64 bits are refused instead of rounded.
impl<T: serde::Serialize> IntoValue for T {
    fn into_value(self) -> Result<Value, Failure> {
        from_serde(&self).map_err(|message| Failure::new(FailureKind::Invalid, message))
    }
}

/// Turns any serialisable Rust value into a [`Value`], refusing what would be rounded.
pub fn from_serde<T: serde::Serialize>(data: &T) -> Result<Value, String> {
    let json = serde_json::to_value(data).map_err(|error| error.to_string())?;
    if has_wide_number(&json) {
        return Err("a number does not fit a 64-bit integer".into());
    }
    Ok(Value::from(&json))
}

/// Reads a [`Value`] as any deserialisable Rust value.
pub fn into_serde<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(serde_json::Value::from(value)).map_err(|error| error.to_string())
}

fn has_wide_number(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Number(number) => number.is_u64() && number.as_i64().is_none(),
        serde_json::Value::Array(items) => items.iter().any(has_wide_number),
        serde_json::Value::Object(entries) => entries.values().any(has_wide_number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let shown = match parse(text.as_bytes(), &JsonLimits::default()) {
            Ok(value) => to_string(&value),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "for {text}");
    }

    #[test]
    fn reads_what_is_json() {
        check(
            r#" {"a": [1, -2.5e3, "x\né\ud83d\ude00", true, null]} "#,
            r#"{"a":[1,-2500.0,"x\né😀",true,null]}"#,
        );
        check("9223372036854775807", "9223372036854775807");
        check("6.02e23", "6.02e23");
        check("-0", "0");
        check("[]", "[]");
    }

    #[test]
    fn attack_29_names_the_place_of_what_is_not() {
        check("{\"a\":1,\n \"a\":2}", "a key stands twice at line 2, column 2");
        check("1e999", "the number does not fit a 64-bit float at line 1, column 1");
        check("18446744073709551616", "the number does not fit a 64-bit integer at line 1, column 1");
        check("NaN", "NaN and Infinity are not JSON numbers at line 1, column 1");
        check("-Infinity", "expected a digit at line 1, column 1");
        check(r#"["\ud800"]"#, "half of a surrogate pair at line 1, column 4");
        check(r#"["\ud800A"]"#, "half of a surrogate pair at line 1, column 4");
        check(r#""\udc00""#, "half of a surrogate pair at line 1, column 3");
        check("\u{feff}{}", "a byte order mark is not part of JSON at line 1, column 1");
        check("\"a\0b\"", "a control character must be escaped at line 1, column 3");
        check("[1,]", "no value starts here at line 1, column 4");
        check("01", "a number does not start with 0 at line 1, column 1");
        check("{} {}", "text after the end of the value at line 1, column 4");
        check("", "the text ends where a value should start at line 1, column 1");
        check("\"abc", "the string does not end at line 1, column 5");
        check("{'a':1}", "expected a key in double quotes at line 1, column 2");
        check(&"[".repeat(100_000), "nested deeper than 64 levels at line 1, column 65");
    }

    #[test]
    fn limits_hold() {
        let limits = JsonLimits { bytes_max: 10, depth_max: 2, values_max: 4 };
        let reason = |text: &str| parse(text.as_bytes(), &limits).unwrap_err().reason;
        assert_eq!(reason("[1,1,1,1,1]"), "11 bytes are more than the limit of 10");
        assert_eq!(reason("[[[1]]]"), "nested deeper than 2 levels");
        assert_eq!(reason("[1,1,1,1]"), "more than 4 values");
        assert!(parse(b"[1,1,1]", &limits).is_ok());
        assert_eq!(parse(b"\"\xff\"", &limits).unwrap_err().reason, "the text is not valid UTF-8");
    }

    #[test]
    fn canonical_form_is_shared_by_equal_values() {
        let a = parse(br#"{"b":1,"a":{"d":2,"c":3}}"#, &JsonLimits::default()).unwrap();
        let b = parse(br#"{"a":{"c":3,"d":2},"b":1}"#, &JsonLimits::default()).unwrap();
        assert_eq!(to_canonical(&a), to_canonical(&b));
        assert_eq!(to_pretty(&b), "{\n  \"a\": {\n    \"c\": 3,\n    \"d\": 2\n  },\n  \"b\": 1\n}");
    }

    #[test]
    fn rust_values_cross_without_loss() {
        assert!(from_serde(&u64::MAX).is_err());
        assert_eq!(from_serde(&vec![1_u8, 2]), Ok(Value::list([Value::Int(1), Value::Int(2)])));
        assert_eq!(into_serde::<Vec<String>>(&Value::list([Value::from("a")])), Ok(vec!["a".to_string()]));
    }

    proptest! {
        /// Whatever serde_json accepts without rounding, this parser reads the same way; and the reverse.
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}",:0-9a-u\\ .eE+\-]{0,24}"#) {
            let limits = JsonLimits::default();
            match (parse(text.as_bytes(), &limits), serde_json::from_str::<serde_json::Value>(&text)) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, Value::from(&theirs)),
                (Ok(ours), Err(error)) => prop_assert!(false, "only we accept {:?}: {}", ours, error),
                (Err(error), Ok(theirs)) => {
                    let strict = error.reason.contains("twice") || error.reason.contains("does not fit");
                    prop_assert!(strict, "only serde_json accepts {}: {}", theirs, error);
                }
                (Err(_), Err(_)) => {}
            }
        }

        #[test]
        fn what_is_written_reads_back(value in crate::testing::any_value()) {
            let limits = JsonLimits::default();
            for text in [to_string(&value), to_pretty(&value), to_canonical(&value)] {
                prop_assert_eq!(parse(text.as_bytes(), &limits).unwrap(), value.clone());
            }
        }
    }
}
