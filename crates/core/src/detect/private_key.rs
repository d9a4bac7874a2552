//! Private keys in PEM: the armour with a key inside. A header that is only spoken of has none.

use super::bytes::{run, slice, starts};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "private_key",
    doc: "private keys in PEM armour, of any algorithm, encrypted or not",
    gives: Gives::Tag(Some("credential")),
    triggers: b"-",
    before: |_| true,
    after: |byte| byte == b'-',
    at,
};

const BEGIN: &[u8] = b"-----BEGIN ";
/// Upper case words and blanks of a header.
const LABEL_MAX: usize = 64;
const LINES_MAX: usize = 256;
/// Letters of base64 in a row: the shortest key is of Ed25519, and no word is that long.
const LINE_MIN: usize = 48;

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if !starts(bytes, at, BEGIN) {
        return None;
    }
    let label = at + BEGIN.len();
    let body = run(bytes, label, LABEL_MAX, |byte| byte.is_ascii_uppercase() || byte == b' ');
    let name = slice(bytes, label..body);
    if !(name.ends_with(b"PRIVATE KEY") || name == b"PGP PRIVATE KEY BLOCK") || !starts(bytes, body, b"-----")
    {
        return None;
    }
    let mut body = body + 5;
    // Old ciphers name themselves in lines before the key.
    if starts(bytes, body, b"\nProc-Type") || starts(bytes, body, b"\\nProc-Type") {
        let lines = slice(bytes, body..bytes.len().min(body + LINES_MAX));
        body += lines.windows(2).position(|ends| ends == b"\n\n" || ends == b"n\\")?;
    }
    // Nothing of a body is a hyphen, so bodies of two keys never overlap.
    let end = run(bytes, body, usize::MAX, is_body);
    let lines = slice(bytes, body..end).split(|byte| !byte.is_ascii_alphanumeric() && !b"+/".contains(byte));
    if !lines.into_iter().any(|line| line.len() >= LINE_MIN) {
        return None;
    }
    let footer = starts(bytes, end, b"-----END ").then(|| {
        let close = run(bytes, end + 9, LABEL_MAX, |byte| byte.is_ascii_uppercase() || byte == b' ');
        close + if starts(bytes, close, b"-----") { 5 } else { 0 }
    });
    Some(at..footer.unwrap_or(end))
}

/// Base64, line ends, and those written as escapes.
fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b' ' | b'\t' | b'\\')
}
