//! Where data goes: each function is followed once for what comes in by its parameters and from outside, and again
//! only when a function that it calls turned out to do more. What the tables say is all it knows of frameworks.

mod calls;
mod eval;
mod guard;
mod origin;
mod statement;
mod statements;
mod tables;
mod tools;
mod value;

use crate::hands::{Hands, gather};
use crate::python::{Index, span};
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use ringmail_core::doc::Span;
use ruff_text_size::Ranged;
use std::sync::Arc;
use value::{From, Piece, Step, Taint, Val};

pub(crate) use eval::is_secret_name;
pub(crate) use guard::is_opt_in;
pub(crate) use origin::is_route;
pub(crate) use tables::{Named, Origin, Sink};

/// Data goes through no more calls than this.
const ROUNDS_MAX: usize = 6;
/// What following the functions of one file may take, each its share by its length. Expressions, names that are
/// copied where ways part, and what calls bring count.
const STEPS_MAX: usize = 2_000_000;
const UNIT_STEPS_MIN: usize = 20_000;
/// More sinks behind one function tell its callers no more.
const REACHES_MAX: usize = 256;

/// Data of a parameter comes to a sink, here or in what is called.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    pub(super) param: u16,
    pub(super) piece: Option<Piece>,
    pub(super) sink: Sink,
    pub(super) part: bool,
    pub(super) way: Arc<Step>,
    /// Where the sink is.
    pub(super) at: (usize, Span),
}

/// What callers of a function need to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) returns: Val,
    pub(super) reaches: Vec<Reach>,
    /// What of its parameters it keeps in attributes of `self`.
    pub(super) keeps: Vec<(String, Taint)>,
}

/// What following a function brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Followed {
    pub(super) summary: Summary,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) called: HashSet<usize>,
    /// Outside data that was kept in attributes of the objects of a class.
    pub(super) kept: Vec<(usize, String, Taint)>,
    /// It took more steps than there are: data in it is not followed to the end.
    pub(super) cut: bool,
}

/// Data that came where it must not.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) sink: Sink,
    /// Nothing, where it is what callers give.
    pub(crate) from: Option<Origin>,
    pub(crate) part: bool,
    /// What is said of it where callers give it.
    pub(crate) named: Named,
    pub(crate) at: (usize, Span),
    pub(crate) way: Arc<Step>,
}

impl Arrival {
    pub(crate) fn steps(&self) -> Vec<(usize, Span, &str)> {
        self.way.all().into_iter().map(|step| (step.program, step.span, step.note.as_str())).collect()
    }
}

pub(super) type Kept = HashMap<(usize, String), Vec<Taint>>;

/// Where data came that it must not, and where it was not followed to the end.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    pub(crate) arrivals: Vec<Arrival>,
    /// The program, the place, and what it is.
    pub(crate) cut: Vec<(usize, Span, String)>,
}

/// Follows everything there is.
pub(crate) fn follow(index: &Index<'_>, hands: &dyn Hands) -> Flows {
    let functions = index.funcs.len();
    let count = functions + index.programs.len();
    let mut summaries: Vec<Summary> = vec![Summary::default(); functions];
    let mut all: Vec<Followed> = vec![Followed::default(); count];
    let mut kept = Kept::new();
    let tools = tools::read(index);
    let mut next: Vec<usize> = (0..count).collect();
    for _ in 0..ROUNDS_MAX {
        let done = gather(hands, next.len(), |at| {
            let unit = next.get(at).copied().unwrap_or_default();
            (unit, statements::follow(index, &tools, &summaries, &kept, unit))
        });
        let mut changed = HashSet::new();
        let mut classes = HashSet::new();
        for (unit, followed) in done {
            if let Some(summary) = summaries.get_mut(unit) {
                if key(summary) != key(&followed.summary) {
                    changed.insert(unit);
                }
                *summary = followed.summary.clone();
            }
            for (class, attribute, taint) in &followed.kept {
                let held = kept.entry((*class, attribute.clone())).or_default();
                if !held.iter().any(|known| known.from == taint.from) {
                    held.push(taint.clone());
                    classes.insert(*class);
                }
            }
            if let Some(slot) = all.get_mut(unit) {
                *slot = followed;
            }
        }
        next = (0..count)
            .filter(|unit| {
                let calls = all.get(*unit).is_some_and(|one| !one.called.is_disjoint(&changed));
                let reads = index
                    .funcs
                    .get(*unit)
                    .and_then(|func| func.class)
                    .is_some_and(|class| classes.contains(&class));
                calls || reads
            })
            .collect();
        if next.is_empty() {
            break;
        }
    }
    let mut flows = Flows::default();
    let called: HashSet<usize> = all.iter().flat_map(|one| &one.called).copied().collect();
    for (unit, one) in all.into_iter().enumerate() {
        let name = index.funcs.get(unit).map_or("", |func| func.def.name.as_str());
        let own = |arrival: &Arrival| called.contains(&unit) && is_inner(arrival.sink, name);
        flows.arrivals.extend(one.arrivals.into_iter().filter(|one| one.from.is_some() || !own(one)));
        if one.cut {
            flows.cut.push(match index.funcs.get(unit) {
                Some(func) => (func.program, span(func.def.name.range()), format!("in `{}`", func.def.name)),
                None => (unit - functions, Span::default(), "outside of functions".into()),
            });
        }
    }
    flows
}

/// Whether what callers give is looked at where they are, if there are any: in what a project keeps to itself, and with
/// addresses, since most functions that ask one are called with those of a service.
fn is_inner(sink: Sink, name: &str) -> bool {
    sink == Sink::Url || name.starts_with('_') && !name.starts_with("__")
}

/// What of a summary its callers would notice.
type Noticed =
    (Vec<(From, u32)>, Vec<(u16, Option<Piece>, Sink, usize, usize)>, Option<Arc<str>>, Vec<(String, From)>);

fn key(summary: &Summary) -> Noticed {
    let returns = summary.returns.taints.iter().map(|taint| (taint.from, taint.clean.0));
    let reaches = summary.reaches.iter();
    let reaches = reaches.map(|one| (one.param, one.piece, one.sink, one.at.0, one.at.1.start));
    let keeps = summary.keeps.iter().map(|(name, taint)| (name.clone(), taint.from));
    (returns.collect(), reaches.collect(), summary.returns.made.clone(), keeps.collect())
}
