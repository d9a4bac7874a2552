//! The values that an engine knows, and for a while those that they took the place of: what was signed or said with the one
//! before still counts then, and neither may be seen.

use crate::clock::Clock;
use crate::redaction::values_changed;
use ringmail_core::value::Str;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Values that one secret had before, at most. More of them in one overlap are a mistake of whoever rotates.
const BEFORE_MAX: usize = 8;

/// All secret values of an engine, by name.
pub(crate) struct Secrets {
    all: RwLock<HashMap<Str, Held>>,
    clock: Arc<dyn Clock>,
}

struct Held {
    value: Zeroizing<String>,
    before: Vec<(Zeroizing<String>, Instant)>,
    /// When it was sent the last time; 0 if it never was.
    used_ms: AtomicU64,
}

impl Secrets {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Secrets {
        Secrets { all: RwLock::default(), clock }
    }

    pub(crate) fn insert(&self, name: Str, value: Zeroizing<String>) {
        let held = Held { value, before: Vec::new(), used_ms: AtomicU64::new(0) };
        self.write().insert(name, held);
        values_changed();
    }

    /// Puts a value in the place of another, which counts on for a while. Answers whether it is another.
    pub(crate) fn rotate(&self, name: &str, value: &Zeroizing<String>, overlap: Duration) -> bool {
        let mut all = self.write();
        let Some(held) = all.get_mut(name).filter(|held| held.value != *value) else { return false };
        let before = std::mem::replace(&mut held.value, value.clone());
        let now = Instant::now();
        held.before.retain(|(known, until)| *until > now && known != value);
        if held.before.len() >= BEFORE_MAX {
            held.before.remove(0);
        }
        held.before.push((before, now + overlap));
        drop(all);
        values_changed();
        true
    }

    /// Goes on with what another engine knew: what it used, and the values that are others by now.
    pub(crate) fn go_on(&self, earlier: &Secrets, overlap: impl Fn(&str) -> Duration) {
        let (mut all, earlier, now) = (self.write(), earlier.read(), Instant::now());
        for (name, held) in all.iter_mut() {
            let Some(known) = earlier.get(name) else { continue };
            held.used_ms = AtomicU64::new(known.used_ms.load(Ordering::Relaxed));
            let rest = known.before.iter().filter(|(value, until)| *until > now && *value != held.value);
            held.before = rest.cloned().collect();
            if known.value != held.value {
                held.before.push((known.value.clone(), now + overlap(name)));
            }
        }
        drop((all, earlier));
        values_changed();
    }

    /// The value, for whoever sends it now.
    pub(crate) fn take(&self, name: &str) -> Option<Zeroizing<String>> {
        let all = self.read();
        let held = all.get(name)?;
        held.used_ms.store(self.clock.now_ms(), Ordering::Relaxed);
        Some(held.value.clone())
    }

    /// The value, and those before it that still count.
    pub(crate) fn counting(&self, name: &str) -> Vec<Zeroizing<String>> {
        let all = self.read();
        all.get(name).map(Held::counting).unwrap_or_default()
    }

    /// All that may not be seen: what counts, and what counted until a moment ago.
    pub(crate) fn hidden(&self) -> Vec<(Str, Zeroizing<String>)> {
        let all = self.read();
        let named = |(name, held): (&Str, &Held)| -> Vec<(Str, Zeroizing<String>)> {
            let before = held.before.iter().map(|(value, _)| value);
            std::iter::once(&held.value).chain(before).map(|value| (name.clone(), value.clone())).collect()
        };
        all.iter().flat_map(named).collect()
    }

    /// All that count, each with its name.
    pub(crate) fn values(&self) -> Vec<(Str, Zeroizing<String>)> {
        let all = self.read();
        let named = |(name, held): (&Str, &Held)| -> Vec<(Str, Zeroizing<String>)> {
            held.counting().into_iter().map(|value| (name.clone(), value)).collect()
        };
        all.iter().flat_map(named).collect()
    }

    /// The values of now, and when each was used.
    pub(crate) fn used(&self) -> Vec<(Str, Zeroizing<String>, u64)> {
        let all = self.read();
        let used = |held: &Held| held.used_ms.load(Ordering::Relaxed);
        all.iter().map(|(name, held)| (name.clone(), held.value.clone(), used(held))).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Str, Held>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Str, Held>> {
        self.all.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn counting(&self) -> Vec<Zeroizing<String>> {
        let now = Instant::now();
        let before = self.before.iter().filter(|(_, until)| *until > now).map(|(value, _)| value);
        std::iter::once(&self.value).chain(before).cloned().collect()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.read().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn text(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.into())
    }

    #[test]
    fn attack_40_debug_output_never_shows_a_secret() {
        let secrets = Secrets::new(Arc::new(SystemClock));
        secrets.insert("bank".into(), text("hunter2hunter2"));
        assert_eq!(format!("{secrets:?}"), r#"{"bank"}"#);
    }

    #[test]
    fn the_value_before_counts_for_the_overlap_and_no_longer() {
        let secrets = Secrets::new(Arc::new(SystemClock));
        secrets.insert("bank".into(), text("one"));
        assert!(!secrets.rotate("bank", &text("one"), Duration::from_secs(60)));
        assert!(secrets.rotate("bank", &text("two"), Duration::from_secs(60)));
        assert_eq!(*secrets.counting("bank"), [text("two"), text("one")]);
        assert!(secrets.rotate("bank", &text("three"), Duration::ZERO));
        assert_eq!(*secrets.counting("bank"), [text("three"), text("one")]);
        // Back to one that was there before: it is the value again, and counts once.
        assert!(secrets.rotate("bank", &text("one"), Duration::from_secs(60)));
        assert_eq!(*secrets.counting("bank"), [text("one"), text("three")]);
        let next = Secrets::new(Arc::new(SystemClock));
        next.insert("bank".into(), text("four"));
        next.go_on(&secrets, |_| Duration::from_secs(60));
        assert_eq!(*next.counting("bank"), [text("four"), text("three"), text("one")]);
    }
}
