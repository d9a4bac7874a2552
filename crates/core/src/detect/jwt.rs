//! Signed and encrypted JSON web tokens: parts in base64url, the first of which is a JSON header with `alg`.

use super::bytes::{base64, byte, is_base64url, opens, run, slice, starts};
use super::{Detector, Gives};
use crate::json::{JsonLimits, parse};
use std::ops::Range;

pub(super) static DETECTOR: Detector = Detector {
    name: "jwt",
    doc: "JSON web tokens (JWT): three or five parts, the first a JSON header with `alg`",
    gives: Gives::Tag(Some("credential")),
    triggers: b"J",
    before: |byte| byte == b'y',
    after: is_base64url,
    at,
};

/// Longer headers are not read.
const HEADER_MAX: usize = 8 << 10;
/// The shortest signature is an HMAC of 32 bytes.
const SIGNATURE_MIN: usize = 40;

/// The trigger is the third letter of `eyJ`, which is `{"`.
fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = at.checked_sub(2)?;
    if !starts(bytes, start, b"ey") || !opens(bytes, start) {
        return None;
    }
    let (mut ends, mut place) = ([0; 5], start);
    let mut parts = 0;
    for end in &mut ends {
        *end = run(bytes, place, usize::MAX, is_base64url);
        parts += 1;
        if byte(bytes, *end) != b'.' {
            break;
        }
        place = *end + 1;
    }
    let [header, payload, signature, _, tag] = ends;
    let end = match parts {
        3 if signature - payload > SIGNATURE_MIN && payload - header > 2 => signature,
        // A full stop after the third part may end a sentence.
        4 if ends[3] == signature + 1 && signature - payload > SIGNATURE_MIN => signature,
        5 => tag,
        _ => return None,
    };
    let header = base64(slice(bytes, start..header.min(start + HEADER_MAX)))?;
    let header = parse(&header, &JsonLimits::default()).ok()?;
    (header.get("alg").is_some() && (parts < 5 || header.get("enc").is_some())).then_some(start..end)
}
