//! Values by what they are called: `"password": "..."` in JSON at any depth, texts in texts included, and `password=...` as
//! programs print their settings. A name in a sentence is none, and neither is code that passes something on.

use super::Mark;
use std::ops::Range;

/// How a name ends whose value nobody is to see; without signs, in lower case.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secretkey",
    "secretaccesskey",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "token",
    "authorization",
    "cookie",
    "credential",
    "credentials",
];
const NAME_BYTES_MAX: usize = 64;
/// Signs before a quote in a text in a text in a text.
const QUOTE_BYTES_MAX: usize = 16;
const VALUE_BYTES_MIN: usize = 6;

/// Looks at each colon and each equals sign, and from there a bounded way back; forward, no byte twice.
pub(super) fn find(text: &str, marks: &mut Vec<Mark>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(step) = bytes.get(from..).and_then(|rest| memchr::memchr2(b':', b'=', rest)) {
        let at = from + step;
        from = at + 1;
        let Some(quoted) = name_before(bytes, at) else { continue };
        if let Some((range, hides)) = value_after(bytes, at, quoted) {
            // What was looked at as a value is not looked at again.
            from = range.end.max(from);
            if hides {
                marks.push(Mark::named(range));
            }
        }
    }
}

/// Whether a name stands before a sign, and whether in quotes.
fn name_before(bytes: &[u8], at: usize) -> Option<bool> {
    let mut end = back(bytes, at, 2, |byte| byte == b' ');
    let quote = before(bytes, end) == b'"' || before(bytes, end) == b'\'';
    if quote {
        end = back(bytes, end - 1, QUOTE_BYTES_MAX, |byte| byte == b'\\');
    }
    // Most words end otherwise.
    if !matches!(before(bytes, end) | 0x20, b'd' | b't' | b'y' | b'n' | b'e' | b's' | b'l') {
        return None;
    }
    let start = back(bytes, end, NAME_BYTES_MAX, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
    });
    let mut name = [0_u8; NAME_BYTES_MAX];
    let mut length = 0;
    for byte in bytes.get(start..end)?.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *name.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = name.get(..length)?;
    let known = NAMES.iter().any(|known| name.ends_with(known.as_bytes()));
    known.then_some(quote)
}

/// Where a value stands, and whether it is one that nobody is to see.
fn value_after(bytes: &[u8], at: usize, quoted_name: bool) -> Option<(Range<usize>, bool)> {
    let is_colon = bytes.get(at) == Some(&b':');
    // `::`, `:=`, `==` and `=>` are signs of languages.
    if matches!(bytes.get(at + 1), Some(b':' | b'=' | b'>' | b'~'))
        || matches!(before(bytes, at), b':' | b'=' | b'!')
    {
        return None;
    }
    let start = at + 1 + bytes.get(at + 1..)?.iter().take(2).take_while(|byte| **byte == b' ').count();
    let escapes = bytes.get(start..)?.iter().take(QUOTE_BYTES_MAX).take_while(|byte| **byte == b'\\').count();
    match bytes.get(start + escapes) {
        Some(quote @ (b'"' | b'\'')) => {
            let start = start + escapes + 1;
            let end = start + closing(bytes.get(start..)?, *quote, escapes)?;
            let value = bytes.get(start..end)?;
            // What a setting is called by may be the name of a setting, too.
            let counts = if quoted_name { !value.is_empty() } else { drawn(value) };
            Some((start..end, counts && !stands_in(value)))
        }
        _ if is_colon && !quoted_name => None,
        _ if is_colon || start > at + 1 => None,
        _ => {
            let ends = |byte: &u8| {
                byte.is_ascii_whitespace()
                    || matches!(
                        byte,
                        b'&' | b';'
                            | b','
                            | b')'
                            | b']'
                            | b'}'
                            | b'"'
                            | b'\''
                            | b'`'
                            | b'<'
                            | b'>'
                            | b'\\'
                            | b'|'
                    )
            };
            let length = bytes.get(start..)?.iter().position(ends).unwrap_or(bytes.len() - start);
            let value = bytes.get(start..start + length)?;
            let code = value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{' | b'$'));
            Some((start..start + length, drawn(value) && !code && !stands_in(value)))
        }
    }
}

/// Where a text ends that began with a quote behind so many signs.
fn closing(rest: &[u8], quote: u8, escapes: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(step) = memchr::memchr(quote, rest.get(from..)?) {
        let at = from + step;
        let run =
            rest.get(..at)?.iter().rev().take(QUOTE_BYTES_MAX).take_while(|byte| **byte == b'\\').count();
        if run <= escapes {
            return Some(at - run);
        }
        from = at + 1;
    }
    // One that was cut off goes to the end.
    Some(rest.len())
}

/// Not a word that somebody reads.
fn drawn(value: &[u8]) -> bool {
    let has = |test: fn(&u8) -> bool| value.iter().any(test);
    value.len() >= VALUE_BYTES_MIN && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// What is written where a value would stand.
fn stands_in(value: &[u8]) -> bool {
    let same = value.iter().all(|byte| Some(byte) == value.first());
    let words = [&b"null"[..], b"none", b"true", b"false", b"string", b"redacted", b"hidden"];
    let filled_in = matches!(
        (value.first(), value.last()),
        (Some(b'<'), Some(b'>'))
            | (Some(b'['), Some(b']'))
            | (Some(b'{'), Some(b'}'))
            | (Some(b'$' | b'%'), _)
    );
    let plain = memchr::memchr2(b'"', b'\'', value).is_none();
    same || (filled_in && plain) || words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn before(bytes: &[u8], at: usize) -> u8 {
    at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(0)
}

/// The place so many bytes before, as far as they fit.
fn back(bytes: &[u8], at: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
    let run =
        bytes.get(..at).unwrap_or_default().iter().rev().take(most).take_while(|byte| fits(**byte)).count();
    at - run
}
