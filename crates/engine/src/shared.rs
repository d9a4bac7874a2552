//! What all chains of one run share: its facts, its moments, and whoever looks on.

use crate::engine::Inner;
use crate::recorder::Start;
use crate::watch::Watch;
use ringmail_core::chain::Plan;
use ringmail_core::chain::walk::Stop;
use ringmail_core::failure::Failure;
use ringmail_core::gate::Moment;
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::run::Run;
use ringmail_core::trail::Stage;
use ringmail_core::value::{Str, Value};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::runtime::RuntimeFlavor;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Larger values are looked at aside.
const LOOK_BYTES_MAX: usize = 1 << 20;

/// Does what takes long with a large value where no other run waits for the thread: what a gate looks at is as large as
/// whoever sends it likes. A runtime of one thread has nobody to hand the others to.
pub(crate) fn aside<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    let threads = tokio::runtime::Handle::try_current().map(|runtime| runtime.runtime_flavor());
    // What is no task holds a thread of its own.
    let shares =
        threads.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread) && tokio::task::try_id().is_some();
    if bytes > LOOK_BYTES_MAX && shares { tokio::task::block_in_place(work) } else { work() }
}

/// What all chains of one run share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Inner>,
    pub(crate) id: Str,
    pub(crate) facts: Arc<Mutex<Run>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) started: Instant,
    pub(crate) started_ms: u64,
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) pieces: Option<mpsc::Sender<Value>>,
    /// The chain whose caller gets the pieces.
    pub(crate) answering: Arc<Plan>,
    /// A piece that the caller may not see.
    pub(crate) refused: OnceLock<Box<Refusal>>,
    /// Stages that watchers and the recorder have seen.
    pub(crate) noted: AtomicUsize,
    /// When the last moment was taken, in microseconds since the start.
    pub(crate) latest_us: AtomicU64,
}

impl Shared {
    /// A panic while the lock was held was caught elsewhere; the facts are whole, because the gate records last.
    pub(crate) fn facts(&self) -> MutexGuard<'_, Run> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn moment(&self) -> Moment {
        let elapsed = self.started.elapsed();
        let at_us =
            elapsed.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(elapsed.subsec_micros()));
        self.latest_us.store(at_us, Ordering::Relaxed);
        self.moment_at(at_us)
    }

    /// The moment of the last stage: what follows one without waiting need not ask the clock again.
    pub(crate) fn latest(&self) -> Moment {
        self.moment_at(self.latest_us.load(Ordering::Relaxed))
    }

    pub(crate) fn moment_at(&self, at_us: u64) -> Moment {
        Moment { now_ms: self.started_ms.saturating_add(at_us / 1000), at_us }
    }

    pub(crate) fn record(&self, link: &Str, stage: Stage) {
        let at_us = self.moment().at_us;
        self.facts().record(at_us, link, stage);
        self.note();
    }

    /// Tells the recorder that the run was asked for.
    pub(crate) fn start(&self) {
        let Some(recorder) = &self.engine.recorder else { return };
        let principal = self.facts().principal.clone();
        recorder.start(&Start {
            run: self.id.clone(),
            project: self.engine.project.clone(),
            chain: self.answering.name.clone(),
            digest: self.answering.digest.clone(),
            principal: principal.subject,
            tenant: principal.tenant,
            at_ms: self.started_ms,
        });
    }

    /// A failure of the chain itself: its input or its output does not fit.
    pub(crate) fn failed(&self, chain: &Str, failure: &Failure) {
        self.record(chain, Stage::Failed { failure: failure.to_string().into(), attempt: 0 });
    }

    /// Shows new stages to watchers and the recorder, each once and in order.
    pub(crate) fn note(&self) {
        if self.watch.is_none() && self.engine.recorder.is_none() {
            return;
        }
        let facts = self.facts();
        let seen = self.noted.load(Ordering::Relaxed);
        let new = facts.trail().get(seen..).unwrap_or_default();
        for event in new {
            if let Some(watch) = &self.watch {
                watch.stage(event);
            }
            if let Some(recorder) = &self.engine.recorder {
                recorder.note(&self.id, event);
            }
        }
        self.noted.store(facts.trail().len(), Ordering::Relaxed);
    }

    pub(crate) fn out_of_time(&self, plan: &Plan) -> Stop {
        let message = format!("the run has lasted {} ms, which is its limit", plan.limits.time_ms_max);
        let refusal = Refusal::new(Rule::TimeBudget, &plan.name, message)
            .change("raise `limits.time`, if it may last longer");
        let refusal = Box::new(refusal);
        self.record(&plan.name, Stage::Refused(refusal.clone()));
        Stop::Refused(refusal)
    }
}
