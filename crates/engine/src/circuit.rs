//! A plugin or tool that crashes again and again is left alone for a while, each tenant's apart: calls fail at once, until a
//! single one that is let through ends well.

use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::label::Label;
use ringmail_core::value::Str;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Crashes within [`WINDOW`] after which calls fail at once.
pub(crate) const CRASHES_MAX: u32 = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// The first pause; each failed probe doubles it.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Tenants whose crashes are remembered.
const TENANTS_MAX: usize = 1_024;

/// The crashes of one plugin or tool, by tenant.
#[derive(Debug, Default)]
pub(crate) struct Circuit(Mutex<BTreeMap<Option<Str>, Crashes>>);

#[derive(Clone, Copy, Debug)]
struct Crashes {
    count: u32,
    first: Instant,
    /// Until when calls fail at once, and how long that was.
    open: Option<(Instant, Duration)>,
    /// Whether a call is out to see.
    probes: bool,
}

impl Circuit {
    /// Whether a call may be made; if not, for how long none may.
    fn enter(&self, tenant: Option<&Str>, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(crashes) = all.get_mut(&tenant.cloned()) else { return Ok(()) };
        let Some((until, pause)) = crashes.open else { return Ok(()) };
        if now < until {
            return Err(until - now);
        }
        if crashes.probes {
            return Err(pause);
        }
        crashes.probes = true;
        Ok(())
    }

    /// Takes in how a call ended. Gives the pause, where this crash opens one.
    fn leave(&self, tenant: Option<&Str>, crashed: bool, now: Instant) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = tenant.cloned();
        if !crashed {
            all.remove(&tenant);
            return None;
        }
        if all.len() >= TENANTS_MAX && !all.contains_key(&tenant) {
            all.retain(|_, crashes| now.duration_since(crashes.first) < WINDOW);
            if all.len() >= TENANTS_MAX {
                return None;
            }
        }
        let new = Crashes { count: 0, first: now, open: None, probes: false };
        let crashes = all.entry(tenant).or_insert(new);
        if crashes.open.is_none() && now.duration_since(crashes.first) >= WINDOW {
            *crashes = new;
        }
        crashes.count += 1;
        let pause = match crashes.open {
            Some((_, pause)) if crashes.probes => (pause * 2).min(PAUSE_MAX),
            // Those that were under way when it opened.
            Some(_) => return None,
            None if crashes.count >= CRASHES_MAX => PAUSE_MIN,
            None => return None,
        };
        crashes.open = Some((now + pause, pause));
        crashes.probes = false;
        Some(pause)
    }

    /// A probe that was given up tells nothing.
    fn abandon(&self, tenant: Option<&Str>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_mut(&tenant.cloned()).into_iter().for_each(|crashes| crashes.probes = false);
    }
}

/// A call as a circuit sees it; one that is given up half way counts as neither good nor bad.
pub(crate) struct Probe<'c> {
    circuit: &'c Circuit,
    tenant: Option<Str>,
    ended: bool,
}

impl Circuit {
    pub(crate) fn probe(&self, tenant: Option<Str>) -> Result<Probe<'_>, Failure> {
        match self.enter(tenant.as_ref(), Instant::now()) {
            Ok(()) => Ok(Probe { circuit: self, tenant, ended: false }),
            Err(left) => {
                let message =
                    format!("it crashed again and again, and is left alone for {} ms", left.as_millis());
                // Other runs brought this about, whatever they were given.
                let told = Label { untrusted: true, ..Label::BOTTOM };
                Err(Failure::new(FailureKind::Unavailable, message).labelled(told))
            }
        }
    }
}

impl Probe<'_> {
    /// Says whether this end opened the circuit.
    pub(crate) fn leave(&mut self, crashed: bool) -> bool {
        self.ended = true;
        self.circuit.leave(self.tenant.as_ref(), crashed, Instant::now()).is_some()
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.circuit.abandon(self.tenant.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_open_it_for_growing_pauses_and_one_good_call_closes_it() {
        let circuit = Circuit::default();
        let start = Instant::now();
        let (a, b): (Str, Str) = ("a".into(), "b".into());
        for crash in 1..=CRASHES_MAX {
            assert_eq!(circuit.enter(Some(&a), start), Ok(()));
            let pause = circuit.leave(Some(&a), true, start);
            assert_eq!(pause, (crash == CRASHES_MAX).then_some(PAUSE_MIN));
        }
        assert_eq!(circuit.enter(Some(&a), start), Err(PAUSE_MIN));
        assert_eq!(circuit.enter(Some(&b), start), Ok(()), "another tenant's calls go on");
        assert_eq!(circuit.enter(None, start), Ok(()));
        let (mut now, mut pause) = (start + PAUSE_MIN, PAUSE_MIN);
        for _ in 0..8 {
            assert_eq!(circuit.enter(Some(&a), now), Ok(()), "one probe");
            assert_eq!(circuit.enter(Some(&a), now), Err(pause), "and no second");
            pause = (pause * 2).min(PAUSE_MAX);
            assert_eq!(circuit.leave(Some(&a), true, now), Some(pause));
            now += pause;
        }
        assert_eq!(circuit.enter(Some(&a), now), Ok(()));
        circuit.abandon(Some(&a));
        assert_eq!(
            circuit.enter(Some(&a), now),
            Ok(()),
            "a probe that was cancelled leaves room for another"
        );
        assert_eq!(circuit.leave(Some(&a), false, now), None);
        for _ in 0..3 {
            assert_eq!(circuit.enter(Some(&a), now), Ok(()));
        }
    }

    #[test]
    fn crashes_that_lie_far_apart_open_nothing() {
        let circuit = Circuit::default();
        let mut now = Instant::now();
        for _ in 0..20 {
            assert_eq!(circuit.enter(None, now), Ok(()));
            assert_eq!(circuit.leave(None, true, now), None);
            now += WINDOW / 4;
        }
    }
}
