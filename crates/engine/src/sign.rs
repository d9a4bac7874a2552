//! Signed acts: an endorsement or declassification is recorded with the host's Ed25519 signature over its canonical
//! form, so that a record cannot be made up later by whoever can write files.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use ringmail_core::gate::ActRecord;
use ringmail_core::json::to_canonical;
use ringmail_core::value::{Str, Value};
use std::fmt;
use std::io::Write;
use std::path::Path;

/// The key a host signs its acts with.
pub struct HostKey(SigningKey);

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
        let mut seed = [0_u8; 32];
        // Without randomness nothing can be signed; a zero key would be worse than none, so the host stops here.
        if getrandom::fill(&mut seed).is_err() {
            std::process::abort();
        }
        HostKey(SigningKey::from_bytes(&seed))
    }

    /// Reads the key of a data folder, or makes one readable by its owner alone.
    pub fn open(path: &Path) -> std::io::Result<HostKey> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let seed = from_hex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                let seed =
                    seed.ok_or_else(|| std::io::Error::other("the host key is not 64 hexadecimal digits"))?;
                Ok(HostKey(SigningKey::from_bytes(&seed)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = HostKey::ephemeral();
                key.write(path)?;
                Ok(key)
            }
            Err(error) => Err(error),
        }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(to_hex(&self.0.to_bytes()).as_bytes())?;
        file.sync_all()
    }

    pub fn public_hex(&self) -> String {
        to_hex(self.0.verifying_key().as_bytes())
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
        let signature = self.0.sign(to_canonical(&act).as_bytes());
        SignedAct { act, public_key: self.public_hex(), signature: to_hex(&signature.to_bytes()) }
    }
}

impl SignedAct {
    /// Whether the signature is the one this public key makes for this act.
    pub fn verify(&self, public_key: &str) -> bool {
        let key = from_hex(public_key).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = key.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let signature = from_hex(&self.signature).and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        match (key, signature) {
            (Some(key), Some(bytes)) => {
                key.verify(to_canonical(&self.act).as_bytes(), &Signature::from_bytes(&bytes)).is_ok()
            }
            _ => false,
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
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
