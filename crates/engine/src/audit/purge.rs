//! What is kept no longer: data of runs whose time is over, by the rules of a project or because somebody says so. It goes by
//! taking keys away, so the log still verifies, and says that it was done.

use super::periods::Period;
use super::{Audit, AuditError, PastError};
use crate::recorder::{DataSubject, Note, RecordError, Recorder};
use crate::steady::steadily;
use crate::{Clock, SystemClock};
use ringmail_core::policy::Principal;
use ringmail_core::retention::Retention;
use ringmail_core::value::{Str, Value};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often a server looks whether something is over.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// What goes, and what would but for a run that is not over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    pub gone: Vec<Period>,
    /// With the run that needs it.
    pub held: Vec<(Period, Str)>,
}

impl Audit {
    /// What is kept no longer at a moment: by the rules, or all that began so long ago.
    pub fn overdue(
        &self,
        retention: &Retention,
        older_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<Overdue, PastError> {
        let mut overdue = Overdue::default();
        let over = |period: &Period| {
            let keep_ms = older_ms.or_else(|| retention.keep_ms(&period.class));
            keep_ms.is_some_and(|keep_ms| period.end_ms().saturating_add(keep_ms) <= now_ms)
        };
        let all: Vec<Period> =
            self.subjects.periods().all().map_err(AuditError::from)?.into_iter().filter(over).collect();
        if all.is_empty() {
            return Ok(overdue);
        }
        let open = self.open_runs()?;
        for period in all {
            let day = period.day;
            match open.iter().find(|run| Period::of(run.at_ms, "").day == day) {
                Some(run) => overdue.held.push((period, run.run.clone())),
                None => overdue.gone.push(period),
            }
        }
        Ok(overdue)
    }

    /// Takes the keys of periods away. That it is done is on record before it is.
    pub fn purge(&self, periods: &[Period], now_ms: u64) -> Result<(), RecordError> {
        for period in periods {
            let open = vec![("period", Value::from(period.words()))];
            let who = DataSubject::of(&Principal::host());
            self.note(&Note { kind: "purged", at_ms: now_ms, open, who, sealed: Vec::new() })?;
            self.subjects.periods().erase(period).map_err(super::failed)?;
        }
        Ok(())
    }
}

/// Follows the rules of a project as long as it lives.
#[derive(Debug)]
pub struct Purges(#[expect(dead_code, reason = "its end is what it is kept for")] Sender<()>);

impl Purges {
    /// Looks now, and every hour. `told` hears what was done, and what could not be.
    pub fn start(
        retention: Retention,
        audit: Audit,
        told: impl Fn(&str) + Send + 'static,
    ) -> std::io::Result<Purges> {
        let (sender, ended) = channel();
        let look = move |told: &dyn Fn(&str)| {
            let now_ms = SystemClock.now_ms();
            match audit.overdue(&retention, None, now_ms) {
                Ok(overdue) if overdue.gone.is_empty() => {}
                Ok(overdue) => match audit.purge(&overdue.gone, now_ms) {
                    Ok(()) => told(&format!("{} days of data are kept no longer", overdue.gone.len())),
                    Err(error) => told(&format!("what should be kept no longer is kept: {error}")),
                },
                Err(error) => told(&format!("what should be kept no longer is kept: {error}")),
            }
        };
        std::thread::Builder::new().name("purge".into()).spawn(move || {
            loop {
                if steadily(|| look(&told)).is_none() {
                    told(
                        "what should be kept no longer could not be looked at; it is tried again in an hour",
                    );
                }
                if ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        })?;
        Ok(Purges(sender))
    }
}
