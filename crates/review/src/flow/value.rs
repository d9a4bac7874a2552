//! What is known of a value while a function is followed: where its data came from, on which way, what it was checked
//! for, what it is, and of containers what stands where in them.

use super::tables::{Origin, Sink};
use crate::baseline::Baseline;
use crate::python::HOLE;
use ringmail_core::doc::Span;
use std::sync::Arc;

/// More ways than this tell nobody more.
const TAINTS_MAX: usize = 8;
const STEPS_MAX: u16 = 12;
/// Containers with more elements, or nested deeper, are known as a whole only.
const PIECES_MAX: usize = 32;
const NESTED_MAX: u8 = 4;

/// An element of a container or an attribute, by its key, its place or its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Piece(u64);

impl Piece {
    pub(crate) fn named(name: &str) -> Piece {
        Piece(Baseline::hash(&[name]))
    }

    pub(crate) fn at(place: usize) -> Piece {
        Piece(Baseline::hash(&["", &place.to_string()]))
    }
}

/// Where data came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum From {
    Outside(Origin),
    /// A parameter of the function that is followed, or one piece of it.
    Param(u16, Option<Piece>),
}

/// Sinks by their bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sinks(pub(crate) u32);

impl Sinks {
    pub(crate) const ALL: Sinks = Sinks(u32::MAX);

    pub(crate) const fn of(sink: Sink) -> Sinks {
        Sinks(1 << sink as u32)
    }

    pub(crate) const fn and(self, other: Sinks) -> Sinks {
        Sinks(self.0 | other.0)
    }

    pub(crate) fn has(self, sink: Sink) -> bool {
        self.0 & Sinks::of(sink).0 != 0
    }
}

/// A step on the way of data, and those before it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) program: usize,
    pub(crate) span: Span,
    pub(crate) note: String,
    pub(crate) before: Option<Arc<Step>>,
    length: u16,
}

impl Step {
    pub(crate) fn after(before: Option<&Arc<Step>>, program: usize, span: Span, note: String) -> Arc<Step> {
        let length = before.map_or(0, |step| step.length) + 1;
        match before {
            // The way is cut where it is longest already: its ends matter most.
            Some(step) if length > STEPS_MAX => step.clone(),
            _ => Arc::new(Step { program, span, note, before: before.cloned(), length }),
        }
    }

    /// From the first to the last.
    pub(crate) fn all(self: &Arc<Step>) -> Vec<&Step> {
        let mut out = Vec::new();
        let mut next = Some(&**self);
        while let Some(step) = next {
            out.push(step);
            next = step.before.as_deref();
        }
        out.reverse();
        out
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Taint {
    pub(crate) from: From,
    /// What it was checked or made safe for.
    pub(crate) clean: Sinks,
    /// It is a part of a text that somebody put together.
    pub(crate) part: bool,
    pub(crate) way: Arc<Step>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Val {
    /// Of everything in it.
    pub(crate) taints: Vec<Taint>,
    /// The dotted name of its class, where that is known.
    pub(crate) made: Option<Arc<str>>,
    /// As far as it is a known text, with holes.
    pub(crate) text: Option<Arc<str>>,
    /// What stands in it, where that is known piece by piece.
    pub(super) pieces: Option<Arc<Pieces>>,
    /// The function of the project that it is.
    pub(crate) func: Option<Arc<Closure>>,
}

/// A container of which more is known than what is in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    known: Vec<(Piece, Val)>,
    /// What stands under keys that nobody knows.
    rest: Vec<Taint>,
    nested: u8,
    /// There may be more that is made of what is known, as properties of an object are.
    open: bool,
}

/// A function as a value.
#[derive(Clone, Debug)]
pub(crate) struct Closure {
    pub(crate) func: usize,
    /// What it gives back of what was around it where it was made.
    pub(crate) around: Val,
}

impl Val {
    pub(crate) fn tainted(taint: Taint) -> Val {
        Val { taints: vec![taint], ..Val::default() }
    }

    /// Its data, and nothing else that is known of it.
    #[must_use]
    pub(crate) fn plain(self) -> Val {
        Val { taints: self.taints, ..Val::default() }
    }

    /// A container of these, and of more whose places nobody knows.
    pub(crate) fn holding(known: Vec<(Piece, Val)>, rest: Val) -> Val {
        let mut out = rest;
        let rest = out.taints.clone();
        known.iter().for_each(|(_, value)| out.take(value));
        let nested = known.iter().map(|(_, value)| value.nested()).max().unwrap_or(0) + 1;
        if known.len() <= PIECES_MAX && nested <= NESTED_MAX {
            out.pieces = Some(Arc::new(Pieces { known, rest, nested, open: false }));
        }
        out
    }

    /// What is not known of it is made of all of it.
    #[must_use]
    pub(crate) fn open(mut self) -> Val {
        if let Some(pieces) = &mut self.pieces {
            Arc::make_mut(pieces).open = true;
        }
        self
    }

    fn nested(&self) -> u8 {
        self.pieces.as_ref().map_or(0, |pieces| pieces.nested)
    }

    /// One piece of it.
    pub(crate) fn piece(&self, piece: Piece) -> Val {
        let Some(pieces) = &self.pieces else {
            let mut out = Val::default();
            for taint in &self.taints {
                let from = match taint.from {
                    From::Param(param, None) => From::Param(param, Some(piece)),
                    from => from,
                };
                out.add(Taint { from, ..taint.clone() });
            }
            return out;
        };
        let known = pieces.known.iter().find(|(known, _)| *known == piece);
        if known.is_none() && pieces.open {
            return self.clone().plain();
        }
        let mut out = known.map_or_else(Val::default, |(_, value)| value.clone());
        pieces.rest.iter().for_each(|taint| out.add(taint.clone()));
        out
    }

    /// Something is put into it; where, if that is known.
    pub(crate) fn put(&mut self, piece: Option<Piece>, value: &Val) {
        let Some(mut pieces) = self.pieces.take().map(Arc::unwrap_or_clone) else {
            self.take(value);
            return;
        };
        let open = pieces.open;
        let rest = |taints| Val { taints, ..Val::default() };
        match piece {
            Some(piece) => {
                pieces.known.retain(|(known, _)| *known != piece);
                pieces.known.push((piece, value.clone()));
                *self = Val { made: self.made.take(), ..Val::holding(pieces.known, rest(pieces.rest)) };
            }
            None => {
                let mut rest = rest(pieces.rest);
                rest.take(value);
                *self = Val { made: self.made.take(), ..Val::holding(pieces.known, rest) };
            }
        }
        if open {
            *self = std::mem::take(self).open();
        }
    }

    pub(crate) fn add(&mut self, taint: Taint) {
        let full = self.taints.len() >= TAINTS_MAX;
        match self.taints.iter_mut().find(|known| known.from == taint.from) {
            Some(known) => {
                known.clean = Sinks(known.clean.0 & taint.clean.0);
                known.part |= taint.part;
            }
            None if !full => self.taints.push(taint),
            None => {}
        }
    }

    /// Either of two values: what is known of both.
    pub(crate) fn join(mut self, other: Val) -> Val {
        self.pieces = match (self.pieces.take(), &other.pieces) {
            (Some(one), Some(two)) if Arc::ptr_eq(&one, two) => Some(one),
            (Some(one), Some(two)) => {
                Some(one.either(two)).filter(|both| both.known.len() <= PIECES_MAX).map(Arc::new)
            }
            _ => None,
        };
        for taint in other.taints {
            self.add(taint);
        }
        self.made = self.made.or(other.made);
        self.func = self.func.or(other.func);
        if self.text != other.text {
            self.text = self.text.zip(other.text).and_then(|(one, two)| beginning(&one, &two));
        }
        self
    }

    /// The data of another value comes in.
    pub(crate) fn take(&mut self, other: &Val) {
        for taint in &other.taints {
            self.add(taint.clone());
        }
    }

    #[must_use]
    pub(crate) fn cleaned(mut self, of: Sinks) -> Val {
        for taint in &mut self.taints {
            taint.clean = taint.clean.and(of);
        }
        self.taints.retain(|taint| taint.clean != Sinks::ALL);
        // What was made safe as a whole is safe piece by piece, and need not be told apart.
        if of != Sinks::default() {
            self.pieces = None;
        }
        self
    }

    pub(crate) fn part(&mut self) {
        for taint in &mut self.taints {
            taint.part = true;
        }
    }

    /// The same value with other data: what a function gives back, in the words of who called it.
    pub(crate) fn told(&self, tell: &mut dyn FnMut(&Taint) -> Vec<Taint>) -> Val {
        let mut all = |taints: &[Taint]| {
            let mut out = Val::default();
            taints.iter().flat_map(&mut *tell).for_each(|taint| out.add(taint));
            out
        };
        let Some(pieces) = &self.pieces else {
            return Val { made: self.made.clone(), text: self.text.clone(), ..all(&self.taints) };
        };
        let rest = all(&pieces.rest);
        let known = pieces.known.iter().map(|(piece, value)| (*piece, value.told(tell))).collect();
        let out = Val { made: self.made.clone(), ..Val::holding(known, rest) };
        if pieces.open { out.open() } else { out }
    }
}

/// What two texts have in common before they part, with a hole behind it.
fn beginning(one: &str, two: &str) -> Option<Arc<str>> {
    let both = one.char_indices().zip(two.chars());
    let end = both.take_while(|((_, one), two)| one == two).last().map(|((at, c), _)| at + c.len_utf8())?;
    Some(format!("{}{HOLE}", one.get(..end)?).into())
}

impl Pieces {
    /// What stands in one of two containers.
    fn either(&self, other: &Pieces) -> Pieces {
        let mut out = self.clone();
        for (piece, value) in &other.known {
            match out.known.iter_mut().find(|(known, _)| known == piece) {
                Some((_, known)) => *known = std::mem::take(known).join(value.clone()),
                None => out.known.push((*piece, value.clone())),
            }
        }
        let mut rest = Val { taints: out.rest, ..Val::default() };
        other.rest.iter().for_each(|taint| rest.add(taint.clone()));
        Pieces { rest: rest.taints, nested: out.nested.max(other.nested), ..out }
    }
}
