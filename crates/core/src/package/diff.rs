//! What is different between two versions of a plugin, as far as it matters to whoever grants: what it asks for, and what
//! one call may use. What is more comes before what is less.

use crate::plugin::{Manifest, Power, Powers, Use};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether the newer asks for more here.
    pub wider: bool,
    pub what: String,
    /// The newer one's reason, where it asks.
    pub reason: String,
}

pub fn changes(old: &Manifest, new: &Manifest) -> Vec<Change> {
    let asks = |manifest: &Manifest| -> Vec<(String, String)> {
        let all = manifest.asks.iter();
        let words = all.map(|ask| (format!("{} {}", ask.what.capability(), ask.what.words()), &ask.reason));
        let needs = manifest.needs.iter();
        let needs = needs.map(|needed| (format!("plugin {}", needed.need), &needed.reason));
        words.chain(needs).map(|(words, reason)| (words.trim_end().to_string(), reason.to_string())).collect()
    };
    let (before, after) = (asks(old), asks(new));
    let beyond = |some: &[(String, String)], others: &[(String, String)], wider: bool| -> Vec<Change> {
        let lacking = some.iter().filter(|(what, _)| !others.iter().any(|(known, _)| known == what));
        lacking.map(|(what, reason)| Change { wider, what: what.clone(), reason: reason.clone() }).collect()
    };
    let mut out = beyond(&after, &before, true);
    let limits = limits(old.limits, new.limits);
    out.extend(limits.iter().filter(|change| change.wider).cloned());
    out.extend(beyond(&before, &after, false));
    out.extend(limits.into_iter().filter(|change| !change.wider));
    out
}

/// What is different in effect, under one and the same grant.
pub fn effect_changes(old: &Powers, new: &Powers) -> Vec<Change> {
    let beyond = |some: &[Power], others: &[Power], wider: bool| -> Vec<Change> {
        let lacking = some.iter().filter(|one| !others.iter().any(|known| known.what == one.what));
        lacking.map(|one| Change { wider, what: one.what.clone(), reason: one.reason.to_string() }).collect()
    };
    let limits = limits(old.limits, new.limits);
    let (more, less): (Vec<Change>, Vec<Change>) = limits.into_iter().partition(|change| change.wider);
    let mut out = beyond(&new.in_effect, &old.in_effect, true);
    out.extend(more);
    out.extend(beyond(&old.in_effect, &new.in_effect, false));
    out.extend(less);
    out
}

/// A limit that is not set is the standard; where there is none, it is wider than any.
fn limits(old: Use, new: Use) -> Vec<Change> {
    let (old, new) = (old.or(Use::STANDARD), new.or(Use::STANDARD));
    let all = [
        ("memory", old.memory_bytes_max, new.memory_bytes_max),
        ("time", old.time_ms_max, new.time_ms_max),
        ("fuel", old.fuel_max, new.fuel_max),
        ("output", old.output_bytes_max, new.output_bytes_max),
        ("asks", old.asks_max, new.asks_max),
        ("data_out", old.data_out_bytes_max, new.data_out_bytes_max),
        ("data_in", old.data_in_bytes_max, new.data_in_bytes_max),
    ];
    let shown = |limit: Option<u64>| limit.map_or("unset".to_string(), |limit| limit.to_string());
    let changed = all.into_iter().filter(|(_, old, new)| old != new);
    let change = changed.map(|(name, old, new)| Change {
        wider: new.unwrap_or(u64::MAX) > old.unwrap_or(u64::MAX),
        what: format!("limit {name}: {} instead of {}", shown(new), shown(old)),
        reason: String::new(),
    });
    change.collect()
}
