//! Bytes under a key of this host: AES-256-GCM with a nonce of its own for each. What it is sealed for is part of what opens it.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

pub(crate) struct SealKey(LessSafeKey);

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
        let mut nonce = [0_u8; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut text = plain.to_vec();
        let own = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(own, Aad::from(purpose), &mut text).ok()?;
        Some([&nonce, &*text, tag.as_ref()].concat())
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
