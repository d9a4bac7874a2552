//! What is known of a value while a function is followed: where its data came from, on which way, what it was checked
//! for, and what it is.

use super::tables::{Origin, Sink};
use ringmail_core::doc::Span;
use std::sync::Arc;

/// More ways than this tell nobody more.
const TAINTS_MAX: usize = 4;
const STEPS_MAX: u16 = 12;

/// Where data came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum From {
    Outside(Origin),
    /// A parameter of the function that is followed.
    Param(u16),
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
    pub(crate) taints: Vec<Taint>,
    /// The dotted name of its class, where that is known.
    pub(crate) made: Option<Arc<str>>,
    /// As far as it is a known text, with holes.
    pub(crate) text: Option<Arc<str>>,
}

impl Val {
    pub(crate) fn tainted(taint: Taint) -> Val {
        Val { taints: vec![taint], made: None, text: None }
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
        for taint in other.taints {
            self.add(taint);
        }
        self.made = self.made.or(other.made);
        if self.text != other.text {
            self.text = None;
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
        self
    }

    pub(crate) fn part(&mut self) {
        for taint in &mut self.taints {
            taint.part = true;
        }
    }
}
