//! What all chains of one run share: its facts, its moments, and whoever looks on.

use crate::caller::{CallerQuestion, SeatWord};
use crate::chain::words;
use crate::engine::Inner;
use crate::journal::{Past, session_words};
use crate::recorder::{Began, DataSubject, Intent, Kept, LogMark, Marked, RecordError, RunPart, Start};
use crate::watch::Watch;
use ringmail_core::chain::Plan;
use ringmail_core::chain::walk::Stop;
use ringmail_core::failure::Failure;
use ringmail_core::gate::Moment;
use ringmail_core::label::{Labels, Tags};
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::run::Run;
use ringmail_core::trail::Stage;
use ringmail_core::value::{Str, Value, path_text};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::RuntimeFlavor;
use tokio::sync::{Notify, mpsc, oneshot};
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

/// How long a stage is only in memory, while a run goes on.
const WRITE_EVERY_US: u64 = 100_000;

fn bytes_of(kept: &[Kept]) -> usize {
    kept.iter().fold(0, |bytes, kept| bytes.saturating_add(kept.what.bytes()))
}

/// What of a run is on record.
#[derive(Default)]
pub(crate) struct Written {
    start: Option<Box<Start>>,
    parts: u32,
    /// The run's first record, until this process has written that it goes on with it.
    resumes: Option<u64>,
    events: usize,
    /// How calls ended since the last part.
    kept: Vec<Kept>,
    /// When, in microseconds since the run began.
    at_us: u64,
    acts: bool,
}

impl Written {
    /// What another process has written of a run.
    pub(crate) fn before(past: &Past) -> Written {
        let start = Some(Box::new(past.start.clone()));
        let (parts, resumes, kept) = (past.parts, Some(past.first), past.found.clone());
        Written { start, parts, resumes, kept, acts: true, ..Written::default() }
    }
}

/// Whether a run waits for persons: its time does not count then.
#[derive(Default)]
pub(crate) struct Waits {
    open: AtomicUsize,
    changed: Notify,
}

/// Held while something waits.
pub(crate) struct Waiting<'s>(&'s Waits);

impl Waits {
    pub(crate) fn begin(&self) -> Waiting<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Ends at once where nothing waits, and otherwise when something has ended to.
    pub(crate) async fn none(&self) {
        while self.open.load(Ordering::Relaxed) > 0 {
            self.changed.notified().await;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

/// What a run was asked for with.
pub(crate) struct Asked {
    pub(crate) input: Value,
    pub(crate) nonce: u64,
    /// Tags of what the session had read before.
    pub(crate) read: Tags,
    pub(crate) unattended: bool,
    pub(crate) keeps: bool,
    pub(crate) comes_back: bool,
}

/// What all chains of one run share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Inner>,
    pub(crate) id: Str,
    pub(crate) facts: Arc<Mutex<Run>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) started: Instant,
    /// What the clock showed when `started` was; a run that goes on began before.
    pub(crate) started_ms: u64,
    pub(crate) asked: Asked,
    pub(crate) past: Option<Box<Past>>,
    /// Whether it only walks what is on record.
    pub(crate) replays: bool,
    /// The first call that is not on record, where it does.
    pub(crate) beyond: OnceLock<Str>,
    /// Set where the run ends here and is not over.
    pub(crate) left: OnceLock<Option<Box<Refusal>>>,
    pub(crate) leaving: CancellationToken,
    /// Whether it leaves where it would wait for persons: nobody waits with it.
    pub(crate) alone: bool,
    /// Asks the run to leave as soon as it waits.
    pub(crate) leave_when_waiting: CancellationToken,
    pub(crate) waits: Waits,
    /// How often a call has asked persons, and what the questions are called.
    pub(crate) questions: Mutex<(HashMap<Str, u32>, Vec<Str>)>,
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) pieces: Option<mpsc::Sender<Value>>,
    /// Who is asked, if the caller can be, and how often it was.
    pub(crate) caller: Option<mpsc::Sender<CallerQuestion>>,
    pub(crate) seat: Option<mpsc::UnboundedSender<SeatWord>>,
    pub(crate) caller_asked: AtomicUsize,
    /// The chain whose caller gets the pieces.
    pub(crate) answering: Arc<Plan>,
    /// A piece that the caller may not see.
    pub(crate) refused: OnceLock<Box<Refusal>>,
    /// Stages that watchers have seen.
    pub(crate) noted: AtomicUsize,
    pub(crate) written: Mutex<Written>,
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

    /// A failure of the chain itself: its input or its output does not fit.
    pub(crate) fn failed(&self, chain: &Str, failure: &Failure) {
        self.record(chain, Stage::Failed { failure: failure.to_string().into(), attempt: 0 });
    }

    /// Shows new stages to watchers, each once and in order. The recorder sees those of a run that takes its time.
    pub(crate) fn note(&self) {
        if let Some(watch) = &self.watch {
            let facts = self.facts();
            let seen = self.noted.load(Ordering::Relaxed);
            for event in facts.trail().get(seen..).unwrap_or_default() {
                watch.stage(event);
            }
            self.noted.store(facts.trail().len(), Ordering::Relaxed);
        }
        let written_us = self.written().at_us;
        if self.latest_us.load(Ordering::Relaxed).saturating_sub(written_us) >= WRITE_EVERY_US {
            self.write_on();
        }
    }

    /// Ends the run in this process, for this or another to go on with.
    pub(crate) fn leave(&self, why: Option<Box<Refusal>>) {
        // Whoever came first said why.
        let _known = self.left.set(why);
        self.leaving.cancel();
    }

    /// What was waited for since then is nobody's work, and is not counted.
    pub(crate) fn stay_young(&self, since: Instant) {
        let waited_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut facts = self.facts();
        facts.limits.time_ms_max = facts.limits.time_ms_max.saturating_add(waited_ms);
    }

    /// Somebody takes his time: nobody else waits for that.
    pub(crate) fn leave_seat(&self) {
        if let Some(seat) = &self.seat {
            // Whoever gave it has gone, and gives it to nobody else.
            let _nobody = seat.send(SeatWord::Left);
        }
    }

    /// Ends when it is this run's turn again.
    pub(crate) async fn take_seat(&self) {
        let Some(seat) = &self.seat else { return };
        let (began, waiting) = (Instant::now(), self.waits.begin());
        let (told, given) = oneshot::channel();
        if seat.send(SeatWord::Wanted(told)).is_ok() {
            // Whoever gave it has gone: nobody is in the way.
            let _free = given.await;
        }
        self.stay_young(began);
        drop(waiting);
    }

    /// Which of a call's questions comes next.
    pub(crate) fn count_question(&self, at: &Str) -> u32 {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let count = questions.0.entry(at.clone()).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn asked(&self, id: &Str) {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).1.push(id.clone());
    }

    /// What was asked and what was said is on record, and nobody is asked any more.
    pub(crate) fn forget_questions(&self) {
        let asked = std::mem::take(&mut self.questions.lock().unwrap_or_else(PoisonError::into_inner).1);
        for id in &asked {
            if let Some(approvals) = &self.engine.approvals {
                // What is left of one is told to nobody: its run is over.
                let _left = approvals.forget(id);
            }
        }
    }

    /// Labels by path, as persons read them.
    pub(crate) fn label_words(&self, labels: &Labels) -> Vec<(String, String)> {
        let facts = self.facts();
        let Ok(tags) = self.engine.authority.tags.read() else { return Vec::new() };
        let paths = labels.paths().into_iter();
        paths.map(|(path, label)| (path_text(&path), words(label, &tags, &facts.origins))).collect()
    }

    /// Whether how calls end is kept.
    pub(crate) fn keeps(&self) -> bool {
        self.asked.keeps && self.engine.recorder.is_some()
    }

    pub(crate) fn keep(&self, kept: Kept) {
        self.written().kept.push(kept);
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts on record what happened so far. What cannot be written is tried again with what comes next, and stops the run at
    /// its next effect or its end.
    pub(crate) fn write_on(&self) {
        let _tried_again = self.write(None, false);
    }

    /// Puts on record what happened so far, and an intent. Nothing without a recorder.
    pub(crate) fn write(
        &self,
        intent: Option<&Intent>,
        is_last: bool,
    ) -> Option<Result<LogMark, RecordError>> {
        let recorder = self.engine.recorder.as_ref().filter(|_| !self.replays)?;
        let mut written = self.written();
        let written = &mut *written;
        let facts = self.facts();
        let events = facts.trail().get(written.events..).unwrap_or_default();
        let nothing = events.is_empty() && written.kept.is_empty() && intent.is_none();
        if nothing && written.parts > 0 && !is_last {
            return None;
        }
        let run = written.start.get_or_insert_with(|| self.start(&facts));
        let (kept, resumes) = (&*written.kept, written.resumes);
        let class = &*self.engine.retention.class(facts.read);
        let part = RunPart { run, number: written.parts, events, kept, class, intent, is_last, resumes };
        let bytes = if written.parts == 0 { self.given_bytes(kept) } else { bytes_of(kept) };
        let marked = aside(bytes, || recorder.part(part));
        if marked.is_ok() {
            written.resumes = None;
            written.kept.clear();
            written.events = facts.trail().len();
            written.parts = written.parts.saturating_add(1);
            written.acts |= intent.is_some_and(|intent| intent.acts);
        }
        written.at_us = self.latest_us.load(Ordering::Relaxed);
        Some(marked)
    }

    /// The whole of a run of which nothing is on record yet, as it ends. Nothing for any other.
    pub(crate) fn write_whole(&self) -> Option<Marked<'_>> {
        let recorder = self.engine.recorder.as_ref().filter(|_| !self.replays)?;
        let written = self.written();
        let facts = self.facts();
        let is_new = written.parts == 0 && written.start.is_none();
        is_new.then(|| {
            let (run, events, kept) = (&self.start(&facts), facts.trail(), &*written.kept);
            let class = &*self.engine.retention.class(facts.read);
            let (number, intent, is_last, resumes) = (0, None, true, None);
            let part = RunPart { run, number, events, kept, class, intent, is_last, resumes };
            aside(self.given_bytes(kept), || recorder.whole(part))
        })
    }

    fn start(&self, facts: &Run) -> Box<Start> {
        let began = Began {
            principal: facts.principal.clone(),
            nonce: self.asked.nonce,
            input: self.asked.input.clone(),
            session: session_words(facts, self.asked.read, &self.engine.authority.tags),
            comes_back: self.asked.comes_back,
        };
        Box::new(Start {
            run: self.id.clone(),
            project: self.engine.project.clone(),
            chain: self.answering.name.clone(),
            digest: self.answering.digest.clone(),
            who: DataSubject::of(&facts.principal),
            at_ms: facts.started_ms,
            unattended: self.asked.unattended,
            keeps: self.asked.keeps,
            began,
        })
    }

    /// About how much there is to seal at the start of a run.
    fn given_bytes(&self, kept: &[Kept]) -> usize {
        bytes_of(kept).saturating_add(self.asked.input.bytes())
    }

    /// Puts on record that the run was asked for, durably.
    pub(crate) async fn begun(&self) -> Result<(), RecordError> {
        let (Some(marked), Some(recorder)) = (self.write(None, false), &self.engine.recorder) else {
            return Ok(());
        };
        recorder.durable(marked?).await
    }

    /// Whether the run may have had an effect.
    pub(crate) fn may_have_acted(&self) -> bool {
        self.written().acts
    }

    /// Ends when the run has lasted as long as it may. What it waited for does not count.
    pub(crate) async fn time_is_over(&self) {
        loop {
            let limit = Duration::from_millis(self.facts().limits.time_ms_max);
            tokio::time::sleep_until(self.started + limit).await;
            self.waits.none().await;
            if self.started.elapsed() >= Duration::from_millis(self.facts().limits.time_ms_max) {
                return;
            }
        }
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
