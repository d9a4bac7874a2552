//! Checkpoints as C2SP writes them (tlog-checkpoint, in a signed note): how large a log is and what its root is, under a
//! signature that others can check with what they have.

use crate::tree::{Hash, hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What signs a checkpoint; the key stays with whoever has it.
pub trait Signs: Send + Sync + std::fmt::Debug {
    fn sign(&self, message: &[u8]) -> [u8; 64];
    /// The raw Ed25519 key that verifies it.
    fn public(&self) -> [u8; 32];
}

/// What says in a key's id that it is Ed25519.
const ED25519: u8 = 1;

/// The largest checkpoint of this log in a text that may hold several, each behind an empty line: its size and root. What somebody
/// else signed, or is there in part, counts for nothing.
pub fn newest_note(text: &str, origin: &str, signs: &dyn Signs) -> Option<(u64, Hash)> {
    let mut parts = text.split("\n\n").peekable();
    let mut newest: Option<(u64, Hash)> = None;
    while let Some(body) = parts.next() {
        let Some(signed) = parts.peek() else { break };
        let mut lines = body.trim_start_matches('\n').lines().skip(1);
        let size = lines.next().and_then(|size| size.parse::<u64>().ok());
        let root = lines.next().and_then(|root| Hash::try_from(STANDARD.decode(root).ok()?).ok());
        let (Some(size), Some(root)) = (size, root) else { continue };
        // Whoever signs twice signs the same.
        let own = note(origin, size, &root, signs);
        let said = format!("{}\n\n{}\n", body.trim_start_matches('\n'), signed.trim_end_matches('\n'));
        if own == said && newest.is_none_or(|(known, _)| known <= size) {
            newest = Some((size, root));
        }
    }
    newest
}

/// The checkpoint of a log that calls itself `origin`.
pub(crate) fn note(origin: &str, size: u64, root: &Hash, signs: &dyn Signs) -> String {
    let body = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root));
    let public = signs.public();
    let id = hash(&[origin.as_bytes(), b"\n", &[ED25519], &public]);
    let mut signature = id.get(..4).unwrap_or_default().to_vec();
    signature.extend_from_slice(&signs.sign(body.as_bytes()));
    format!("{body}\n\u{2014} {origin} {}\n", STANDARD.encode(signature))
}
