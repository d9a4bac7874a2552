//! The gates around a chain: who may start it and with what input, what its output is, and whether its caller may
//! see that.

use super::judge::{Sink, flow_fault};
use super::look::{look, look_again, with};
use super::refuse::Refuser;
use super::release::size;
use super::{Authority, Blocked, Moment, TAGS, invalid};
use crate::chain::Plan;
use crate::chain::walk::{Stop, Walk};
use crate::failure::Failure;
use crate::grant::{Flow, respond_power, to_add};
use crate::label::{Label, Labeled, Tags};
use crate::policy::{Action, Facts, Resource, Ruling};
use crate::refusal::{Refusal, Rule};
use crate::run::Run;
use crate::trail::Stage;
use crate::value::{Str, Value};
use std::sync::{Arc, LazyLock};

/// Evidence that a chain may be run with this input; the only way to start a walk.
#[derive(Debug)]
pub struct Entered {
    plan: Arc<Plan>,
    input: Labeled,
    pc: Label,
}

impl Entered {
    pub(crate) fn into_parts(self) -> (Arc<Plan>, Labeled, Label) {
        (self.plan, self.input, self.pc)
    }
}

/// Evidence that a walk ended with an output that fits its schema.
#[derive(Debug)]
pub struct Left(Labeled);

impl Left {
    pub fn labeled(&self) -> &Labeled {
        &self.0
    }

    /// The same output with a further label; labels only ever grow this way.
    #[must_use]
    pub fn joined(self, label: Label) -> Left {
        Left(Labeled { labels: self.0.labels.joined(label), value: self.0.value })
    }

    pub(super) fn into_labeled(self) -> Labeled {
        self.0
    }
}

/// Evidence that the caller may see the output.
#[derive(Debug)]
pub struct Answer(Labeled);

impl Answer {
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    pub fn labeled(&self) -> &Labeled {
        &self.0
    }
}

/// Lets a principal start a chain. The input is untrusted unless policy lets the principal vouch for it.
pub fn enter(
    plan: &Arc<Plan>,
    input: Value,
    run: &mut Run,
    authority: &Authority,
    moment: Moment,
) -> Result<Entered, Blocked> {
    static INPUT: LazyLock<Str> = LazyLock::new(|| "input".into());
    let label =
        Label { tenant: run.tenant(), origins: run.origins.intern(&INPUT), untrusted: true, ..Label::BOTTOM };
    let found = look(&input, &plan.name, &authority.detectors, run, moment);
    let input = with(Labeled::new(input, label), &found);
    let entered = enter_labelled(plan, input, Label::BOTTOM, run, authority, moment)?;
    let vouched = verdict(plan, Action::Vouch, &entered.input, run, authority, moment).allowed;
    if !vouched {
        return Ok(entered);
    }
    let labels = entered.input.labels.map(&|label| Label { untrusted: false, ..label });
    let input = Labeled { value: entered.input.value, labels };
    // A schema may call a part untrusted whoever sends it.
    let labels = plan
        .input
        .as_ref()
        .map_or_else(|| input.labels.clone(), |schema| schema.label(&input.value, &input.labels));
    Ok(Entered { plan: entered.plan, input: Labeled { value: input.value, labels }, pc: Label::BOTTOM })
}

/// Lets a chain link start another chain: the same principal, the labels as they are.
pub fn enter_inner(
    plan: &Arc<Plan>,
    input: Labeled,
    decision: Label,
    depth: u64,
    run: &mut Run,
    authority: &Authority,
    moment: Moment,
) -> Result<Entered, Blocked> {
    if depth > run.limits.depth_max {
        let message = format!("chains are nested {} deep, which is the limit", run.limits.depth_max);
        let refusal = Refusal::new(Rule::DepthBudget, &plan.name, message);
        return Err(refuse(refusal.change("raise `limits.depth`, if this is meant"), run, moment));
    }
    enter_labelled(plan, input, decision, run, authority, moment)
}

fn enter_labelled(
    plan: &Arc<Plan>,
    input: Labeled,
    pc: Label,
    run: &mut Run,
    authority: &Authority,
    moment: Moment,
) -> Result<Entered, Blocked> {
    let judged = verdict(plan, Action::Run, &input, run, authority, moment);
    if !judged.allowed {
        let spot = judged.policies.first().and_then(|id| authority.policies.spot(id));
        let refuser = Refuser { link: &plan.name, power: &plan.name, sink: String::new(), spot: None };
        let mut refusal = refuser.policy(&judged, &run.principal, Action::Run, &plan.name, spot);
        refusal.sink = None;
        return Err(refuse(refusal, run, moment));
    }
    if let Some(schema) = &plan.input {
        schema.check(&input.value).map_err(|mismatches| invalid("the input", &mismatches))?;
    }
    let labels = plan
        .input
        .as_ref()
        .map_or_else(|| input.labels.clone(), |schema| schema.label(&input.value, &input.labels));
    run.read = run.read.with(labels.all().tags);
    run.expect(plan.links.len());
    run.record(moment.at_us, &plan.name, Stage::Entered);
    Ok(Entered { plan: plan.clone(), input: Labeled { value: input.value, labels }, pc })
}

fn refuse(refusal: Refusal, run: &mut Run, moment: Moment) -> Blocked {
    let refusal = Box::new(refusal);
    run.record(moment.at_us, &refusal.link, Stage::Refused(refusal.clone()));
    Blocked::Refused(refusal)
}

fn verdict(
    plan: &Plan,
    action: Action,
    input: &Labeled,
    run: &Run,
    authority: &Authority,
    moment: Moment,
) -> Arc<Ruling> {
    let Ok(tags) = authority.tags.read() else { return Ruling::failed(TAGS) };
    let facts = Facts {
        args: input,
        decision: Label::BOTTOM,
        sinks: &[],
        consequential: false,
        run,
        elapsed_ms: moment.at_us / 1000,
        tags: &tags,
    };
    authority.policies.decide(
        &run.principal,
        action,
        Resource { name: &plan.name, chain: &plan.name, kind: None },
        &facts,
    )
}

/// Takes the output of a finished walk, if it fits what the chain says it returns.
pub fn leave(walk: &Walk) -> Result<Left, Stop> {
    let mut output = walk.finish()?;
    if walk.is_watched() {
        // That it came to its end tells of everything in it.
        output.labels = output.labels.joined(walk.told());
    }
    size(&output).map_err(|failure| Stop::Failed { link: walk.plan().name.clone(), failure })?;
    let plan = walk.plan();
    let Some(schema) = &plan.returns else { return Ok(Left(output)) };
    let told = output.labels.all();
    let stop = |failure: Failure| Stop::Failed { link: plan.name.clone(), failure: failure.labelled(told) };
    schema.check(&output.value).map_err(|mismatches| stop(invalid("the output", &mismatches)))?;
    let labels = schema.label(&output.value, &output.labels);
    Ok(Left(Labeled { value: output.value, labels }))
}

/// Lets the caller see a piece of an output before the rest is there, if it may see what such a piece carries.
pub fn piece(
    plan: &Plan,
    value: Value,
    label: Label,
    run: &mut Run,
    authority: &Authority,
    moment: Moment,
) -> Result<Answer, Box<Refusal>> {
    respond(plan, Left(Labeled::new(value, label)), run, authority, moment)
}

/// What the caller is called as a sink.
pub const CALLER: &str = "the caller";

/// Lets the caller see an output: the caller is a sink like any other.
pub fn respond(
    plan: &Plan,
    left: Left,
    run: &mut Run,
    authority: &Authority,
    moment: Moment,
) -> Result<Answer, Box<Refusal>> {
    // What templates put together, nobody has looked at.
    let found = look_again(&left.0, &plan.name, &authority.detectors, run, moment);
    let left = Left(with(left.0, &found));
    let nothing = Flow::default();
    let effective = authority.grants.effective(&plan.name);
    let granted = effective.respond(moment.now_ms);
    let flow = granted.as_ref().map_or(&nothing, |fit| fit.rule);
    let sink = Sink { flow, also: Tags::NONE, consequential: false, steering: &[] };
    if let Some(fault) = flow_fault(&sink, &left.0.labels, Label::BOTTOM, run.tenant()) {
        let origins = run.origins.names(fault.label.origins);
        let tags = authority.tags.read().map(|tags| tags.names(fault.label.tags)).unwrap_or_default();
        let spot = plan.spot(plan.output.span_at(&fault.path));
        let refuser = Refuser { link: &plan.name, power: &plan.name, sink: CALLER.into(), spot };
        let mut refusal = refuser.flow(&fault, "the output", origins, &tags);
        if let Some(last) = refusal.changes.last_mut().filter(|_| fault.rule == Rule::Clearance) {
            *last = format!("or let the caller see it: {}", to_add(&plan.name, &respond_power(&tags)));
        }
        let refusal = Box::new(refusal.detected(&authority.detectors, fault.label.tags));
        run.record(moment.at_us, &plan.name, Stage::Refused(refusal.clone()));
        return Err(refusal);
    }
    run.record(moment.at_us, &plan.name, Stage::Answered);
    Ok(Answer(left.0))
}
