//! One run's facts: who it is for, what it has done, spent and seen. The gate reads and extends them; the engine
//! keeps one behind a lock for all chains of the run. Holds no data of the run but the values behind handles.

use crate::detect::{Detectors, Looked, Looker};
use crate::label::{Label, Labeled, OriginTable, Tags, Tenant};
use crate::policy::Principal;
use crate::refusal::{Refusal, Rule};
use crate::trail::{Event, Stage};
use crate::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// How much one run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub steps_max: u64,
    pub time_ms_max: u64,
    pub depth_max: u64,
    pub bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps_max: 5_000, time_ms_max: 60_000, depth_max: 16, bytes_max: 256 << 20 }
    }
}

impl Limits {
    /// The narrower of both, limit by limit.
    #[must_use]
    pub fn within(self, other: Limits) -> Limits {
        Limits {
            steps_max: self.steps_max.min(other.steps_max),
            time_ms_max: self.time_ms_max.min(other.time_ms_max),
            depth_max: self.depth_max.min(other.depth_max),
            bytes_max: self.bytes_max.min(other.bytes_max),
        }
    }
}

/// The facts of one run.
#[derive(Debug)]
pub struct Run {
    pub id: Str,
    pub principal: Principal,
    pub limits: Limits,
    /// The chain whose caller the run answers to; nothing may be said to the caller of none.
    pub answering: Str,
    /// Milliseconds since 1970.
    pub started_ms: u64,
    pub origins: OriginTable,
    /// What the session called before this run.
    pub session: BTreeMap<Str, u64>,
    /// The links that ended well in the session before this run.
    pub session_done: BTreeSet<Str>,
    /// Tags of everything released so far, in the session and in this run.
    pub read: Tags,
    trail: Vec<Event>,
    handles: Handles,
    looker: Looker,
    /// What detectors advised of so far.
    signals: BTreeSet<&'static str>,
    pub(crate) steps: u64,
    pub(crate) bytes: u64,
}

impl Run {
    /// `nonce` makes handles of this run unguessable.
    pub fn new(id: Str, principal: Principal, limits: Limits, started_ms: u64, nonce: u64) -> Run {
        Run {
            id,
            principal,
            limits,
            answering: Str::default(),
            started_ms,
            origins: OriginTable::default(),
            session: BTreeMap::new(),
            session_done: BTreeSet::new(),
            read: Tags::NONE,
            trail: Vec::new(),
            handles: Handles { nonce, values: BTreeMap::new() },
            looker: Looker::default(),
            signals: BTreeSet::new(),
            steps: 0,
            bytes: 0,
        }
    }

    /// The tenant whose data this run may read; other tenants never get a number in it.
    pub fn tenant(&self) -> Tenant {
        match self.principal.tenant {
            Some(_) => Tenant::number(1).unwrap_or(Tenant::MIXED),
            None => Tenant::NONE,
        }
    }

    /// Makes room for the stages of a chain, so that a short run's trail is one piece.
    pub(crate) fn expect(&mut self, links: usize) {
        const EVENTS_MAX: usize = 256;
        self.trail.reserve((2 * links + 4).min(EVENTS_MAX));
    }

    /// What `run` means in expressions.
    pub fn as_value(&self) -> Value {
        let principal = &self.principal;
        let text = |text: &Str| Value::Str(text.clone());
        Value::map([
            ("id", text(&self.id)),
            ("started_ms", Value::Int(i64::try_from(self.started_ms).unwrap_or(i64::MAX))),
            ("principal", text(&principal.subject)),
            ("roles", Value::list(principal.roles.iter().map(text))),
            ("tenant", principal.tenant.as_ref().map_or(Value::Null, text)),
        ])
    }

    /// The trail and origins of a run that has ended.
    pub fn take_trail(&mut self) -> (Vec<Event>, OriginTable) {
        (std::mem::take(&mut self.trail), std::mem::take(&mut self.origins))
    }

    pub fn trail(&self) -> &[Event] {
        &self.trail
    }

    pub fn record(&mut self, at_us: u64, link: &Str, stage: Stage) {
        self.trail.push(Event { at_us, link: link.clone(), stage });
    }

    /// How often each link was called, in the session and in this run.
    pub fn counts(&self) -> BTreeMap<Str, u64> {
        let mut counts = self.session.clone();
        for event in self.trail.iter().filter(|event| matches!(event.stage, Stage::Admitted { .. })) {
            *counts.entry(event.link.clone()).or_default() += 1;
        }
        counts
    }

    /// The links that ended well, in the session and in this run.
    pub fn done(&self) -> BTreeSet<Str> {
        let done = self.trail.iter().filter(|event| event.stage.is_done());
        self.session_done.iter().cloned().chain(done.map(|event| event.link.clone())).collect()
    }

    /// What is told by how much is left of a budget, or by what history holds: of all that was read so far.
    pub(crate) fn spent(&self) -> Label {
        Label { untrusted: true, tags: self.read, ..Label::BOTTOM }
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts one round or item of a link against the step budget.
    pub fn spend_step(&mut self, link: &Str) -> Result<(), Box<Refusal>> {
        if self.steps >= self.limits.steps_max {
            let message = format!("the run has made {} steps, which is its limit", self.limits.steps_max);
            let refusal = Refusal::new(Rule::StepBudget, link, message);
            let refusal = refusal.change("raise `limits.steps`, if this much is meant");
            return Err(Box::new(refusal.labelled(self.spent())));
        }
        self.steps += 1;
        Ok(())
    }

    /// What detectors see in a value.
    pub(crate) fn look(&mut self, value: &Value, detectors: &Detectors) -> Looked {
        self.looker.look(value, detectors, &mut self.origins)
    }

    /// Lets what a principal declassified go without these tags for the rest of the run.
    pub(crate) fn clear(&mut self, value: &Value, drop: Tags, detectors: &Detectors) {
        self.looker.clear(value, drop, detectors);
    }

    pub(crate) fn note_signals(&mut self, signals: &[&'static str]) {
        self.signals.extend(signals);
    }

    /// What detectors advised of so far, by name.
    pub fn signals(&self) -> impl Iterator<Item = &'static str> {
        self.signals.iter().copied()
    }

    pub fn wrap(&mut self, part: Labeled) -> Str {
        self.handles.wrap(part)
    }

    pub fn open(&self, handle: &str) -> Option<Labeled> {
        self.handles.open(handle)
    }
}

/// Values behind opaque handles.
#[derive(Debug)]
struct Handles {
    nonce: u64,
    values: BTreeMap<Str, Labeled>,
}

impl Handles {
    /// The name of a handle tells neither what it holds nor how many there are.
    fn wrap(&mut self, part: Labeled) -> Str {
        let mut hash = Sha256::new();
        hash.update(self.nonce.to_be_bytes());
        hash.update(self.values.len().to_be_bytes());
        let name: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let handle: Str = format!("handle:{name}").into();
        self.values.insert(handle.clone(), part);
        handle
    }

    fn open(&self, handle: &str) -> Option<Labeled> {
        self.values.get(handle).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;

    #[test]
    fn a_handle_opens_only_in_its_own_run() {
        let run = |nonce| Run::new("r".into(), Principal::host(), Limits::default(), 0, nonce);
        let (mut one, two) = (run(1), run(2));
        let handle = one.wrap(Labeled::new(Value::Int(5), Label::BOTTOM));
        assert_eq!(one.open(&handle).unwrap().value, Value::Int(5));
        assert!(two.open(&handle).is_none());
        assert!(one.open("handle:0000000000000001:1").is_none());
        assert!(one.open("handle:zz:0").is_none());
    }

    #[test]
    fn limits_only_narrow() {
        let wide = Limits::default();
        let narrow = Limits { steps_max: 3, ..wide };
        assert_eq!(wide.within(narrow), narrow);
        assert_eq!(narrow.within(wide), narrow);
    }
}
