//! What policies would say to something that nobody does: a question that a test or a person words. It is answered by
//! the evaluator that runs ask, with the facts as a gate would hand them over; nothing is admitted by it.

mod cases;
mod near;

pub use cases::{
    CASE_LABEL_KEYS, COUNT_KEYS, DECISION_KEYS, Grounds, HISTORY_KEYS, PolicyCase, TEST_KEYS, TESTS_KEYS,
    Tried, WHO_KEYS, load_cases, tests_schema,
};

use crate::gate::{KV, Refuser};
use crate::label::{Label, Labeled, Labels, TagTable, Tags};
use crate::policy::{Action, Facts, Policies, Principal, Resource, Ruling};
use crate::refusal::Refusal;
use crate::run::{Limits, Run};
use crate::value::{Seg, Str, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is said of a value or of a decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    pub untrusted: bool,
    pub tags: BTreeSet<Str>,
    pub from: Vec<Str>,
}

/// What went before, in the run and in its session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Links that ended well.
    pub called: BTreeSet<Str>,
    pub counts: BTreeMap<Str, u64>,
    /// Tags of all that was read.
    pub read: BTreeSet<Str>,
    pub signals: Vec<&'static str>,
    pub steps: u64,
    pub elapsed_ms: u64,
}

/// Whether somebody may do something.
#[derive(Clone, Debug)]
pub struct Question {
    pub principal: Principal,
    pub action: Action,
    /// A chain, a link by its full name, or the host.
    pub name: Str,
    /// The link's kind; nothing for a chain.
    pub kind: Option<&'static str>,
    pub args: Value,
    /// What is known of the arguments, by path.
    pub marks: Vec<(Vec<Seg>, Mark)>,
    pub decision: Mark,
    pub sinks: Vec<String>,
    pub consequential: bool,
    pub history: History,
}

impl Question {
    /// As the gate would ask it without anything known.
    pub fn new(principal: Principal, action: Action, name: &str, kind: Option<&'static str>) -> Question {
        Question {
            principal,
            action,
            name: name.into(),
            kind,
            args: Value::Null,
            marks: Vec::new(),
            decision: Mark::default(),
            sinks: Vec::new(),
            consequential: action == Action::Control,
            history: History::default(),
        }
    }

    /// What a gate asks policy about, in names that mean the same in another process.
    pub(crate) fn of(
        principal: &Principal,
        action: Action,
        resource: &Resource<'_>,
        facts: &Facts<'_>,
    ) -> Question {
        let mark = |label: &Label| Mark {
            untrusted: label.untrusted,
            tags: facts.tags.names(label.tags).into_iter().collect(),
            from: facts.run.origins.names(label.origins),
        };
        let run = facts.run;
        Question {
            args: facts.args.value.clone(),
            marks: facts
                .args
                .labels
                .paths()
                .iter()
                .map(|(path, label)| (path.clone(), mark(label)))
                .collect(),
            decision: mark(&facts.decision),
            sinks: facts.sinks.to_vec(),
            consequential: facts.consequential,
            history: History {
                called: run.done(),
                counts: run.counts(),
                read: facts.tags.names(run.read).into_iter().collect(),
                signals: run.signals().collect(),
                steps: run.steps(),
                elapsed_ms: facts.elapsed_ms,
            },
            kind: resource.kind,
            ..Question::new(principal.clone(), action, resource.name, None)
        }
    }

    /// Whether a permit is needed at all: a call without a way out needs none, and neither does what a plugin keeps.
    pub fn needs_leave(&self) -> bool {
        self.action != Action::Call || (!self.sinks.is_empty() && self.kind != Some(KV))
    }

    pub fn ask(&self, policies: &Policies, tags: &TagTable) -> Arc<Ruling> {
        let mut run = self.run(tags);
        let args = Labeled { value: self.args.clone(), labels: self.labels(&mut run, tags) };
        let decision = label(&self.decision, &mut run, tags);
        let facts = Facts {
            args: &args,
            decision,
            sinks: &self.sinks,
            consequential: self.consequential,
            run: &run,
            elapsed_ms: self.history.elapsed_ms,
            tags,
        };
        let chain = match self.kind {
            Some(_) => self.name.split('.').next().unwrap_or(&self.name),
            None => &self.name,
        };
        let resource = Resource { name: &self.name, chain, kind: self.kind };
        if self.needs_leave() {
            return policies.decide(&self.principal, self.action, resource, &facts);
        }
        policies.veto(&self.principal, resource, &facts).unwrap_or_else(|| Ruling::plain(true))
    }

    /// The refusal that a run would end with, and the smallest changes that would have changed it.
    pub fn refusal(&self, ruling: &Ruling, policies: &Policies, changes: Vec<String>) -> Refusal {
        let sink = self.sinks.first().cloned().unwrap_or_default();
        let spot = ruling.policies.iter().chain(&ruling.failed).next().and_then(|id| policies.spot(id));
        let refuser = Refuser { link: &self.name, power: &self.name, sink, spot: None };
        let mut refusal = refuser.policy(ruling, &self.principal, self.action, &self.name, spot);
        refusal.changes.splice(0..0, changes);
        refusal
    }

    fn run(&self, tags: &TagTable) -> Run {
        let History { called, counts, read, signals, steps, .. } = &self.history;
        let mut run = Run::new("question".into(), self.principal.clone(), Limits::default(), 0, 0);
        run.session = counts.clone();
        for link in called {
            // What ended well was called.
            run.session.entry(link.clone()).or_insert(1);
        }
        run.session_done = called.clone();
        run.read = all_tags(read, tags);
        run.note_signals(signals);
        run.steps = *steps;
        run
    }

    fn labels(&self, run: &mut Run, tags: &TagTable) -> Labels {
        self.marks.iter().fold(Labels::default(), |labels, (path, mark)| {
            labels.merged(&at(path, Some(&self.args), label(mark, run, tags).into()))
        })
    }
}

fn label(mark: &Mark, run: &mut Run, tags: &TagTable) -> Label {
    let mut label = Label { untrusted: mark.untrusted, tags: all_tags(&mark.tags, tags), ..Label::BOTTOM };
    for name in &mark.from {
        label.origins = label.origins.with(run.origins.intern(name));
    }
    label
}

fn all_tags(names: &BTreeSet<Str>, tags: &TagTable) -> Tags {
    names.iter().filter_map(|name| tags.find(name)).fold(Tags::NONE, Tags::with)
}

/// These labels for the part of a value at `path`, and none for the rest.
fn at(path: &[Seg], value: Option<&Value>, labels: Labels) -> Labels {
    let Some((seg, rest)) = path.split_first() else { return labels };
    match seg {
        Seg::Key(key) => {
            let inner = at(rest, value.and_then(|value| value.get(key)), labels);
            Labels::keys(Label::BOTTOM, [(key.clone(), inner)])
        }
        Seg::Index(index) => {
            let items = value.and_then(Value::as_list).map_or(0, crate::value::List::len);
            let inner = at(rest, value.and_then(|value| value.at(std::slice::from_ref(seg))), labels);
            let item = |at: usize| if at == *index { inner.clone() } else { Labels::default() };
            Labels::items(Label::BOTTOM, (0..items).map(item).collect())
        }
    }
}
