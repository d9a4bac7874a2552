//! Orders to a reader that is a model: to leave aside what it was told before, or to tell what that was. English
//! phrases; nobody who means harm has to use one, so that none is found says nothing.

use super::bytes::{before, byte, slice, starts_in_any_case};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "injection",
    doc: "phrases that tell a model to leave its instructions aside or to show them",
    gives: Gives::Signal,
    triggers: b"gGvV",
    before: |byte| b"ieroIERO".contains(&byte),
    after: |byte| b"naeuNAEU".contains(&byte),
    at,
};

/// A verb, and where its trigger stands in it.
const VERBS: &[(&[u8], usize)] = &[
    (b"ignore", 1),
    (b"ignoring", 1),
    (b"disregard", 5),
    (b"disregarding", 5),
    (b"forget", 3),
    (b"override", 1),
    (b"reveal", 2),
    (b"divulge", 2),
];
/// How far after the verb its object may stand.
const BYTES_MAX: usize = 96;
/// Words from whose instructions to the word itself.
const WORDS_MAX: usize = 3;
/// Whose instructions, and of when.
const WHOSE: &[&str] = &[
    "previous",
    "prior",
    "above",
    "earlier",
    "preceding",
    "foregoing",
    "your",
    "system",
    "initial",
    "original",
    "existing",
    "current",
    "hidden",
    "developer",
    "past",
];
const WHAT: &[&str] = &[
    "instruction",
    "instructions",
    "prompt",
    "prompts",
    "rule",
    "rules",
    "guideline",
    "guidelines",
    "direction",
    "directions",
    "directive",
    "directives",
    "constraint",
    "constraints",
    "programming",
    "training",
    "context",
];

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let verb = VERBS.iter().find_map(|(verb, place)| {
        let start = at.checked_sub(*place)?;
        let end = start + verb.len();
        let alone = !before(bytes, start).is_ascii_alphanumeric() && matches!(byte(bytes, end), b' ' | b',');
        (starts_in_any_case(bytes, start, verb) && alone).then_some(start..end)
    })?;
    let rest = slice(bytes, verb.end..bytes.len().min(verb.end + BYTES_MAX));
    let (mut since, mut end) = (WORDS_MAX, verb.end);
    for word in rest.split_inclusive(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')) {
        end += word.len();
        let (letters, sign) = match word.split_last() {
            Some((last, letters)) if !(last.is_ascii_alphanumeric() || *last == b'_') => (letters, *last),
            _ => (word, 0),
        };
        since += usize::from(!letters.is_empty());
        if named(WHOSE, letters) {
            since = 0;
        } else if since < WORDS_MAX && named(WHAT, letters) {
            return Some(verb.start..end - usize::from(sign != 0));
        }
        // The object stands in the same sentence.
        if matches!(sign, b'.' | b'!' | b'?' | b';') {
            return None;
        }
    }
    None
}

fn named(words: &[&str], word: &[u8]) -> bool {
    words.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
}
