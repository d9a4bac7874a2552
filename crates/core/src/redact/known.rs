//! Values that must not be seen, found in any spelling that writers of JSON, URLs, HTML and dumps give them. What is kept
//! of them is wiped when it is dropped. A text is walked once; what is unescaped of it, once more for each level.

use super::Mark;
use crate::value::Str;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Shorter values stand anywhere by chance, and are not hidden.
pub const KNOWN_BYTES_MIN: usize = 6;
/// A line of a value that has several is looked for by itself from this length on.
const LINE_BYTES_MIN: usize = 16;
/// Shorter pieces of base64 stand anywhere by chance.
const BASE64_CHARS_MIN: usize = 8;
/// How often a text in a text in a text is unescaped.
const LEVELS_MAX: usize = 3;
/// Bytes that say where it is worth looking closer.
const HEAD: usize = 4;
const BITS: usize = 1 << 16;

/// How a value may be written, and the name of its secret.
type Spelling = (Zeroizing<Vec<u8>>, Str);

/// All values, in all their spellings.
pub(super) struct Known {
    /// By their first bytes; the longest first.
    spellings: HashMap<[u8; HEAD], Vec<Spelling>>,
    /// Whether anything begins with bytes that come to this.
    heads: Box<[u64; BITS / 64]>,
}

impl Known {
    pub(super) fn new<'v>(values: impl Iterator<Item = (&'v Str, &'v str)>) -> Known {
        let mut known = Known { spellings: HashMap::new(), heads: Box::new([0; BITS / 64]) };
        for (name, value) in values {
            if value.len() >= KNOWN_BYTES_MIN {
                spellings(value, &mut |spelling| known.add(spelling, name));
            }
            for line in value.lines().filter(|line| line.len() >= LINE_BYTES_MIN && line.len() < value.len())
            {
                spellings(line, &mut |spelling| known.add(spelling, name));
            }
        }
        for spellings in known.spellings.values_mut() {
            spellings.sort_by_key(|(spelling, _)| std::cmp::Reverse(spelling.len()));
        }
        known
    }

    fn add(&mut self, spelling: Zeroizing<Vec<u8>>, name: &Str) {
        let Some(head) = spelling.first_chunk::<HEAD>().copied() else { return };
        let (word, bit) = place(head);
        if let Some(word) = self.heads.get_mut(word) {
            *word |= bit;
        }
        let same = self.spellings.entry(head).or_default();
        if !same.iter().any(|(known, _)| *known == spelling) {
            same.push((spelling, name.clone()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spellings.is_empty()
    }

    pub(super) fn find(&self, text: &str, marks: &mut Vec<Mark>) {
        self.each(text.as_bytes(), &mut |start, end, name| marks.push(Mark::known(start..end, name)));
        if let Some(plain) = Unescaped::stripped(text.as_bytes()) {
            self.each_in(&plain, marks);
        }
        let mut level = Unescaped::of(text.as_bytes());
        for _ in 0..LEVELS_MAX {
            let Some(read) = level.take() else { return };
            self.each_in(&read, marks);
            level = read.again();
        }
    }

    fn each_in(&self, read: &Unescaped, marks: &mut Vec<Mark>) {
        self.each(&read.bytes, &mut |start, end, name| {
            if let (Some(from), Some(to)) = (read.places.get(start), read.places.get(end)) {
                marks.push(Mark::known(*from as usize..*to as usize, name));
            }
        });
    }

    fn each(&self, bytes: &[u8], tell: &mut dyn FnMut(usize, usize, &Str)) {
        let mut from = 0;
        while let Some(step) =
            bytes.get(from..).and_then(|rest| rest.windows(HEAD).position(|window| self.may_begin(window)))
        {
            let at = from + step;
            let rest = bytes.get(at..).unwrap_or_default();
            let spellings = rest.first_chunk::<HEAD>().and_then(|head| self.spellings.get(head));
            let found = spellings.and_then(|all| all.iter().find(|(spelling, _)| rest.starts_with(spelling)));
            from = match found {
                Some((spelling, name)) => {
                    tell(at, at + spelling.len(), name);
                    at + spelling.len()
                }
                None => at + 1,
            };
        }
    }

    fn may_begin(&self, window: &[u8]) -> bool {
        let Some(head) = window.first_chunk::<HEAD>() else { return false };
        let (word, bit) = place(*head);
        self.heads.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(head: [u8; HEAD]) -> (usize, u64) {
    let hash = u32::from_le_bytes(head).wrapping_mul(0x9e37_79b1) >> 16;
    (hash as usize / 64, 1 << (hash % 64))
}

/// Every way in which a value is written by those who do not mean to hide it.
fn spellings(value: &str, add: &mut dyn FnMut(Zeroizing<Vec<u8>>)) {
    let mut text = |text: String| add(Zeroizing::new(text.into_bytes()));
    text(value.to_string());
    let stripped = |c: char| match c {
        '\\' => None,
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        other => Some(other),
    };
    let plain: String = value.chars().filter_map(stripped).collect();
    if plain.len() >= KNOWN_BYTES_MIN && plain != value {
        text(plain);
    }
    let hex = |upper: bool| -> String {
        value.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
    };
    text(hex(false));
    text(hex(true));
    let percent = |upper: bool, space: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        value.bytes().fold(String::new(), |out, byte| match byte {
            byte if plain(byte) => out + &char::from(byte).to_string(),
            b' ' => out + space,
            byte if upper => out + &format!("%{byte:02X}"),
            byte => out + &format!("%{byte:02x}"),
        })
    };
    for (upper, space) in [(true, "%20"), (false, "%20"), (true, "+")] {
        text(percent(upper, space));
    }
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text(html.replace('"', "&quot;").replace('\'', "&#39;"));
    text(html.replace('"', "&#34;").replace('\'', "&#x27;"));
    for offset in 0..3_usize {
        let padded = Zeroizing::new([&vec![0; offset], value.as_bytes()].concat());
        let whole = Zeroizing::new(STANDARD_NO_PAD.encode(&*padded));
        // Characters at the ends mix the value with its neighbours.
        let from = [0, 2, 3].get(offset).copied().unwrap_or(0);
        let until = padded.len() * 8 / 6;
        if let Some(part) = whole.get(from..until).filter(|part| part.len() >= BASE64_CHARS_MIN) {
            text(part.to_string());
            text(part.replace('+', "-").replace('/', "_"));
        }
    }
}

/// A text with the escapes of JSON and URLs undone, and where each of its bytes stood.
struct Unescaped {
    bytes: Zeroizing<Vec<u8>>,
    /// One more than there are bytes.
    places: Vec<u32>,
}

impl Unescaped {
    /// Nothing, if nothing in it is escaped.
    fn of(text: &[u8]) -> Option<Unescaped> {
        let end = u32::try_from(text.len()).ok()?;
        memchr::memchr2(b'\\', b'%', text)?;
        Unescaped::read(text, |at| u32::try_from(at).unwrap_or(end))
    }

    /// A text without any of the signs that escape, which is the same however many texts it stands in.
    fn stripped(text: &[u8]) -> Option<Unescaped> {
        memchr::memchr(b'\\', text)?;
        let mut out = Unescaped { bytes: Zeroizing::default(), places: Vec::new() };
        for (at, byte) in text.iter().enumerate().filter(|(_, byte)| **byte != b'\\') {
            out.bytes.push(*byte);
            out.places.push(u32::try_from(at).ok()?);
        }
        out.places.push(u32::try_from(text.len()).ok()?);
        Some(out)
    }

    fn again(&self) -> Option<Unescaped> {
        memchr::memchr2(b'\\', b'%', &self.bytes)?;
        Unescaped::read(&self.bytes, |at| self.places.get(at).copied().unwrap_or_default())
    }

    fn read(text: &[u8], place: impl Fn(usize) -> u32) -> Option<Unescaped> {
        let mut out = Unescaped {
            bytes: Zeroizing::new(Vec::with_capacity(text.len())),
            places: Vec::with_capacity(text.len() + 1),
        };
        let (mut at, mut undone) = (0, false);
        while let Some(byte) = text.get(at) {
            let (taken, c) = match escape(text, at) {
                Some(known) => known,
                None => {
                    out.bytes.push(*byte);
                    out.places.push(place(at));
                    at += 1;
                    continue;
                }
            };
            undone = true;
            match c {
                Unit::Byte(byte) => {
                    out.bytes.push(byte);
                    out.places.push(place(at));
                }
                Unit::Char(c) => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        out.bytes.push(byte);
                        out.places.push(place(at));
                    }
                }
            }
            at += taken;
        }
        out.places.push(place(text.len()));
        undone.then_some(out)
    }
}

enum Unit {
    Byte(u8),
    Char(char),
}

/// What an escape stands for, and how long it is.
fn escape(text: &[u8], at: usize) -> Option<(usize, Unit)> {
    let digits = |from: usize, count: usize| {
        let digits = text.get(from..from + count)?;
        let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match (text.get(at)?, text.get(at + 1)?) {
        (b'%', _) => Some((3, Unit::Byte(u8::try_from(digits(at + 1, 2)?).ok()?))),
        (b'\\', b'u') => {
            let first = digits(at + 2, 4)?;
            // Two units for one character beyond the first 65,536.
            if (0xd800..0xdc00).contains(&first)
                && text.get(at + 6..at + 8) == Some(b"\\u")
                && let Some(second) = digits(at + 8, 4).filter(|second| (0xdc00..0xe000).contains(second))
            {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).map(|c| (12, Unit::Char(c)));
            }
            char::from_u32(first).map(|c| (6, Unit::Char(c)))
        }
        (b'\\', b'x') => Some((4, Unit::Byte(u8::try_from(digits(at + 2, 2)?).ok()?))),
        (b'\\', b'n') => Some((2, Unit::Byte(b'\n'))),
        (b'\\', b'r') => Some((2, Unit::Byte(b'\r'))),
        (b'\\', b't') => Some((2, Unit::Byte(b'\t'))),
        (b'\\', next @ (b'\\' | b'"' | b'/' | b'\'')) => Some((2, Unit::Byte(*next))),
        _ => None,
    }
}
