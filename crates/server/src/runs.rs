//! Runs that nobody waits for at the other end of a connection: started, polled, cancelled, forgotten after a time.
//! Each belongs to the principal that started it and is not seen by any other.

use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<BTreeMap<Str, Kept>>);

#[derive(Debug)]
struct Kept {
    owner: Principal,
    chain: Str,
    cancel: CancellationToken,
    ended: Option<(Instant, Told)>,
}

/// How a run ended, as its caller may hear it.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Output(Value),
    Problem(Value),
}

/// A run as its owner sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) chain: Str,
    pub(crate) ended: Option<Told>,
}

impl Runs {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<Str, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a run in, unless there are too many. Of whoever keeps the most, the oldest that has ended makes room.
    pub(crate) fn begin(
        &self,
        id: &Str,
        owner: &Principal,
        chain: &Str,
        most: usize,
        time: Duration,
    ) -> Option<CancellationToken> {
        let mut kept = self.kept();
        kept.retain(|_, run| run.ended.as_ref().is_none_or(|(at, _)| at.elapsed() < time));
        if kept.len() >= most {
            let mut counts: HashMap<&Principal, (usize, &Str)> = HashMap::new();
            // Ids start with the time, so the first of each is its oldest.
            for (id, run) in kept.iter().filter(|(_, run)| run.ended.is_some()) {
                counts.entry(&run.owner).or_insert((0, id)).0 += 1;
            }
            let oldest = counts.into_values().max().map(|(_, id)| id.clone())?;
            kept.remove(&oldest);
        }
        let cancel = CancellationToken::new();
        let run = Kept { owner: owner.clone(), chain: chain.clone(), cancel: cancel.clone(), ended: None };
        kept.insert(id.clone(), run);
        Some(cancel)
    }

    pub(crate) fn end(&self, id: &str, told: Told) {
        if let Some(run) = self.kept().get_mut(id) {
            run.ended = Some((Instant::now(), told));
        }
    }

    pub(crate) fn see(&self, id: &str, owner: &Principal) -> Option<Seen> {
        let kept = self.kept();
        let run = kept.get(id).filter(|run| run.owner == *owner)?;
        Some(Seen { chain: run.chain.clone(), ended: run.ended.as_ref().map(|(_, told)| told.clone()) })
    }

    pub(crate) fn cancel(&self, id: &str, owner: &Principal) -> Option<Seen> {
        let seen = self.see(id, owner)?;
        if let Some(run) = self.kept().get(id) {
            run.cancel.cancel();
        }
        Some(seen)
    }

    pub(crate) fn cancel_all(&self) {
        self.kept().values().for_each(|run| run.cancel.cancel());
    }

    pub(crate) fn under_way(&self) -> usize {
        self.kept().values().filter(|run| run.ended.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_keeps_the_most_makes_room() {
        let runs = Runs::default();
        let who = |name: &str| Principal { subject: name.into(), ..Principal::host() };
        let begin = |id: &str, owner: &Principal| {
            runs.begin(&id.into(), owner, &"c".into(), 4, Duration::from_secs(3_600)).is_some()
        };
        let (crowd, one) = (who("crowd"), who("one"));
        for (id, owner) in [("1", &one), ("2", &crowd), ("3", &crowd), ("4", &crowd)] {
            assert!(begin(id, owner));
            runs.end(id, Told::Output(Value::Null));
        }
        assert!(begin("5", &crowd));
        assert!(runs.see("1", &one).is_some() && runs.see("2", &crowd).is_none());
        // What is under way makes no room.
        for id in ["6", "7"] {
            assert!(begin(id, &crowd));
        }
        assert!(begin("8", &crowd) && !begin("9", &crowd));
    }
}
