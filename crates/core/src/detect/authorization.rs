//! Credentials as HTTP carries them: `Bearer` with a token, `Basic` with a user and a password.

use super::bytes::{base64, byte, opens, run, slice, starts_in_any_case};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "authorization",
    doc: "`Bearer` and `Basic` credentials of HTTP headers",
    gives: Gives::Tag(None),
    triggers: b"Bb",
    before: |_| true,
    after: |byte| matches!(byte, b'e' | b'E' | b'a' | b'A'),
    at,
};

/// Shorter tokens are words.
const TOKEN_MIN: usize = 20;
/// Words of the language are base64 as well.
const PAIR_MIN: usize = 8;

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (start, basic) = if starts_in_any_case(bytes, at, b"bearer ") {
        (at + 7, false)
    } else if starts_in_any_case(bytes, at, b"basic ") {
        (at + 6, true)
    } else {
        return None;
    };
    if !opens(bytes, at) {
        return None;
    }
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let end = run(bytes, start, usize::MAX, letters);
    let token = slice(bytes, start..end);
    let holds = if basic {
        token.len() >= PAIR_MIN
            && base64(token).and_then(|pair| String::from_utf8(pair).ok()).is_some_and(|pair| {
                !pair.contains(char::is_control)
                    && pair.split_once(':').is_some_and(|(_, password)| !password.is_empty())
            })
    } else {
        let has = |test: fn(&u8) -> bool| token.iter().any(test);
        token.len() >= TOKEN_MIN && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    let padding = run(bytes, end, 2, |byte| byte == b'=');
    (holds && byte(bytes, end) != b':').then_some(start..padding)
}
