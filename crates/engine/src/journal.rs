//! What a run needs to go on after its process ended. A run that is resumed begins anew, with the same input, in the same name,
//! and is judged anew; only that calls which ended before are not made again: what they brought stands on record.

use crate::kinds;
use crate::recorder::{Began, Kept, Start};
use crate::run::Way;
use crate::shared::Shared;
use ringmail_core::chain::Link;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Admitted, Blocked, Unchecked};
use ringmail_core::kind::Role;
use ringmail_core::label::{Label, Origins, TagTable, Tags, Tenant};
use ringmail_core::policy::Principal;
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::run::Run;
use ringmail_core::trail::Stage;
use ringmail_core::value::{Str, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;

/// What is on record of a run that goes on, or is looked at once more.
#[derive(Debug)]
pub struct Past {
    pub(crate) start: Start,
    /// The number of its first record.
    pub(crate) first: u64,
    pub(crate) parts: u32,
    /// How long it had lasted.
    pub(crate) elapsed_us: u64,
    steps: Mutex<Steps>,
    /// What somebody found out, and is not on record yet.
    pub(crate) found: Vec<Kept>,
    /// Held until the run is on record as this process's.
    pub(crate) claim: Mutex<Option<File>>,
}

#[derive(Debug, Default)]
struct Steps {
    calls: HashMap<Str, VecDeque<(u64, Step)>>,
    /// What happened by link, in its order.
    trail: Vec<(Str, Stage)>,
    /// All that was decided since the run was resumed last.
    decided: Vec<Decision>,
    answer: Option<Str>,
    count: u64,
}

/// A link, what stage it came to, and by which rule if it was refused.
pub(crate) type Decision = (Str, Str, Option<Str>);

/// Where the answer of a run is kept, which is no call.
pub(crate) const ANSWER: &str = "";

/// What is known of one call.
#[derive(Clone, Debug)]
enum Step {
    /// It was about to happen.
    Begun {
        args_digest: Str,
        /// Whether twice may do harm.
        once: bool,
    },
    Ended {
        args_digest: Option<Str>,
        what: Value,
    },
}

impl Past {
    pub(crate) fn new(start: Start, first: u64) -> Past {
        Past {
            start,
            first,
            parts: 0,
            elapsed_us: 0,
            steps: Mutex::default(),
            found: Vec::new(),
            claim: Mutex::new(None),
        }
    }

    pub fn run(&self) -> &Str {
        &self.start.run
    }

    pub fn chain(&self) -> &Str {
        &self.start.chain
    }

    /// SHA-256 of the chain's text as it ran.
    pub fn digest(&self) -> &Str {
        &self.start.digest
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn decided(&mut self, decision: Decision) {
        let mut steps = self.steps();
        // Whoever goes on is judged anew from the beginning.
        if &*decision.1 == "resumed" {
            steps.decided.clear();
        }
        steps.decided.push(decision);
    }

    pub(crate) fn last_life(&self) -> Vec<Decision> {
        self.steps().decided.clone()
    }

    /// The digest of the answer, if there was one.
    pub(crate) fn answer(&self) -> Option<Str> {
        self.steps().answer.clone()
    }

    pub(crate) fn happened(&mut self, link: Str, stage: Stage) {
        self.steps().trail.push((link, stage));
    }

    pub(crate) fn begun(&mut self, at: Str, args_digest: Str, once: bool) {
        self.steps().add(at, Step::Begun { args_digest, once });
    }

    /// An end counts for everything of that call which was open.
    pub(crate) fn ended(&mut self, at: Str, what: Value) {
        let mut steps = self.steps();
        if &*at == ANSWER {
            steps.answer = what.get("answer_sha256").and_then(Value::as_str).map(Str::from);
            return;
        }
        let mut args_digest = None;
        if let Some(calls) = steps.calls.get_mut(&at) {
            while let Some((_, Step::Begun { args_digest: begun, .. })) = calls.back() {
                args_digest = Some(begun.clone());
                calls.pop_back();
            }
        }
        steps.add(at, Step::Ended { args_digest, what });
    }

    /// Settles a call in doubt; false if it is none.
    pub fn settle(&mut self, at: &str, found: &FoundOut) -> bool {
        if !self.in_doubt().iter().any(|open| &**open == at) {
            return false;
        }
        self.ended(at.into(), found.what());
        self.found.push(Kept { at: at.into(), what: found.what() });
        true
    }

    /// What the run was given.
    pub fn input(&self) -> &Value {
        &self.start.began.input
    }

    pub fn principal(&self) -> &Principal {
        &self.start.began.principal
    }

    /// Whether its caller comes back for what it is asked.
    pub fn comes_back(&self) -> bool {
        self.start.began.comes_back
    }

    /// How calls ended so far, by which call it was.
    pub fn calls(&self) -> Vec<(Str, Value)> {
        let steps = self.steps();
        let all = steps
            .calls
            .iter()
            .flat_map(|(at, calls)| calls.iter().map(move |(number, step)| (number, at, step)));
        let ended = all.filter_map(|(number, at, step)| match step {
            Step::Ended { what, .. } => Some((*number, at.clone(), what.clone())),
            Step::Begun { .. } => None,
        });
        let mut ended: Vec<(u64, Str, Value)> = ended.collect();
        ended.sort_by_key(|(number, ..)| *number);
        ended.into_iter().map(|(_, at, what)| (at, what)).collect()
    }

    /// Calls of which nobody knows how they ended.
    pub fn in_doubt(&self) -> Vec<Str> {
        let steps = self.steps();
        let open = steps
            .calls
            .iter()
            .filter(|(_, calls)| matches!(calls.back(), Some((_, Step::Begun { once: true, .. }))));
        let mut open: Vec<Str> = open.map(|(at, _)| at.clone()).collect();
        open.sort();
        open
    }

    /// Until when a call was to wait.
    fn until(&self, at: &Str) -> Option<u64> {
        let mut steps = self.steps();
        let calls = steps.calls.get_mut(at)?;
        let until = calls.front().and_then(|(_, step)| step.until())?;
        calls.pop_front();
        Some(until)
    }

    /// The next of a call's steps. What stood within a call that ended is gone with it.
    fn take(&self, at: &Str, link: &Link) -> Option<(Step, Vec<(Str, Stage)>)> {
        let mut steps = self.steps();
        let calls = steps.calls.get_mut(at)?;
        // What persons said is judged by whoever asked them.
        if matches!(&calls.front()?.1, Step::Ended { what, .. } if what.get("said").is_some()) {
            return None;
        }
        // Whoever waited and has an end waits no more; otherwise it goes on waiting.
        if calls.front()?.1.until().is_some() {
            if calls.len() == 1 {
                return None;
            }
            calls.pop_front();
        }
        let (number, step) = calls.pop_front()?;
        let mut inner = Vec::new();
        let holds_others = !link.bodies().is_empty() || link.kind.role == Role::Chain;
        if holds_others && matches!(step, Step::Ended { .. }) {
            for (known, calls) in &mut steps.calls {
                if known.strip_prefix(&**at).is_some_and(|rest| rest.starts_with(['.', '/', '['])) {
                    calls.retain(|(other, _)| *other > number);
                }
            }
            let within =
                |name: &Str| name.strip_prefix(&*link.full).is_some_and(|rest| rest.starts_with('.'));
            inner = steps.trail.extract_if(.., |(name, _)| within(name)).collect();
        }
        Some((step, inner))
    }
}

impl Step {
    fn until(&self) -> Option<u64> {
        let Step::Ended { what, .. } = self else { return None };
        match what.get("until_ms")? {
            Value::Int(until) => u64::try_from(*until).ok(),
            _ => None,
        }
    }
}

impl Steps {
    fn add(&mut self, at: Str, step: Step) {
        self.count += 1;
        self.calls.entry(at).or_default().push_back((self.count, step));
    }
}

/// What a person found out of a call in doubt.
#[derive(Clone, Debug)]
pub enum FoundOut {
    /// It did not happen.
    Undone,
    /// It did, and this is what came back.
    Done(Value),
}

impl FoundOut {
    pub(crate) fn what(&self) -> Value {
        match self {
            FoundOut::Undone => Value::map([("again", Value::Bool(true))]),
            FoundOut::Done(value) => Value::map([("value", value.clone())]),
        }
    }
}

impl Way {
    /// Which call of a run a link's call is.
    pub(crate) fn at(&self, link: &Link) -> Str {
        if self.path.is_empty() { link.full.clone() } else { format!("{}{}", self.path, link.full).into() }
    }

    /// How this call ended before, if it did. Where nobody knows, the run ends here, and is not over.
    pub(crate) async fn known(&self, link: &Link, admitted: &Admitted) -> Option<Result<Unchecked, Blocked>> {
        let known = self.recorded(link, admitted).await;
        if known.is_some() && kinds::waits(link.kind) {
            // Questions that were answered count, or the next would be taken for one of them.
            self.shared.count_question(&self.at(link));
        }
        known
    }

    async fn recorded(&self, link: &Link, admitted: &Admitted) -> Option<Result<Unchecked, Blocked>> {
        let past = self.shared.past.as_ref()?;
        let at = self.at(link);
        let Some((step, inner)) = past.take(&at, link) else {
            return if self.shared.replays && brings(link) { self.beyond(at).await } else { None };
        };
        let changed = |digest: &Str| **digest != *crate::middleware::cache::digest(admitted.args());
        let harmless = link.repeatable || !admitted.is_consequential();
        if self.shared.replays {
            match &step {
                Step::Ended { args_digest, what } if what.get("again").is_none() => {
                    if args_digest.as_ref().is_some_and(changed) {
                        return self.beyond(at).await;
                    }
                }
                // What a person vouched for is judged anew, and nothing else happens there.
                _ if !brings(link) => return None,
                _ => return self.beyond(at).await,
            }
        }
        match step {
            Step::Begun { .. } if harmless => None,
            Step::Begun { .. } => self.doubt(link, &at, "the process ended while it was under way").await,
            Step::Ended { args_digest: Some(digest), .. } if changed(&digest) => {
                if harmless {
                    return None;
                }
                self.doubt(link, &at, "it was made with other arguments than it would be made with now").await
            }
            Step::Ended { what, .. } => {
                let mut facts = self.shared.facts();
                let at_us = self.shared.latest().at_us;
                inner.into_iter().for_each(|(link, stage)| facts.record(at_us, &link, stage));
                drop(facts);
                from_words(&what, &self.shared)
            }
        }
    }

    /// Waits for a moment, and leaves where the run was asked to.
    pub(crate) async fn wait(&self, pause: Duration) {
        let shared = &self.shared;
        if shared.replays {
            return;
        }
        tokio::select! {
            biased;
            () = shared.leave_when_waiting.cancelled() => {
                shared.leave(None);
                std::future::pending().await
            }
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// The same where it waits for persons: the run does not grow older, and leaves at once if nobody waits with it.
    pub(crate) async fn wait_for_persons(&self, pause: Duration) {
        let shared = &self.shared;
        let (began, waiting) = (Instant::now(), shared.waits.begin());
        shared.leave_seat();
        if shared.alone {
            shared.leave(None);
            std::future::pending::<()>().await;
        }
        self.wait(pause).await;
        shared.stay_young(began);
        drop(waiting);
    }

    /// The same until the caller has answered. It leaves where it was asked to, and finds no caller when it goes on.
    pub(crate) async fn wait_for_caller<T>(&self, answer: impl Future<Output = T>) -> T {
        let shared = &self.shared;
        let (began, waiting) = (Instant::now(), shared.waits.begin());
        shared.leave_seat();
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = shared.leave_when_waiting.cancelled() => {
                shared.leave(None);
                std::future::pending().await
            }
        };
        shared.stay_young(began);
        drop(waiting);
        shared.take_seat().await;
        answer
    }

    /// Until when a call waits: as long as it was to wait before its process ended, if it did.
    pub(crate) fn waits_until(&self, link: &Link, until_ms: u64) -> u64 {
        /// What is shorter is waited for anew.
        const KEPT_MS_MIN: u64 = 1_000;
        let at = self.at(link);
        if let Some(before) = self.shared.past.as_ref().and_then(|past| past.until(&at)) {
            return before;
        }
        if until_ms.saturating_sub(self.shared.latest().now_ms) >= KEPT_MS_MIN {
            let until = Value::Int(i64::try_from(until_ms).unwrap_or(i64::MAX));
            self.shared.keep(Kept { at, what: Value::map([("until_ms", until)]) });
            self.shared.record(&link.full, Stage::Waiting { until_ms: Some(until_ms) });
            self.shared.write_on();
        }
        until_ms
    }

    /// Behind this call nothing is on record.
    async fn beyond<N>(&self, at: Str) -> Option<N> {
        // The first one counts.
        let _known = self.shared.beyond.set(at);
        self.shared.leave(None);
        std::future::pending().await
    }

    /// What persons said to a call, as it is on record.
    pub(crate) fn said_before(&self, link: &Link) -> Option<Value> {
        let past = self.shared.past.as_ref()?;
        let mut steps = past.steps();
        let calls = steps.calls.get_mut(&self.at(link))?;
        let (_, Step::Ended { what, .. }) = calls.front()? else { return None };
        let said = what.get("said").cloned()?;
        calls.pop_front();
        Some(said)
    }

    /// Leaves the run as it is, for somebody to look at.
    async fn doubt<N>(&self, link: &Link, at: &str, why: &str) -> Option<N> {
        let run = &self.shared.id;
        let message = format!("`{at}` may have happened: {why}");
        let refusal = Refusal::new(Rule::InDoubt, &link.full, message)
            .change(format!("if it did not happen: ringmail runs resume {run} --undone {at}"))
            .change(format!("if it did: ringmail runs resume {run} --done {at} --output JSON"))
            .change("declare the link `repeatable: true`, if twice does no harm")
            .at(self.bound.plan.spot(link.span));
        let refusal = Box::new(refusal);
        self.shared.record(&link.full, Stage::Refused(refusal.clone()));
        self.shared.leave(Some(refusal));
        std::future::pending().await
    }

    /// Keeps how a call ended.
    pub(crate) fn keep(&self, link: &Link, ended: &Result<Unchecked, Blocked>, acted: bool) {
        if !self.shared.keeps() {
            return;
        }
        let what = match ended {
            Ok(unchecked) => match unchecked.kept() {
                Some((value, told)) => words(vec![("value", value.clone())], told, &self.shared),
                None => return,
            },
            Err(Blocked::Failed(failure)) => {
                let what = vec![
                    ("failed", Value::from(failure.kind.id())),
                    ("message", Value::from(failure.message.as_str())),
                ];
                words(what, failure.label, &self.shared)
            }
            // It did not happen, and is judged anew.
            Err(Blocked::Refused(_)) if acted => FoundOut::Undone.what(),
            Err(Blocked::Refused(_)) => return,
        };
        self.shared.keep(Kept { at: self.at(link), what });
    }
}

/// Whether what a link gives comes from somewhere else than its arguments: that is on record, or nobody knows it.
fn brings(link: &Link) -> bool {
    use Role::{Command, Native, Plugin, Python, Script, Step, Tool};
    let derived = link.kind.passes.is_some() || matches!(link.kind.name, "wait" | "choice");
    !derived && matches!(link.kind.role, Step | Native | Plugin | Script | Command | Python | Tool)
}

/// What was told, in words that mean the same in another process.
fn words(members: Vec<(&'static str, Value)>, told: Label, shared: &Shared) -> Value {
    let mut members = members;
    let names = |names: Vec<Str>| Value::list(names.into_iter().map(Value::Str));
    if told.untrusted {
        members.push(("untrusted", Value::Bool(true)));
    }
    if !told.tags.is_empty() {
        members.push(("tags", tag_words(told.tags, &shared.engine.authority.tags)));
    }
    if !told.origins.is_empty() {
        members.push(("origins", names(shared.facts().origins.names(told.origins))));
    }
    match told.tenant {
        Tenant::NONE => {}
        Tenant::MIXED => members.push(("tenant", Value::from("mixed"))),
        _ => members.push(("tenant", Value::from("own"))),
    }
    Value::map(members)
}

fn names(what: &Value, key: &str) -> Vec<Str> {
    let list = what.get(key).and_then(Value::as_list).into_iter().flat_map(|list| list.iter());
    list.filter_map(Value::as_str).map(Str::from).collect()
}

/// The tags that words name. What cannot be named any more may be anything.
pub(crate) fn tags_of(what: &Value, table: &RwLock<TagTable>) -> Tags {
    if what.get("tags").and_then(Value::as_str).is_some() {
        return Tags::ALL;
    }
    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
    let named = names(what, "tags");
    named.iter().fold(Tags::NONE, |tags, name| tags.with(table.intern(name).unwrap_or(Tags::ALL)))
}

fn told(what: &Value, shared: &Shared) -> Label {
    let tags = tags_of(what, &shared.engine.authority.tags);
    let mut facts = shared.facts();
    let origins = names(what, "origins");
    let origins = origins.iter().fold(Origins::NONE, |all, name| all.with(facts.origins.intern(name)));
    let tenant = match what.get("tenant").and_then(Value::as_str) {
        None => Tenant::NONE,
        Some("own") => facts.tenant(),
        Some(_) => Tenant::MIXED,
    };
    Label { tags, origins, tenant, untrusted: what.get("untrusted") == Some(&Value::Bool(true)) }
}

/// How a call ended; nothing if it has to be made again.
fn from_words(what: &Value, shared: &Shared) -> Option<Result<Unchecked, Blocked>> {
    if what.get("again").is_some() {
        return None;
    }
    let label = told(what, shared);
    if let Some(value) = what.get("value") {
        return Some(Ok(Unchecked::told(value.clone(), label)));
    }
    let id = what.get("failed").and_then(Value::as_str)?;
    let kind = FailureKind::ALL.iter().find(|kind| kind.id() == id)?;
    let message = what.get("message").and_then(Value::as_str).unwrap_or_default();
    Some(Err(Failure::new(*kind, message).labelled(label).into()))
}

/// What the same caller did before, as it stands on record.
pub(crate) fn session_words(facts: &Run, read: Tags, tags: &RwLock<TagTable>) -> Value {
    let mut members = Vec::new();
    if !facts.session.is_empty() {
        let count = |count: &u64| Value::Int(i64::try_from(*count).unwrap_or(i64::MAX));
        let counts = facts.session.iter().map(|(name, many)| (name.clone(), count(many)));
        members.push(("counts", Value::map(counts)));
    }
    if !facts.session_done.is_empty() {
        members.push(("done", Value::list(facts.session_done.iter().map(|name| Value::Str(name.clone())))));
    }
    if !read.is_empty() {
        members.push(("tags", tag_words(read, tags)));
    }
    Value::map(members)
}

fn tag_words(tags: Tags, table: &RwLock<TagTable>) -> Value {
    if tags == Tags::ALL {
        return Value::from("all");
    }
    let names = table.read().map(|table| table.names(tags)).unwrap_or_default();
    Value::list(names.into_iter().map(Value::Str))
}

/// The reverse: counts and ends. Tags are taken in where there is a run to take them in.
pub(crate) fn session_of(session: &Value) -> (BTreeMap<Str, u64>, BTreeSet<Str>) {
    let counts = session.get("counts").and_then(Value::as_map).into_iter().flat_map(|map| map.iter());
    let counts = counts.filter_map(|(name, count)| match count {
        Value::Int(count) => Some((name.clone(), u64::try_from(*count).ok()?)),
        _ => None,
    });
    let done = session.get("done").and_then(Value::as_list).into_iter().flat_map(|list| list.iter());
    (counts.collect(), done.filter_map(Value::as_str).map(Str::from).collect())
}

/// How a run began, as it is sealed.
pub(crate) fn began_words(began: &Began) -> Value {
    let principal = &began.principal;
    let roles = principal.roles.iter().map(|role| Value::Str(role.clone()));
    let mut words = vec![
        ("roles", Value::list(roles)),
        ("authenticated", Value::Str(principal.authenticated.clone())),
        ("nonce", Value::from(format!("{:x}", began.nonce))),
        ("session", began.session.clone()),
        ("input", began.input.clone()),
    ];
    if began.comes_back {
        words.push(("comes_back", Value::Bool(true)));
    }
    Value::map(words)
}
