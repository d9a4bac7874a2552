//! Checkpoints as C2SP writes them (tlog-checkpoint, in a signed note): how large a log is and what its root is, under a
//! signature that others can check with what they have.

use crate::tree::{Hash, hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{self, UnparsedPublicKey};

/// What signs a checkpoint; the key stays with whoever has it.
pub trait Signs: Send + Sync + std::fmt::Debug {
    fn sign(&self, message: &[u8]) -> [u8; 64];
    /// The raw Ed25519 key that verifies it.
    fn public(&self) -> [u8; 32];
}

/// What says in a key's id that it is Ed25519.
const ED25519: u8 = 1;

/// A checkpoint in a text, not held against any key.
pub(crate) struct Said {
    pub(crate) note: Note,
    /// Its lines behind the root.
    more: Vec<String>,
}

pub(crate) struct Note {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// All that is signed.
    body: String,
    signatures: Vec<Vec<u8>>,
}

impl Said {
    /// The key that a line of it names.
    pub(crate) fn key(&self, name: &str) -> Option<[u8; 32]> {
        let hex = self.more.iter().find_map(|line| line.strip_prefix(name))?;
        let digits = hex.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        digits.collect::<Option<Vec<u8>>>()?.try_into().ok()
    }
}

/// Every checkpoint in a text that may hold several, each behind an empty line. One that is there in part is left out.
pub(crate) fn extended(text: &str) -> impl Iterator<Item = Said> {
    let parts: Vec<&str> = text.split("\n\n").map(|part| part.trim_matches('\n')).collect();
    let pairs: Vec<Option<Said>> = parts.windows(2).map(|pair| said(pair.first()?, pair.get(1)?)).collect();
    pairs.into_iter().flatten()
}

fn said(body: &str, signed: &str) -> Option<Said> {
    let mut lines = body.lines();
    let origin = lines.next()?.to_string();
    let size = lines.next()?;
    let size = size.parse::<u64>().ok().filter(|number| number.to_string() == size)?;
    let root = Hash::try_from(STANDARD.decode(lines.next()?).ok()?).ok()?;
    let signature = |line: &str| STANDARD.decode(line.strip_prefix("\u{2014} ")?.split_once(' ')?.1).ok();
    let signatures = signed.lines().map(signature).collect::<Option<Vec<_>>>()?;
    let note = Note { origin, size, root, body: format!("{body}\n"), signatures };
    Some(Said { note, more: lines.map(String::from).collect() })
}

/// Whether this key signed it.
pub(crate) fn checked(note: &Note, key: &[u8; 32]) -> bool {
    let id = id_of(&note.origin, key);
    let public = UnparsedPublicKey::new(&signature::ED25519, key);
    let of_this = |signature: &Vec<u8>| {
        let signed = signature.split_at_checked(4).filter(|(own, _)| *own == id);
        signed.is_some_and(|(_, signature)| public.verify(note.body.as_bytes(), signature).is_ok())
    };
    note.signatures.iter().any(of_this)
}

fn id_of(origin: &str, key: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = hash(&[origin.as_bytes(), b"\n", &[ED25519], key]);
    [a, b, c, d]
}

/// The checkpoint of a log that calls itself `origin`, with more lines behind the root.
pub(crate) fn note(origin: &str, size: u64, root: &Hash, more: &str, signs: &[&dyn Signs]) -> String {
    let mut out = format!("{origin}\n{size}\n{}\n{more}", STANDARD.encode(root));
    let signed: Vec<[u8; 64]> = signs.iter().map(|one| one.sign(out.as_bytes())).collect();
    out.push('\n');
    for (one, signature) in signs.iter().zip(signed) {
        let signature = STANDARD.encode([&id_of(origin, &one.public())[..], &signature].concat());
        out.push_str(&format!("\u{2014} {origin} {signature}\n"));
    }
    out
}
