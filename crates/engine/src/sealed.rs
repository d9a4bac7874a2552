//! Bytes under a key of this host: AES-256-GCM with a nonce of its own for each. What it is sealed for is part of what opens it.

use crate::engine::Engine;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::cell::RefCell;
use zeroize::Zeroizing;

/// Nonces that a thread reads at once: a call of the kernel for each takes as long as the sealing.
const NONCES: usize = 64;

pub(crate) struct SealKey(LessSafeKey);

impl Engine {
    /// Seals what a caller carries and brings back. Nothing where there is no randomness.
    pub fn seal_state(&self, plain: &[u8], purpose: &[u8]) -> Option<Vec<u8>> {
        self.state_key().seal(plain, purpose)
    }

    /// What was sealed so for this purpose on this host.
    pub fn open_state(&self, sealed: &[u8], purpose: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.state_key().open(sealed, purpose)
    }

    fn state_key(&self) -> SealKey {
        SealKey::of(&self.0.key.secret_for("what callers carry"))
    }
}

/// Never given out twice. Nothing where there is no randomness.
fn nonce() -> Option<[u8; NONCE_LEN]> {
    thread_local!(static AHEAD: RefCell<Vec<[u8; NONCE_LEN]>> = const { RefCell::new(Vec::new()) });
    AHEAD.with_borrow_mut(|ahead| {
        if ahead.is_empty() {
            let mut bytes = [0_u8; NONCES * NONCE_LEN];
            getrandom::fill(&mut bytes).ok()?;
            ahead.extend(bytes.as_chunks().0);
        }
        ahead.pop()
    })
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    pub(crate) fn of(bytes: &[u8; 32]) -> SealKey {
        match UnboundKey::new(&AES_256_GCM, bytes) {
            Ok(key) => SealKey(LessSafeKey::new(key)),
            // It takes any 32 bytes.
            Err(_) => std::process::abort(),
        }
    }

    /// A nonce and what was sealed with it. Nothing where there is no randomness.
    pub(crate) fn seal(&self, plain: &[u8], purpose: &[u8]) -> Option<Vec<u8>> {
        let nonce = nonce()?;
        let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let (own, text) = (Nonce::assume_unique_for_key(nonce), out.get_mut(NONCE_LEN..)?);
        let tag = self.0.seal_in_place_separate_tag(own, Aad::from(purpose), text).ok()?;
        out.extend_from_slice(tag.as_ref());
        Some(out)
    }

    /// What was sealed for this purpose, and by this key.
    pub(crate) fn open(&self, sealed: &[u8], purpose: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self.0.open_in_place(nonce, Aad::from(purpose), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}
