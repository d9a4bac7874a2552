//! PDF: its version first, its end mark last, and between them a table of objects where `startxref` says.

use super::foreign;

pub(super) const SIGNATURE: &[u8] = b"%PDF-";
/// The end mark and what leads to the table stand this near to the end.
const END_WITHIN: usize = 64;

pub(super) fn test(bytes: &[u8]) -> Result<(), &'static str> {
    if !matches!(bytes.get(SIGNATURE.len()..SIGNATURE.len() + 3), Some([b'1' | b'2', b'.', b'0'..=b'9'])) {
        return Err("is of no known version");
    }
    let end = bytes.trim_ascii_end();
    let Some(end) = end.strip_suffix(b"%%EOF") else {
        return Err("does not end with its end mark");
    };
    let near = end.get(end.len().saturating_sub(END_WITHIN)..).unwrap_or(end);
    let said = std::str::from_utf8(near.trim_ascii_end()).ok().or_else(|| tail(near));
    let at = said.and_then(|said| said.rsplit_once("startxref")).and_then(|(_, at)| at.trim().parse().ok());
    let Some(table) = at.and_then(|at: usize| bytes.get(at..)) else {
        return Err("does not say where its objects are");
    };
    if !is_table(table) {
        return Err("has no table of objects where it says");
    }
    foreign::archive(bytes)
}

/// What of these bytes is text, from the end.
fn tail(bytes: &[u8]) -> Option<&str> {
    let start = bytes.iter().rposition(|byte| !byte.is_ascii())? + 1;
    std::str::from_utf8(bytes.get(start..)?.trim_ascii_end()).ok()
}

/// A table, or a stream that is one: `12 0 obj`.
fn is_table(bytes: &[u8]) -> bool {
    const OBJECT_WITHIN: usize = 32;
    let bytes = bytes.trim_ascii_start();
    if bytes.starts_with(b"xref") {
        return true;
    }
    let front = bytes.get(..OBJECT_WITHIN).unwrap_or(bytes);
    let mut words = front.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_number = |word: Option<&[u8]>| word.is_some_and(|word| word.iter().all(u8::is_ascii_digit));
    is_number(words.next())
        && is_number(words.next())
        && words.next().is_some_and(|word| word.starts_with(b"obj"))
}
