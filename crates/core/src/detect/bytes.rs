//! How detectors look at the bytes around a trigger.

use std::ops::Range;

/// The byte at a place; 0 outside of the text.
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The byte before a place; 0 at the start.
pub(super) fn before(bytes: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(0, |at| byte(bytes, at))
}

/// Where the run of bytes that `fits` ends, `max` bytes on at most.
pub(super) fn run(bytes: &[u8], from: usize, max: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + walked(rest.iter().take(max).take_while(|byte| fits(**byte)).count())
}

/// Where the run of bytes that `fits` and ends at `to` begins, `max` bytes back at most.
pub(super) fn run_back(bytes: &[u8], to: usize, max: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(..to).unwrap_or_default();
    to - walked(rest.iter().rev().take(max).take_while(|byte| fits(**byte)).count())
}

#[cfg(test)]
thread_local! {
    /// How many bytes were walked over, for the test that this grows with the text and no faster.
    pub(super) static WALKED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn walked(count: usize) -> usize {
    #[cfg(test)]
    WALKED.set(WALKED.get() + count + 1);
    count
}

pub(super) fn starts(bytes: &[u8], at: usize, with: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(with))
}

/// As [`starts`], whatever the case of the letters; `with` is in lower case.
pub(super) fn starts_in_any_case(bytes: &[u8], at: usize, with: &[u8]) -> bool {
    bytes.get(at..at + with.len()).is_some_and(|part| part.eq_ignore_ascii_case(with))
}

pub(super) fn slice(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

pub(super) fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether a word may begin here: nothing of a word stands before, unless it is the end of an escape, as in JSON
/// within a string (`\n`, `\u003d`) or in a URL (`%3D`).
pub(super) fn opens(bytes: &[u8], at: usize) -> bool {
    let last = before(bytes, at);
    if !is_base64url(last) {
        return true;
    }
    let back = |count: usize| at.checked_sub(count).map_or(0, |at| byte(bytes, at));
    let hexadecimal = |from: usize| (1..=from).all(|count| back(count).is_ascii_hexdigit());
    (matches!(last, b'n' | b'r' | b't') && back(2) == b'\\')
        || (back(3) == b'%' && hexadecimal(2))
        || (back(5) == b'u' && back(6) == b'\\' && hexadecimal(4))
}

/// The bytes that base64 text stands for, in either alphabet and without its padding.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    // A single letter left over stands for nothing.
    (held < 6).then_some(out)
}
