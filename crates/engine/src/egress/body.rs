//! Answers: read piece by piece, unpacked piece by piece, cut off at their limit before more is taken in.

use super::{Injected, Received, Sent};
use crate::pieces::Pieces;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, NetPermit};
use ringmail_core::label::Tags;
use ringmail_core::value::Value;
use std::io::Write;

/// Compressed bytes unpacked at a time: bounds how far one step can overshoot.
const STEP_BYTES: usize = 1 << 10;

/// Lines of one answer.
const LINES_MAX: usize = 200_000;
/// Lines between two looks at whether time is up.
const LINES_AT_ONCE: usize = 256;

/// Lines of the body, passed on as they come.
pub(crate) struct Lines {
    pieces: Pieces,
    open: Vec<u8>,
    done: Vec<Value>,
    /// Set once a line repeated a secret: what comes back carries its tag, so the rest waits for the gate.
    held: bool,
}

impl Lines {
    pub(crate) fn new(pieces: Pieces) -> Lines {
        Lines { pieces, open: Vec::new(), done: Vec::new(), held: false }
    }

    async fn take(&mut self, bytes: &[u8], injected: &[Injected]) -> Result<(), Blocked> {
        // Only the new bytes are searched, and what is left moves once: a line costs what it is long.
        let mut open = std::mem::take(&mut self.open);
        let mut searched = open.len();
        open.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(end) = open.get(searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let end = searched + end;
            self.line(open.get(start..end).unwrap_or_default(), injected).await?;
            start = end + 1;
            searched = start;
        }
        open.drain(..start);
        self.open = open;
        Ok(())
    }

    async fn line(&mut self, bytes: &[u8], injected: &[Injected]) -> Result<(), Blocked> {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| Failure::new(FailureKind::Invalid, "the answer is not UTF-8 text"))?;
        if self.done.len() >= LINES_MAX {
            return Err(Failure::new(
                FailureKind::TooLarge,
                format!("the answer has more than {LINES_MAX} lines"),
            )
            .into());
        }
        if self.done.len().is_multiple_of(LINES_AT_ONCE) {
            tokio::task::yield_now().await;
        }
        let line = Value::from(text);
        self.held |= !self.held && !echoes(&[], bytes, injected).is_empty();
        if !self.held {
            self.pieces.send(line.clone()).await?;
        }
        self.done.push(line);
        Ok(())
    }

    async fn end(mut self, injected: &[Injected]) -> Result<Vec<Value>, Blocked> {
        if !self.open.is_empty() {
            let last = std::mem::take(&mut self.open);
            self.line(&last, injected).await?;
        }
        Ok(self.done)
    }
}

/// Reads an answer to its end.
pub(super) async fn receive(
    response: Response<Incoming>,
    permit: &NetPermit,
    sent: &mut Sent,
) -> Result<Received, Blocked> {
    let (mut lines, injected) = (sent.lines.take(), &sent.injected);
    let most = usize::try_from(permit.response_bytes_max()).unwrap_or(usize::MAX);
    let status = response.status().as_u16();
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let encoding = headers
        .iter()
        .filter(|(name, _)| name == "content-encoding")
        .map(|(_, value)| value.trim().to_ascii_lowercase());
    let mut unpack = Unpack::new(&encoding.collect::<Vec<_>>().join(","), most)?;
    let streams =
        headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("text/event-stream"));
    let mut events = sent.events.take().filter(|_| streams);
    let (mut passed, mut wire, mut ended) = (0, 0, false);
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Failure::new(FailureKind::Unavailable, format!("the answer broke off: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        wire += data.len();
        if wire > most {
            return Err(too_large(most).into());
        }
        unpack.take(&data)?;
        if let Some(lines) = &mut lines {
            let new = unpack.so_far();
            lines.take(new.get(passed..).unwrap_or_default(), injected).await?;
            passed = new.len();
        }
        if let Some(events) = &mut events {
            let new = unpack.so_far();
            ended = events.take(new.get(passed..).unwrap_or_default()).await?;
            passed = new.len();
            if ended {
                break;
            }
        }
    }
    // What comes after the last event that counts is not waited for.
    let body = if ended { unpack.so_far().to_vec() } else { unpack.end()? };
    let done = match lines {
        Some(mut lines) => {
            lines.take(body.get(passed..).unwrap_or_default(), injected).await?;
            Some(lines.end(injected).await?)
        }
        None => None,
    };
    let echoed = echoes(&headers, &body, injected);
    let origin = permit.target().origin();
    Ok(Received { origin, status, headers, body: body.into(), lines: done, echoed })
}

fn too_large(most: usize) -> Failure {
    Failure::new(FailureKind::TooLarge, format!("the answer is larger than {most} bytes"))
}

/// Bytes unpacked so far, never more than the limit.
struct Limited {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Unpack {
    Plain(Limited),
    Gzip(Box<flate2::write::GzDecoder<Limited>>),
    Brotli(Box<brotli_decompressor::DecompressorWriter<Limited>>),
}

impl Unpack {
    fn new(encoding: &str, most: usize) -> Result<Unpack, Failure> {
        let limited = Limited { bytes: Vec::new(), most };
        match encoding {
            "" | "identity" => Ok(Unpack::Plain(limited)),
            "gzip" | "x-gzip" => Ok(Unpack::Gzip(Box::new(flate2::write::GzDecoder::new(limited)))),
            "br" => Ok(Unpack::Brotli(Box::new(brotli_decompressor::DecompressorWriter::new(
                limited, STEP_BYTES,
            )))),
            other => {
                let shown: String = other.chars().take(20).collect();
                Err(Failure::new(
                    FailureKind::Status,
                    format!("the answer is packed as `{shown}`, which was not asked for"),
                ))
            }
        }
    }

    fn most(&self) -> usize {
        match self {
            Unpack::Plain(limited) => limited.most,
            Unpack::Gzip(decoder) => decoder.get_ref().most,
            Unpack::Brotli(decoder) => decoder.get_ref().most,
        }
    }

    fn so_far(&self) -> &[u8] {
        match self {
            Unpack::Plain(limited) => &limited.bytes,
            Unpack::Gzip(decoder) => &decoder.get_ref().bytes,
            Unpack::Brotli(decoder) => &decoder.get_ref().bytes,
        }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), Failure> {
        let most = self.most();
        for step in data.chunks(STEP_BYTES) {
            let written = match self {
                Unpack::Plain(limited) => limited.write_all(step),
                Unpack::Gzip(decoder) => decoder.write_all(step),
                Unpack::Brotli(decoder) => decoder.write_all(step),
            };
            written.map_err(|error| unpack_failure(&error, most))?;
        }
        Ok(())
    }

    fn end(self) -> Result<Vec<u8>, Failure> {
        let most = self.most();
        match self {
            Unpack::Plain(limited) => Ok(limited.bytes),
            Unpack::Gzip(decoder) => {
                decoder.finish().map(|limited| limited.bytes).map_err(|error| unpack_failure(&error, most))
            }
            Unpack::Brotli(mut decoder) => {
                decoder.close().map_err(|error| unpack_failure(&error, most))?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
        }
    }
}

fn unpack_failure(error: &std::io::Error, most: usize) -> Failure {
    match error.kind() {
        std::io::ErrorKind::FileTooLarge => too_large(most),
        _ => Failure::new(FailureKind::Invalid, "the answer cannot be unpacked"),
    }
}

/// Tags of injected secrets that come back in the answer: as they are, in any of the spellings that servers and
/// encoders give them, or spelt with the escapes of JSON, URLs and HTML.
pub(super) fn echoes(headers: &[(String, String)], body: &[u8], injected: &[Injected]) -> Tags {
    if injected.is_empty() {
        return Tags::NONE;
    }
    let mut texts = vec![body.to_vec()];
    texts.extend(headers.iter().map(|(_, value)| value.as_bytes().to_vec()));
    let plain: Vec<Vec<u8>> =
        texts.iter().flat_map(|text| [unescaped(text, b'\\'), unescaped(text, b'%')]).flatten().collect();
    texts.extend(plain);
    let lower: Vec<Vec<u8>> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
    let mut found = Tags::NONE;
    for (tag, secret) in injected {
        let within = |texts: &[Vec<u8>], needle: &[u8]| {
            !needle.is_empty() && texts.iter().any(|text| memchr::memmem::find(text, needle).is_some())
        };
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let cased = [secret.to_ascii_lowercase(), hex].iter().any(|needle| within(&lower, needle.as_bytes()));
        if cased || base64_forms(secret).iter().any(|needle| within(&texts, needle.as_bytes())) {
            found = found.with(*tag);
        }
    }
    found
}

/// What of a secret stands in base64 whatever is before and after it, at each of the three offsets and in both
/// alphabets.
fn base64_forms(secret: &str) -> Vec<String> {
    let mut out = Vec::new();
    for offset in 0..3_usize {
        let padded = [&vec![0; offset], secret.as_bytes()].concat();
        let whole = STANDARD_NO_PAD.encode(&padded);
        // Characters at the ends mix the secret with its neighbours.
        let from = [0, 2, 3].get(offset).copied().unwrap_or(0);
        let until = padded.len() * 8 / 6;
        if let Some(part) = whole.get(from..until).filter(|part| part.len() >= BASE64_CHARS_MIN) {
            out.extend([part.to_string(), part.replace('+', "-").replace('/', "_")]);
        }
    }
    out
}

/// Shorter pieces of base64 stand anywhere by chance.
const BASE64_CHARS_MIN: usize = 6;

/// The text with its escapes undone, if it has any: `\/` and `\u0041` of JSON, or `%41` of URLs.
fn unescaped(text: &[u8], mark: u8) -> Option<Vec<u8>> {
    memchr::memchr(mark, text)?;
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let digits = |from: usize, count: usize| {
            let digits = std::str::from_utf8(text.get(from..from + count)?).ok()?;
            u32::from_str_radix(digits, 16).ok()
        };
        let (taken, code) = match (*byte == mark, mark, text.get(at + 1)) {
            (true, b'\\', Some(b'u')) => (6, digits(at + 2, 4)),
            (true, b'\\', Some(next)) => (2, Some(u32::from(*next))),
            (true, b'%', _) => (3, digits(at + 1, 2)),
            _ => (1, None),
        };
        match code.and_then(char::from_u32) {
            Some(c) if mark == b'%' || c.is_ascii() => out.push(c as u8),
            Some(c) => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            None => {
                out.push(*byte);
                at += 1;
                continue;
            }
        }
        at += taken;
    }
    Some(out)
}
