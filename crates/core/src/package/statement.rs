//! What is signed: a few lines of text, the first of which says what kind of statement it is, so that a signature
//! under one kind is none under another. A statement is read back only if it is written as it would be written here.

use crate::json::shorten;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// A publisher says: this is version so-and-so of my plugin, made of these bytes.
pub(super) const PACKAGE_STATEMENT: &str = "ringmail package 1";
/// A publisher says: this file is mine.
pub(super) const FILE_STATEMENT: &str = "ringmail file 1";

/// A registry says: this is all I have.
pub(super) const INDEX_STATEMENT: &str = "ringmail index 1";

const PACKAGE_LINES: &[&str] = &["plugin", "version", "publisher", "issued", "manifest", "module", "sbom"];
const FILE_LINES: &[&str] = &["file", "publisher", "issued", "sha256"];
const INDEX_LINES: &[&str] = &["registry", "number", "issued", "sha256"];
/// No statement is longer, its signature included.
pub(super) const STATEMENT_BYTES_MAX: usize = 4 << 10;

/// The lines that are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    kind: &'static str,
    lines: Vec<(&'static str, String)>,
}

impl Statement {
    /// `values` stand in the order of the kind's lines.
    fn new(kind: &'static str, names: &[&'static str], values: Vec<String>) -> Result<Statement, String> {
        let wrong = values.iter().find(|value| value.is_empty() || value.chars().any(char::is_control));
        if let Some(wrong) = wrong {
            return Err(format!("`{}` cannot stand in a statement", shorten(wrong)));
        }
        Ok(Statement { kind, lines: names.iter().copied().zip(values).collect() })
    }

    /// Of a plugin: name, version, publisher, when, and the digests of manifest, module and SBOM.
    pub(super) fn package(
        [plugin, version, publisher]: [&str; 3],
        issued_ms: u64,
        parts: [&[u8]; 3],
    ) -> Result<Statement, String> {
        let mut values = vec![plugin.into(), version.into(), publisher.into(), issued_ms.to_string()];
        values.extend(parts.iter().map(|part| sha256(part)));
        Statement::new(PACKAGE_STATEMENT, PACKAGE_LINES, values)
    }

    /// Of a file: its name without its folders, publisher, when, and its digest.
    pub fn file(name: &str, publisher: &str, issued_ms: u64, bytes: &[u8]) -> Result<Statement, String> {
        let values = vec![name.into(), publisher.into(), issued_ms.to_string(), sha256(bytes)];
        Statement::new(FILE_STATEMENT, FILE_LINES, values)
    }

    /// Of an index: the registry as those call it who ask it, the number, which only grows, when, and its digest.
    pub fn index(registry: &str, number: u64, issued_ms: u64, bytes: &[u8]) -> Result<Statement, String> {
        let values = vec![registry.into(), number.to_string(), issued_ms.to_string(), sha256(bytes)];
        Statement::new(INDEX_STATEMENT, INDEX_LINES, values)
    }

    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(|(name, value)| format!("{name}: {value}\n"));
        format!("{}\n{}", self.kind, lines.collect::<String>())
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    pub fn get(&self, line: &str) -> &str {
        self.lines.iter().find(|(name, _)| *name == line).map_or("", |(_, value)| value)
    }

    /// Milliseconds since 1970.
    pub(super) fn issued_ms(&self) -> u64 {
        self.number("issued")
    }

    pub(super) fn number(&self, line: &str) -> u64 {
        self.get(line).parse().unwrap_or(0)
    }
}

/// A statement with the signature under it and the key that made it. Not yet believed: [`Publishers`](super::Publishers)
/// decides that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub statement: Statement,
    /// Ed25519 public key.
    pub key: [u8; 32],
    pub signature: [u8; 64],
}

impl Signed {
    pub fn text(&self) -> String {
        format!("{}key: {}\nsignature: {}\n", self.statement.text(), hex(&self.key), hex(&self.signature))
    }

    pub(super) fn parse(bytes: &[u8], kind: &'static str) -> Result<Signed, String> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= STATEMENT_BYTES_MAX);
        let text = text.ok_or("the signature is not a text of at most 4 KiB")?;
        let names = match kind {
            PACKAGE_STATEMENT => PACKAGE_LINES,
            INDEX_STATEMENT => INDEX_LINES,
            _ => FILE_LINES,
        };
        let mut lines = text.lines();
        if lines.next() != Some(kind) {
            return Err(format!("the signature does not begin with `{kind}`"));
        }
        let mut value = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(String::from).ok_or_else(|| format!("the signature lacks its line `{name}`"))
        };
        let values: Result<Vec<String>, String> = names.iter().map(|name| value(name)).collect();
        let statement = Statement::new(kind, names, values?)?;
        let key = unhex(&value("key")?).ok_or("the signature's `key` is not 64 hexadecimal digits")?;
        let signature = unhex(&value("signature")?).ok_or("the signature is not 128 hexadecimal digits")?;
        let signed = Signed { statement, key, signature };
        let plain = |line: &str| signed.statement.number(line).to_string() == signed.statement.get(line);
        let canonical =
            names.iter().filter(|line| ["issued", "number"].contains(line)).all(|line| plain(line));
        match signed.text() == text && canonical {
            true => Ok(signed),
            false => Err("the signature is not written as `ringmail` writes it".into()),
        }
    }

    /// Whether this key made this signature under this statement.
    pub(super) fn holds(&self) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(self.statement.text().as_bytes(), &self.signature).is_ok()
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes written as lower case hexadecimal digits.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let plain = text.len() == 2 * N && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let mut out = [0_u8; N];
    for (slot, at) in out.iter_mut().zip((0..text.len()).step_by(2)) {
        *slot = u8::from_str_radix(text.get(at..at + 2).filter(|_| plain)?, 16).ok()?;
    }
    plain.then_some(out)
}
