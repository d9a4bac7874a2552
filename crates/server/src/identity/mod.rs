//! Who is calling. One way of proof is one file; all come to one [`Caller`], and whatever is wrong comes to one answer.

pub(crate) mod certificate;
pub(crate) mod keys;
pub(crate) mod unix;

use crate::caller::Caller;
use crate::world::World;
use keys::KeyStore;
use ringmail_core::listener::{ListenerSetting, Proof};
use ringmail_core::policy::Principal;
use ringmail_core::value::Str;
use std::sync::LazyLock;
use tokio_util::sync::CancellationToken;

/// What a caller shows.
#[derive(Debug, Default)]
pub(crate) struct Shown<'s> {
    /// What stands behind `Bearer`.
    pub(crate) bearer: Option<&'s str>,
    /// Whom the connection itself proves.
    pub(crate) subject: Option<&'s Subjected>,
}

/// A subject that a connection proves, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subjected {
    pub(crate) name: Str,
    pub(crate) proof: Proof,
}

/// Why somebody is not let in; for the record, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unproved {
    Nothing,
    UnknownKey,
    RevokedKey,
    ExpiredKey,
    NotAccepted,
}

impl Unproved {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Unproved::Nothing => "nothing was shown",
            Unproved::UnknownKey => "the key is not known",
            Unproved::RevokedKey => "the key was revoked",
            Unproved::ExpiredKey => "the key has expired",
            Unproved::NotAccepted => "this listener does not take what was shown",
        }
    }
}

/// Finds out who is calling. Whoever shows a key is judged by it alone.
pub(crate) fn prove(
    shown: &Shown<'_>,
    listener: &ListenerSetting,
    world: &World,
    keys: &KeyStore,
    now_ms: u64,
) -> Result<Caller, Unproved> {
    match (shown.bearer, shown.subject) {
        (Some(bearer), _) if keys::is_key(bearer) && listener.accept.contains(&Proof::Key) => {
            keys.prove(bearer, now_ms)
        }
        (Some(_), _) => Err(Unproved::NotAccepted),
        (None, Some(subject)) if listener.accept.contains(&subject.proof) => {
            Ok(Caller::new(world.principal(subject), None, CancellationToken::new()))
        }
        _ if listener.anonymous => Ok(anonymous()),
        (None, Some(_)) => Err(Unproved::NotAccepted),
        (None, None) => Err(Unproved::Nothing),
    }
}

fn anonymous() -> Caller {
    static ANONYMOUS: LazyLock<Principal> = LazyLock::new(|| Principal {
        subject: "anonymous".into(),
        roles: Vec::new(),
        tenant: None,
        authenticated: "anonymous".into(),
    });
    Caller::new(ANONYMOUS.clone(), None, CancellationToken::new())
}
