//! Payment cards: the prefixes and lengths of the networks, with the check digit of ISO/IEC 7812.

use super::bytes::{before, byte, run, slice};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "card",
    doc: "numbers of payment cards, in one piece or in groups, with a valid check digit",
    gives: Gives::Tag(None),
    triggers: b"0123456789",
    before: |byte| !(byte.is_ascii_alphanumeric() || byte == b'_'),
    after: |byte| byte.is_ascii_digit(),
    at,
};

const DIGITS_MAX: usize = 19;
/// How a number is printed, besides in one piece; the longest first.
const GROUPS: &[&[usize]] = &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if !begins(bytes, at) {
        return None;
    }
    let first = run(bytes, at, DIGITS_MAX + 1, |byte| byte.is_ascii_digit());
    let end = match first - at {
        4 if matches!(byte(bytes, first), b' ' | b'-') => grouped(bytes, at)?,
        14..=DIGITS_MAX if is_card(slice(bytes, at..first)) => first,
        _ => return None,
    };
    ends(bytes, end).then_some(at..end)
}

/// A number begins here that is not the rest of a longer one, of a fraction or of a word.
fn begins(bytes: &[u8], at: usize) -> bool {
    let last = before(bytes, at);
    let longer =
        matches!(last, b'.' | b'-') && at.checked_sub(2).is_some_and(|at| byte(bytes, at).is_ascii_digit());
    !(last.is_ascii_alphanumeric() || last == b'_' || longer)
}

fn ends(bytes: &[u8], end: usize) -> bool {
    let next = byte(bytes, end);
    let longer = matches!(next, b'.' | b'-') && byte(bytes, end + 1).is_ascii_digit();
    !(next.is_ascii_alphanumeric() || next == b'_' || longer)
}

/// Where a card ends that is written in groups with the same sign between them.
fn grouped(bytes: &[u8], at: usize) -> Option<usize> {
    let sign = byte(bytes, at + 4);
    GROUPS.iter().find_map(|groups| {
        let (mut digits, mut count, mut place) = ([0; DIGITS_MAX], 0, at);
        for group in *groups {
            if count > 0 {
                if byte(bytes, place) != sign {
                    return None;
                }
                place += 1;
            }
            let end = run(bytes, place, group + 1, |byte| byte.is_ascii_digit());
            if end - place != *group {
                return None;
            }
            digits.get_mut(count..count + group)?.copy_from_slice(bytes.get(place..end)?);
            (count, place) = (count + group, end);
        }
        is_card(slice(&digits, 0..count)).then_some(place)
    })
}

fn is_card(digits: &[u8]) -> bool {
    let prefix = |count: usize| {
        let digits = digits.iter().take(count);
        digits.fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let known = match digits.len() {
        14 => matches!(prefix(3), 300..=305 | 309) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            matches!(prefix(1), 4)
                || matches!(prefix(2), 51..=55 | 65 | 62)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(prefix(3), 644..=649)
        }
        17..=19 => prefix(2) == 62,
        _ => false,
    };
    known && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(digit - b'0')) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10)
}
