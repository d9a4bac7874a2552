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

/// The checkpoint of a log that calls itself `origin`.
pub(crate) fn note(origin: &str, size: u64, root: &Hash, signs: &dyn Signs) -> String {
    let body = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root));
    let public = signs.public();
    let id = hash(&[origin.as_bytes(), b"\n", &[ED25519], &public]);
    let mut signature = id.get(..4).unwrap_or_default().to_vec();
    signature.extend_from_slice(&signs.sign(body.as_bytes()));
    format!("{body}\n\u{2014} {origin} {}\n", STANDARD.encode(signature))
}
