//! Counts and durations by link, filled by the `timing` and `metrics` middleware.

use super::{CallView, End, Middleware};
use ringmail_core::value::{Str, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Figures of all links of an engine.
#[derive(Debug, Default)]
pub struct Figures(Mutex<BTreeMap<Str, LinkFigures>>);

/// Figures of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkFigures {
    /// Calls by how they ended: `done`, a failure or a refusal.
    pub ends: BTreeMap<&'static str, u64>,
    pub timed: u64,
    pub total_us: u64,
    pub longest_us: u64,
}

impl LinkFigures {
    /// For output: only what was counted.
    pub fn to_value(&self) -> Value {
        let int = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let mut members = Vec::new();
        if !self.ends.is_empty() {
            members.push(("ends", Value::map(self.ends.iter().map(|(end, count)| (*end, int(*count))))));
        }
        if self.timed > 0 {
            members.push(("timed", int(self.timed)));
            members.push(("total_us", int(self.total_us)));
            members.push(("longest_us", int(self.longest_us)));
        }
        Value::map(members)
    }
}

impl Figures {
    pub fn of(&self, link: &str) -> Option<LinkFigures> {
        self.links().get(link).cloned()
    }

    pub fn all(&self) -> BTreeMap<Str, LinkFigures> {
        self.links().clone()
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<Str, LinkFigures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, link: &Str, change: impl FnOnce(&mut LinkFigures)) {
        let mut links = self.links();
        match links.get_mut(link) {
            Some(figures) => change(figures),
            None => change(links.entry(link.clone()).or_default()),
        }
    }
}

pub(super) struct Timing(pub(super) Arc<Figures>);

impl Middleware for Timing {
    fn after(&self, call: &CallView<'_>, _: &End<'_>) -> Result<(), String> {
        let took_us = u64::try_from(call.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.change(call.link(), |figures| {
            figures.timed += 1;
            figures.total_us = figures.total_us.saturating_add(took_us);
            figures.longest_us = figures.longest_us.max(took_us);
        });
        Ok(())
    }
}

pub(super) struct Metrics(pub(super) Arc<Figures>);

impl Middleware for Metrics {
    fn after(&self, call: &CallView<'_>, end: &End<'_>) -> Result<(), String> {
        self.0.change(call.link(), |figures| *figures.ends.entry(end.id()).or_default() += 1);
        Ok(())
    }
}
