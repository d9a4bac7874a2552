//! How a run begins and how it ends: its facts, its id, its last words and its report.

use crate::chain::{Names, Report, Request, Session};
use crate::journal::ANSWER;
use crate::recorder::{Kept, RecordError};
use crate::replay::answer_words;
use crate::run::{RunError, Way};
use crate::shared::{Asked, Shared, Waits, Written, aside};
use ringmail_core::gate::{Answer, Blocked};
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::run::{Limits, Run};
use ringmail_core::trail::Stage;
use ringmail_core::value::{Str, Value};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A run whose future is dropped leaves a mark, and its links are told.
pub(crate) struct Abandoned(pub(crate) Option<Arc<Shared>>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.cancel.cancel();
            if shared.left.get().is_some() {
                return shared.write_on();
            }
            shared.record(&shared.answering.name, Stage::Cancelled);
            shared.forget_questions();
            // Nobody is left to be told if it cannot be.
            let _unheard = shared.write(None, true);
        }
    }
}

pub(crate) fn begin(request: Request) -> (Way, Value) {
    let engine = request.chain.engine.0.clone();
    let bound = request.chain.bound;
    let (now, now_ms) = (Instant::now(), engine.clock.now_ms());
    let (began_ms, elapsed_us) = match &request.past {
        Some(past) if request.replays => (past.start.at_ms, 0),
        Some(past) => (past.start.at_ms, past.elapsed_us),
        None => (now_ms, 0),
    };
    let elapsed = Duration::from_micros(elapsed_us);
    let id = request.id;
    let limits = bound.plan.limits;
    // How long it lay there is nobody's work.
    let limits = Limits { time_ms_max: limits.time_ms_max.saturating_add(elapsed_us / 1000), ..limits };
    let nonce = u64::try_from(request.nonce & u128::from(u64::MAX)).unwrap_or(0);
    let mut facts = Run::new(id.clone(), request.principal, limits, began_ms, nonce);
    facts.session = request.session.counts;
    facts.session_done = request.session.done;
    facts.read = request.session.read;
    facts.answering = bound.plan.name.clone();
    let read = facts.read;
    let (unattended, keeps, comes_back) = (request.unattended, request.keeps, request.comes_back);
    let asked = Asked { input: request.input.clone(), nonce, read, unattended, keeps, comes_back };
    let written = request.past.as_deref().map_or_else(Written::default, Written::before);
    let shared = Shared {
        engine,
        id,
        facts: Arc::new(Mutex::new(facts)),
        cancel: request.cancel.as_ref().map_or_else(CancellationToken::new, CancellationToken::child_token),
        started: now.checked_sub(elapsed).unwrap_or(now),
        started_ms: if request.replays { began_ms } else { now_ms.saturating_sub(elapsed_us / 1000) },
        replays: request.replays,
        beyond: OnceLock::new(),
        asked,
        past: request.past,
        left: OnceLock::new(),
        leaving: CancellationToken::new(),
        alone: request.alone,
        leave_when_waiting: request.leave,
        waits: Waits::default(),
        questions: Mutex::default(),
        watch: request.watch,
        pieces: request.pieces,
        caller: request.caller,
        seat: request.seat,
        caller_asked: AtomicUsize::new(0),
        answering: bound.plan.clone(),
        refused: OnceLock::new(),
        noted: AtomicUsize::new(0),
        written: Mutex::new(written),
        latest_us: AtomicU64::new(elapsed_us),
    };
    if let Some(past) = shared.past.as_ref().filter(|_| !shared.replays) {
        shared.record(&shared.answering.name, Stage::Resumed);
        shared.write_on();
        past.claim.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
    (Way::first(Arc::new(shared), bound), request.input)
}

/// Sortable by time, unguessable: 48 bits of milliseconds, 80 random ones, as 32 hexadecimal digits.
pub(crate) fn run_id(now_ms: u64, nonce: u128) -> Str {
    let bits = u128::from(now_ms) << 80 | nonce >> 48;
    let mut digits = [b'0'; 32];
    for (at, digit) in digits.iter_mut().rev().enumerate() {
        let four = (bits >> (4 * at)) as u8 & 15;
        *digit = if four < 10 { b'0' + four } else { b'a' + four - 10 };
    }
    std::str::from_utf8(&digits).unwrap_or_default().into()
}

/// Data that does not fit the chain's own schema is the caller's to mend.
pub(crate) fn entry_error(blocked: Blocked) -> RunError {
    match blocked {
        Blocked::Refused(refusal) => RunError::Refused(refusal),
        Blocked::Failed(failure) => RunError::Input(*failure),
    }
}

pub(crate) async fn end(shared: &Shared, result: Result<Answer, RunError>) -> Report {
    let name = &shared.answering.name;
    let mut result = result;
    if let (Err(RunError::Failed { .. }), Some(refusal)) = (&result, shared.refused.get()) {
        result = Err(RunError::Refused(refusal.clone()));
    }
    // Whoever asked may not see what a failure is about, and records are for those who may see nothing.
    if let Err(RunError::Failed { failure, .. } | RunError::Input(failure)) = &mut result {
        failure.keep_back();
    }
    match &result {
        Err(RunError::Input(failure)) => shared.failed(name, failure),
        Err(RunError::Failed { link, failure }) if link == name => shared.failed(name, failure),
        _ => shared.note(),
    }
    if let (Ok(answer), true) = (&result, shared.keeps()) {
        let what = aside(answer.value().bytes(), || answer_words(answer));
        shared.keep(Kept { at: ANSWER.into(), what });
    }
    if matches!(result, Err(RunError::InDoubt(_) | RunError::Left)) {
        shared.write_on();
    } else if let Err(error) = recorded(shared).await
        && result.is_ok()
    {
        let refusal = Refusal::new(Rule::RecordFailed, name, "the run could not be recorded to its end");
        let failed = Stage::Failed { failure: error.to_string().into(), attempt: 0 };
        shared.facts().record(shared.moment().at_us, name, failed);
        result = Err(RunError::Refused(Box::new(refusal)));
    }
    if !matches!(result, Err(RunError::InDoubt(_) | RunError::Left)) {
        shared.forget_questions();
    }
    let mut facts = shared.facts();
    let session = Session {
        counts: std::mem::take(&mut facts.session),
        done: std::mem::take(&mut facts.session_done),
        read: facts.read,
    };
    let (trail, origins) = facts.take_trail();
    let names = Names { tags: shared.engine.authority.tags.clone(), origins };
    Report { run: shared.id.clone(), result, trail, session, names }
}

/// A run is on record before anybody hears of its end; one that may have had an effect, durably.
async fn recorded(shared: &Shared) -> Result<(), RecordError> {
    if let Some(marked) = shared.write_whole() {
        return marked.await.map(drop);
    }
    let (Some(marked), Some(recorder)) = (shared.write(None, true), &shared.engine.recorder) else {
        return Ok(());
    };
    let mark = marked?;
    if shared.may_have_acted() { recorder.durable(mark).await } else { Ok(()) }
}
