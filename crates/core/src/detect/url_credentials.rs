//! Passwords in URLs: `scheme://user:password@host`. Words that stand for one in manuals are none.

use super::bytes::{before, run, slice, starts};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "url_credentials",
    doc: "passwords in URLs, such as those of databases",
    gives: Gives::Tag(None),
    triggers: b":",
    before: |byte| byte.is_ascii_alphanumeric(),
    after: |byte| byte == b'/',
    at,
};

const AUTHORITY_MAX: usize = 512;
const PASSWORD_MIN: usize = 3;
/// What manuals write where a password would stand.
const STAND_INS: &[&str] =
    &["password", "passwd", "pass", "pwd", "secret", "token", "key", "changeme", "example", "your_password"];

/// The trigger is the colon of `://`.
fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if !starts(bytes, at, b"://") || !before(bytes, at).is_ascii_alphanumeric() {
        return None;
    }
    let start = at + 3;
    // A slash ends it, so no authority is looked at twice.
    let ends = |byte: u8| matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`');
    let end = run(bytes, start, AUTHORITY_MAX, |byte| !ends(byte) && !byte.is_ascii_whitespace());
    let user = slice(bytes, start..end);
    let at = start + user.iter().rposition(|byte| *byte == b'@')?;
    let (_, password) = text.get(start..at)?.split_once(':')?;
    let host = bytes.get(at + 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'[');
    (host && password.len() >= PASSWORD_MIN && !stands_in(password)).then_some(start..at)
}

fn stands_in(password: &str) -> bool {
    let lower = password.to_ascii_lowercase();
    let same = password.bytes().all(|byte| Some(&byte) == password.as_bytes().first());
    let filled_in = ["${", "{{", "%s", "[", "...", "$("].iter().any(|mark| password.contains(mark));
    same || filled_in || password.starts_with(['{', '$', '<', '*']) || STAND_INS.contains(&&*lower)
}
