//! The trail: the ordered record of one run's stages. Log, progress tree, `explain`, metrics and tests all read it;
//! nothing else is written about a run. It never holds the run's data.

use crate::refusal::Refusal;
use crate::value::Str;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Microseconds since the run started.
    pub at_us: u64,
    pub link: Str,
    pub stage: Stage,
}

/// What can happen, in a closed list.
#[derive(Clone, Debug)]
pub enum Stage {
    /// The chain was entered by a principal.
    Entered,
    /// The run goes on where an earlier process left it: what follows is judged anew, and nothing that ended is done again.
    Resumed,
    /// The run waits for a moment or for somebody, however long that takes.
    Waiting {
        until_ms: Option<u64>,
    },
    /// The call passed the gate.
    Admitted {
        attempt: u32,
    },
    Refused(Box<Refusal>),
    /// An effect's intent was recorded, before it ran.
    Intended {
        sink: Str,
    },
    /// Detectors tagged parts of a value, or advise of something in it.
    Found {
        tagged: Vec<&'static str>,
        signals: Vec<&'static str>,
    },
    /// The output passed the gate.
    Released,
    /// The result of an earlier call was used again.
    Reused,
    Failed {
        failure: Str,
        attempt: u32,
    },
    /// What a plugin was when it crashed lies in this file, for the operator.
    Dumped {
        file: Str,
    },
    /// A dump was asked for and could not be written.
    Undumped {
        why: Str,
    },
    /// A failed call will be tried again after a pause.
    Retrying {
        pause_ms: u64,
    },
    /// The fallback stands in for a failed call.
    FellBack,
    Skipped(Why),
    /// An edge was taken.
    Took {
        target: Str,
    },
    Endorsed,
    /// Enough persons said yes to it.
    Approved,
    /// The principal may not endorse here, and the link lets the value pass unchanged.
    Declined,
    Declassified,
    Extracted,
    /// A middleware failed; the result is unchanged.
    MiddlewareFailed {
        middleware: Str,
    },
    /// The chain's output passed the gate.
    Answered,
    Cancelled,
}

/// Why a link did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its `when` was false.
    When,
    /// Something it reads did not run.
    Missing,
    /// An edge led elsewhere.
    Diverted,
    /// It is only a target, and no edge led to it.
    NotTaken,
}

impl Stage {
    /// Whether a link ended well.
    pub fn is_done(&self) -> bool {
        matches!(
            self,
            Stage::Released | Stage::Endorsed | Stage::Approved | Stage::Declassified | Stage::Extracted
        )
    }

    pub fn name(&self) -> &'static str {
        match self {
            Stage::Entered => "entered",
            Stage::Resumed => "resumed",
            Stage::Waiting { .. } => "waiting",
            Stage::Admitted { .. } => "admitted",
            Stage::Refused(_) => "refused",
            Stage::Intended { .. } => "intended",
            Stage::Found { .. } => "found",
            Stage::Released => "released",
            Stage::Reused => "reused",
            Stage::Failed { .. } => "failed",
            Stage::Dumped { .. } => "dumped",
            Stage::Undumped { .. } => "undumped",
            Stage::Retrying { .. } => "retrying",
            Stage::FellBack => "fell-back",
            Stage::Skipped(_) => "skipped",
            Stage::Took { .. } => "took",
            Stage::Endorsed => "endorsed",
            Stage::Approved => "approved",
            Stage::Declined => "declined",
            Stage::Declassified => "declassified",
            Stage::Extracted => "extracted",
            Stage::MiddlewareFailed { .. } => "middleware-failed",
            Stage::Answered => "answered",
            Stage::Cancelled => "cancelled",
        }
    }
}

impl Why {
    pub fn words(self) -> &'static str {
        match self {
            Why::When => "its condition does not hold",
            Why::Missing => "something it reads did not run",
            Why::Diverted => "an edge led elsewhere",
            Why::NotTaken => "no edge led to it",
        }
    }
}
