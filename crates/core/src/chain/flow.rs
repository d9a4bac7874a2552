//! The flow verdict of each sink, before anything runs. Two abstract runs bound every real one: in the best the
//! caller is vouched for and no optional tag appears, in the worst neither. A flow refused even in the best can
//! never be allowed and is a problem; one allowed even in the worst always is; the rest depends on the caller.

mod sinks;

use super::{Act, Detail, Link, Outlet, Plan, Root};
use crate::doc::Span;
use crate::expr::{Read, Ref, Slot, labels_at};
use crate::gate::{Authority, CALLER, Fault, Sink, flow_changes, flow_fault};
use crate::grant::{Flow, respond_power, to_add};
use crate::kind::Role;
use crate::label::{Label, Labels, OriginTable, Tags, Tenant};
use crate::policy::{Action, Prospect, Resource};
use crate::refusal::Rule;
use crate::schema::Schema;
use crate::template::Template;
use crate::value::{Seg, Str, path_text};
use sinks::{Candidate, Missing};
pub use sinks::{Reached, reach};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What can be said of one sink before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub link: Str,
    pub sink: String,
    pub answer: Foreseen,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// Grants and labels allow it, whatever the data, unless a detector finds what gives one of these tags; policy is
    /// asked during the run.
    Allowed { unless: Vec<Str> },
    /// It depends: the reason it would be refused for a caller nobody vouches for.
    Depends { rule: Rule, path: String, origins: Vec<Str> },
    /// No run can have it; with the smallest changes that would allow it.
    Never { rule: Rule, path: String, origins: Vec<Str>, message: String, changes: Vec<String> },
}

/// How far chains are followed into each other.
const DEPTH_MAX: usize = 8;
/// How many chains are followed in all; of what is called after that nothing is known.
const PASSES_MAX: usize = 2_000;

/// Foresees every sink of a plan; `chains` finds the plans it calls.
pub fn foresee(
    plan: &Plan,
    authority: &Authority,
    now_ms: u64,
    chains: &dyn Fn(&str) -> Option<Arc<Plan>>,
) -> Vec<Verdict> {
    let mut ahead = Ahead::new(authority, now_ms, chains);
    let input = ahead.input(plan);
    let output = ahead.plan(plan, Start::default(), &|root| match root {
        Root::Input => input.clone(),
        _ => Bounds::default(),
    });
    ahead.answer(plan, &output);
    ahead.verdicts
}

/// Labels in the best and in the worst run.
#[derive(Clone, Debug, Default)]
struct Bounds {
    best: Labels,
    worst: Labels,
    /// What a part carries in the best run if it is there at all: optional members of a schema.
    part: Labels,
}

impl Bounds {
    fn new(best: impl Into<Labels>, worst: impl Into<Labels>) -> Bounds {
        Bounds { best: best.into(), worst: worst.into(), part: Labels::default() }
    }

    fn of(label: Label) -> Bounds {
        Bounds::new(label, label)
    }

    /// Labels that a schema gives on top.
    fn shaped(&self, schema: &Schema) -> Bounds {
        let may = schema.may_labels();
        Bounds { best: self.best.merged(schema.must_labels()), worst: self.worst.merged(&may), part: may }
    }

    fn best_at(&self, path: &[Seg]) -> Labels {
        self.best.at(path).joined(self.part.at(path).own())
    }

    fn joined(&self, best: Label, worst: Label) -> Bounds {
        Bounds { best: self.best.joined(best), worst: self.worst.joined(worst), part: self.part.clone() }
    }

    /// What holds of both alternatives, and what may hold of either.
    fn either(&self, other: &Bounds) -> Bounds {
        Bounds::new(meet(self.best.all(), other.best.all()), self.worst.merged(&other.worst))
    }
}

fn meet(a: Label, b: Label) -> Label {
    Label {
        tags: a.tags.both(b.tags),
        untrusted: a.untrusted && b.untrusted,
        tenant: if a.tenant == b.tenant { a.tenant } else { Tenant::NONE },
        origins: a.origins.with(b.origins),
    }
}

struct Ahead<'a> {
    authority: &'a Authority,
    now_ms: u64,
    /// Chains followed so far.
    passes: usize,
    chains: &'a dyn Fn(&str) -> Option<Arc<Plan>>,
    origins: OriginTable,
    verdicts: Vec<Verdict>,
    depth: usize,
    /// Set while a called chain is followed: its own check gives its verdicts.
    quiet: bool,
}

/// What one pass over a plan knows so far.
/// How a pass is started: what decided that it is, and whether its failure is the end.
#[derive(Clone, Copy, Debug, Default)]
struct Start {
    control: (Label, Label),
    watched: bool,
}

struct Known<'k> {
    plan: &'k Plan,
    outputs: BTreeMap<usize, Bounds>,
    control: BTreeMap<usize, (Label, Label)>,
    roots: &'k dyn Fn(&Root) -> Bounds,
    /// What is told by how a link ended, for links whose failure an edge takes care of.
    ended: BTreeMap<usize, (Label, Label)>,
    start: Start,
    /// What `error` may hold for the link that reads now.
    error: Label,
    /// Links that whoever reads now asks about with `done`: in the best run they did not run.
    maybe: BTreeSet<usize>,
}

impl Known<'_> {
    fn at(&self, slot: Slot) -> Bounds {
        let at = slot.0 as usize;
        let whole = match self.plan.root(slot) {
            Some(Root::Error) => Bounds::new(Label::BOTTOM, self.error),
            Some(root) => (self.roots)(root),
            None => self.outputs.get(&at).cloned().unwrap_or_default(),
        };
        match self.maybe.contains(&at) {
            true => Bounds { best: Labels::default(), part: Labels::default(), ..whole },
            false => whole,
        }
    }

    /// Turns to the next link that reads; nothing for the plan's output.
    fn reader(&mut self, at: Option<usize>, refs: &[Ref]) {
        let sources = at.and_then(|at| self.plan.graph.edges_in.get(at)).into_iter().flatten();
        let told = sources.filter_map(|from| self.ended.get(from));
        self.error = told.fold(Label::BOTTOM, |all, (_, worst)| all.join(*worst));
        let asked = refs.iter().filter(|reference| reference.read == Read::Ran);
        self.maybe = asked.map(|reference| reference.slot.0 as usize).collect();
    }

    fn read(&self, reference: &Ref) -> (Label, Label) {
        let whole = self.at(reference.slot);
        let control = self.control.get(&(reference.slot.0 as usize)).copied().unwrap_or_default();
        let best = match reference.read {
            Read::Whole => whole.best_at(&reference.path).all(),
            _ => labels_at(&whole.best, reference),
        };
        (best.join(control.0), labels_at(&whole.worst, reference).join(control.1))
    }

    fn fill(&self, template: &Template) -> Bounds {
        let best = |reference: &Ref| self.at(reference.slot).best_at(&reference.path);
        let worst = |reference: &Ref| self.at(reference.slot).worst.at(&reference.path);
        Bounds::new(template.static_labels(&best), template.static_labels(&worst))
    }

    fn refs(&self, refs: &[Ref]) -> (Label, Label) {
        refs.iter()
            .map(|reference| self.read(reference))
            .fold((Label::BOTTOM, Label::BOTTOM), |all, one| (all.0.join(one.0), all.1.join(one.1)))
    }
}

impl<'a> Ahead<'a> {
    fn new(
        authority: &'a Authority,
        now_ms: u64,
        chains: &'a dyn Fn(&str) -> Option<Arc<Plan>>,
    ) -> Ahead<'a> {
        let origins = OriginTable::default();
        let verdicts = Vec::new();
        Ahead { authority, now_ms, passes: 0, chains, origins, verdicts, depth: 0, quiet: false }
    }
}

impl Ahead<'_> {
    fn input(&mut self, plan: &Plan) -> Bounds {
        let origins = self.origins.intern(&"input".into());
        let best = Label { origins, ..Label::BOTTOM };
        let worst = Label { untrusted: true, ..best };
        let bounds = Bounds::new(best, worst);
        plan.input.as_ref().map_or_else(|| bounds.clone(), |schema| bounds.shaped(schema))
    }

    /// Walks a plan in order; gives the bounds of its output.
    fn plan(&mut self, plan: &Plan, start: Start, roots: &dyn Fn(&Root) -> Bounds) -> Bounds {
        let secrets = self.secrets();
        let with_secrets = |root: &Root| if *root == Root::Secrets { secrets.clone() } else { roots(root) };
        let mut known = Known {
            plan,
            outputs: BTreeMap::new(),
            control: BTreeMap::new(),
            roots: &with_secrets,
            ended: BTreeMap::new(),
            error: Label::BOTTOM,
            start,
            maybe: BTreeSet::new(),
        };
        for at in plan.graph.order() {
            let Some(link) = plan.link(at) else { continue };
            known.reader(Some(at), &link.refs());
            let control = self.control(at, link, &known);
            known.control.insert(at, control);
            let args = known.fill(&link.with);
            if !self.quiet {
                self.judge(link, &args, control);
            }
            let output = self.output(link, &args, control, &known);
            if link.is_watched() || start.watched {
                let read = known.refs(&link.refs());
                let given = if link.lowers() { output.best.all() } else { args.best.all() };
                // An inner link may fail on whatever the chains inside it know.
                let tags = if link.bodies().is_empty() && link.kind.role != Role::Chain {
                    Tags::NONE
                } else {
                    Tags::ALL
                };
                let failed = Label { untrusted: true, tags, ..Label::BOTTOM };
                let worst = [args.worst.all(), output.worst.all(), read.1, control.1, failed];
                let worst = worst.into_iter().fold(Label::BOTTOM, Label::join);
                known.ended.insert(at, (given.join(control.0), worst));
            }
            known.outputs.insert(at, output);
        }
        known.reader(None, &plan.output.refs());
        let output = known.fill(&plan.output);
        if !start.watched {
            return output;
        }
        // That it came to its end tells of everything in it.
        let ended = known.ended.values().map(|(_, worst)| *worst);
        let outputs = known.outputs.values().map(|output| output.worst.all());
        let told = ended.chain(outputs).fold(start.control.1, Label::join);
        output.joined(Label::BOTTOM, told)
    }

    fn secrets(&self) -> Bounds {
        let parts = || {
            self.authority.secrets.iter().map(|secret| {
                (secret.name.clone(), Labels::from(Label { tags: secret.tag, ..Label::BOTTOM }))
            })
        };
        Bounds::new(Labels::keys(Label::BOTTOM, parts()), Labels::keys(Label::BOTTOM, parts()))
    }

    /// What decides whether a link runs: its condition, what it waits for, the edges that lead to it or past it.
    fn control(&self, at: usize, link: &Link, known: &Known<'_>) -> (Label, Label) {
        let join = |a: (Label, Label), b: (Label, Label)| (a.0.join(b.0), a.1.join(b.1));
        let asked = link.when.as_ref().map_or_else(Default::default, |when| known.refs(when.refs()));
        let mut label = join(asked, known.start.control);
        if known.start.watched {
            // Whatever may fail beside it may end it.
            let all = known.ended.values().fold(Label::BOTTOM, |all, (_, worst)| all.join(*worst));
            label = join(label, (Label::BOTTOM, all));
        }
        let needs = known.plan.graph.needs.get(at).into_iter().flatten().map(|(from, _)| *from);
        let sources = known.plan.graph.edges_in.get(at).into_iter().flatten().copied();
        for from in needs.chain(sources) {
            label = join(label, known.control.get(&from).copied().unwrap_or_default());
            let (best, worst) = known.ended.get(&from).copied().unwrap_or_default();
            let best = if known.maybe.contains(&from) { Label::BOTTOM } else { best };
            label = join(label, (best, worst));
            for edge in known.plan.link(from).map_or(&[][..], |link| &link.edges) {
                // Only the worst run counts edges: in the best one none of their conditions was asked.
                let read = edge.when.as_ref().map_or_else(Default::default, |when| known.refs(when.refs()));
                label = join(label, (Label::BOTTOM, read.1));
            }
        }
        label
    }

    fn output(&mut self, link: &Link, args: &Bounds, control: (Label, Label), known: &Known<'_>) -> Bounds {
        let mut base = (args.best.all().join(control.0), args.worst.all().join(control.1));
        if link.kind.source {
            let origins = self.origins.intern(&link.full);
            let (always, maybe) = self.authority.grants.effective(&link.power).source_tags(link.kind.reach);
            let source = |tags: Tags| Label { untrusted: true, origins, tags, ..Label::BOTTOM };
            let best = without_secrets(base.0, self.authority);
            base = (best.join(source(always)), base.1.join(source(maybe)));
        }
        let plain = Bounds::new(base.0, base.1);
        let start = Start { control, watched: known.start.watched || link.may_go_on() };
        let output = match &link.detail {
            Detail::Extract(_, drop) => lowered(&plain, *drop, true).joined(control.0, control.1),
            Detail::Act(act) => {
                let passed = self.passed(link, args);
                let endorses = link.kind.role == Role::Endorse;
                let acted = lowered(&passed, act.drop, endorses);
                let unless = if act.required { acted.worst } else { passed.worst };
                Bounds::new(acted.best, unless).joined(control.0, control.1)
            }
            Detail::Approve(_) => {
                lowered(&self.passed(link, args), Tags::NONE, true).joined(control.0, control.1)
            }
            Detail::Validate(..) => self.passed(link, args).joined(control.0, control.1),
            Detail::Chain { chain, .. } => self.chain(chain, args, start, plain),
            Detail::Each { over, body, .. } => {
                let range = known.refs(over.refs());
                let item = Bounds::new(range.0, range.1);
                let start = Start { control: (control.0, control.1.join(range.1)), ..start };
                let inner = self.body(body, start, known, &[("index", Bounds::of(Label::BOTTOM))], &item);
                Bounds::new(inner.best.all(), inner.worst.all())
                    .joined(range.0.join(control.0), range.1.join(control.1))
            }
            Detail::Repeat { start: first, body, .. } => {
                self.repeat(first, body, start, known).joined(control.0, control.1)
            }
            Detail::Choice { cases } => {
                let mut asked = control;
                let mut all: Option<Bounds> = None;
                for case in cases {
                    let read =
                        case.when.as_ref().map_or_else(Default::default, |when| known.refs(when.refs()));
                    asked = (asked.0, asked.1.join(read.1));
                    let start = Start { control: (control.0, asked.1), ..start };
                    let inner = self.body(&case.body, start, known, &[], &Bounds::default());
                    all = Some(all.map_or(inner.clone(), |all| all.either(&inner)));
                }
                all.unwrap_or_default().joined(asked.0, asked.1)
            }
            Detail::Plugin { plugin, ways } => {
                // A text that holds a placeholder carries the tag of its secret.
                let secrets = self.authority.secrets.iter();
                let held = secrets.filter(|secret| plugin.powers.secrets.contains(&secret.name));
                let tags = held.fold(Tags::NONE, |tags, secret| tags.with(secret.tag));
                let told = plain.worst.all().join(Label { tags, ..Label::BOTTOM });
                self.guest(ways, (plain.best.all(), told), Start { control: base, ..start }, known)
            }
            Detail::Python { ways, .. } => {
                let given = (plain.best.all(), plain.worst.all());
                self.guest(ways, given, Start { control: base, ..start }, known)
            }
            Detail::Nothing
            | Detail::Native { .. }
            | Detail::Script(_)
            | Detail::Command(_)
            | Detail::Tool { .. } => plain,
        };
        let output = match &link.fallback {
            Some(fallback) => {
                let told = if link.lowers() { Label::BOTTOM } else { known.refs(&link.refs()).1 };
                output.either(&known.fill(fallback)).joined(Label::BOTTOM, told)
            }
            None => output,
        };
        link.promises().fold(output, |output, schema| output.shaped(schema))
    }

    /// What a guest asks and answers is made of all it was given and all it was told.
    fn guest(&mut self, ways: &[Outlet], given: (Label, Label), start: Start, known: &Known<'_>) -> Bounds {
        let (best, mut told) = given;
        let quiet = std::mem::replace(&mut self.quiet, true);
        for way in ways {
            let start = Start { control: (start.control.0, told), ..start };
            let answer = self.body(&way.body, start, known, &[], &Bounds::new(best, told));
            told = told.join(answer.worst.all());
        }
        self.quiet = quiet;
        for way in ways {
            let start = Start { control: (start.control.0, told), ..start };
            self.body(&way.body, start, known, &[], &Bounds::new(best, told));
        }
        Bounds::new(best, told)
    }

    fn passed(&self, link: &Link, args: &Bounds) -> Bounds {
        let path: Vec<Seg> = link.kind.passes.into_iter().map(|name| Seg::Key(name.into())).collect();
        Bounds::new(args.best.at(&path), args.worst.at(&path))
    }

    fn chain(&mut self, chain: &str, args: &Bounds, start: Start, unknown: Bounds) -> Bounds {
        let control = start.control;
        self.passes += 1;
        let follow = self.depth < DEPTH_MAX && self.passes < PASSES_MAX;
        let found = if follow { (self.chains)(chain) } else { None };
        let Some(plan) = found else {
            // Nothing is known of what comes back: anything in the worst run, nothing in the best.
            let anything = unknown.worst.joined(Label { untrusted: true, tags: Tags::ALL, ..Label::BOTTOM });
            return Bounds::new(control.0, anything);
        };
        let given = Bounds::new(args.best.clone(), args.worst.clone());
        let input = plan.input.as_ref().map_or_else(|| given.clone(), |schema| given.shaped(schema));
        let quiet = std::mem::replace(&mut self.quiet, true);
        self.depth += 1;
        let output = self
            .plan(&plan, start, &|root| if *root == Root::Input { input.clone() } else { Bounds::default() });
        self.depth -= 1;
        self.quiet = quiet;
        output.joined(control.0, control.1)
    }

    fn body(
        &mut self,
        body: &Plan,
        start: Start,
        known: &Known<'_>,
        locals: &[(&str, Bounds)],
        other: &Bounds,
    ) -> Bounds {
        let roots = |root: &Root| match root {
            Root::Outer(slot) => known.at(*slot),
            Root::Local(name) => locals
                .iter()
                .find(|(local, _)| *local == &**name)
                .map_or_else(|| other.clone(), |(_, b)| b.clone()),
            _ => Bounds::default(),
        };
        self.plan(body, start, &roots)
    }

    /// The state of a repeat: what it starts with, and whatever rounds may add until nothing changes.
    fn repeat(&mut self, first: &Template, body: &Plan, start: Start, known: &Known<'_>) -> Bounds {
        const ROUNDS_MAX: usize = 64;
        let mut state = known.fill(first);
        let mut start = start;
        let index = ("index", Bounds::of(Label::BOTTOM));
        let quiet = std::mem::replace(&mut self.quiet, true);
        let mut settled = false;
        for _ in 0..ROUNDS_MAX {
            // Whether there is another round is decided by the state.
            start.control.1 = start.control.1.join(state.worst.all());
            let next = self.body(body, start, known, std::slice::from_ref(&index), &state);
            let grown = state.either(&next);
            settled = grown.worst.all() == state.worst.all();
            state = Bounds::new(grown.best, grown.worst.all());
            if settled {
                break;
            }
        }
        if !settled {
            let anything = Label { untrusted: true, tags: Tags::ALL, ..state.worst.all() };
            state = Bounds::new(Label::BOTTOM, anything);
        }
        self.quiet = quiet;
        start.control.1 = start.control.1.join(state.worst.all());
        self.body(body, start, known, std::slice::from_ref(&index), &state)
    }

    /// The caller is a sink of what the chain answers.
    fn answer(&mut self, plan: &Plan, output: &Bounds) {
        let resource = Resource { name: &plan.name, chain: &plan.name, kind: None };
        if let Some(answer) = self.forbidden(Action::Run, resource) {
            let span = plan.named;
            self.verdicts.push(Verdict { link: plan.name.clone(), sink: "run".into(), answer, span });
        }
        let effective = self.authority.grants.effective(&plan.name);
        let granted = effective.respond(self.now_ms);
        let nothing = Flow::default();
        let flow = granted.as_ref().map_or(&nothing, |fit| fit.rule);
        let sink = Sink { flow, also: Tags::NONE, consequential: false, steering: &[] };
        let fault = |labels: &Labels| flow_fault(&sink, labels, Label::BOTTOM, Tenant::NONE);
        let answer = match (fault(&output.best), fault(&output.worst)) {
            (Some(fault), _) => {
                let (path, origins) = self.place(&fault);
                let tags = self.tag_names(fault.label.tags);
                let what = if path.is_empty() { "the output".into() } else { format!("`{path}`") };
                let message = carries(&what, &tags, CALLER, &from(&origins));
                let mut changes = flow_changes(fault.rule, &what, &origins, &tags);
                changes.pop();
                changes
                    .push(format!("or let the caller see it: {}", to_add(&plan.name, &respond_power(&tags))));
                Foreseen::Never { rule: fault.rule, path, origins, message, changes }
            }
            (None, Some(fault)) => {
                let (path, origins) = self.place(&fault);
                Foreseen::Depends { rule: fault.rule, path, origins }
            }
            // Every chain answers; that it may is no news.
            (None, None) => return,
        };
        let span = plan.output.span();
        self.verdicts.push(Verdict { link: plan.name.clone(), sink: CALLER.into(), answer, span });
    }

    fn judge(&mut self, link: &Link, args: &Bounds, control: (Label, Label)) {
        if let Detail::Act(act) = &link.detail {
            self.act(link, act);
        }
        if let Detail::Approve(_) = &link.detail {
            let chain = link.full.split('.').next().unwrap_or_default();
            let resource = Resource { name: &link.full, chain, kind: Some(link.kind.name) };
            if let Some(answer @ Foreseen::Never { .. }) = self.forbidden(Action::Approve, resource) {
                self.say(link, link.span, Action::Approve.name().into(), answer);
            }
        }
        if let Detail::Plugin { plugin, .. } = &link.detail
            && plugin.expires_ms.is_some_and(|end| self.now_ms >= end)
        {
            let message = format!("the leave to run `{}` has expired", plugin.manifest.name);
            let changes = vec!["have the plugin reviewed and its `expires` moved on".into()];
            let (path, origins) = (String::new(), Vec::new());
            let answer = Foreseen::Never { rule: Rule::GrantExpired, path, origins, message, changes };
            return self.say(link, link.span, "plugin".into(), answer);
        }
        let all = self.authority.grants.effective(&link.power);
        let effective = all.current(self.now_ms);
        let chain = link.full.split('.').next().unwrap_or_default();
        let resource = Resource { name: &link.full, chain, kind: Some(link.kind.name) };
        let candidates = match self.candidates(link, &effective) {
            Ok(candidates) if candidates.is_empty() => {
                if let Some(id) = self.authority.policies.foresee_veto(resource) {
                    self.say(link, link.span, "call".into(), forbids_all(id, Action::Call, resource));
                }
                return;
            }
            Ok(candidates) => candidates,
            Err(missing)
                if effective.grants().len() < all.grants().len() && self.candidates(link, &all).is_ok() =>
            {
                let message = format!("the grant for `{}` has expired", missing.sink);
                let changes = vec!["have the grant reviewed and its `expires` moved on".into()];
                let (path, origins) = (String::new(), Vec::new());
                let answer = Foreseen::Never { rule: Rule::GrantExpired, path, origins, message, changes };
                return self.say(link, link.span, missing.sink, answer);
            }
            Err(Missing { sink, rule, message, changes, .. }) => {
                let answer =
                    Foreseen::Never { rule, path: String::new(), origins: Vec::new(), message, changes };
                return self.say(link, link.span, sink, answer);
            }
        };
        let name = candidates.first().map_or_else(String::new, |candidate| candidate.name.clone());
        if let Some(answer @ Foreseen::Never { .. }) = self.forbidden(Action::Call, resource) {
            return self.say(link, link.span, name, answer);
        }
        let faults = |labels: &Labels, decision: Label, worst: bool| -> Option<Fault> {
            let mut faults = candidates
                .iter()
                .map(|candidate| flow_fault(&candidate.sink(worst), labels, decision, Tenant::NONE));
            // One rule that allows it is enough; the first fault stands for all.
            let first = faults.next().flatten()?;
            faults.all(|fault| fault.is_some()).then_some(first)
        };
        let mut span = link.span;
        let answer = match (faults(&args.best, control.0, false), faults(&args.worst, control.1, true)) {
            (Some(fault), _) => {
                let (path, origins) = self.place(&fault);
                let tags = self.tag_names(fault.label.tags);
                let message = never(&fault, &path, &origins, &tags, &name);
                let what = if path.is_empty() { "the decision to call".into() } else { format!("`{path}`") };
                let changes = flow_changes(fault.rule, &what, &origins, &tags);
                if !fault.path.is_empty() {
                    span = link.with.span_at(&fault.path);
                }
                Foreseen::Never { rule: fault.rule, path, origins, message, changes }
            }
            (None, Some(fault)) => {
                let (path, origins) = self.place(&fault);
                Foreseen::Depends { rule: fault.rule, path, origins }
            }
            (None, None) => {
                let allowed = || Foreseen::Allowed { unless: self.unless(link, &candidates) };
                self.forbidden(Action::Call, resource).unwrap_or_else(allowed)
            }
        };
        self.say(link, span, name, answer);
    }

    /// Tags that detectors may give to what is sent, where no sink is cleared for all of them.
    fn unless(&self, link: &Link, candidates: &[Candidate]) -> Vec<Str> {
        let may = self.authority.detectors.may_tag();
        let stopped = candidates.iter().map(|candidate| may.without(candidate.flow.clearance));
        match stopped.reduce(Tags::both) {
            Some(tags) if link.with.as_fixed().is_none() => self.tag_names(tags),
            _ => Vec::new(),
        }
    }

    /// An act that nobody may do, or nobody any more.
    fn act(&mut self, link: &Link, act: &Act) {
        let action = if link.kind.role == Role::Endorse { Action::Endorse } else { Action::Declassify };
        let chain = link.full.split('.').next().unwrap_or_default();
        let resource = Resource { name: &link.full, chain, kind: Some(link.kind.name) };
        let (path, origins) = (String::new(), Vec::new());
        if act.expires_ms.is_some_and(|end| self.now_ms >= end) {
            let message = format!("the right to {} here has expired", action.name());
            let changes = vec!["review it and move `expires` on".into()];
            let answer = Foreseen::Never { rule: Rule::ActExpired, path, origins, message, changes };
            return self.say(link, link.span, action.name().into(), answer);
        }
        match self.forbidden(action, resource) {
            Some(answer @ Foreseen::Never { .. }) if act.required => {
                self.say(link, link.span, action.name().into(), answer);
            }
            _ => {}
        }
    }

    /// What policy can be seen to do to everybody, or may do to some.
    fn forbidden(&self, action: Action, resource: Resource<'_>) -> Option<Foreseen> {
        let (path, name, act) = (String::new(), resource.name, action.name());
        match self.authority.policies.foresee(action, resource) {
            Prospect::Open => None,
            Prospect::Silent => {
                let message =
                    format!("no policy permits anyone to {act} `{name}`, and nothing matched means deny");
                let changes = vec![format!("add a policy that permits somebody to `{act}` `{name}`")];
                let rule = Rule::PolicySilent;
                Some(Foreseen::Never { rule, path, origins: Vec::new(), message, changes })
            }
            Prospect::Forbidden(id) => Some(forbids_all(id, action, resource)),
            Prospect::Conditional(origins) => {
                Some(Foreseen::Depends { rule: Rule::PolicyForbids, path, origins })
            }
        }
    }

    fn say(&mut self, link: &Link, span: Span, sink: String, answer: Foreseen) {
        let verdict = Verdict { link: link.full.clone(), sink, answer, span };
        if !self.verdicts.contains(&verdict) {
            self.verdicts.push(verdict);
        }
    }

    fn place(&self, fault: &Fault) -> (String, Vec<Str>) {
        (path_text(&fault.path), self.origins.names(fault.label.origins))
    }

    fn tag_names(&self, tags: Tags) -> Vec<Str> {
        self.authority.tags.read().map(|table| table.names(tags)).unwrap_or_default()
    }
}

fn without_secrets(label: Label, authority: &Authority) -> Label {
    let secrets = authority.secrets.iter().fold(Tags::NONE, |tags, secret| tags.with(secret.tag));
    Label { tags: label.tags.without(secrets), ..label }
}

fn lowered(bounds: &Bounds, drop: Tags, endorses: bool) -> Bounds {
    let lower = |label: Label| Label {
        untrusted: label.untrusted && !endorses,
        tags: label.tags.without(drop),
        ..label
    };
    Bounds::new(bounds.best.map(&lower), bounds.worst.map(&lower))
}

fn forbids_all(id: Str, action: Action, resource: Resource<'_>) -> Foreseen {
    let message = format!("`{id}` forbids everyone to {} `{}`", action.name(), resource.name);
    let changes = vec![format!("change `{id}`, if that is not what it is for")];
    let (rule, path) = (Rule::PolicyForbids, String::new());
    Foreseen::Never { rule, path, origins: vec![id], message, changes }
}

fn never(fault: &Fault, path: &str, origins: &[Str], tags: &[Str], sink: &str) -> String {
    let from = from(origins);
    match fault.rule {
        Rule::UntrustedArgument => format!("`{path}` must be trusted for `{sink}` and never is{from}"),
        Rule::UntrustedDecision => format!("untrusted data always decides this call{from}"),
        Rule::Clearance if path.is_empty() => carries("the decision to call", tags, sink, &from),
        Rule::Clearance => carries(&format!("`{path}`"), tags, sink, &from),
        rule => format!("{}{from}", rule.doc()),
    }
}

fn carries(what: &str, tags: &[Str], sink: &str, from: &str) -> String {
    format!("{what} carries `{}`, which `{sink}` may not see{from}", tags.join("`, `"))
}

fn from(origins: &[Str]) -> String {
    if origins.is_empty() { String::new() } else { format!(", from `{}`", origins.join("`, `")) }
}
