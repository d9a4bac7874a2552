//! What a native link is handed: its arguments and nothing else of the run.

use crate::pieces::Pieces;
use crate::run::Way;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::Blocked;
use ringmail_core::json::{IntoValue, into_serde};
use ringmail_core::value::{Value, parse_path};
use tokio_util::sync::CancellationToken;

/// The arguments of one call of a native link.
pub struct Ctx {
    pub(crate) args: Value,
    /// Which link it is, and where it stands.
    pub(crate) at: usize,
    pub(crate) way: Way,
    /// For blocking links, which outlive a timeout: cancelled with the call.
    pub(crate) child: Option<CancellationToken>,
    pub(crate) pieces: Pieces,
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ctx({})", self.link())
    }
}

impl Ctx {
    /// The arguments as a Rust type; what does not fit is an `invalid` failure.
    pub fn args<T: serde::de::DeserializeOwned>(&self) -> Result<T, Failure> {
        into_serde(&self.args).map_err(|message| Failure::new(FailureKind::Invalid, message))
    }

    /// The arguments as they are, shared.
    pub fn value(&self) -> &Value {
        &self.args
    }

    /// One argument by path, such as `order.lines.0`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        self.args.at(&parse_path(path))
    }

    /// The full name of the link, `chain.link`.
    pub fn link(&self) -> &str {
        self.way.bound.plan.link(self.at).map_or("", |link| &link.full)
    }

    pub fn run_id(&self) -> &str {
        &self.way.shared.id
    }

    /// Whether the run was cancelled or the call timed out. Blocking links ask now and then.
    pub fn is_cancelled(&self) -> bool {
        self.cancel().is_cancelled()
    }

    pub async fn cancelled(&self) {
        self.cancel().cancelled().await;
    }

    fn cancel(&self) -> &CancellationToken {
        self.child.as_ref().unwrap_or(&self.way.shared.cancel)
    }

    /// Passes a piece of output on to the caller as it comes, if the chain streams this link and the caller may see
    /// it. Waits while the caller is slow.
    pub async fn emit(&self, piece: impl IntoValue) -> Result<(), Failure> {
        self.pieces.send(piece.into_value()?).await.map_err(|blocked| match blocked {
            Blocked::Failed(failure) => *failure,
            Blocked::Refused(refusal) => {
                let failure = Failure::new(FailureKind::Native, refusal.to_string());
                // The link may do with the failure what it likes; that the run was refused stays.
                let _first = self.way.shared.refused.set(refusal);
                failure
            }
        })
    }
}
