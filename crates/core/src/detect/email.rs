//! Addresses of mail: what could be written to, and not what only looks like it (packages, images, remotes of git).

use super::{Detector, Gives};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "email",
    doc: "addresses of mail, in any script",
    gives: Gives::Tag(None),
    triggers: b"@",
    before: |_| true,
    after: |byte| byte.is_ascii_alphanumeric() || byte >= 0x80,
    at,
};

const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 253;
/// Endings of files, where a top-level domain would stand: `logo@2x.png`, `next@latest.js`.
const FILES: &[&str] =
    &["png", "jpg", "jpeg", "gif", "svg", "webp", "js", "mjs", "ts", "tsx", "jsx", "css", "json", "html"];

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let (head, tail) = (text.get(..at)?, text.get(at + 1..)?);
    let local = head.chars().rev().take(LOCAL_MAX + 1).take_while(|c| is_local(*c));
    let start = at - local.map(char::len_utf8).sum::<usize>();
    // A full stop or a quote before it belongs to the sentence.
    let local = text.get(start..at)?.trim_start_matches(['.', '\'', '-', '+']);
    let start = at - local.len();
    if local.is_empty() || local.chars().count() > LOCAL_MAX || local.ends_with('.') || local.contains("..") {
        return None;
    }
    let domain = tail.chars().take(DOMAIN_MAX + 1).take_while(|c| is_label(*c) || *c == '.');
    let end = at + 1 + domain.map(char::len_utf8).sum::<usize>();
    let domain = text.get(at + 1..end)?.trim_end_matches(['.', '-']);
    let end = at + 1 + domain.len();
    let remote = text.get(end..)?.strip_prefix(':').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '~' | '.'))
    });
    let user_of_url = text.get(..start)?.ends_with("//");
    (is_domain(domain) && !remote && !user_of_url).then_some(start..end)
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'')
}

fn is_label(c: char) -> bool {
    c.is_alphanumeric() || c == '-'
}

fn is_domain(domain: &str) -> bool {
    if domain.len() > DOMAIN_MAX {
        return false;
    }
    let Some((rest, top)) = domain.rsplit_once('.') else { return false };
    let labels = rest.split('.').all(|label| {
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.len() <= 63
    });
    let letters = top.chars().count() >= 2 && top.chars().all(char::is_alphabetic);
    labels && (letters || top.starts_with("xn--")) && !FILES.contains(&top)
}
