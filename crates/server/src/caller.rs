//! A caller that has proved who it is. Only `identity` makes one, so what takes a `Caller` is not reached without.

use crate::limits::Held;
use ringmail_core::policy::Principal;
use ringmail_core::value::Str;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Who is calling, and what its proof narrows it to.
#[derive(Clone, Debug)]
pub struct Caller {
    principal: Principal,
    /// The chains its proof is for; nothing means all that policy allows.
    chains: Option<Vec<Str>>,
    /// Ends when its proof is taken back.
    revoked: CancellationToken,
    /// What it counts for at the address it comes from, as long as anything it asked for goes on.
    knocked: Option<Arc<Held>>,
}

/// Whether what is narrowed to some chains, or to none of them, is for this one.
pub(crate) fn are_for(chains: Option<&[Str]>, chain: &str) -> bool {
    chains.is_none_or(|chains| chains.iter().any(|known| &**known == chain))
}

impl Caller {
    pub(crate) fn new(principal: Principal, chains: Option<Vec<Str>>, revoked: CancellationToken) -> Caller {
        Caller { principal, chains, revoked, knocked: None }
    }

    pub(crate) fn having_knocked(self, knocked: Held) -> Caller {
        Caller { knocked: Some(Arc::new(knocked)), ..self }
    }

    pub(crate) fn knocked(&self) -> Option<Arc<Held>> {
        self.knocked.clone()
    }

    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether its proof covers a chain at all.
    pub(crate) fn covers(&self, chain: &str) -> bool {
        are_for(self.chains.as_deref(), chain)
    }

    pub(crate) fn revoked(&self) -> CancellationToken {
        self.revoked.child_token()
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.is_cancelled()
    }

    /// Whose turn it is, where callers take turns: the tenant, or the caller itself.
    pub(crate) fn party(&self) -> &str {
        self.principal.tenant.as_deref().unwrap_or(&self.principal.subject)
    }
}
