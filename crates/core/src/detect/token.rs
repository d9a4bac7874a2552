//! Tokens of providers, by the marks they were given so that they can be found: prefix, alphabet, length, and the
//! check sum where there is one. Keys without a mark look like any other text and are not found.

use super::bytes::{before, byte, is_base64url, opens, run, run_back, slice, starts};
use super::{Detector, Gives};
use std::ops::Range;
use std::sync::LazyLock;

pub(super) static DETECTOR: Detector = Detector {
    name: "token",
    doc: "tokens and keys of providers that mark theirs: GitHub, GitLab, AWS, Google, OpenAI, Anthropic, Slack, Stripe, npm, PyPI and others, and those of Ringmail",
    gives: Gives::Tag(Some("credential")),
    triggers: b"_-.A:/",
    before: |_| true,
    after: |byte| byte.is_ascii_alphanumeric(),
    at,
};

/// What stands after a prefix.
struct Format {
    prefix: &'static str,
    /// Where its first sign is that is no letter.
    mark: usize,
    letters: fn(u8) -> bool,
    /// How many there are.
    length: std::ops::RangeInclusive<usize>,
    test: fn(&[u8]) -> bool,
}

const LENGTH_MAX: usize = 4 << 10;
/// Letters of the longest prefix before its first sign, and of an escape before those.
const HEAD_MAX: usize = 14;

const fn format(
    prefix: &'static str,
    letters: fn(u8) -> bool,
    min: usize,
    max: usize,
    test: fn(&[u8]) -> bool,
) -> Format {
    let (mut mark, mut rest) = (0, prefix.as_bytes());
    while let [first, after @ ..] = rest
        && first.is_ascii_alphanumeric()
    {
        (mark, rest) = (mark + 1, after);
    }
    Format { prefix, mark, letters, length: min..=max, test }
}

/// Prefixes whose first `_`, `-` or `.` is the trigger, unless one of two letters is.
const FORMATS: &[Format] = &[
    format("ghp_", is_base62, 36, 36, checked),
    format("gho_", is_base62, 36, 36, checked),
    format("ghu_", is_base62, 36, 36, checked),
    format("ghs_", is_base62, 36, 36, checked),
    format("ghr_", is_base62, 36, 76, random),
    format("github_pat_", is_word, 82, 82, |text| text.get(22) == Some(&b'_') && random(text)),
    format("npm_", is_base62, 36, 36, checked),
    // Our own: keys, and tokens that renew others.
    format("rmk_", is_word, 85, 85, own),
    format("rmr_", is_word, 142, 142, own),
    format("glpat-", is_dotted, 20, 300, random),
    format("gldt-", is_dotted, 20, 300, random),
    format("glrt-", is_dotted, 20, 300, random),
    format("glptt-", is_dotted, 40, 300, random),
    format("glcbt-", is_dotted, 20, 300, random),
    format("glsoat-", is_dotted, 20, 300, random),
    format("pypi-AgEIcHlwaS5vcmc", is_base64url, 50, LENGTH_MAX, random),
    format("pypi-AgENdGVzdC5weXBpLm9yZw", is_base64url, 50, LENGTH_MAX, random),
    format("sk-ant-", is_base64url, 80, 200, random),
    format("sk-proj-", is_base64url, 40, 300, random),
    format("sk-svcacct-", is_base64url, 40, 300, random),
    format("sk-admin-", is_base64url, 40, 300, random),
    format("sk-or-v1-", is_hex, 64, 64, random),
    format("sk-", is_base62, 48, 48, |text| slice(text, 20..28) == b"T3BlbkFJ"),
    format("xoxb-", is_base64url, 40, 120, slack),
    format("xoxp-", is_base64url, 40, 120, slack),
    format("xoxa-", is_base64url, 40, 120, slack),
    format("xoxr-", is_base64url, 40, 120, slack),
    format("xoxs-", is_base64url, 40, 120, slack),
    format("xapp-1-", is_base64url, 60, 160, random),
    format("sk_live_", is_base62, 24, 247, random),
    format("sk_test_", is_base62, 24, 247, random),
    format("rk_live_", is_base62, 24, 247, random),
    format("rk_test_", is_base62, 24, 247, random),
    format("hf_", is_base62, 34, 40, mixed),
    format("gsk_", is_base62, 52, 52, random),
    format("xai-", is_base62, 80, 80, random),
    format("pplx-", is_base62, 48, 56, random),
    format("lin_api_", is_base62, 40, 40, random),
    format("dop_v1_", is_hex, 64, 64, random),
    format("doo_v1_", is_hex, 64, 64, random),
    format("dckr_pat_", is_base64url, 27, 27, random),
    format("shpat_", is_hex, 32, 32, random),
    format("shpss_", is_hex, 32, 32, random),
    format("shpca_", is_hex, 32, 32, random),
    format("glsa_", is_word, 41, 41, |text| text.get(32) == Some(&b'_') && random(text)),
    format("sbp_", is_hex, 40, 40, random),
    format("figd_", is_base64url, 40, 60, random),
    format("rubygems_", is_hex, 48, 48, random),
    format("GOCSPX-", is_base64url, 28, 28, random),
    format("PMAK-", is_base64url, 59, 59, |text| text.get(24) == Some(&b'-') && random(text)),
    format("NRAK-", is_base62, 27, 27, random),
    format("AGE-SECRET-KEY-1", is_base62, 58, 58, random),
    format("SG.", is_dotted, 66, 69, |text| text.get(22) == Some(&b'.') && mixed(text)),
    format("ya29.", is_base64url, 30, LENGTH_MAX, random),
    format("hvs.", is_base64url, 24, 300, random),
    format("hvb.", is_base64url, 100, 400, random),
];

/// Keys whose prefix is nothing but letters.
const LETTERED: &[Format] = &[
    format("AKIA", is_base32, 16, 16, |_| true),
    format("ASIA", is_base32, 16, 16, |_| true),
    format("AIza", is_base64url, 35, 35, random),
    format("ATATT3", |byte| is_base64url(byte) || byte == b'=', 100, 300, random),
];

fn own(text: &[u8]) -> bool {
    text.get(12) == Some(&b'_') && text.iter().all(|byte| *byte == b'_' || is_hex(*byte)) && random(text)
}

fn at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    match byte(bytes, at) {
        b'A' if names_its_signer(bytes, at) => None,
        b'A' => LETTERED.iter().find_map(|format| format.fits(bytes, at)),
        b':' => telegram(bytes, at),
        b'/' => hook(bytes, at),
        mark => {
            let start = run_back(bytes, at, HEAD_MAX, |byte| byte.is_ascii_alphanumeric());
            let start = start + escaped(bytes, start);
            if !heads(byte(bytes, start), at.saturating_sub(start)) {
                return None;
            }
            let fits = |format: &&Format| {
                format.mark == at.saturating_sub(start)
                    && format.prefix.as_bytes().get(format.mark) == Some(&mark)
            };
            FORMATS.iter().filter(fits).find_map(|format| format.fits(bytes, start))
        }
    }
}

/// Whether any prefix has this letter first and this many before its first sign.
fn heads(first: u8, mark: usize) -> bool {
    static MARKS: LazyLock<[u16; 128]> = LazyLock::new(|| {
        let mut marks = [0; 128];
        for format in FORMATS {
            let first = format.prefix.as_bytes().first().copied().unwrap_or(0);
            if let Some(set) = marks.get_mut(usize::from(first)) {
                *set |= 1 << format.mark;
            }
        }
        marks
    });
    MARKS.get(usize::from(first)).is_some_and(|set| mark < 16 && set >> mark & 1 == 1)
}

/// How much of what seems to be a word is the end of an escape before it.
fn escaped(bytes: &[u8], start: usize) -> usize {
    match (before(bytes, start), byte(bytes, start)) {
        (b'\\', b'n' | b'r' | b't') => 1,
        (b'\\', b'u') => 5,
        (b'%', _) => 2,
        _ => 0,
    }
}

impl Format {
    /// Where the token lies that begins at `start`, if one does.
    fn fits(&self, bytes: &[u8], start: usize) -> Option<Range<usize>> {
        let body = start + self.prefix.len();
        if !starts(bytes, start, self.prefix.as_bytes()) || !opens(bytes, start) {
            return None;
        }
        let mut end = run(bytes, body, self.length.end() + 1, self.letters);
        // A full stop or a hyphen at its end belongs to the sentence.
        while end > body && matches!(before(bytes, end), b'.' | b'-') && end - body > *self.length.start() {
            end -= 1;
        }
        let text = slice(bytes, body..end);
        let whole = !is_word(byte(bytes, end)) && self.length.contains(&text.len());
        (whole && (self.test)(text)).then_some(start..end)
    }
}

/// A signed request says whose key signed it, which is no secret.
fn names_its_signer(bytes: &[u8], at: usize) -> bool {
    let head = bytes.get(..at).unwrap_or_default();
    head.ends_with(b"Credential=") || head.ends_with(b"AWSAccessKeyId=")
}

/// The token of a bot: its number, and a secret after `:AA`.
fn telegram(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if !starts(bytes, at + 1, b"AA") {
        return None;
    }
    let start = run_back(bytes, at, 11, |byte| byte.is_ascii_digit());
    let end = run(bytes, at + 1, 36, is_base64url);
    let opened = (8..=10).contains(&(at - start)) && opens(bytes, start);
    (opened && end - at - 1 == 35 && random(slice(bytes, at + 3..end))).then_some(start..end)
}

/// Addresses that anybody who knows them may post to: the secret is in the path.
fn hook(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let behind = |host: &[u8]| at >= host.len() && slice(bytes, at - host.len()..at) == host;
    let parts = |from: usize, letters: fn(u8) -> bool, lengths: &[usize]| {
        let mut end = from;
        for (place, least) in lengths.iter().enumerate() {
            let start = if place == 0 { from } else { end + 1 };
            if place > 0 && byte(bytes, end) != b'/' {
                return None;
            }
            end = run(bytes, start, 128, letters);
            if end - start < *least {
                return None;
            }
        }
        Some(end)
    };
    if starts(bytes, at, b"/services/T") && behind(b"hooks.slack.com") {
        let end = parts(at + 10, is_base62, &[9, 9, 24])?;
        return random(slice(bytes, end - 24..end)).then_some(at + 1..end);
    }
    if starts(bytes, at, b"/api/webhooks/") && (behind(b"discord.com") || behind(b"discordapp.com")) {
        return Some(at + 1..parts(at + 14, is_base64url, &[17, 60])?);
    }
    None
}

fn is_base62(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_dotted(byte: u8) -> bool {
    is_base64url(byte) || byte == b'.'
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_base32(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'2'..=b'7')
}

/// Not what somebody writes in place of a token: `xxxx`, `your_token_here`.
fn random(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit) && mixed(text)
}

/// Enough different letters for something drawn at random.
fn mixed(text: &[u8]) -> bool {
    let kinds = text.iter().fold(0_u128, |seen, byte| seen | 1 << (byte & 127));
    kinds.count_ones() >= 8
}

/// Numbers of workspace and user come first.
fn slack(text: &[u8]) -> bool {
    let number = text.iter().position(|byte| *byte == b'-').unwrap_or(0);
    (8..=14).contains(&number) && slice(text, 0..number).iter().all(u8::is_ascii_digit) && random(text)
}

/// The last six letters are the CRC-32 of the others in base 62, as GitHub and npm write it.
fn checked(text: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((secret, sum)) = text.split_at_checked(text.len().saturating_sub(6)) else { return false };
    let mut rest = crc32(secret);
    sum.iter().rev().all(|letter| {
        let digit = DIGITS.get((rest % 62) as usize);
        rest /= 62;
        digit == Some(letter)
    })
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
