//! Runs that nobody waits for at the other end of a connection: started, polled, answered, cancelled, forgotten after a time.
//! Each belongs to the principal that started it and is not seen by any other.

use crate::calls::Seat;
use crate::identity::kept::hex;
use crate::limits::Held;
use crate::problem::Problem;
use ring::digest::{SHA256, digest};
use ringmail_core::chain::Plan;
use ringmail_core::json::to_string;
use ringmail_core::listener::ServerLimits;
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use ringmail_engine::{CallerAnswer, CallerQuestion, Clock, SystemClock};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<BTreeMap<Str, Kept>>);

#[derive(Debug)]
struct Kept {
    owner: Principal,
    of: Of,
    cancel: CancellationToken,
    /// Nothing once it is over.
    seat: Option<Seat>,
    /// What its caller was asked and has not answered. The engine bounds how many there are.
    asked: Vec<(Str, CallerQuestion)>,
    /// What it counts for among its caller's, until it first waits for that caller.
    held: Option<Held>,
    changed_ms: u64,
    ended: Option<(Instant, Told)>,
}

/// What a run is one of.
#[derive(Clone, Debug)]
pub(crate) struct Of {
    pub(crate) chain: Str,
    /// Whether its output is what MCP has for it.
    pub(crate) content: bool,
}

impl Of {
    pub(crate) fn plan(plan: &Plan) -> Of {
        Of { chain: plan.name.clone(), content: plan.mcp.content }
    }
}

/// How a run ended, as its caller may hear it.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Output(Value),
    Problem(Problem),
}

/// A question as its caller sees it.
#[derive(Clone, Debug)]
pub(crate) struct SeenQuestion {
    pub(crate) key: Str,
    pub(crate) message: Str,
    pub(crate) schema: Value,
}

/// A run as its owner sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) of: Of,
    pub(crate) changed_ms: u64,
    pub(crate) asked: Vec<SeenQuestion>,
    pub(crate) ended: Option<Told>,
}

/// What an answer is brought under: that of no other question, in this process or the next, and of no other text.
fn key_of(question: &CallerQuestion) -> Str {
    let text = format!("{}\n{}\n{}", question.id, question.message, to_string(&question.schema));
    let digest = digest(&SHA256, text.as_bytes());
    format!("{}-{}", question.name, hex(digest.as_ref().get(..6).unwrap_or_default())).into()
}

impl Kept {
    fn is_kept(&self, limits: &ServerLimits) -> bool {
        let time = Duration::from_millis(limits.run_kept_ms);
        self.ended.as_ref().is_none_or(|(at, _)| at.elapsed() < time)
    }

    fn changed(&mut self) {
        self.changed_ms = SystemClock.now_ms();
    }

    /// The questions that somebody still waits with.
    fn open(&self) -> impl Iterator<Item = &(Str, CallerQuestion)> {
        self.asked.iter().filter(|(_, question)| !question.is_given_up())
    }
}

impl Runs {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<Str, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a run in, unless there are too many. Of whoever keeps the most, the oldest that has ended makes room.
    pub(crate) fn begin(
        &self,
        id: &Str,
        owner: &Principal,
        of: Of,
        limits: &ServerLimits,
    ) -> Option<CancellationToken> {
        let mut kept = self.kept();
        kept.retain(|_, run| run.is_kept(limits));
        if kept.len() >= limits.runs_max {
            let mut counts: HashMap<&Principal, (usize, &Str)> = HashMap::new();
            // Ids start with the time, so the first of each is its oldest.
            for (id, run) in kept.iter().filter(|(_, run)| run.ended.is_some()) {
                counts.entry(&run.owner).or_insert((0, id)).0 += 1;
            }
            let oldest = counts.into_values().max().map(|(_, id)| id.clone())?;
            kept.remove(&oldest);
        }
        let cancel = CancellationToken::new();
        let run = Kept {
            owner: owner.clone(),
            of,
            cancel: cancel.clone(),
            seat: None,
            asked: Vec::new(),
            held: None,
            changed_ms: SystemClock.now_ms(),
            ended: None,
        };
        kept.insert(id.clone(), run);
        Some(cancel)
    }

    /// Gives a run its turn, and what it counts for.
    pub(crate) fn hold(&self, id: &str, seat: Seat, held: Held) {
        if let Some(run) = self.kept().get_mut(id) {
            (run.seat, run.held) = (Some(seat), Some(held));
        }
    }

    /// How many runs of a principal wait for it.
    pub(crate) fn waiting_for(&self, owner: &Principal) -> usize {
        let kept = self.kept();
        kept.values().filter(|run| run.owner == *owner && run.open().next().is_some()).count()
    }

    /// Keeps a question until its caller comes back for it.
    pub(crate) fn ask(&self, id: &str, question: CallerQuestion) {
        if let Some(run) = self.kept().get_mut(id) {
            run.asked.retain(|(_, question)| !question.is_given_up());
            run.asked.push((key_of(&question), question));
            run.held = None;
            run.changed();
        }
    }

    /// Brings answers to what a run asks, all of them or none. What is not asked is not answered.
    pub(crate) fn answer(
        &self,
        id: &str,
        owner: &Principal,
        answers: Vec<(Str, CallerAnswer)>,
    ) -> Result<(), String> {
        let mut kept = self.kept();
        let Some(run) = kept.get_mut(id).filter(|run| run.owner == *owner) else { return Ok(()) };
        let asks = |run: &Kept, key: &Str| run.asked.iter().position(|(known, _)| known == key);
        for (key, answer) in &answers {
            if let Some((_, question)) = asks(run, key).and_then(|at| run.asked.get(at)) {
                question.check(answer)?;
            }
        }
        for (key, answer) in answers {
            if let Some(at) = asks(run, &key) {
                let (_, question) = run.asked.remove(at);
                question.tell(answer);
                run.changed();
            }
        }
        Ok(())
    }

    pub(crate) fn end(&self, id: &str, told: Told) {
        if let Some(run) = self.kept().get_mut(id) {
            run.ended = Some((Instant::now(), told));
            (run.seat, run.held) = (None, None);
            run.asked.clear();
            run.changed();
        }
    }

    pub(crate) fn see(&self, id: &str, owner: &Principal, limits: &ServerLimits) -> Option<Seen> {
        let kept = self.kept();
        let run = kept.get(id).filter(|run| run.owner == *owner && run.is_kept(limits))?;
        let asked = run.open().map(|(key, question)| SeenQuestion {
            key: key.clone(),
            message: question.message.clone(),
            schema: question.schema.clone(),
        });
        let ended = run.ended.as_ref().map(|(_, told)| told.clone());
        Some(Seen { of: run.of.clone(), changed_ms: run.changed_ms, asked: asked.collect(), ended })
    }

    pub(crate) fn cancel(&self, id: &str, owner: &Principal, limits: &ServerLimits) -> Option<Seen> {
        let seen = self.see(id, owner, limits)?;
        if let Some(run) = self.kept().get(id) {
            run.cancel.cancel();
        }
        Some(seen)
    }

    pub(crate) fn cancel_all(&self) {
        self.kept().values().for_each(|run| run.cancel.cancel());
    }

    pub(crate) fn under_way(&self) -> usize {
        self.kept().values().filter(|run| run.ended.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringmail_core::listener::ServerSetting;

    #[test]
    fn whoever_keeps_the_most_makes_room() {
        let runs = Runs::default();
        let who = |name: &str| Principal { subject: name.into(), ..Principal::host() };
        let limits = ServerLimits { runs_max: 4, ..ServerSetting::default().limits };
        let begin = |id: &str, owner: &Principal| {
            runs.begin(&id.into(), owner, Of { chain: "c".into(), content: false }, &limits).is_some()
        };
        let (crowd, one) = (who("crowd"), who("one"));
        for (id, owner) in [("1", &one), ("2", &crowd), ("3", &crowd), ("4", &crowd)] {
            assert!(begin(id, owner));
            runs.end(id, Told::Output(Value::Null));
        }
        assert!(begin("5", &crowd));
        assert!(runs.see("1", &one, &limits).is_some() && runs.see("2", &crowd, &limits).is_none());
        // What is under way makes no room.
        for id in ["6", "7"] {
            assert!(begin(id, &crowd));
        }
        assert!(begin("8", &crowd) && !begin("9", &crowd));
        // What is over is kept for its time.
        let none = ServerLimits { run_kept_ms: 0, ..limits };
        assert!(runs.see("8", &crowd, &none).is_some());
        runs.end("8", Told::Output(Value::Null));
        assert!(runs.see("8", &crowd, &limits).is_some() && runs.see("8", &crowd, &none).is_none());
    }
}
