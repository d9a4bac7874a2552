//! API keys: shown once when they are made, kept as digests, with an end and a scope, taken back within a second. The
//! file is exchanged whole, so whoever reads it sees one state or the next.

use super::Unproved;
use super::kept::{
    KeptError, KeptFile, from_hex, hex, random, read_text, read_texts, read_time, same, texts, time, without,
};
use crate::caller::{Caller, are_for};
use ring::digest::{SHA256, digest};
use ringmail_core::issuer::is_nobodys_to_show;
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// What every key begins with, for people and for scanners.
const PREFIX: &str = "rmk_";
const ID_DIGITS: usize = 12;
const SECRET_DIGITS: usize = 64;
const CHECK_DIGITS: usize = 8;
/// What stands in the file and is shown to nobody.
const DIGEST: &str = "sha256";

/// What is known of a key; not the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: Str,
    /// The subject that policies see.
    pub subject: Str,
    pub roles: Vec<Str>,
    pub tenant: Option<Str>,
    /// The chains it is for; nothing means all that policy allows.
    pub chains: Option<Vec<Str>>,
    pub created_ms: u64,
    pub expires_ms: Option<u64>,
    pub revoked_ms: Option<u64>,
    digest: [u8; 32],
}

impl ApiKey {
    /// What may be shown of it.
    pub fn to_value(&self) -> Value {
        without(&written(self), DIGEST)
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub subject: Str,
    pub roles: Vec<Str>,
    pub tenant: Option<Str>,
    pub chains: Option<Vec<Str>>,
    pub expires_ms: Option<u64>,
}

/// A key that was just made; its text is never seen again.
pub struct IssuedKey {
    pub key: ApiKey,
    pub text: String,
}

impl std::fmt::Debug for IssuedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuedKey({})", self.key.id)
    }
}

#[derive(Debug, Error)]
pub enum ApiKeyError {
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error("there is no key `{0}`")]
    Unknown(String),
    #[error("no key can prove that somebody is `{0}`: an issuer or this host alone knows who is")]
    Subject(Str),
}

/// Keys on disk and in memory.
#[derive(Debug)]
pub struct KeyStore {
    file: KeptFile,
    known: RwLock<HashMap<Str, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    key: Arc<ApiKey>,
    principal: Principal,
    revoked: CancellationToken,
}

impl Known {
    fn new(key: ApiKey) -> Known {
        static PROOF: std::sync::LazyLock<Str> = std::sync::LazyLock::new(|| "key".into());
        let principal = Principal {
            subject: key.subject.clone(),
            roles: key.roles.clone(),
            tenant: key.tenant.clone(),
            authenticated: PROOF.clone(),
        };
        let revoked = CancellationToken::new();
        if key.revoked_ms.is_some() {
            revoked.cancel();
        }
        Known { key: Arc::new(key), principal, revoked }
    }
}

/// Whether a text has the shape of a key. Its check is for people and for scanners: here its digest says more.
pub(crate) fn is_key(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else { return false };
    let Some((id, secret)) = rest.split_once('_') else { return false };
    id.len() == ID_DIGITS
        && secret.len() == SECRET_DIGITS + CHECK_DIGITS
        && rest.bytes().all(|byte| byte == b'_' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn check_of(body: &str) -> String {
    hex(digest(&SHA256, body.as_bytes()).as_ref().get(..CHECK_DIGITS / 2).unwrap_or_default())
}

impl KeyStore {
    /// The keys of a file; one that is not there holds none.
    pub fn open(path: &Path) -> Result<KeyStore, ApiKeyError> {
        let store = KeyStore { file: KeptFile::at(path), known: RwLock::default() };
        store.reread()?;
        Ok(store)
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn all(&self) -> Vec<Arc<ApiKey>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Arc<ApiKey>> = known.values().map(|known| known.key.clone()).collect();
        all.sort_by(|one, other| (one.created_ms, &one.id).cmp(&(other.created_ms, &other.id)));
        all
    }

    /// A good key of a principal that was proved by one before, and that is for this chain; what ends when that key is taken back.
    pub(crate) fn proof_of(
        &self,
        principal: &Principal,
        chain: &str,
        now_ms: u64,
    ) -> Option<CancellationToken> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let good = |known: &&Known| {
            known.principal == *principal
                && known.key.revoked_ms.is_none()
                && known.key.expires_ms.is_none_or(|end| now_ms < end)
                && are_for(known.key.chains.as_deref(), chain)
        };
        known.values().find(good).map(|known| known.revoked.clone())
    }

    /// Takes in what the file says now. Keys that are revoked or gone end what is under way with them.
    pub fn reread(&self) -> Result<(), ApiKeyError> {
        let _alone = self.file.taking();
        let read = self.read()?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = HashMap::with_capacity(read.len());
        for key in read {
            let entry = match known.remove(&key.id) {
                Some(same) if *same.key == key => same,
                Some(before) => {
                    before.revoked.cancel();
                    Known::new(key)
                }
                None => Known::new(key),
            };
            next.insert(entry.key.id.clone(), entry);
        }
        known.values().for_each(|gone| gone.revoked.cancel());
        *known = next;
        Ok(())
    }

    pub fn create(&self, new: NewKey, now_ms: u64) -> Result<IssuedKey, ApiKeyError> {
        if is_nobodys_to_show(&new.subject) {
            return Err(ApiKeyError::Subject(new.subject));
        }
        let bytes = random::<{ ID_DIGITS / 2 + SECRET_DIGITS / 2 }>()?;
        let (id, secret) = bytes.split_at(ID_DIGITS / 2);
        let body = format!("{PREFIX}{}_{}", hex(id), hex(secret));
        let text = format!("{body}{}", check_of(&body));
        let key = ApiKey {
            id: hex(id).into(),
            subject: new.subject,
            roles: new.roles,
            tenant: new.tenant,
            chains: new.chains,
            created_ms: now_ms,
            expires_ms: new.expires_ms,
            revoked_ms: None,
            digest: Sha256::digest(text.as_bytes()).into(),
        };
        let issued = key.clone();
        self.change(move |keys| {
            keys.push(key);
            Ok(())
        })?;
        Ok(IssuedKey { key: issued, text })
    }

    /// Takes a key back, by its id or its whole text. One that was taken back before stays so.
    pub fn revoke(&self, named: &str, now_ms: u64) -> Result<Arc<ApiKey>, ApiKeyError> {
        let id =
            named.strip_prefix(PREFIX).unwrap_or(named).split('_').next().unwrap_or_default().to_string();
        self.change(|keys| {
            let key = keys.iter_mut().find(|key| *key.id == *id).ok_or(ApiKeyError::Unknown(named.into()))?;
            key.revoked_ms.get_or_insert(now_ms);
            Ok(())
        })?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&*id).map(|known| known.key.clone()).ok_or(ApiKeyError::Unknown(named.into()))
    }

    pub(crate) fn prove(&self, text: &str, now_ms: u64) -> Result<Caller, Unproved> {
        let digest = digest(&SHA256, text.as_bytes());
        let id = text.get(PREFIX.len()..PREFIX.len() + ID_DIGITS).unwrap_or_default();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.get(id).filter(|known| same(&known.key.digest, digest.as_ref())) else {
            return Err(Unproved::UnknownKey);
        };
        if known.key.revoked_ms.is_some() {
            return Err(Unproved::RevokedKey);
        }
        if known.key.expires_ms.is_some_and(|end| end <= now_ms) {
            return Err(Unproved::ExpiredKey);
        }
        Ok(Caller::new(known.principal.clone(), known.key.chains.clone(), known.revoked.clone()))
    }

    /// Changes the file and takes the change in.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<ApiKey>) -> Result<(), ApiKeyError>,
    ) -> Result<(), ApiKeyError> {
        self.file.change(|before| {
            let mut keys = self.all_of(before)?;
            change(&mut keys)?;
            Ok::<_, ApiKeyError>(Value::list(keys.iter().map(written)))
        })?;
        self.reread()
    }

    fn read(&self) -> Result<Vec<ApiKey>, ApiKeyError> {
        self.all_of(self.file.read()?)
    }

    fn all_of(&self, read: Option<Value>) -> Result<Vec<ApiKey>, ApiKeyError> {
        let Some(read) = read else { return Ok(Vec::new()) };
        let list = read.as_list().ok_or_else(|| self.file.damaged("it holds no list"))?;
        let keys = list.iter().map(|item| {
            read_key(item).ok_or_else(|| ApiKeyError::from(self.file.damaged("an entry is not a key")))
        });
        keys.collect()
    }
}

fn written(key: &ApiKey) -> Value {
    Value::map([
        ("id", Value::Str(key.id.clone())),
        ("subject", Value::Str(key.subject.clone())),
        ("roles", texts(&key.roles)),
        ("tenant", key.tenant.clone().map_or(Value::Null, Value::Str)),
        ("chains", key.chains.as_deref().map_or(Value::Null, texts)),
        ("created_ms", time(Some(key.created_ms))),
        ("expires_ms", time(key.expires_ms)),
        ("revoked_ms", time(key.revoked_ms)),
        (DIGEST, Value::from(hex(&key.digest))),
    ])
}

fn read_key(value: &Value) -> Option<ApiKey> {
    Some(ApiKey {
        id: read_text(value, "id")?,
        subject: read_text(value, "subject")?,
        roles: read_texts(value, "roles")??,
        tenant: read_text(value, "tenant"),
        chains: read_texts(value, "chains")?,
        created_ms: read_time(value, "created_ms")??,
        expires_ms: read_time(value, "expires_ms")?,
        revoked_ms: read_time(value, "revoked_ms")?,
        digest: from_hex(value.get(DIGEST)?.as_str()?)?.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(subject: &str) -> NewKey {
        NewKey {
            subject: subject.into(),
            roles: Vec::new(),
            tenant: None,
            chains: None,
            expires_ms: Some(100),
        }
    }

    #[test]
    fn a_key_proves_its_subject_until_it_ends_or_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let store = KeyStore::open(&path).unwrap();
        let one = store.create(new("one"), 1).unwrap();
        let two = store.create(new("two"), 2).unwrap();
        assert!(is_key(&one.text));
        assert_eq!(&*store.prove(&one.text, 50).unwrap().principal().subject, "one");
        assert_eq!(store.prove(&one.text, 100).unwrap_err(), Unproved::ExpiredKey);
        // The id of one with the secret of another.
        let mixed: String = one.text.chars().take(17).chain(two.text.chars().skip(17)).collect();
        assert_eq!(store.prove(&mixed, 50).unwrap_err(), Unproved::UnknownKey);
        assert!(!std::fs::read_to_string(&path).unwrap().contains(one.text.get(17..40).unwrap()));

        // Another process takes it back.
        let caller = store.prove(&one.text, 50).unwrap();
        KeyStore::open(&path).unwrap().revoke(&one.key.id, 60).unwrap();
        store.reread().unwrap();
        assert_eq!(store.prove(&one.text, 70).unwrap_err(), Unproved::RevokedKey);
        assert!(caller.revoked().is_cancelled());
        assert!(!store.prove(&two.text, 70).unwrap().revoked().is_cancelled());
        assert!(matches!(store.revoke("nobody", 1), Err(ApiKeyError::Unknown(_))));
        for name in ["corp|alice", "unix:root", "webhook:shop", "schedule:nightly", "host", "anonymous"] {
            assert!(matches!(store.create(new(name), 1), Err(ApiKeyError::Subject(_))), "{name}");
        }
    }

    #[test]
    fn the_shape_of_a_key_has_a_check() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyStore::open(&folder.path().join("k")).unwrap().create(new("one"), 1).unwrap();
        let (body, check) = key.text.split_at(key.text.len() - CHECK_DIGITS);
        assert_eq!(check_of(body), check);
        for wrong in ["", "rmk_", "rmk__", "eyJhbGciOi", "rmk_é"] {
            assert!(!is_key(wrong), "{wrong}");
        }
    }
}
