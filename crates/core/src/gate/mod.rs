//! The gates: the only place where a request becomes an entered chain, a call becomes admitted and an output becomes
//! released. Each yields evidence that nothing else can make; links accept nothing but evidence. Layers only narrow:
//! budget, grants, label flow, policy, in this order. Every "yes" and "no" is on the trail before it is returned.

mod admit;
mod approve;
mod control;
mod enter;
mod judge;
mod keep;
mod look;
mod permit;
mod refuse;
mod release;

pub use admit::{ActRecord, Admitted, Due, Redirect, admit};
pub use approve::{Approved, Said, Tally, approve, consent, may_ask_caller, question};
pub use control::{Commander, Order, Steered, steer};
pub use enter::{Answer, CALLER, Entered, Left, enter, enter_inner, leave, piece, respond};
pub use judge::{Fault, Sink, flow_fault};
pub use keep::{KV, KvAsk, keep};
pub(crate) use permit::{COMMAND_STEERING, tool_sink};
pub use permit::{CheckedAddress, CommandPermit, FsPermit, NetPermit, Permit, ToolPermit};
pub(crate) use refuse::{Refuser, flow_changes};
pub use release::{Released, Unchecked, fall_back, hold, release, spend};

use crate::chain::walk::Stop;
use crate::detect::Detectors;
use crate::failure::Failure;
use crate::grant::{Grants, SecretRule};
use crate::label::{Label, TagTable};
use crate::policy::Policies;
use crate::refusal::Refusal;
use crate::value::Str;
use std::sync::{Arc, RwLock};

/// Everything the gates decide by, apart from the run itself.
#[derive(Debug)]
pub struct Authority {
    pub grants: Grants,
    pub policies: Policies,
    pub secrets: Vec<SecretRule>,
    pub tags: Arc<RwLock<TagTable>>,
    pub detectors: Detectors,
}

/// What could not be evaluated, if the tags cannot be read.
const TAGS: &str = "the tags";

/// When a gate is asked.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Microseconds since the run started.
    pub at_us: u64,
}

/// A gate's "no", or data that does not fit.
#[derive(Clone, Debug, PartialEq)]
pub enum Blocked {
    Refused(Box<Refusal>),
    Failed(Box<Failure>),
}

impl Blocked {
    /// The same, telling of data with this label.
    #[must_use]
    pub fn labelled(self, label: Label) -> Blocked {
        match self {
            Blocked::Refused(refusal) => Blocked::Refused(Box::new(refusal.labelled(label))),
            Blocked::Failed(failure) => Blocked::Failed(Box::new(failure.labelled(label))),
        }
    }

    pub fn stop(self, link: &Str) -> Stop {
        match self {
            Blocked::Refused(refusal) => Stop::Refused(refusal),
            Blocked::Failed(failure) => Stop::Failed { link: link.clone(), failure: *failure },
        }
    }
}

impl From<Refusal> for Blocked {
    fn from(refusal: Refusal) -> Blocked {
        Blocked::Refused(Box::new(refusal))
    }
}

impl From<Failure> for Blocked {
    fn from(failure: Failure) -> Blocked {
        Blocked::Failed(Box::new(failure))
    }
}

/// Mismatches as one failure.
pub fn invalid(what: &str, mismatches: &[crate::schema::Mismatch]) -> Failure {
    let shown: Vec<String> = mismatches
        .iter()
        .map(|mismatch| {
            let at = if mismatch.path.is_empty() { String::new() } else { format!("`{}`: ", mismatch.path) };
            format!("{at}{}", mismatch.message)
        })
        .collect();
    Failure::new(
        crate::failure::FailureKind::Invalid,
        format!("{what} does not fit its schema: {}", shown.join("; ")),
    )
}
