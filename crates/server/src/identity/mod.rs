//! Who is calling. One way of proof is one file; all come to one [`Caller`], and whatever is wrong comes to one answer.

pub(crate) mod again;
pub(crate) mod certificate;
mod jwks;
pub(crate) mod jwt;
pub(crate) mod kept;
pub(crate) mod keys;
pub(crate) mod tokens;
pub(crate) mod unix;

use crate::caller::Caller;
use crate::server::Doors;
use crate::world::World;
use ringmail_core::listener::{ListenerSetting, Proof};
use ringmail_core::policy::Principal;
use ringmail_core::token::{SignedToken, TokenFault};
use ringmail_core::value::Str;
use std::sync::LazyLock;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// What a caller shows.
#[derive(Debug, Default)]
pub(crate) struct Shown<'s> {
    /// What stands behind `Bearer`.
    pub(crate) bearer: Option<&'s str>,
    /// What the caller knows this place by: whom a token must be for.
    pub(crate) resources: &'s [Str],
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
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum Unproved {
    #[error("nothing was shown")]
    Nothing,
    #[error("the key is not known")]
    UnknownKey,
    #[error("the key was revoked")]
    RevokedKey,
    #[error("the key has expired")]
    ExpiredKey,
    #[error("this listener does not take what was shown")]
    NotAccepted,
    #[error(transparent)]
    Token(#[from] TokenFault),
}

/// Finds out who is calling. Whoever shows a key or a token is judged by it alone.
pub(crate) async fn prove(
    shown: &Shown<'_>,
    listener: &ListenerSetting,
    world: &World,
    doors: &Doors,
) -> Result<Caller, Unproved> {
    let (accept, now_ms) = (&listener.accept, doors.now_ms());
    match (shown.bearer, shown.subject) {
        (Some(bearer), _) if keys::is_key(bearer) && accept.contains(&Proof::Key) => {
            doors.keys.prove(bearer, now_ms)
        }
        (Some(bearer), _) if SignedToken::is_meant(bearer) && accept.contains(&Proof::Jwt) => {
            jwt::prove(bearer, shown.resources, world, &doors.tokens, now_ms).await
        }
        (Some(_), _) => Err(Unproved::NotAccepted),
        (None, Some(subject)) if accept.contains(&subject.proof) => {
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
