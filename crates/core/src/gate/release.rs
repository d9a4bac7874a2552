//! The gate after a call. What a link returns is unchecked until it is measured here: size, schema, label. Labels
//! shrink in this file alone, by the rule of an extract, endorse or declassify link.

use super::admit::{Due, Special};
use super::approve::Approved;
use super::enter::Left;
use super::look::{look, with};
use super::{Authority, Blocked, Moment, invalid};
use crate::chain::{Detail, Link, Plan};
use crate::failure::{Failure, FailureKind};
use crate::kind::Role;
use crate::label::{Label, Labeled, Labels, Origins, Tags};
use crate::refusal::{Refusal, Rule};
use crate::run::Run;
use crate::trail::Stage;
use crate::value::{List, Str, Value, parse_path};
use std::sync::Arc;

/// Largest output of one link.
const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// Deepest output of one link.
const OUTPUT_DEPTH_MAX: usize = 128;

/// What a link returned, before the gate has seen it.
#[derive(Debug)]
pub struct Unchecked(Output);

#[derive(Debug)]
enum Output {
    /// New data; the label is the gate's to decide, what the link saw only adds to it.
    New(Value, Option<Box<Label>>),
    /// An argument, handed on with its labels apart.
    Same,
    /// The same, where enough persons said yes to it.
    Approved(Approved),
    /// What came out of chains and bodies, each part with its own labels.
    One(Labeled),
    /// Results of a body, and what decided how many there are.
    Many(Box<(Vec<Labeled>, Label)>),
}

impl Unchecked {
    /// About how much there is to look at.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Output::New(value, _) => value.bytes(),
            Output::Same | Output::Approved(_) => 0,
            Output::One(one) => one.value.bytes(),
            Output::Many(many) => many.0.iter().map(|one| one.value.bytes()).sum(),
        }
    }

    pub fn new(value: Value) -> Unchecked {
        Unchecked::tagged(value, Tags::NONE)
    }

    /// New data in which the link itself found something restricted.
    pub fn tagged(value: Value, tags: Tags) -> Unchecked {
        Unchecked::told(value, Label { tags, ..Label::BOTTOM })
    }

    /// New data, made with what the link itself was told on the way.
    pub fn told(value: Value, told: Label) -> Unchecked {
        Unchecked(Output::New(value, (told != Label::BOTTOM).then(|| Box::new(told))))
    }

    fn is_new(&self) -> bool {
        matches!(self.0, Output::New(..))
    }

    /// The same data once more, still unchecked, where it is new: what a cache may keep. Its label is worked out anew
    /// each time.
    pub fn again(&self) -> Option<Unchecked> {
        match &self.0 {
            Output::New(value, told) => {
                // Origins are numbers of this run, and mean others in the next.
                let told = told.as_ref().map(|told| Box::new(Label { origins: Origins::NONE, ..**told }));
                Some(Unchecked(Output::New(value.clone(), told)))
            }
            _ => None,
        }
    }

    /// New data as a journal keeps it, with what the link was told; nothing where it can be worked out anew.
    pub fn kept(&self) -> Option<(&Value, Label)> {
        match &self.0 {
            Output::New(value, told) => Some((value, told.as_deref().copied().unwrap_or(Label::BOTTOM))),
            _ => None,
        }
    }

    /// The argument that the kind passes on.
    pub fn same() -> Unchecked {
        Unchecked(Output::Same)
    }

    /// The argument that persons said yes to.
    pub fn approved(approved: Approved) -> Unchecked {
        Unchecked(Output::Approved(approved))
    }

    pub fn one(left: Left) -> Unchecked {
        Unchecked(Output::One(left.into_labeled()))
    }

    /// Results of a body, one an item; `decided` is what decided how many.
    pub fn many(left: Vec<Left>, decided: Label) -> Unchecked {
        Unchecked(Output::Many(Box::new((left.into_iter().map(Left::into_labeled).collect(), decided))))
    }
}

/// Evidence that an output passed the gate; the only thing a walk takes in.
#[derive(Debug)]
pub struct Released(Labeled);

impl Released {
    pub fn labeled(&self) -> &Labeled {
        &self.0
    }

    pub(crate) fn into_labeled(self) -> Labeled {
        self.0
    }
}

/// Measures and labels one output and records the answer.
pub fn release(
    plan: &Plan,
    due: Due,
    unchecked: Unchecked,
    run: &mut Run,
    authority: &Authority,
    moment: Moment,
) -> Result<Released, Blocked> {
    let Some(link) = plan.link(due.link) else {
        return Err(Failure::new(FailureKind::Invalid, "the plan has no such link").into());
    };
    let Due { base, mut special, .. } = due;
    if let (Output::Approved(approved), Some(special)) = (&unchecked.0, &mut special) {
        special.acted = approved.is_for(&special.args);
    }
    let special = special.as_deref();
    let is_new = unchecked.is_new();
    let mut output = label(base, special, link, unchecked);
    let told = output.labels.all();
    weigh(&output, plan, link, run).map_err(|blocked| blocked.labelled(told))?;
    if is_new {
        let found = look(&output.value, &link.full, &authority.detectors, run, moment);
        output = with(output, &found);
    }
    let told = output.labels.all();
    if let Some(special) = special {
        lower(special, link, &mut output).map_err(|blocked| blocked.labelled(told))?;
        // What a principal let go is not tagged again.
        run.clear(&output.value, dropped(special, link), &authority.detectors);
    }
    fit(link, &mut output).map_err(|blocked| blocked.labelled(told))?;
    run.read = run.read.with(output.labels.all().tags);
    let stage = match (&link.detail, link.kind.role) {
        (Detail::Extract(..), _) => Stage::Extracted,
        (Detail::Act(_), Role::Endorse) if special.is_some_and(|special| special.acted) => Stage::Endorsed,
        (Detail::Approve(_), _) => Stage::Approved,
        (Detail::Act(_), Role::Declassify) => Stage::Declassified,
        _ => Stage::Released,
    };
    run.record(moment.at_us, &link.full, stage);
    Ok(Released(output))
}

/// Lets the fallback of a failed call stand in for its output; that it does is decided by what failed.
pub fn fall_back(
    plan: &Arc<Plan>,
    at: usize,
    fallback: Labeled,
    failed: Label,
    run: &mut Run,
    moment: Moment,
) -> Result<Released, Blocked> {
    let Some(link) = plan.link(at) else {
        return Err(Failure::new(FailureKind::Invalid, "the plan has no such link").into());
    };
    let mut output = Labeled { labels: fallback.labels.joined(failed), value: fallback.value };
    weigh(&output, plan, link, run)?;
    fit(link, &mut output)?;
    run.read = run.read.with(output.labels.all().tags);
    run.record(moment.at_us, &link.full, Stage::FellBack);
    Ok(Released(output))
}

/// Counts data that a link holds before it is released: results of its items and rounds.
pub fn hold(link: &Str, left: &Left, run: &mut Run) -> Result<(), Box<Refusal>> {
    spend(link, left.labeled(), run)
}

/// Counts data that a link hands out while it runs.
pub fn spend(link: &Str, data: &Labeled, run: &mut Run) -> Result<(), Box<Refusal>> {
    run.bytes = run.bytes.saturating_add(u64::try_from(data.value.bytes()).unwrap_or(u64::MAX));
    if run.bytes <= run.limits.bytes_max {
        return Ok(());
    }
    let message = format!("the run holds more than {} bytes, which is its limit", run.limits.bytes_max);
    let refusal = Refusal::new(Rule::ByteBudget, link, message);
    Err(Box::new(refusal.change("raise `limits.bytes`, if this much is meant").labelled(run.spent())))
}

/// How many bytes an output has, unless it is too large to be one of anything.
pub(super) fn size(output: &Labeled) -> Result<usize, Failure> {
    let bytes = output.value.bytes();
    if bytes <= OUTPUT_BYTES_MAX && output.value.depth() <= OUTPUT_DEPTH_MAX {
        return Ok(bytes);
    }
    let message = format!(
        "the output is larger than {OUTPUT_BYTES_MAX} bytes or deeper than {OUTPUT_DEPTH_MAX} levels"
    );
    Err(Failure::new(FailureKind::TooLarge, message).labelled(output.labels.all()))
}

fn weigh(output: &Labeled, plan: &Plan, link: &Link, run: &mut Run) -> Result<(), Blocked> {
    let bytes = size(output)?;
    run.bytes = run.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    if run.bytes > run.limits.bytes_max {
        let message = format!("the run holds more than {} bytes, which is its limit", run.limits.bytes_max);
        let refusal = Refusal::new(Rule::ByteBudget, &link.full, message).at(plan.spot(link.span));
        let refusal = refusal.change("raise `limits.bytes`, if this much is meant");
        return Err(refusal.labelled(run.spent()).into());
    }
    Ok(())
}

fn fit(link: &Link, output: &mut Labeled) -> Result<(), Blocked> {
    for schema in link.promises() {
        schema.check(&output.value).map_err(|mismatches| invalid("the output", &mismatches))?;
        output.labels = schema.label(&output.value, &output.labels);
    }
    Ok(())
}

/// The output with the labels it has before any rule lowers them.
fn label(base: Labels, special: Option<&Special>, link: &Link, unchecked: Unchecked) -> Labeled {
    match unchecked.0 {
        Output::New(value, told) => {
            let labels = match told {
                None => base,
                Some(told) => base.joined(*told),
            };
            Labeled { value, labels }
        }
        Output::Same | Output::Approved(_) => special.map_or_else(Labeled::default, |special| {
            let args = &special.args;
            let passed = link.kind.passes.and_then(|name| args.at(&parse_path(name))).unwrap_or_default();
            // The other arguments decided whether it passes, so their labels join to the whole.
            let others = without(args, link.kind.passes).join(special.decision);
            Labeled { labels: passed.labels.joined(others), value: passed.value }
        }),
        Output::One(inner) => Labeled { labels: inner.labels.joined(base.all()), value: inner.value },
        Output::Many(many) => {
            let (parts, decided) = *many;
            let (values, labels): (Vec<_>, Vec<_>) =
                parts.into_iter().map(|part| (part.value, part.labels)).unzip();
            Labeled {
                value: Value::List(List::new(values)),
                labels: Labels::items(base.all().join(decided), labels),
            }
        }
    }
}

/// The labels of all arguments but one.
fn without(args: &Labeled, name: Option<&str>) -> Label {
    let Value::Map(map) = &args.value else { return args.labels.all() };
    map.iter()
        .filter(|(key, _)| Some(&***key) != name)
        .fold(args.labels.own(), |label, (key, _)| label.join(args.labels.at(&parse_path(key)).all()))
}

/// The three rules that make a label smaller.
fn lower(special: &Special, link: &Link, output: &mut Labeled) -> Result<(), Blocked> {
    let (labels, drop) = (&output.labels, dropped(special, link));
    match (&link.detail, link.kind.role) {
        (Detail::Extract(range, _), _) => {
            if !range.holds(&output.value, special.args.value.get("among")) {
                let message = format!("the value is not {}", range.words());
                return Err(Failure::new(FailureKind::Range, message).into());
            }
            // What decided that the link runs stays: only the data is bounded by the range.
            let bounded =
                labels.map(&|label| Label { untrusted: false, tags: label.tags.without(drop), ..label });
            output.labels = bounded.joined(special.decision);
        }
        (Detail::Act(_), Role::Endorse) | (Detail::Approve(_), _) if special.acted => {
            let endorsed = labels.map(&|label| Label { untrusted: false, ..label });
            output.labels = endorsed.joined(special.decision);
        }
        (Detail::Act(_), Role::Declassify) if special.acted => {
            let dropped = labels.map(&|label| Label { tags: label.tags.without(drop), ..label });
            output.labels = dropped.joined(special.decision);
        }
        _ => {}
    }
    Ok(())
}

/// The tags that a principal lets go here.
fn dropped(special: &Special, link: &Link) -> Tags {
    match &link.detail {
        // Policy was asked if the arguments had any of them, and only then.
        Detail::Extract(_, drop) if !drop.both(special.args.labels.all().tags).is_empty() => *drop,
        Detail::Act(act) if special.acted && link.kind.role == Role::Declassify => act.drop,
        _ => Tags::NONE,
    }
}
