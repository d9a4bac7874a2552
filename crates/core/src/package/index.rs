//! The signed index of a registry: all that it has, at a time, under a number that only grows. Whoever stands between can
//! then neither show an older one, nor keep showing the same for ever, nor leave something out.

use super::statement::{INDEX_STATEMENT, Signed, sha256};
use super::trust::{Distrust, TrustedKey, signed_by, trusted};
use crate::doc::{Node, Problems, Source};
use crate::value::Str;
use std::sync::Arc;
use thiserror::Error;

/// How long a signed index counts unless a project says otherwise.
const FRESH_MS: u64 = 30 * 86_400_000;

/// Who signs the index of a registry, as far as a project believes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSigners {
    keys: Vec<TrustedKey>,
    fresh_ms: u64,
}

/// The newest index of a registry that a project ever saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenIndex {
    pub registry: Str,
    pub number: u64,
    pub sha256: Str,
}

/// Why an index is not believed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IndexDistrust {
    #[error("its index is not signed")]
    Unsigned,
    #[error("its index is not believed: {0}")]
    Distrust(#[from] Distrust),
    #[error("its index is signed for the registry `{0}`")]
    Registry(String),
    #[error("its index is not the one that was signed")]
    Content,
    #[error("its index was signed longer than {0} ago: it may hold back what came since")]
    Stale(String),
    #[error("its index has the number {number}, and {seen} was seen already: it was rolled back")]
    Older { number: u64, seen: u64 },
    #[error("its index is another than the one that was seen with the same number {0}")]
    Twice(u64),
}

impl IndexSigners {
    pub(crate) fn load(
        keys: &Node,
        fresh_ms: Option<u64>,
        source: &Arc<Source>,
        problems: &mut Problems,
    ) -> Option<IndexSigners> {
        let keys: Vec<TrustedKey> =
            keys.items().iter().filter_map(|key| trusted(key, source, problems)).collect();
        (!keys.is_empty()).then(|| IndexSigners { keys, fresh_ms: fresh_ms.unwrap_or(FRESH_MS) })
    }

    /// Believes an index, or says why not. `seen` is the newest that was ever believed; what is older than that counts
    /// only for whoever insists.
    pub fn judge(
        &self,
        registry: &Str,
        index: &[u8],
        signature: Option<&[u8]>,
        seen: Option<&SeenIndex>,
        (now_ms, older_too): (u64, bool),
    ) -> Result<SeenIndex, IndexDistrust> {
        let signature = signature.ok_or(IndexDistrust::Unsigned)?;
        let signed = Signed::parse(signature, INDEX_STATEMENT).map_err(Distrust::Malformed)?;
        signed_by(&self.keys, registry, &signed, INDEX_STATEMENT, Some(now_ms))?;
        let statement = &signed.statement;
        if statement.get("registry") != &**registry {
            return Err(IndexDistrust::Registry(crate::json::shorten(statement.get("registry"))));
        }
        let digest = sha256(index);
        if statement.get("sha256") != digest {
            return Err(IndexDistrust::Content);
        }
        if now_ms.saturating_sub(statement.issued_ms()) > self.fresh_ms {
            return Err(IndexDistrust::Stale(words(self.fresh_ms)));
        }
        let number = statement.number("number");
        if i64::try_from(number).is_err() {
            // The lock could not be read any more.
            return Err(Distrust::Malformed(format!("the number {number} is too large")).into());
        }
        let this = SeenIndex { registry: registry.clone(), number, sha256: digest.into() };
        match seen {
            Some(seen) if number < seen.number && !older_too => {
                Err(IndexDistrust::Older { number, seen: seen.number })
            }
            Some(seen) if number == seen.number && this.sha256 != seen.sha256 && !older_too => {
                Err(IndexDistrust::Twice(number))
            }
            _ => Ok(this),
        }
    }
}

/// A time as projects write it.
fn words(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let whole = units.into_iter().find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}

/// The number that an index was signed with, if this is its signature; believed of nobody.
pub fn index_number(signature: &[u8]) -> Result<u64, String> {
    Signed::parse(signature, INDEX_STATEMENT).map(|signed| signed.statement.number("number"))
}
