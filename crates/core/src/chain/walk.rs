//! One run through a plan: what is ready, what is skipped, which edge is taken, what decided it. Pure bookkeeping;
//! the engine calls links in between. The labels of conditions follow what they decide.

use super::{On, Plan, Root, graph::How};
use crate::expr::{Budget, EvalError, Expr, Roots, Slot, labels_at};
use crate::failure::{Failure, FailureKind};
use crate::gate::{Entered, Released};
use crate::label::{Label, Labeled, Labels};
use crate::refusal::Refusal;
use crate::run::Run;
use crate::template::{Scope, Template};
use crate::trail::Why;
use crate::value::{Str, Value};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The state of one pass through a plan.
#[derive(Debug)]
pub struct Walk {
    plan: Arc<Plan>,
    run: Arc<Mutex<Run>>,
    /// Outputs by position, then what the plan's roots stand for.
    values: Vec<Option<Labeled>>,
    places: Vec<Place>,
    ready: VecDeque<usize>,
    pc: Labels,
    /// Set where whoever started this pass goes on, another way, when it fails.
    watched: Option<Told>,
}

/// What passes that stand beside or within each other have come to know: if one fails, it takes the others with it, so
/// that they still go on tells each of all the others.
pub type Told = Arc<Mutex<Label>>;

/// Where one link stands.
#[derive(Debug)]
struct Place {
    state: State,
    /// How many links must end before it is asked.
    waits: usize,
    /// What decided whether it runs, its edges included.
    control: Labels,
    /// The labels of the edge conditions judged at it.
    judged: Labels,
    /// The target of the edge it took.
    took: Option<usize>,
    /// The failure that led to it.
    error: Option<Box<Labeled>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Skipped,
    /// Failed or refused, and an edge took care of it.
    Handled,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    Call(Ready),
    Skipped(usize, Why),
    /// The link cannot even be asked; settle it as failed. The failure carries the labels of what was read.
    Failed(usize, Box<Failure>),
}

/// A link whose arguments are known. Only a walk makes one.
#[derive(Clone, Debug)]
pub struct Ready(pub(crate) CallBody);

/// A call: a link with its resolved arguments.
#[derive(Clone, Debug)]
pub(crate) struct CallBody {
    pub(crate) link: usize,
    pub(crate) args: Labeled,
    /// What decided that it runs; one label for all.
    pub(crate) decision: Labels,
    /// Whether the arguments are those of a call that was judged before, sent on by the answer.
    pub(crate) redirected: bool,
}

impl Ready {
    /// About how much there is to look at.
    pub fn bytes(&self) -> usize {
        self.0.args.value.bytes()
    }
}

impl CallBody {
    /// The label of all that the call is made of.
    pub(crate) fn label(&self) -> Label {
        self.args.labels.all().join(self.decision.all())
    }
}

impl Ready {
    pub fn link(&self) -> usize {
        self.0.link
    }

    pub fn args(&self) -> &Value {
        &self.0.args.value
    }

    /// The same call, decided by more.
    #[must_use]
    pub fn decided(mut self, label: Label) -> Ready {
        self.0.decision = self.0.decision.flat(label);
        self
    }

    /// The label of all that the call is made of.
    pub fn label(&self) -> Label {
        self.0.label()
    }
}

/// How a link ended.
#[derive(Debug)]
pub enum Outcome {
    Done(Released),
    /// A failure, with the label of what it may tell.
    Failed(Box<Failure>, Label),
    /// A refusal, with the label of what it was decided on.
    Refused(Box<Refusal>, Label),
}

/// Why a run ends without an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    Failed { link: Str, failure: Failure },
    Refused(Box<Refusal>),
}

impl Stop {
    fn labelled(self, label: Label) -> Stop {
        match self {
            Stop::Failed { link, failure } => Stop::Failed { link, failure: failure.labelled(label) },
            Stop::Refused(refusal) => Stop::Refused(Box::new(refusal.labelled(label))),
        }
    }
}

impl Walk {
    /// Starts a pass through a chain that was entered; there is no other way in.
    pub fn begin(entered: Entered, run: Arc<Mutex<Run>>, secrets: &Labeled) -> Walk {
        let (plan, input, pc) = entered.into_parts();
        let roots = plan
            .roots
            .iter()
            .map(|root| match root {
                Root::Input => input.clone(),
                Root::Run => {
                    let value = run.lock().map(|run| run.as_value()).unwrap_or_default();
                    Labeled::new(value, Label::BOTTOM)
                }
                Root::Secrets => secrets.clone(),
                Root::Error | Root::Local(_) | Root::Outer(_) => Labeled::default(),
            })
            .collect();
        Walk::new(plan, run, roots, pc)
    }

    fn new(plan: Arc<Plan>, run: Arc<Mutex<Run>>, roots: Vec<Labeled>, pc: Label) -> Walk {
        let pc = Labels::from(pc);
        let waits = &plan.graph.waits;
        let mut values: Vec<Option<Labeled>> = Vec::with_capacity(waits.len() + roots.len());
        values.resize_with(waits.len(), || None);
        values.extend(roots.into_iter().map(Some));
        let place = |waits: &usize| Place {
            state: State::Waiting,
            waits: *waits,
            control: pc.clone(),
            judged: Labels::default(),
            took: None,
            error: None,
        };
        let places = waits.iter().map(place).collect();
        let ready = waits.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| at).collect();
        Walk { run, values, places, ready, pc, watched: None, plan }
    }

    /// A pass whose failure is not the end: all that may fail in it decides what comes after, and how it ends.
    #[must_use]
    pub fn watched(mut self, watched: Option<Told>) -> Walk {
        self.watched = watched;
        self
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// Learns what the others know, and lets them know what this pass has learnt.
    fn share(&mut self, learnt: Label) {
        if let Some(told) = &self.watched {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            *told = told.join(learnt);
            self.pc = self.pc.flat(*told);
        }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The next thing to do, or nothing until a running link is settled.
    pub fn step(&mut self) -> Option<Next> {
        let at = self.ready.pop_front()?;
        self.share(Label::BOTTOM);
        let mut decision = self.decision(at);
        self.set(at, |place| place.control = decision.clone());
        if let Some(why) = self.why_not(at) {
            return Some(self.skip(at, why));
        }
        if self.is_watched() {
            // If it fails, the pass ends and takes with it even what does not wait for it.
            let read = self.told_by(at);
            self.share(read);
        }
        if let Some(when) = self.plan.link(at)?.when.as_ref() {
            let view = View { walk: self, link: at };
            let holds = when.holds(&view, &mut Budget::default());
            decision = decision.flat(when.label(&view));
            self.set(at, |place| place.control = decision.clone());
            match holds {
                Ok(true) => {}
                Ok(false) => return Some(self.skip(at, Why::When)),
                Err(error) => return Some(self.fail(at, "when", &error)),
            }
        }
        self.expect(at);
        let args = self.plan.link(at)?.with.fill(&View { walk: self, link: at }, &mut Budget::default());
        match args {
            Ok(args) => {
                self.set(at, |place| place.state = State::Running);
                Some(Next::Call(Ready(CallBody { link: at, args, decision, redirected: false })))
            }
            Err(error) => Some(self.fail(at, "with", &error)),
        }
    }

    /// Whether another step can be taken before a running link is settled.
    pub fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// What decided that a link is asked at all, before its own `when`.
    fn decision(&self, at: usize) -> Labels {
        let mut label = self.pc.clone();
        for from in self.plan.graph.upstream.get(at).into_iter().flatten() {
            let Some(place) = self.places.get(*from) else { continue };
            for labels in [&place.control, &place.judged] {
                if !labels.is_bottom() {
                    label = label.flat(labels.all());
                }
            }
        }
        label
    }

    fn why_not(&self, at: usize) -> Option<Why> {
        if self.plan.graph.is_target(at) && !self.is_taken(at) {
            return Some(Why::NotTaken);
        }
        for (from, how) in self.plan.graph.needs.get(at).into_iter().flatten() {
            if *how == How::Maybe {
                continue;
            }
            let handled_here = self.leads_to(*from, at);
            match self.state(*from) {
                Some(State::Done) if !self.diverted(*from, at) => {}
                Some(State::Done) => return Some(Why::Diverted),
                // A handler may come `after` the link it handles.
                Some(State::Handled) if *how == How::After && handled_here => {}
                _ => return Some(Why::Missing),
            }
        }
        None
    }

    fn is_taken(&self, at: usize) -> bool {
        self.plan.graph.edges_in.get(at).into_iter().flatten().any(|from| self.leads_to(*from, at))
    }

    fn leads_to(&self, from: usize, to: usize) -> bool {
        self.took(from) == Some(to)
    }

    /// Whether `from` took an edge that leads away from `at`.
    fn diverted(&self, from: usize, at: usize) -> bool {
        match self.took(from) {
            Some(target) => {
                !self.plan.graph.follows.get(&target).is_some_and(|follows| follows.contains(&at))
            }
            None => false,
        }
    }

    fn skip(&mut self, at: usize, why: Why) -> Next {
        self.set(at, |place| place.state = State::Skipped);
        // A handler that cannot run leaves the failure unhandled; `finish` finds it.
        self.release_followers(at);
        Next::Skipped(at, why)
    }

    /// Everything that a link may read, its own decision included.
    fn read_by(&self, at: usize) -> Label {
        let view = View { walk: self, link: at };
        let refs = self.plan.link(at).map_or(Vec::new(), super::Link::refs);
        let read = refs.iter().map(|reference| {
            let labels =
                view.root(reference.slot).map_or(Label::BOTTOM, |root| labels_at(&root.labels, reference));
            labels.join(view.control(reference.slot))
        });
        let decided = self.places.get(at).map_or(Label::BOTTOM, |place| place.control.all());
        read.fold(decided, Label::join)
    }

    /// Where a failure would be taken care of, that there was none tells as much: both ends of the link are decided
    /// by what it reads.
    fn expect(&mut self, at: usize) {
        let Some(link) = self.plan.link(at) else { return };
        if !link.lowers() && (link.is_watched() || self.is_watched()) {
            let read = self.read_by(at);
            self.judge(at, read);
        }
    }

    /// What a link tells those beside it by not failing. What comes out of a closed range is trusted, and so is that
    /// something does.
    fn told_by(&self, at: usize) -> Label {
        let read = self.read_by(at);
        let lowers = self.plan.link(at).is_some_and(super::Link::lowers);
        Label { untrusted: read.untrusted && !lowers, ..read }
    }

    fn fail(&mut self, at: usize, place: &str, error: &EvalError) -> Next {
        let read = self.read_by(at);
        self.set(at, |place| place.state = State::Running);
        let (line, column) = self.plan.source.line_column(error.span.start);
        let message = format!("`{place}` at {line}:{column}: {}", error.message);
        Next::Failed(at, Box::new(Failure::new(FailureKind::Expression, message).labelled(read)))
    }

    fn release_followers(&mut self, at: usize) {
        for follower in self.plan.graph.followers.get(at).into_iter().flatten() {
            if let Some(place) = self.places.get_mut(*follower) {
                place.waits -= 1;
                if place.waits == 0 {
                    self.ready.push_back(*follower);
                }
            }
        }
    }

    /// Positions come from the plan, whose lists all have one entry a link.
    fn set(&mut self, at: usize, change: impl FnOnce(&mut Place)) {
        if let Some(place) = self.places.get_mut(at) {
            change(place);
        }
    }

    fn state(&self, at: usize) -> Option<State> {
        self.places.get(at).map(|place| place.state)
    }

    fn took(&self, at: usize) -> Option<usize> {
        self.places.get(at)?.took
    }

    /// Takes in how a link ended; names the target of the edge taken. An end that no edge takes care of stops the run.
    pub fn settle(&mut self, at: usize, outcome: Outcome) -> Result<Option<usize>, Stop> {
        let Some(link) = self.plan.link(at) else { return Ok(None) };
        match outcome {
            Outcome::Done(released) => {
                let mut output = released.into_labeled();
                let (lowers, knows) = (link.lowers(), link.lowers() || link.is_pass());
                let replaced = link.fallback.is_some() && !lowers;
                if link.is_watched() || self.is_watched() {
                    // Whoever answered decides what comes back, and with it not that it comes back. What passes know
                    // and what is let through count as they are.
                    let told = output.labels.all();
                    let untrusted = told.untrusted && knows;
                    self.judge(at, Label { untrusted, ..told });
                    self.share(Label { untrusted, ..told });
                }
                if replaced {
                    // That it is not the fallback is told by what it is.
                    output.labels = output.labels.joined(self.read_by(at));
                }
                if let Some(value) = self.values.get_mut(at) {
                    *value = Some(output);
                }
                let taken = self.pick(at, On::Success)?;
                self.end(at, State::Done, taken, None);
                Ok(taken)
            }
            Outcome::Failed(failure, label) => {
                let label = label.join(failure.label);
                let failure = failure.labelled(label);
                let error = Labeled::new(failure.to_value(&link.full), label);
                let stop = Stop::Failed { link: link.full.clone(), failure };
                self.handle(at, On::Error, error, stop)
            }
            Outcome::Refused(refusal, label) => {
                let label = label.join(refusal.label);
                let refusal = Box::new(refusal.labelled(label));
                let error = Labeled::new(refused_value(&refusal), label);
                self.handle(at, On::Refused, error, Stop::Refused(refusal))
            }
        }
    }

    /// Looks for an edge that takes care of a failure; without one the run stops.
    fn handle(&mut self, at: usize, on: On, error: Labeled, stop: Stop) -> Result<Option<usize>, Stop> {
        let label = error.labels.all();
        self.set(at, |place| place.error = Some(Box::new(error.clone())));
        let Some(target) = self.pick(at, on)? else {
            // That no edge took it was decided by the conditions that were asked.
            let judged = self.places.get(at).map_or(Label::BOTTOM, |place| place.judged.all());
            return Err(stop.labelled(judged));
        };
        // What a failure tells decides what its edge leads to.
        self.judge(at, label);
        self.end(at, State::Handled, Some(target), Some(error));
        Ok(Some(target))
    }

    fn end(&mut self, at: usize, state: State, taken: Option<usize>, error: Option<Labeled>) {
        if let Some(target) = taken {
            self.set(at, |place| place.took = Some(target));
            self.set(target, |place| place.error = error.map(Box::new));
        }
        self.set(at, |place| place.state = state);
        self.release_followers(at);
    }

    fn judge(&mut self, at: usize, label: Label) {
        self.set(at, |place| place.judged = place.judged.flat(label));
    }

    fn pick(&mut self, at: usize, on: On) -> Result<Option<usize>, Stop> {
        if self.plan.link(at).is_none_or(|link| link.edges.is_empty()) {
            return Ok(None);
        }
        let plan = self.plan.clone();
        let edges = plan.link(at).map_or(&[][..], |link| &link.edges);
        for edge in edges.iter().filter(|edge| edge.on == on) {
            let Some(when) = &edge.when else { return Ok(Some(edge.to)) };
            let view = View { walk: self, link: at };
            let (holds, label) = (when.holds(&view, &mut Budget::default()), when.label(&view));
            self.judge(at, label);
            match holds {
                Ok(true) => return Ok(Some(edge.to)),
                Ok(false) => {}
                Err(error) => {
                    let link = plan.link(at).map_or_else(|| "".into(), |link| link.full.clone());
                    let read = self.read_by(at).join(label);
                    let failure =
                        Failure::new(FailureKind::Expression, format!("an edge's `if`: {}", error.message))
                            .labelled(read);
                    return Err(Stop::Failed { link, failure });
                }
            }
        }
        Ok(None)
    }

    /// The output, once nothing is left to run. A failure whose handler did not run is still a failure.
    pub fn finish(&self) -> Result<Labeled, Stop> {
        for (at, place) in self.places.iter().enumerate().filter(|(_, place)| place.state == State::Handled) {
            let target = place.took;
            let ran =
                target.and_then(|target| self.state(target)).is_some_and(|state| state != State::Skipped);
            if !ran {
                let name = |at: usize| self.plan.link(at).map_or("".into(), |link| link.full.clone());
                let handler = target.map_or("".into(), name);
                let message = format!("its handler `{handler}` did not run");
                let decided = |place: &Place| place.control.all().join(place.judged.all());
                let handler =
                    target.and_then(|target| self.places.get(target)).map_or(Label::BOTTOM, decided);
                let told = decided(place).join(handler);
                let failure = Failure::new(FailureKind::Native, message).labelled(told);
                return Err(Stop::Failed { link: name(at), failure });
            }
        }
        let view = View { walk: self, link: usize::MAX };
        match self.plan.output.fill(&view, &mut Budget::default()) {
            Ok(output) => Ok(Labeled { value: output.value, labels: output.labels.joined(self.pc.all()) }),
            Err(error) => {
                let (line, column) = self.plan.source.line_column(error.span.start);
                let message = format!("`output` at {line}:{column}: {}", error.message);
                let failure = Failure::new(FailureKind::Expression, message).labelled(self.told());
                Err(Stop::Failed { link: self.plan.name.clone(), failure })
            }
        }
    }

    /// Everything that this pass has come to know.
    pub(crate) fn told(&self) -> Label {
        let values = self.values.iter().flatten().map(|value| value.labels.all());
        let places = self.places.iter().map(|place| place.control.all().join(place.judged.all()));
        let shared = self.watched.as_ref().map(|told| *told.lock().unwrap_or_else(PoisonError::into_inner));
        values.chain(places).chain(shared).fold(self.pc.all(), Label::join)
    }

    /// What a link sees, kept for as long as it runs.
    pub fn frame(&self, at: usize) -> Frame {
        let view = View { walk: self, link: at };
        let refs = self.plan.link(at).map_or(Vec::new(), super::Link::refs);
        let mut slots: Vec<Slot> = refs.into_iter().map(|reference| reference.slot).collect();
        slots.dedup();
        let seen =
            slots.into_iter().map(|slot| (slot, view.root(slot).cloned(), view.control(slot))).collect();
        Frame { run: self.run.clone(), seen }
    }
}

/// What one link sees, apart from the walk: for bodies, fallbacks and keys, which are worked out while it runs.
#[derive(Clone, Debug)]
pub struct Frame {
    run: Arc<Mutex<Run>>,
    seen: Vec<(Slot, Option<Labeled>, Label)>,
}

impl Frame {
    pub fn fill(&self, template: &Template) -> Result<Labeled, Failure> {
        template.fill(self, &mut Budget::default()).map_err(|error| self.failure(error))
    }

    pub fn eval(&self, expr: &Expr) -> Result<Labeled, Failure> {
        expr.eval(self, &mut Budget::default()).map_err(|error| self.failure(error))
    }

    /// Everything that the link sees.
    pub fn label(&self) -> Label {
        let seen = self.seen.iter().map(|(_, value, control)| {
            value.as_ref().map_or(*control, |value| value.labels.all().join(*control))
        });
        seen.fold(Label::BOTTOM, Label::join)
    }

    fn failure(&self, error: EvalError) -> Failure {
        Failure::new(FailureKind::Expression, error.message).labelled(self.label())
    }

    /// Whether a condition holds, and the label of what it read.
    pub fn holds(&self, expr: &Expr) -> Result<(bool, Label), Failure> {
        let holds = expr.holds(self, &mut Budget::default()).map_err(|error| self.failure(error))?;
        Ok((holds, expr.label(self)))
    }

    /// Starts a pass through a body of the link; `locals` are the body's variables.
    pub fn inside(&self, body: &Arc<Plan>, locals: &[(&str, Labeled)], decision: Label) -> Walk {
        let local =
            |name: &str| locals.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let roots = body.roots.iter().map(|root| match root {
            Root::Outer(slot) => self.root(*slot).cloned().unwrap_or_default(),
            Root::Local(name) => local(name).unwrap_or_default(),
            _ => Labeled::default(),
        });
        Walk::new(body.clone(), self.run.clone(), roots.collect(), decision)
    }

    /// Judges a condition on the variables of a body, such as `until`.
    pub fn judge(&self, expr: &Expr, locals: &[(&str, Labeled)]) -> Result<(bool, Label), Failure> {
        let view = Locals(locals);
        let all = locals.iter().fold(self.label(), |all, (_, local)| all.join(local.labels.all()));
        let holds = expr.holds(&view, &mut Budget::default());
        let holds = holds.map_err(|error| self.failure(error).labelled(all))?;
        Ok((holds, expr.label(&view)))
    }
}

impl Roots for Frame {
    fn root(&self, slot: Slot) -> Option<&Labeled> {
        self.seen.iter().find(|(known, _, _)| *known == slot)?.1.as_ref()
    }

    fn control(&self, slot: Slot) -> Label {
        self.seen.iter().find(|(known, _, _)| *known == slot).map_or(Label::BOTTOM, |(_, _, label)| *label)
    }
}

impl Scope for Frame {
    fn wrap(&self, part: Labeled) -> Str {
        self.run.lock().map_or_else(|_| "".into(), |mut run| run.wrap(part))
    }

    fn open(&self, handle: &str) -> Option<Labeled> {
        self.run.lock().ok()?.open(handle)
    }
}

/// The variables of a body, by position.
struct Locals<'l>(&'l [(&'l str, Labeled)]);

impl Roots for Locals<'_> {
    fn root(&self, slot: Slot) -> Option<&Labeled> {
        self.0.get(slot.0 as usize).map(|(_, value)| value)
    }

    fn control(&self, _: Slot) -> Label {
        Label::BOTTOM
    }
}

/// A refusal as `error` shows it: no more than a caller may know.
fn refused_value(refusal: &Refusal) -> Value {
    Value::map([
        ("link", Value::Str(refusal.link.clone())),
        ("kind", Value::from("refused")),
        ("rule", Value::from(refusal.rule.id())),
        ("message", Value::from(refusal.rule.doc())),
    ])
}

/// What the expressions of one link see.
struct View<'w> {
    walk: &'w Walk,
    link: usize,
}

impl Roots for View<'_> {
    fn root(&self, slot: Slot) -> Option<&Labeled> {
        if self.walk.plan.root(slot) == Some(&Root::Error) {
            return self.walk.places.get(self.link)?.error.as_deref();
        }
        self.walk.values.get(slot.0 as usize)?.as_ref()
    }

    fn control(&self, slot: Slot) -> Label {
        let place = self.walk.places.get(slot.0 as usize);
        place.map_or(Label::BOTTOM, |place| place.control.all().join(place.judged.all()))
    }
}

impl Scope for View<'_> {
    fn wrap(&self, part: Labeled) -> Str {
        self.walk.run.lock().map_or_else(|_| "".into(), |mut run| run.wrap(part))
    }

    fn open(&self, handle: &str) -> Option<Labeled> {
        self.walk.run.lock().ok()?.open(handle)
    }
}
