//! A publisher's private key: a file that only its owner can read, not encrypted, so that a build can sign. Whoever has
//! it is the publisher; where that matters, keep it on a machine of its own.

use crate::sign::from_hex;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ringmail_core::package::{Signed, Statement};
use std::fmt;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use thiserror::Error;
use zeroize::Zeroizing;

const HEAD: &str = "ringmail publisher key 1\n";

#[derive(Debug, Error)]
pub enum KeyError {
    #[error("cannot use the key `{path}`: {cause}")]
    Io { path: String, cause: std::io::Error },
    #[error("`{0}` is not a publisher's key")]
    Malformed(String),
    #[error("others than its owner can read the key `{0}`")]
    Open(String),
    #[error("the operating system gives no randomness")]
    NoRandomness,
}

/// What a publisher signs with.
pub struct PublisherKey(Ed25519KeyPair);

impl fmt::Debug for PublisherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublisherKey")
    }
}

impl PublisherKey {
    /// Makes one and writes it to a file that is not there yet.
    pub fn create(path: &Path) -> Result<PublisherKey, KeyError> {
        let io = |cause| KeyError::Io { path: path.display().to_string(), cause };
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *seed).map_err(|_| KeyError::NoRandomness)?;
        let hex: Zeroizing<String> = Zeroizing::new(seed.iter().map(|byte| format!("{byte:02x}")).collect());
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        let text = Zeroizing::new(format!("{HEAD}{}\n", *hex));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        PublisherKey::of(&seed, path)
    }

    pub fn open(path: &Path) -> Result<PublisherKey, KeyError> {
        let name = || path.display().to_string();
        let io = |cause| KeyError::Io { path: name(), cause };
        if std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Open(name()));
        }
        let bytes = super::read_bounded(path, 4096).map_err(|why| io(std::io::Error::other(why)))?;
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        let seed =
            text.strip_prefix(HEAD).and_then(|hex| <[u8; 32]>::try_from(from_hex(hex.trim_end())?).ok());
        PublisherKey::of(&Zeroizing::new(seed.ok_or_else(|| KeyError::Malformed(name()))?), path)
    }

    fn of(seed: &[u8; 32], path: &Path) -> Result<PublisherKey, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        pair.map(PublisherKey).map_err(|_| KeyError::Malformed(path.display().to_string()))
    }

    pub fn sign(&self, statement: Statement) -> Signed {
        let (mut key, mut signature) = ([0; 32], [0; 64]);
        key.copy_from_slice(self.0.public_key().as_ref());
        signature.copy_from_slice(self.0.sign(statement.text().as_bytes()).as_ref());
        Signed { statement, key, signature }
    }

    /// What others know it by.
    pub fn public_hex(&self) -> String {
        self.0.public_key().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
