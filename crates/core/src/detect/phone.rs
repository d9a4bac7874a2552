//! Telephone numbers with their country (`+44 20 7946 0958`), and North American ones with the area in brackets.
//! Anything looser would find order numbers and dates.

use super::bytes::{before, byte, run, slice};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "phone",
    doc: "telephone numbers that begin with `+` and their country, or with an area code in brackets",
    gives: Gives::Tag(None),
    triggers: b"+(",
    before: |_| true,
    after: |byte| byte.is_ascii_digit(),
    at,
};

/// Digits of a number with its country (E.164).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// Signs between digits count, too.
const BYTES_MAX: usize = 32;

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let last = before(bytes, at);
    if last.is_ascii_alphanumeric() || matches!(last, b'+' | b'_') {
        return None;
    }
    if byte(bytes, at) == b'(' { in_brackets(bytes, at) } else { international(bytes, at) }
}

fn international(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if !matches!(byte(bytes, at + 1), b'1'..=b'9') {
        return None;
    }
    let (mut digits, mut end, mut place) = (0, None, at + 1);
    while place < at + BYTES_MAX {
        let (last, next) = (before(bytes, place), byte(bytes, place + 1));
        match byte(bytes, place) {
            b'0'..=b'9' => {
                digits += 1;
                if DIGITS.contains(&digits) && !(next.is_ascii_alphanumeric() || next == b'_') {
                    end = Some(place + 1);
                }
            }
            // One sign between digits, or a bracket beside one.
            b' ' | b'-' | b'.' | b'/' if last.is_ascii_digit() => {}
            b' ' | b'-' if last == b')' => {}
            b'(' if matches!(last, b' ' | b'0'..=b'9') => {}
            b')' if last.is_ascii_digit() => {}
            _ => break,
        }
        place += 1;
    }
    let end = end?;
    // A year of many digits has its sign, and a month after it.
    let year = run(bytes, at + 1, BYTES_MAX, |byte| byte.is_ascii_digit());
    let month = run(bytes, year + 1, BYTES_MAX, |byte| byte.is_ascii_digit());
    if year - at > 4 && byte(bytes, year) == b'-' && month - year == 3 {
        return None;
    }
    // A single point is that of a fraction.
    let signs = slice(bytes, at + 1..end).iter().filter(|byte| !byte.is_ascii_digit());
    (!signs.eq([&b'.'])).then_some(at..end)
}

/// `(212) 555-0123`: no area or exchange begins with 0 or 1.
fn in_brackets(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let three = |at: usize| {
        matches!(byte(bytes, at), b'2'..=b'9')
            && byte(bytes, at + 1).is_ascii_digit()
            && byte(bytes, at + 2).is_ascii_digit()
    };
    if !three(at + 1) || byte(bytes, at + 4) != b')' {
        return None;
    }
    let exchange = if byte(bytes, at + 5) == b' ' { at + 6 } else { at + 5 };
    let end = exchange + 8;
    let rest = (exchange + 4..end).all(|at| byte(bytes, at).is_ascii_digit());
    let between = matches!(byte(bytes, exchange + 3), b'-' | b'.' | b' ');
    (three(exchange) && between && rest && !byte(bytes, end).is_ascii_alphanumeric()).then_some(at..end)
}
