//! Checkpoints: signed notes of C2SP, taken apart and verified.

use crate::tree::Root;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// How large a log is said to be, and what its root is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Root,
    /// All that is signed.
    body: String,
    signatures: Vec<(String, Vec<u8>)>,
}

impl Checkpoint {
    pub fn parse(text: &str) -> Result<Checkpoint, String> {
        let wrong = |why: &str| format!("this is no checkpoint: {why}");
        let (body, rest) = text.split_once("\n\n").ok_or_else(|| wrong("nobody signed it"))?;
        let mut lines = body.lines();
        let (origin, size, root) = (lines.next(), lines.next(), lines.next());
        let size = size.and_then(|size| size.parse().ok().filter(|number: &u64| number.to_string() == size));
        let root =
            root.and_then(|root| STANDARD.decode(root).ok()).and_then(|root| Root::try_from(root).ok());
        let (Some(origin), Some(size), Some(root)) = (origin.filter(|origin| !origin.is_empty()), size, root)
        else {
            return Err(wrong("it does not say of which log, how large, and with which root"));
        };
        let signatures = rest.lines().map(|line| {
            let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            Some((name.to_string(), STANDARD.decode(signature).ok()?))
        });
        let signatures: Option<Vec<_>> = signatures.collect();
        let signatures =
            signatures.filter(|all| !all.is_empty()).ok_or_else(|| wrong("a signature is none"))?;
        Ok(Checkpoint { origin: origin.into(), size, root, body: format!("{body}\n"), signatures })
    }

    /// All in a text that may hold several, each behind an empty line; and whether there is something else in it, such as one that
    /// was written in part.
    pub fn parse_all(text: &str) -> (Vec<Checkpoint>, bool) {
        let pieces: Vec<&str> = text.split("\n\n").map(|piece| piece.trim_matches('\n')).collect();
        let signs = |piece: &str| piece.starts_with('\u{2014}');
        let (mut all, mut left) = (Vec::new(), false);
        for (at, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
            let before = at.checked_sub(1).and_then(|at| pieces.get(at)).copied().unwrap_or_default();
            if !signs(piece) {
                left |= !pieces.get(at + 1).is_some_and(|next| signs(next));
                continue;
            }
            match Checkpoint::parse(&format!("{before}\n\n{piece}\n")) {
                Ok(checkpoint) => all.push(checkpoint),
                Err(_) => left = true,
            }
        }
        (all, left)
    }

    /// What a line behind the root says that begins like this.
    pub(crate) fn extension(&self, name: &str) -> Option<&str> {
        self.body.lines().skip(3).find_map(|line| line.strip_prefix(name))
    }

    /// Whether this key signed it.
    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        let id = id_of(&self.origin, key);
        let signed = |(name, signature): &(String, Vec<u8>)| {
            let Some((own, signature)) = signature.split_at_checked(4) else { return false };
            *name == self.origin
                && id == own
                && UnparsedPublicKey::new(&ED25519, key).verify(self.body.as_bytes(), signature).is_ok()
        };
        self.signatures.iter().any(signed)
    }
}

/// A key as C2SP writes those that verify: `NAME+ID+KEY`.
pub fn verifier_key(origin: &str, key: &[u8; 32]) -> String {
    let id = id_of(origin, key);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{origin}+{id}+{}", STANDARD.encode([&[1], &key[..]].concat()))
}

fn id_of(origin: &str, key: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(origin).chain_update(b"\n\x01").chain_update(key).finalize();
    let mut id = [0; 4];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    id
}

/// A public key as 64 hexadecimal digits, or as C2SP writes verifier keys (`NAME+ID+KEY`).
pub fn public_key(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    // Base64 has a `+` too, and a name has none: the key is all behind the second.
    if let Some(key) = text.splitn(3, '+').nth(2) {
        let bytes = STANDARD.decode(key).ok()?;
        return bytes.strip_prefix(&[1])?.try_into().ok();
    }
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok())).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().ok()
}
