//! Signed acts: an endorsement or declassification is recorded with the host's Ed25519 signature over its canonical
//! form, so that a record cannot be made up later by whoever can write files.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use ringmail_core::gate::ActRecord;
use ringmail_core::json::to_canonical;
use ringmail_core::value::{Str, Value};
use ringmail_store::put_once;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// The key a host signs its acts with.
pub struct HostKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({})", self.public_hex())
    }
}

/// An act with its signature.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedAct {
    pub act: Value,
    pub public_key: String,
    pub signature: String,
}

impl HostKey {
    /// A key that lives as long as the process.
    pub fn ephemeral() -> HostKey {
        let mut seed = Zeroizing::new([0_u8; 32]);
        // Without randomness nothing can be signed; a zero key would be worse than none, so the host stops here.
        let filled = getrandom::fill(&mut *seed).is_ok();
        match HostKey::of(seed).filter(|_| filled) {
            Some(key) => key,
            None => std::process::abort(),
        }
    }

    fn of(seed: Zeroizing<[u8; 32]>) -> Option<HostKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).ok()?;
        Some(HostKey { seed, pair })
    }

    /// Reads the key of a data folder, or makes one readable by its owner alone.
    pub fn open(path: &Path) -> std::io::Result<HostKey> {
        match HostKey::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                let key = HostKey::ephemeral();
                put_once(path, key.to_text().as_bytes())?;
                // Another process may have been first.
                HostKey::read(path)
            }
            read => read,
        }
    }

    fn read(path: &Path) -> std::io::Result<HostKey> {
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        let seed = from_hex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = seed.and_then(|seed| HostKey::of(Zeroizing::new(seed)));
        key.ok_or_else(|| std::io::Error::other("the host key is not 64 hexadecimal digits"))
    }

    /// As it stands in its file.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(to_hex(&*self.seed))
    }

    /// A secret of this host for one purpose, of which nothing can be told from its other secrets.
    pub(crate) fn secret_for(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &*self.seed);
        let mut secret = Zeroizing::new([0_u8; 32]);
        secret.copy_from_slice(ring::hmac::sign(&key, purpose.as_bytes()).as_ref());
        secret
    }

    /// The same key once more.
    pub(crate) fn again(&self) -> HostKey {
        match HostKey::of(self.seed.clone()) {
            Some(key) => key,
            // The same bytes made one before.
            None => std::process::abort(),
        }
    }

    pub(crate) fn signature(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        out.copy_from_slice(self.pair.sign(message).as_ref());
        out
    }

    pub fn public_bytes(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.pair.public_key().as_ref());
        out
    }

    pub fn public_hex(&self) -> String {
        to_hex(self.pair.public_key().as_ref())
    }

    /// What this host says, under its signature.
    pub fn signed(&self, act: Value) -> SignedAct {
        let signature = self.pair.sign(to_canonical(&act).as_bytes());
        SignedAct { act, public_key: self.public_hex(), signature: to_hex(signature.as_ref()) }
    }

    pub(crate) fn sign(&self, run: &Str, record: &ActRecord, now_ms: u64) -> SignedAct {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let act = Value::map([
            ("action", Value::from(record.action)),
            ("run", Value::Str(run.clone())),
            ("link", Value::Str(record.link.clone())),
            ("principal", Value::Str(record.principal.clone())),
            ("reason", Value::Str(record.reason.clone())),
            ("expires_ms", record.expires_ms.map_or(Value::Null, number)),
            ("drop", Value::list(record.drop.iter().map(|tag| Value::Str(tag.clone())))),
            ("value_sha256", Value::from(record.value_digest.as_str())),
            ("at_ms", number(now_ms)),
        ]);
        self.signed(act)
    }
}

impl SignedAct {
    /// Whether the signature is the one this public key makes for this act.
    pub fn verify(&self, public_key: &str) -> bool {
        let (Some(key), Some(signature)) = (from_hex(public_key), from_hex(&self.signature)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key).verify(to_canonical(&self.act).as_bytes(), &signature).is_ok()
    }
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// Secrets of Standard Webhooks begin so; what follows is the key in base64.
const ENCODED: &str = "whsec_";

/// Whether a MAC is that of a text secret over these parts. Takes as long whatever differs.
pub(crate) fn mac_fits(secret: &str, parts: &[&[u8]], mac: &[u8]) -> bool {
    use base64::Engine as _;
    let decoded = secret
        .strip_prefix(ENCODED)
        .and_then(|rest| base64::engine::general_purpose::STANDARD.decode(rest).ok())
        .map(Zeroizing::new);
    let bytes = decoded.as_ref().map_or(secret.as_bytes(), |decoded| decoded.as_slice());
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, bytes);
    ring::hmac::verify(&key, &parts.concat(), mac).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ActRecord {
        ActRecord {
            action: "endorse",
            principal: "alice".into(),
            link: "pay.confirm".into(),
            reason: "called back".into(),
            expires_ms: None,
            drop: Vec::new(),
            value_digest: "00".into(),
        }
    }

    #[test]
    fn a_changed_act_or_another_key_does_not_verify() {
        let (key, other) = (HostKey::ephemeral(), HostKey::ephemeral());
        let signed = key.sign(&"r1".into(), &record(), 5);
        assert!(signed.verify(&key.public_hex()));
        assert!(!signed.verify(&other.public_hex()));
        let act = signed.act.as_map().unwrap().with("principal", Value::from("mallory"));
        let forged = SignedAct { act: Value::Map(act), ..signed };
        assert!(!forged.verify(&key.public_hex()));
    }

    /// Two commands in a new project began at once: one of them found the key of the other in the middle of being written.
    #[test]
    fn all_who_begin_at_once_have_one_key() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("host.key");
            let keys: Vec<String> = std::thread::scope(|scope| {
                let all: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| HostKey::open(&path).unwrap().public_hex())).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert!(keys.windows(2).all(|two| two[0] == two[1]), "{keys:?}");
        }
    }

    #[test]
    fn the_key_file_is_private_and_read_back() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/host.key");
        let made = HostKey::open(&path).unwrap().public_hex();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(HostKey::open(&path).unwrap().public_hex(), made);
        std::fs::write(&path, "short").unwrap();
        assert!(HostKey::open(&path).is_err());
    }
}
