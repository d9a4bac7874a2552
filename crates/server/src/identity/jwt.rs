//! Callers that show a signed token: one of an issuer that the project believes, or one of this project itself. What was
//! verified once is remembered until it ends, and only as long as the keys are those that it was verified with.

use super::Unproved;
use super::jwks::IssuerKeys;
use super::tokens::TokenStore;
use crate::caller::Caller;
use crate::world::World;
use ringmail_core::issuer::{IssuerSetting, Proved, SUBJECT_MARK};
use ringmail_core::policy::Principal;
use ringmail_core::token::{KeySet, SignedToken, TokenFault};
use ringmail_core::value::Str;
use ringmail_engine::Engine;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Tokens that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// The issuers of a project, and whom their tokens proved.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    by_url: BTreeMap<Str, Issuer>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
}

#[derive(Debug)]
struct Issuer {
    setting: IssuerSetting,
    keys: IssuerKeys,
}

#[derive(Debug)]
struct Remembered {
    /// Whose it is; nothing where it is this project's own.
    issuer: Option<Str>,
    /// What its signature was verified with.
    keys: Arc<KeySet>,
    caller: Caller,
    end_ms: u64,
}

impl Issuers {
    /// All of them, or every reason why not. Keys that an issuer of the same setting had before are used on.
    pub(crate) fn open(
        settings: &[IssuerSetting],
        engine: &Engine,
        folder: &Path,
        before: Option<&Issuers>,
        wrong: &mut Vec<String>,
    ) -> Issuers {
        let mut by_url = BTreeMap::new();
        for setting in settings {
            let same = before.and_then(|before| before.by_url.get(&setting.url));
            let same = same.filter(|same| same.setting == *setting).map(|same| &same.keys);
            match IssuerKeys::new(setting, engine, folder, same) {
                Ok(keys) => {
                    by_url.insert(setting.url.clone(), Issuer { setting: setting.clone(), keys });
                }
                Err(why) => wrong.push(format!("issuer `{}`: {why}", setting.name)),
            }
        }
        Issuers { by_url, remembered: Mutex::default() }
    }

    pub(crate) fn settings(&self) -> impl Iterator<Item = &IssuerSetting> {
        self.by_url.values().map(|issuer| &issuer.setting)
    }

    /// The files that keys are read from.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.by_url.values().filter_map(|issuer| issuer.keys.file().map(Path::to_path_buf))
    }

    pub(crate) fn reread(&self) {
        self.by_url.values().for_each(|issuer| issuer.keys.reread());
    }

    /// The scope that would let a principal of an issuer run a chain; nothing where none would.
    pub(crate) fn scope_for(&self, chain: &str, principal: &Principal) -> Option<Str> {
        let (name, _) = principal.subject.split_once(SUBJECT_MARK)?;
        let issuer = self.settings().find(|issuer| *issuer.name == *name)?;
        let scope = issuer.scopes.iter().find(|scope| scope.chains.iter().any(|known| **known == *chain))?;
        Some(scope.name.clone())
    }

    fn recall(&self, digest: &[u8; 32], tokens: &TokenStore, now_ms: u64) -> Option<Caller> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(digest)?;
        let current = match &known.issuer {
            Some(url) => self.by_url.get(url).and_then(|issuer| issuer.keys.current()),
            None => Some(tokens.keys()),
        };
        let still = current.is_some_and(|current| Arc::ptr_eq(&current, &known.keys));
        let good = still && known.end_ms > now_ms && !known.caller.is_revoked();
        if good {
            return Some(known.caller.clone());
        }
        remembered.remove(digest);
        None
    }

    fn remember(&self, digest: [u8; 32], known: Remembered, now_ms: u64) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, known| known.end_ms > now_ms);
        }
        // Where all are good, they are verified once more.
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(digest, known);
    }
}

/// Whom a token proves to a listener that is known by these names.
pub(super) async fn prove(
    text: &str,
    resources: &[Str],
    world: &World,
    tokens: &TokenStore,
    now_ms: u64,
) -> Result<Caller, Unproved> {
    let digest = digest(text, resources);
    if let Some(caller) = world.issuers.recall(&digest, tokens, now_ms) {
        return Ok(caller);
    }
    let token = SignedToken::parse(text)?;
    let named = token.claim("iss").ok_or(TokenFault::Missing("iss"))?;
    let own = tokens.keys();
    if let Some(proved) = tokens.prove(&token, resources, now_ms) {
        let (caller, end_ms) = proved?;
        let known = Remembered { issuer: None, keys: own, caller: caller.clone(), end_ms };
        world.issuers.remember(digest, known, now_ms);
        return Ok(caller);
    }
    let issuer = world.issuers.by_url.get(named).ok_or(TokenFault::UnknownIssuer)?;
    issuer.setting.expects(&token)?;
    let (keys, key) = issuer.keys.find(&token).await?;
    token.verify(&key)?;
    let Proved { principal, chains, end_ms } = issuer.setting.judge(&token, resources, now_ms)?;
    let caller = Caller::new(world.with_roles(principal), chains, CancellationToken::new());
    let by = Some(issuer.setting.url.clone());
    let known = Remembered { issuer: by, keys, caller: caller.clone(), end_ms };
    world.issuers.remember(digest, known, now_ms);
    Ok(caller)
}

/// A token is remembered for whom it was shown to.
fn digest(text: &str, resources: &[Str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(Sha256::digest(text.as_bytes()));
    for resource in resources {
        digest.update(Sha256::digest(resource.as_bytes()));
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_tokens_are_remembered_and_no_more() {
        let issuers = Issuers::default();
        let principal = Principal {
            subject: "corp|alice".into(),
            roles: Vec::new(),
            tenant: None,
            authenticated: "jwt".into(),
        };
        for at in 0..=REMEMBERED_MAX {
            let caller = Caller::new(principal.clone(), None, CancellationToken::new());
            let known = Remembered { issuer: None, keys: Arc::default(), caller, end_ms: 10 };
            issuers.remember(digest(&at.to_string(), &[]), known, 1);
            assert!(issuers.remembered.lock().unwrap().len() <= REMEMBERED_MAX);
        }
    }
}
