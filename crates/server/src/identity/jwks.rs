//! The keys of an issuer: out of a file, or fetched and kept for a time. They are fetched again in the background while
//! those at hand are used, once at most in a while whatever tokens name, and go on for a bounded time while the issuer
//! is down. Where its discovery document leads, it leads to itself.

use ringmail_core::address::Target;
use ringmail_core::issuer::{IssuerSetting, KeysFrom};
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::token::{KEY_SET_BYTES_MAX, KeySet, SignedToken, TokenFault, VerifyingKey};
use ringmail_core::value::Value;
use ringmail_engine::packages::read_bounded;
use ringmail_engine::{Documents, Engine};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[derive(Debug)]
pub(super) struct IssuerKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    refresh: Duration,
    stale: Duration,
    again: Duration,
    held: Mutex<Held>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Url { documents: Documents, url: String },
    Discovery { documents: Documents, issuer: String },
}

#[derive(Clone, Debug, Default)]
struct Held {
    set: Option<Arc<KeySet>>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
    /// Why the last attempt brought nothing.
    why: String,
}

impl IssuerKeys {
    /// Keys that were fetched before, in the same way, are used on.
    pub(super) fn new(
        setting: &IssuerSetting,
        engine: &Engine,
        folder: &Path,
        before: Option<&IssuerKeys>,
    ) -> Result<IssuerKeys, String> {
        let documents = |url: &str| engine.documents(url, &setting.resolves_to, KEY_SET_BYTES_MAX);
        let mut held = before.map(|before| before.0.held().clone()).unwrap_or_default();
        let source = match &setting.keys {
            KeysFrom::File(file) => {
                let path = folder.join(file);
                held.set = Some(Arc::new(read(&path)?));
                Source::File(path)
            }
            KeysFrom::Url(url) => Source::Url { documents: documents(url)?, url: url.clone() },
            KeysFrom::Discovery => {
                Source::Discovery { documents: documents(&setting.url)?, issuer: setting.url.to_string() }
            }
        };
        Ok(IssuerKeys(Arc::new(Inner {
            source,
            refresh: Duration::from_millis(setting.refresh_ms),
            stale: Duration::from_millis(setting.stale_ms),
            again: Duration::from_millis(setting.again_ms),
            held: Mutex::new(held),
            fetching: tokio::sync::Mutex::default(),
        })))
    }

    /// The file it reads, if it reads one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.0.source {
            Source::File(path) => Some(path),
            _ => None,
        }
    }

    /// Takes in what the file says now; where that is no set of keys, the one before stays. Whoever removes the file ends its keys.
    pub(super) fn reread(&self) {
        let set = self.file().map(|path| match path.try_exists() {
            Ok(false) => Ok(KeySet::default()),
            _ => read(path),
        });
        if let Some(Ok(set)) = set {
            let mut held = self.0.held();
            // What was verified with the same keys before stays so.
            if held.set.as_deref() != Some(&set) {
                held.set = Some(Arc::new(set));
            }
        }
    }

    /// The keys that may be used now, fetched anew in the background once they are old.
    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        let held = self.0.held();
        let set = held.set.clone()?;
        let Some(fetched) = held.fetched else { return Some(set) };
        let age = fetched.elapsed();
        if age > self.0.stale {
            return None;
        }
        let due = age > self.0.refresh && self.0.may_try(&held);
        drop(held);
        if due {
            let inner = self.0.clone();
            tokio::spawn(async move { inner.fetch().await });
        }
        Some(set)
    }

    /// The key that a token means.
    pub(super) async fn find(
        &self,
        token: &SignedToken<'_>,
    ) -> Result<(Arc<KeySet>, VerifyingKey), TokenFault> {
        let found = |set: Option<Arc<KeySet>>| {
            let set = set?;
            let key = set.find(token)?.clone();
            Some((set, key))
        };
        if let Some(found) = found(self.current()) {
            return Ok(found);
        }
        if self.file().is_none() {
            let inner = self.0.clone();
            // Whoever goes away while it waits does not keep others from the keys.
            let fetched = tokio::spawn(async move { inner.fetch().await });
            let _ended = fetched.await;
        }
        let set = self.current();
        let missing = match &set {
            Some(_) => TokenFault::UnknownKey,
            None => TokenFault::NoKeys(self.0.held().why.clone()),
        };
        found(set).ok_or(missing)
    }
}

impl Inner {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_try(&self, held: &Held) -> bool {
        held.tried.is_none_or(|tried| tried.elapsed() >= self.again)
    }

    /// Fetches, unless somebody just did.
    async fn fetch(&self) {
        let _alone = self.fetching.lock().await;
        if !self.may_try(&self.held()) {
            return;
        }
        self.held().tried = Some(Instant::now());
        let fetched = self.source.fetch().await;
        let mut held = self.held();
        match fetched {
            Ok(set) => {
                held.fetched = Some(Instant::now());
                held.why.clear();
                if held.set.as_deref() != Some(&set) {
                    held.set = Some(Arc::new(set));
                }
            }
            Err(why) => held.why = why,
        }
    }
}

impl Source {
    async fn fetch(&self) -> Result<KeySet, String> {
        match self {
            Source::File(path) => read(path),
            Source::Url { documents, url } => KeySet::parse(&documents.get(url).await?),
            Source::Discovery { documents, issuer } => {
                let text = documents.get(&format!("{}{DISCOVERY}", issuer.trim_end_matches('/'))).await?;
                let url = keys_of(&text, issuer)?;
                KeySet::parse(&documents.get(&url).await?)
            }
        }
    }
}

/// Where a discovery document says that the keys are.
fn keys_of(text: &[u8], issuer: &str) -> Result<String, String> {
    let limits = JsonLimits { bytes_max: KEY_SET_BYTES_MAX, ..JsonLimits::default() };
    let said = parse(text, &limits).map_err(|error| format!("its discovery document: {error}"))?;
    if said.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err("its discovery document is that of another issuer".into());
    }
    let url = said.get("jwks_uri").and_then(Value::as_str);
    let url = url.ok_or("its discovery document does not say where its keys are")?;
    let (target, own) = (Target::parse(url)?, Target::parse(issuer)?);
    if target.origin() != own.origin() {
        return Err(format!(
            "its keys are at `{}`, which is not the issuer: where that is right, name it as `jwks`",
            target.origin()
        ));
    }
    Ok(url.into())
}

fn read(path: &Path) -> Result<KeySet, String> {
    let text = read_bounded(path, KEY_SET_BYTES_MAX as u64)?;
    KeySet::parse(&text).map_err(|why| format!("`{}`: {why}", path.display()))
}
