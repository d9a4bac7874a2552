//! Tokens of this project's own: access tokens that hold for a short time, refresh tokens that are good for one use. All
//! that came of one issue is a family, and ends together: when it is taken back, or when a refresh token comes twice.

use super::kept::{
    KeptError, KeptFile, from_hex, hex, random, read_text, read_texts, read_time, same, texts, time, without,
};
use crate::caller::{Caller, are_for};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ringmail_core::issuer::{holds, is_for, is_nobodys_to_show};
use ringmail_core::json::to_string;
use ringmail_core::policy::Principal;
use ringmail_core::token::{Algorithm, KeySet, SignedToken, TokenFault, VerifyingKey};
use ringmail_core::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// Beside the keys of callers, in the data folder.
pub const TOKENS_FILE: &str = "tokens.json";
/// No access token holds longer; a signing key verifies as long after the next one came.
pub const ACCESS_LIFE_MS_MAX: u64 = 86_400_000;
const REFRESH_PREFIX: &str = "rmr_";
const FAMILIES_MAX: usize = 10_000;
/// How long it is known of a family that it has ended.
const REMEMBERED_MS: u64 = 86_400_000;
const KIND: &str = "at+jwt";
/// What stands in the file and is shown to nobody.
const DIGEST: &str = "refresh_sha256";

#[derive(Debug, Error)]
pub enum TokenError {
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error("there are no tokens `{0}`")]
    Unknown(String),
    #[error("this is no refresh token of this project")]
    Foreign,
    #[error("the refresh token was used before: all tokens of {0} are revoked")]
    Reused(Str),
    #[error("the tokens of {0} have ended")]
    Ended(Str),
    #[error("no token can prove that somebody is `{0}`: an issuer or this host alone knows who is")]
    Subject(Str),
    #[error("there are {FAMILIES_MAX} families of tokens that have not ended")]
    TooMany,
}

/// Tokens to be issued.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub subject: Str,
    pub roles: Vec<Str>,
    pub tenant: Option<Str>,
    pub chains: Option<Vec<Str>>,
    /// Whom they are for; nothing means this project.
    pub audience: Option<Str>,
    /// How long each access token holds.
    pub access_ms: u64,
    /// How long refresh tokens follow on each other; nothing means there is none.
    pub refresh_ms: Option<u64>,
}

/// All tokens that came of one issue; none of the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFamily {
    pub id: Str,
    pub subject: Str,
    pub roles: Vec<Str>,
    pub tenant: Option<Str>,
    pub chains: Option<Vec<Str>>,
    audience: Option<Str>,
    access_ms: u64,
    pub created_ms: u64,
    pub expires_ms: u64,
    pub revoked_ms: Option<u64>,
    /// Of the one refresh token that is good.
    refresh: Option<[u8; 32]>,
}

impl TokenFamily {
    pub fn refreshes(&self) -> bool {
        self.refresh.is_some()
    }

    /// What may be shown of it.
    pub fn to_value(&self) -> Value {
        without(&written_family(self), DIGEST)
    }
}

/// Tokens that were just made; what is secret of them is never seen again.
pub struct IssuedToken {
    pub family: TokenFamily,
    pub access: String,
    pub access_end_ms: u64,
    pub refresh: Option<String>,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuedToken({})", self.family.id)
    }
}

/// Tokens on disk and in memory.
#[derive(Debug)]
pub struct TokenStore {
    file: KeptFile,
    known: RwLock<Known>,
}

/// What it takes to verify; no key that signs tokens.
#[derive(Debug, Default)]
struct Known {
    issuer: Option<Str>,
    mark: [u8; 32],
    keys: Arc<KeySet>,
    published: Vec<Value>,
    families: HashMap<Str, (TokenFamily, CancellationToken)>,
}

/// All that the file says.
struct State {
    issuer: Str,
    /// What refresh tokens are known by, also those that were used.
    mark: [u8; 32],
    /// The newest signs.
    keys: Vec<SigningKey>,
    families: Vec<TokenFamily>,
}

struct SigningKey {
    id: Str,
    created_ms: u64,
    pkcs8: Vec<u8>,
}

impl SigningKey {
    fn new(now_ms: u64) -> Result<SigningKey, KeptError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let pkcs8 = pkcs8.map_err(|_| KeptError::NoRandomness)?.as_ref().to_vec();
        Ok(SigningKey { id: hex(&random::<8>()?).into(), created_ms: now_ms, pkcs8 })
    }

    fn pair(&self) -> Option<Ed25519KeyPair> {
        Ed25519KeyPair::from_pkcs8(&self.pkcs8).ok()
    }
}

impl TokenStore {
    /// The tokens of a file; one that is not there holds none.
    pub fn open(path: &Path) -> Result<TokenStore, TokenError> {
        let store = TokenStore { file: KeptFile::at(path), known: RwLock::default() };
        store.reread()?;
        Ok(store)
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn all(&self) -> Vec<TokenFamily> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<TokenFamily> = known.families.values().map(|(family, _)| family.clone()).collect();
        all.sort_by(|one, other| (one.created_ms, &one.id).cmp(&(other.created_ms, &other.id)));
        all
    }

    /// What tokens are verified with.
    pub(crate) fn keys(&self) -> Arc<KeySet> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys.clone()
    }

    /// The public keys, for others who verify.
    pub(crate) fn published(&self) -> Value {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Value::map([("keys", Value::list(known.published.iter().cloned()))])
    }

    /// Takes in what the file says now. Families that are revoked or gone end what is under way with them.
    pub fn reread(&self) -> Result<(), TokenError> {
        let _alone = self.file.taking();
        let next = match self.file.read()? {
            Some(value) => Some(self.state(&value)?),
            None => None,
        };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut known.families);
        let keys = std::mem::take(&mut *known).keys;
        for family in next.iter().flat_map(|state| state.families.iter()) {
            let revoked = before.remove(&family.id).map_or_else(CancellationToken::new, |(_, token)| token);
            if family.revoked_ms.is_some() {
                revoked.cancel();
            }
            known.families.insert(family.id.clone(), (family.clone(), revoked));
        }
        before.values().for_each(|(_, gone)| gone.cancel());
        if let Some(state) = next {
            let pairs: Vec<(Str, Ed25519KeyPair)> =
                state.keys.iter().filter_map(|key| Some((key.id.clone(), key.pair()?))).collect();
            let verifying =
                pairs.iter().map(|(id, pair)| VerifyingKey::ed25519(id.clone(), pair.public_key().as_ref()));
            let verifying = KeySet::new(verifying.collect());
            // What was verified with the same keys before stays so.
            known.keys = if *keys == verifying { keys } else { Arc::new(verifying) };
            known.published =
                pairs.iter().map(|(id, pair)| published(id, pair.public_key().as_ref())).collect();
            known.mark = state.mark;
            known.issuer = Some(state.issuer);
        }
        Ok(())
    }

    pub fn issue(&self, new: NewToken, now_ms: u64) -> Result<IssuedToken, TokenError> {
        if is_nobodys_to_show(&new.subject) {
            return Err(TokenError::Subject(new.subject));
        }
        let access_ms = new.access_ms.min(ACCESS_LIFE_MS_MAX);
        let family = TokenFamily {
            id: hex(&random::<6>()?).into(),
            subject: new.subject,
            roles: new.roles,
            tenant: new.tenant,
            chains: new.chains,
            audience: new.audience,
            access_ms,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(new.refresh_ms.unwrap_or(access_ms).max(access_ms)),
            revoked_ms: None,
            refresh: None,
        };
        let refreshes = new.refresh_ms.is_some();
        self.change(now_ms, |state| {
            let mut family = family;
            if state.families.len() >= FAMILIES_MAX {
                return Err(TokenError::TooMany);
            }
            let issued = state.tokens(&mut family, refreshes, now_ms)?;
            state.families.push(family);
            Ok(issued)
        })
    }

    /// New tokens for a refresh token, which is good for this once.
    pub fn refresh(&self, text: &str, now_ms: u64) -> Result<IssuedToken, TokenError> {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let known = || self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known().issuer.is_none() {
            self.reread()?;
        }
        let mark = known().mark;
        // Whoever makes one up costs no look at the file.
        let id = family_of(&mark, text).ok_or(TokenError::Foreign)?;
        self.change(now_ms, |state| {
            if state.mark != mark {
                return Err(TokenError::Foreign);
            }
            let at = state.families.iter().position(|family| *family.id == *id);
            let at = at.ok_or_else(|| TokenError::Ended(id.into()))?;
            let mut family = state.families.swap_remove(at);
            let good = family.refresh.is_some_and(|good| same(&good, &digest));
            let outcome = if family.revoked_ms.is_some() || family.expires_ms <= now_ms {
                Err(TokenError::Ended(family.id.clone()))
            } else if good {
                state.tokens(&mut family, true, now_ms)
            } else {
                family.revoked_ms = Some(now_ms);
                Err(TokenError::Reused(family.id.clone()))
            };
            state.families.push(family);
            Ok(outcome)
        })?
    }

    /// Takes a family back, by its id or by a token of it. One that was taken back before stays so.
    pub fn revoke(&self, named: &str, now_ms: u64) -> Result<TokenFamily, TokenError> {
        let token = SignedToken::is_meant(named).then(|| SignedToken::parse(named).ok()).flatten();
        let id = match &token {
            Some(token) => token.claim("sid").unwrap_or_default(),
            None => named.strip_prefix(REFRESH_PREFIX).unwrap_or(named).split('_').next().unwrap_or_default(),
        };
        self.change(now_ms, |state| {
            let family = state.families.iter_mut().find(|family| *family.id == *id);
            let family = family.ok_or_else(|| TokenError::Unknown(id.into()))?;
            family.revoked_ms.get_or_insert(now_ms);
            Ok(family.clone())
        })
    }

    /// Signs with a new key from now on. Those before verify as long as a token of theirs may hold.
    pub fn rotate(&self, now_ms: u64) -> Result<(), TokenError> {
        self.change(now_ms, |state| {
            state.keys.push(SigningKey::new(now_ms)?);
            let next: Vec<u64> = state.keys.iter().skip(1).map(|key| key.created_ms).collect();
            let mut next = next.into_iter();
            state.keys.retain(|_| {
                next.next().is_none_or(|replaced| replaced.saturating_add(ACCESS_LIFE_MS_MAX) > now_ms)
            });
            Ok(())
        })
    }

    /// What is wrong with a token, if it says that it is of this project; nothing if it is somebody else's.
    pub fn inspect(&self, token: &SignedToken<'_>, now_ms: u64) -> Option<Result<TokenFamily, TokenFault>> {
        let family = self.family_of(token, now_ms)?;
        Some(family.map(|(family, ..)| family))
    }

    fn family_of(
        &self,
        token: &SignedToken<'_>,
        now_ms: u64,
    ) -> Option<Result<(TokenFamily, CancellationToken, u64), TokenFault>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.issuer.as_deref() != Some(token.claim("iss")?) {
            return None;
        }
        let judged = || {
            if token.algorithm != Algorithm::EdDsa {
                return Err(TokenFault::Algorithm);
            }
            if token.kind.as_deref() != Some(KIND) {
                return Err(TokenFault::Kind);
            }
            token.verify(known.keys.find(token).ok_or(TokenFault::UnknownKey)?)?;
            let end_ms = holds(&token.claims, 0, now_ms)?;
            let id = token.claim("sid").ok_or(TokenFault::Missing("sid"))?;
            let (family, revoked) = known.families.get(id).ok_or(TokenFault::Revoked)?;
            match family.revoked_ms {
                Some(_) => Err(TokenFault::Revoked),
                None => Ok((family.clone(), revoked.clone(), end_ms)),
            }
        };
        Some(judged())
    }

    /// Whom a token of this project proves, and until when; nothing if it is somebody else's.
    pub(crate) fn prove(
        &self,
        token: &SignedToken<'_>,
        resources: &[Str],
        now_ms: u64,
    ) -> Option<Result<(Caller, u64), TokenFault>> {
        let family = self.family_of(token, now_ms)?;
        Some(family.and_then(|(family, revoked, end_ms)| {
            let own = token.claim("iss").map(Str::from);
            let wanted: Vec<Str> = resources.iter().cloned().chain(own).collect();
            is_for(&token.claims, &wanted)?;
            let principal = Principal {
                subject: family.subject,
                roles: family.roles,
                tenant: family.tenant,
                authenticated: "jwt".into(),
            };
            Ok((Caller::new(principal, family.chains, revoked), end_ms))
        }))
    }

    /// Good tokens of somebody who was proved by one of this project before, and that are for this chain; what ends when they are
    /// taken back.
    pub(crate) fn proof_of(
        &self,
        principal: &Principal,
        chain: &str,
        now_ms: u64,
    ) -> Option<CancellationToken> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let good = |family: &TokenFamily| {
            family.subject == principal.subject
                && family.tenant == principal.tenant
                && family.roles == principal.roles
                && family.revoked_ms.is_none()
                && now_ms < family.expires_ms
                && are_for(family.chains.as_deref(), chain)
        };
        known.families.values().find(|(family, _)| good(family)).map(|(_, revoked)| revoked.clone())
    }

    fn change<T>(
        &self,
        now_ms: u64,
        change: impl FnOnce(&mut State) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let mut done = None;
        self.file.change(|before| {
            let mut state = match before {
                Some(before) => self.state(&before)?,
                None => State::new(now_ms)?,
            };
            state.families.retain(|family| family.expires_ms.saturating_add(REMEMBERED_MS) > now_ms);
            done = Some(change(&mut state)?);
            Ok::<_, TokenError>(state.written())
        })?;
        self.reread()?;
        done.ok_or(TokenError::Foreign)
    }

    fn state(&self, value: &Value) -> Result<State, KeptError> {
        State::read(value).ok_or_else(|| self.file.damaged("it does not hold tokens"))
    }
}

/// The family of a refresh token that was made under this mark.
fn family_of<'t>(mark: &[u8; 32], text: &'t str) -> Option<&'t str> {
    let (body, shown) = text.rsplit_once('_')?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, mark);
    hmac::verify(&key, body.as_bytes(), &from_hex(shown)?).ok()?;
    body.strip_prefix(REFRESH_PREFIX)?.split('_').next()
}

fn published(id: &Str, public: &[u8]) -> Value {
    Value::map([
        ("kty", Value::from("OKP")),
        ("crv", Value::from("Ed25519")),
        ("use", Value::from("sig")),
        ("alg", Value::from("EdDSA")),
        ("kid", Value::Str(id.clone())),
        ("x", Value::from(URL_SAFE_NO_PAD.encode(public))),
    ])
}

impl State {
    fn new(now_ms: u64) -> Result<State, KeptError> {
        Ok(State {
            issuer: format!("urn:ringmail:{}", hex(&random::<16>()?)).into(),
            mark: random()?,
            keys: vec![SigningKey::new(now_ms)?],
            families: Vec::new(),
        })
    }

    /// The next tokens of a family.
    fn tokens(
        &self,
        family: &mut TokenFamily,
        refreshes: bool,
        now_ms: u64,
    ) -> Result<IssuedToken, TokenError> {
        let refresh = if refreshes { Some(self.refresh_text(&family.id)?) } else { None };
        family.refresh = refresh.as_ref().map(|text| Sha256::digest(text.as_bytes()).into());
        let access_end_ms = now_ms.saturating_add(family.access_ms).min(family.expires_ms);
        let access = self.access_text(family, now_ms, access_end_ms)?;
        Ok(IssuedToken { family: family.clone(), access, access_end_ms, refresh })
    }

    fn access_text(&self, family: &TokenFamily, now_ms: u64, end_ms: u64) -> Result<String, KeptError> {
        let seconds = |ms: u64| Value::Int(i64::try_from(ms / 1_000).unwrap_or(i64::MAX));
        let audience = family.audience.as_ref().unwrap_or(&self.issuer);
        let mut claims = vec![
            ("iss", Value::Str(self.issuer.clone())),
            ("sub", Value::Str(family.subject.clone())),
            ("aud", Value::Str(audience.clone())),
            ("iat", seconds(now_ms)),
            ("exp", seconds(end_ms)),
            ("jti", Value::from(hex(&random::<16>()?))),
            ("sid", Value::Str(family.id.clone())),
            ("roles", texts(&family.roles)),
        ];
        claims.extend(family.tenant.clone().map(|tenant| ("tenant", Value::Str(tenant))));
        claims.extend(family.chains.as_deref().map(|chains| ("chains", texts(chains))));
        let damaged = || KeptError::Damaged { path: TOKENS_FILE.into(), cause: "it has no key".into() };
        let key = self.keys.last().ok_or_else(damaged)?;
        let head = Value::map([
            ("alg", Value::from("EdDSA")),
            ("kid", Value::Str(key.id.clone())),
            ("typ", Value::from(KIND)),
        ]);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(to_string(value));
        let signed = format!("{}.{}", part(&head), part(&Value::map(claims)));
        let signature = key.pair().ok_or_else(damaged)?.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// A secret under a mark, so that one that was used is told from one that never was.
    fn refresh_text(&self, family: &str) -> Result<String, KeptError> {
        let body = format!("{REFRESH_PREFIX}{family}_{}", hex(&random::<32>()?));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.mark);
        Ok(format!("{body}_{}", hex(hmac::sign(&key, body.as_bytes()).as_ref())))
    }

    fn written(&self) -> Value {
        let keys = self.keys.iter().map(|key| {
            Value::map([
                ("id", Value::Str(key.id.clone())),
                ("created_ms", time(Some(key.created_ms))),
                ("pkcs8", Value::from(STANDARD.encode(&key.pkcs8))),
            ])
        });
        Value::map([
            ("issuer", Value::Str(self.issuer.clone())),
            ("mark", Value::from(hex(&self.mark))),
            ("keys", Value::list(keys)),
            ("families", Value::list(self.families.iter().map(written_family))),
        ])
    }

    fn read(value: &Value) -> Option<State> {
        let keys = value.get("keys")?.as_list()?.iter().map(|key| {
            Some(SigningKey {
                id: key.get("id")?.as_str()?.into(),
                created_ms: read_time(key, "created_ms")??,
                pkcs8: STANDARD.decode(key.get("pkcs8")?.as_str()?).ok()?,
            })
        });
        Some(State {
            issuer: value.get("issuer")?.as_str()?.into(),
            mark: from_hex(value.get("mark")?.as_str()?)?.try_into().ok()?,
            keys: keys.collect::<Option<Vec<_>>>()?,
            families: value.get("families")?.as_list()?.iter().map(read_family).collect::<Option<_>>()?,
        })
    }
}

fn written_family(family: &TokenFamily) -> Value {
    let text = |text: &Option<Str>| text.clone().map_or(Value::Null, Value::Str);
    Value::map([
        ("id", Value::Str(family.id.clone())),
        ("subject", Value::Str(family.subject.clone())),
        ("roles", texts(&family.roles)),
        ("tenant", text(&family.tenant)),
        ("chains", family.chains.as_deref().map_or(Value::Null, texts)),
        ("audience", text(&family.audience)),
        ("access_ms", time(Some(family.access_ms))),
        ("created_ms", time(Some(family.created_ms))),
        ("expires_ms", time(Some(family.expires_ms))),
        ("revoked_ms", time(family.revoked_ms)),
        (DIGEST, family.refresh.map_or(Value::Null, |digest| Value::from(hex(&digest)))),
    ])
}

fn read_family(value: &Value) -> Option<TokenFamily> {
    Some(TokenFamily {
        id: read_text(value, "id")?,
        subject: read_text(value, "subject")?,
        roles: read_texts(value, "roles")??,
        tenant: read_text(value, "tenant"),
        chains: read_texts(value, "chains")?,
        audience: read_text(value, "audience"),
        access_ms: read_time(value, "access_ms")??,
        created_ms: read_time(value, "created_ms")??,
        expires_ms: read_time(value, "expires_ms")??,
        revoked_ms: read_time(value, "revoked_ms")?,
        refresh: match value.get(DIGEST)? {
            Value::Null => None,
            written => Some(from_hex(written.as_str()?)?.try_into().ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_issued_than_is_kept_and_what_has_ended_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::open(&folder.path().join(TOKENS_FILE)).unwrap();
        let new = |subject: &str| NewToken {
            subject: subject.into(),
            roles: Vec::new(),
            tenant: None,
            chains: None,
            audience: None,
            access_ms: u64::MAX,
            refresh_ms: None,
        };
        let first = store.issue(new("one"), 1_000).unwrap();
        assert_eq!(first.access_end_ms, 1_000 + ACCESS_LIFE_MS_MAX);
        for name in ["corp|alice", "unix:root", "webhook:shop", "schedule:nightly", "host", "anonymous"] {
            assert!(matches!(store.issue(new(name), 1_000), Err(TokenError::Subject(_))), "{name}");
        }
        store
            .change(1_000, |state| {
                let family = state.families[0].clone();
                state.families.resize(FAMILIES_MAX, family);
                Ok(())
            })
            .unwrap();
        assert!(matches!(store.issue(new("two"), 1_000), Err(TokenError::TooMany)));
        let later = first.access_end_ms + REMEMBERED_MS;
        assert!(store.issue(new("two"), later).is_ok());
        assert_eq!(store.all().len(), 1);
    }
}
