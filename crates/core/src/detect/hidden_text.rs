//! Text that a model reads and a person does not see: letters of the tag block, runs of characters without width,
//! overridden direction, comments of HTML that address an assistant.

use super::bytes::{run, slice, starts};
use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "hidden_text",
    doc: "text that people do not see: tag characters, runs without width, overridden direction, HTML comments to an assistant",
    gives: Gives::Signal,
    triggers: b"<\xe2\xf3\xef",
    before: |_| true,
    after: |byte| matches!(byte, b'!' | 0x80 | 0x81 | 0xa0 | 0xbb),
    at,
};

/// One is in an emoji or between letters of some scripts; messages need more.
const RUN_MIN: usize = 4;
const RUN_MAX: usize = 4 << 10;
/// Whom a comment addresses, and what it wants.
const WHOM: &[&str] =
    &["assistant", "ai", "llm", "model", "chatbot", "agent", "copilot", "gpt", "claude", "gemini"];
const WANTS: &[&str] =
    &["must", "ignore", "always", "never", "instead", "send", "forward", "reply", "do", "call"];

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if bytes.get(at) == Some(&b'<') {
        return comment(bytes, at);
    }
    let rest = text.get(at..)?;
    let first = rest.chars().next()?;
    if matches!(first, '\u{202d}' | '\u{202e}') {
        return Some(at..at + first.len_utf8());
    }
    if !is_hidden(first) || text.get(..at)?.chars().next_back().is_some_and(is_hidden) {
        return None;
    }
    // The flags of England, Scotland and Wales are a flag and tags.
    if is_tag(first) && text.get(..at)?.ends_with('\u{1f3f4}') {
        return None;
    }
    let run = rest.chars().take(RUN_MAX).take_while(|c| is_hidden(*c));
    let (count, bytes) = run.fold((0, 0), |(count, bytes), c| (count + 1, bytes + c.len_utf8()));
    (count >= RUN_MIN).then_some(at..at + bytes)
}

fn is_hidden(c: char) -> bool {
    is_tag(c) || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Tags, and the selectors that can stand for any byte.
fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

fn comment(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if !starts(bytes, at, b"<!--") {
        return None;
    }
    // It ends before the next tag or comment, so none is looked at twice.
    let end = run(bytes, at + 4, usize::MAX, |byte| byte != b'<' && byte != b'>');
    let words = || slice(bytes, at + 4..end).split(|byte| !byte.is_ascii_alphanumeric());
    let names = |list: &[&str]| {
        words().any(|word| list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word)))
    };
    (names(WHOM) && names(WANTS)).then_some(at..end)
}
