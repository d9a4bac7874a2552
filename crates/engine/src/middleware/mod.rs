//! Middleware: looks on before and after each call, in order, with a masked view. A middleware that fails or panics
//! changes nothing, unless it is a guard: then the call fails.

pub(crate) mod cache;
mod figures;
mod logging;

pub use figures::{Figures, LinkFigures};

use crate::log::LogSink;
use crate::shared::Shared;
use ringmail_core::chain::Link;
use ringmail_core::failure::Failure;
use ringmail_core::gate::{Admitted, Blocked, Released};
use ringmail_core::redact::masked;
use ringmail_core::refusal::Refusal;
use ringmail_core::value::{Str, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Sees calls. Everything has a default, so an implementation names only what it looks at.
pub trait Middleware: Send + Sync {
    /// Before an admitted call runs. An error is noted, and fails the call if this is a guard.
    fn before(&self, _call: &CallView<'_>) -> Result<(), String> {
        Ok(())
    }

    /// After a call ended, however it did; in the reverse order.
    fn after(&self, _call: &CallView<'_>, _end: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Whether an error of this middleware fails the call.
    fn is_guard(&self) -> bool {
        false
    }
}

/// What middleware sees of a call.
pub struct CallView<'c> {
    link: &'c Link,
    shared: &'c Shared,
    attempt: u32,
    started: Option<Instant>,
    admitted: Option<&'c Admitted>,
}

impl std::fmt::Debug for CallView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallView({}, attempt {})", self.link.full, self.attempt)
    }
}

impl<'c> CallView<'c> {
    pub(crate) fn new(
        link: &'c Link,
        shared: &'c Shared,
        attempt: u32,
        started: Option<Instant>,
        admitted: Option<&'c Admitted>,
    ) -> CallView<'c> {
        CallView { link, shared, attempt, started, admitted }
    }

    /// `chain.link`
    pub fn link(&self) -> &Str {
        &self.link.full
    }

    pub fn kind(&self) -> &'static str {
        self.link.kind.name
    }

    pub fn run_id(&self) -> &Str {
        &self.shared.id
    }

    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Time since the attempt started.
    pub fn elapsed(&self) -> Duration {
        self.started.map_or(Duration::ZERO, |started| started.elapsed())
    }

    /// The arguments, restricted parts masked. Only before the call; afterwards they are gone.
    pub fn args(&self) -> Option<Value> {
        let admitted = self.admitted?;
        let tags = self.shared.engine.authority.tags.read().ok()?;
        Some(masked(admitted.args(), admitted.labels(), &tags))
    }
}

/// How a call ended.
#[derive(Debug)]
pub enum End<'e> {
    Done { bytes: usize },
    Failed(&'e Failure),
    Refused(&'e Refusal),
}

impl<'e> End<'e> {
    pub(crate) fn of(outcome: &'e Result<Released, Blocked>) -> End<'e> {
        match outcome {
            Ok(released) => End::Done { bytes: released.labeled().value.bytes() },
            Err(Blocked::Failed(failure)) => End::Failed(failure),
            Err(Blocked::Refused(refusal)) => End::Refused(refusal),
        }
    }

    /// `done`, or the id of what happened instead.
    pub fn id(&self) -> &'static str {
        match self {
            End::Done { .. } => "done",
            End::Failed(failure) => failure.kind.id(),
            End::Refused(refusal) => refusal.rule.id(),
        }
    }
}

/// Runs one step of a middleware; a panic in it is an error of it.
pub(crate) fn caught(name: &str, step: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(format!("{name}: {why}")),
        Err(_) => Err(format!("{name}: it panicked")),
    }
}

type Make = fn(&Arc<Figures>, &Arc<dyn LogSink>) -> Arc<dyn Middleware>;

/// A middleware every engine has.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    pub name: &'static str,
    pub doc: &'static str,
    make: Make,
}

pub const SHIPPED: &[Shipped] = &[
    Shipped {
        name: "timing",
        doc: "how long calls take, by link; in `run --format json`, and from `Engine::figures`",
        make: |figures, _| Arc::new(figures::Timing(figures.clone())),
    },
    Shipped {
        name: "metrics",
        doc: "how many calls ended how, by link; in `run --format json`, and from `Engine::figures`",
        make: |figures, _| Arc::new(figures::Metrics(figures.clone())),
    },
    Shipped {
        name: "logging",
        doc: "a log line before and after each call: which, how it ended, how long it took, and no data",
        make: |_, log| Arc::new(logging::Logging(log.clone())),
    },
];

impl Shipped {
    pub(crate) fn make(&self, figures: &Arc<Figures>, log: &Arc<dyn LogSink>) -> Arc<dyn Middleware> {
        (self.make)(figures, log)
    }
}
