//! Values by what they are called: `"password": "..."` in JSON at any depth, texts in texts included, and `password=...` as
//! programs print their settings. A name in a sentence is none, and neither is code that passes something on.

use super::Mark;
use crate::detect::DETECTORS;
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
/// A name of which every sign is spelt by its number.
const ESCAPED_NAME_BYTES_MAX: usize = 6 * NAME_BYTES_MAX;
/// Between a name, its sign and its value.
const SPACES_MAX: usize = 64;
/// What is looked at of a list and of a map.
const ITEMS_MAX: usize = 64;

/// Looks at each colon and each equals sign, and from there a bounded way back and forth.
pub(super) fn find(text: &str, marks: &mut Vec<Mark>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(step) = bytes.get(from..).and_then(|rest| memchr::memchr2(b':', b'=', rest)) {
        let at = from + step;
        from = at + 1;
        let Some(quoted) = name_before(bytes, at) else { continue };
        let hides = |range: Range<usize>| marks.push(Mark::named(range));
        // What was looked at as a value is not looked at again.
        from = value_after(bytes, at, quoted, hides).unwrap_or(from).max(from);
    }
}

/// Whether a name stands before a sign, and whether in quotes.
fn name_before(bytes: &[u8], at: usize) -> Option<bool> {
    let end = back(bytes, at, SPACES_MAX, |byte| byte.is_ascii_whitespace());
    let quote = matches!(before(bytes, end), b'"' | b'\'');
    if !quote {
        return is_secret(bytes.get(plain_name(bytes, at)?)?, false).then_some(false);
    }
    let end = back(bytes, end - 1, QUOTE_BYTES_MAX, |byte| byte == b'\\');
    // Most words end otherwise; a sign by its number ends with a digit.
    let by_number = || end.checked_sub(6).and_then(|at| escaped(bytes.get(at..end)?)).is_some();
    if !ends_as_a_name(before(bytes, end)) && !by_number() {
        return None;
    }
    let start = back(bytes, end, ESCAPED_NAME_BYTES_MAX, |byte| is_of_a_name(byte) || byte == b'\\');
    is_secret(bytes.get(start..end)?, true).then_some(true)
}

/// Where a name stands before a sign that no quotes are around.
fn plain_name(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let end = back(bytes, at, 2, |byte| byte == b' ');
    ends_as_a_name(before(bytes, end)).then(|| back(bytes, end, NAME_BYTES_MAX, is_of_a_name)..end)
}

fn ends_as_a_name(byte: u8) -> bool {
    matches!(byte | 0x20, b'd' | b't' | b'y' | b'n' | b'e' | b's' | b'l')
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Whether a name is one whose value nobody is to see; signs by their numbers, as JSON spells them, if it is in quotes.
fn is_secret(name: &[u8], quoted: bool) -> bool {
    let mut plain = [0_u8; NAME_BYTES_MAX];
    let (mut length, mut rest) = (0, name);
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match escaped(rest) {
            Some((byte, after)) if quoted => (byte, after),
            _ => (*first, after),
        };
        rest = after;
        if byte.is_ascii_alphanumeric() {
            if length == NAME_BYTES_MAX {
                plain.rotate_left(1);
                length -= 1;
            }
            if let Some(place) = plain.get_mut(length) {
                *place = byte.to_ascii_lowercase();
            }
            length += 1;
        }
    }
    let plain = plain.get(..length).unwrap_or_default();
    NAMES.iter().any(|known| plain.ends_with(known.as_bytes()))
}

/// A sign that JSON spells by its number, and what comes after it.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let rest = text.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(rest.get(..4)?).ok()?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    // What is no ASCII is of no name that is looked for.
    Some((u8::try_from(number).ok()?, rest.get(4..)?))
}

/// Hides what stands after a sign, if nobody is to see it; answers where that ends.
fn value_after(
    bytes: &[u8],
    at: usize,
    quoted_name: bool,
    mut hide: impl FnMut(Range<usize>),
) -> Option<usize> {
    let is_colon = bytes.get(at) == Some(&b':');
    // `::`, `:=`, `==` and `=>` are signs of languages.
    if matches!(bytes.get(at + 1), Some(b':' | b'=' | b'>' | b'~'))
        || matches!(before(bytes, at), b':' | b'=' | b'!')
    {
        return None;
    }
    let start = match is_colon && quoted_name {
        true => spaced(bytes, at + 1),
        false => at + 1 + bytes.get(at + 1..)?.iter().take(2).take_while(|byte| **byte == b' ').count(),
    };
    if let Some((range, after)) = quoted(bytes, start) {
        let value = bytes.get(range.clone())?;
        // What a setting is called by may be the name of a setting, too.
        let counts = if quoted_name { !value.is_empty() } else { drawn(value) };
        if counts && !stands_in(value) {
            hide(range);
        }
        return Some(after);
    }
    match (is_colon, quoted_name) {
        (true, true) => inside(bytes, start, &mut hide),
        (true, false) => None,
        _ if start > at + 1 => None,
        _ => {
            let range = unquoted(bytes, start);
            let value = bytes.get(range.clone())?;
            let code = value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{' | b'$'));
            let end = range.end;
            if drawn(value) && !code && !stands_in(value) {
                hide(range);
            }
            Some(end)
        }
    }
}

/// Hides a number, the texts and numbers of a list, and what is the `value` in a map; answers where a number or a list ends. What is
/// in a map besides is looked at by its own names.
fn inside(bytes: &[u8], start: usize, hide: &mut impl FnMut(Range<usize>)) -> Option<usize> {
    match bytes.get(start)? {
        b'[' => {
            let mut at = spaced(bytes, start + 1);
            for _ in 0..ITEMS_MAX {
                let after = item(bytes, at, hide)?;
                at = spaced(bytes, after);
                if bytes.get(at) != Some(&b',') {
                    return Some(at);
                }
                at = spaced(bytes, at + 1);
            }
            Some(at)
        }
        b'{' => {
            let mut at = spaced(bytes, start + 1);
            for _ in 0..ITEMS_MAX {
                let (name, after) = quoted(bytes, at)?;
                let colon = spaced(bytes, after);
                if bytes.get(colon) != Some(&b':') {
                    return None;
                }
                at = spaced(bytes, colon + 1);
                let is_value = bytes.get(name)?.eq_ignore_ascii_case(b"value");
                let after = match is_value {
                    true => item(bytes, at, hide)?,
                    false => item(bytes, at, &mut |_| ())?,
                };
                at = spaced(bytes, after);
                if bytes.get(at) != Some(&b',') {
                    return None;
                }
                at = spaced(bytes, at + 1);
            }
            None
        }
        _ => item(bytes, start, hide),
    }
}

/// Hides one text or number; answers where it, or another word, ends.
fn item(bytes: &[u8], start: usize, hide: &mut impl FnMut(Range<usize>)) -> Option<usize> {
    if let Some((range, after)) = quoted(bytes, start) {
        let value = bytes.get(range.clone())?;
        if !value.is_empty() && !stands_in(value) {
            hide(range);
        }
        return Some(after);
    }
    let rest = bytes.get(start..)?;
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-');
    let length = rest.iter().take(NAME_BYTES_MAX).take_while(|byte| of_word(byte)).count();
    let word = rest.get(..length).filter(|word| !word.is_empty())?;
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let number = word.iter().all(|byte| !byte.is_ascii_alphabetic() || byte.eq_ignore_ascii_case(&b'e'));
    if number && digits >= VALUE_BYTES_MIN && !stands_in(word) {
        hide(start..start + length);
    }
    Some(start + length)
}

/// A text in quotes, and where it is over.
fn quoted(bytes: &[u8], start: usize) -> Option<(Range<usize>, usize)> {
    let escapes = bytes.get(start..)?.iter().take(QUOTE_BYTES_MAX).take_while(|byte| **byte == b'\\').count();
    let quote = bytes.get(start + escapes).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let start = start + escapes + 1;
    let end = start + closing(bytes.get(start..)?, *quote, escapes)?;
    Some((start..end, (end + escapes + 1).min(bytes.len())))
}

/// A value that no quotes are around.
fn unquoted(bytes: &[u8], start: usize) -> Range<usize> {
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'&' | b';' | b',' | b')' | b']' | b'}' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b'|'
            )
    };
    let rest = bytes.get(start..).unwrap_or_default();
    start..start + rest.iter().position(ends).unwrap_or(rest.len())
}

/// The next place that is no space.
fn spaced(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default().iter();
    at + rest.take(SPACES_MAX).take_while(|byte| byte.is_ascii_whitespace()).count()
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
    let named = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let variable = match value {
        [b'$', b'{', inner @ .., b'}'] => memchr::memchr2(b'"', b'\'', inner).is_none(),
        [b'%', inner @ .., b'%'] => !inner.is_empty() && named(inner),
        _ => false,
    };
    same || variable || is_known_word(value) || bracketed(value).is_some_and(are_known_words)
}

/// What stands in brackets.
fn bracketed(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'<', inner @ .., b'>'] | [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] => {
            Some(bracketed(inner).unwrap_or(inner))
        }
        _ => None,
    }
}

fn is_known_word(word: &[u8]) -> bool {
    let words: [&[u8]; 10] =
        [b"", b"null", b"none", b"true", b"false", b"string", b"redacted", b"hidden", b"masked", b"filtered"];
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// What is hidden already, by what it was hidden for, and what somebody is told to fill in.
fn are_known_words(inner: &[u8]) -> bool {
    inner.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).all(|word| {
        let found = DETECTORS.iter().any(|detector| detector.name.as_bytes() == word);
        let filled_in = !word.iter().any(u8::is_ascii_digit) && is_secret(word, false);
        let of_secret = word
            .strip_prefix(b"secret:")
            .is_some_and(|name| !name.is_empty() && name.iter().all(|byte| is_of_a_name(*byte)));
        found || filled_in || of_secret || is_known_word(word)
    })
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
