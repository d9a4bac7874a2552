//! Social security numbers of the United States, in the form with hyphens. Without them any nine digits would do.

use super::bytes::{before, byte, slice};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "ssn",
    doc: "US social security numbers, written `123-45-6789`, from ranges that are given out",
    gives: Gives::Tag(None),
    triggers: b"-",
    before: |byte| byte.is_ascii_digit(),
    after: |byte| byte.is_ascii_digit(),
    at,
};

/// The trigger is the first hyphen.
fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = at.checked_sub(3)?;
    let end = at + 8;
    let digits = |range: Range<usize>| {
        let part = slice(bytes, range.clone());
        (part.len() == range.len() && part.iter().all(u8::is_ascii_digit)).then_some(part)
    };
    let (area, group, serial) = (digits(start..at)?, digits(at + 1..at + 3)?, digits(at + 4..end)?);
    let (last, next) = (before(bytes, start), byte(bytes, end));
    let part_of_more = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let given_out = !matches!(area, b"000" | b"666" | [b'9', ..]) && group != b"00" && serial != b"0000";
    let whole = byte(bytes, at + 3) == b'-' && !part_of_more(last) && !part_of_more(next) && last != b'+';
    (whole && given_out).then_some(start..end)
}
