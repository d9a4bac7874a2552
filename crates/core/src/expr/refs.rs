//! What an expression reads, known without running it: paths from a root, as long as every step is fixed.

use super::Slot;
use super::parse::{Ex, Kind};
use crate::value::{Seg, Value};

/// One thing an expression can read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ref {
    pub slot: Slot,
    pub path: Vec<Seg>,
    pub read: Read,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// The part and everything below it.
    Whole,
    /// Only which members the part has.
    Shape,
    /// Only whether the link ran.
    Ran,
}

pub(crate) fn collect(ex: &Ex) -> Vec<Ref> {
    let mut refs = Vec::new();
    visit(ex, &mut refs);
    refs.sort();
    refs.dedup();
    refs
}

fn visit(ex: &Ex, refs: &mut Vec<Ref>) {
    if let Some((slot, path)) = path_of(ex) {
        refs.push(Ref { slot, path, read: Read::Whole });
        return;
    }
    match &ex.kind {
        Kind::Literal(_) | Kind::Local(_) | Kind::Root(_) => {}
        Kind::Ran(slot) => refs.push(Ref { slot: *slot, path: Vec::new(), read: Read::Ran }),
        Kind::Has(base, _) => match path_of(base) {
            Some((slot, path)) => refs.push(Ref { slot, path, read: Read::Shape }),
            None => visit(base, refs),
        },
        Kind::Select(base, _) | Kind::Not(base) | Kind::Minus(base) | Kind::Matches(base, _) => {
            visit(base, refs)
        }
        Kind::Index(a, b) | Kind::Both(a, b) | Kind::Either(a, b) | Kind::Operate(_, a, b) => {
            visit(a, refs);
            visit(b, refs);
        }
        Kind::If(a, b, c) => [a, b, c].into_iter().for_each(|part| visit(part, refs)),
        Kind::List(items) | Kind::Call(_, items) => items.iter().for_each(|item| visit(item, refs)),
        Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
            visit(key, refs);
            visit(value, refs);
        }),
        Kind::Loop(_, range, bodies) => {
            visit(range, refs);
            bodies.iter().for_each(|body| visit(body, refs));
        }
    }
}

/// The root and path of a node that is nothing but a path.
fn path_of(ex: &Ex) -> Option<(Slot, Vec<Seg>)> {
    match &ex.kind {
        Kind::Root(slot) => Some((*slot, Vec::new())),
        Kind::Select(base, field) => path_of(base).map(|(slot, mut path)| {
            path.push(Seg::Key(field.clone()));
            (slot, path)
        }),
        Kind::Index(base, index) => {
            let seg = match &index.kind {
                Kind::Literal(Value::Int(position)) => Seg::Index(usize::try_from(*position).ok()?),
                Kind::Literal(Value::Str(key)) => Seg::Key(key.clone()),
                _ => return None,
            };
            path_of(base).map(|(slot, mut path)| {
                path.push(seg);
                (slot, path)
            })
        }
        _ => None,
    }
}
