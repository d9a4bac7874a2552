//! Who goes next where not all can, and how many connections there are. Parties take turns; whoever would wait too
//! long, or behind too many, is sent away before any work starts.

use ringmail_engine::{Turn, Turns};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many requests are answered at once.
#[derive(Debug)]
pub(crate) struct Queue {
    turns: Turns,
    waiting: AtomicUsize,
}

/// There is no room.
#[derive(Debug)]
pub(crate) struct Shed;

struct Waits<'q>(&'q AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    pub(crate) fn new(requests_max: usize) -> Queue {
        Queue { turns: Turns::new(requests_max), waiting: AtomicUsize::new(0) }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) async fn enter(&self, party: &str, waiting_max: usize, wait: Duration) -> Result<Turn, Shed> {
        if let Some(turn) = self.turns.now() {
            return Ok(turn);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        if before >= waiting_max {
            return Err(Shed);
        }
        tokio::time::timeout(wait, self.turns.take(party)).await.map_err(|_| Shed)
    }
}

/// Bodies that are read at once of callers whom only their body proves, and those of one address.
const UNPROVED_MAX: usize = 64;
const UNPROVED_OF_ONE_MAX: usize = 8;

/// How many there are of something, in all and for each address.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<(usize, HashMap<IpAddr, usize>)>);

#[derive(Debug)]
pub(crate) struct Counted {
    counts: Arc<Counts>,
    peer: Option<IpAddr>,
}

impl Counts {
    pub(crate) fn all(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// One more body of somebody whom nothing else proves.
    pub(crate) fn add_unproved(self: &Arc<Self>, from: IpAddr) -> Option<Counted> {
        self.add(Some(from), UNPROVED_MAX, UNPROVED_OF_ONE_MAX)
    }

    /// One more, unless there are as many as there may be.
    pub(crate) fn add(
        self: &Arc<Self>,
        peer: Option<IpAddr>,
        most: usize,
        most_of_one: usize,
    ) -> Option<Counted> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = peer.and_then(|peer| counts.1.get(&peer).copied()).unwrap_or(0);
        if counts.0 >= most || of_peer >= most_of_one {
            return None;
        }
        counts.0 += 1;
        if let Some(peer) = peer {
            counts.1.insert(peer, of_peer + 1);
        }
        Some(Counted { counts: self.clone(), peer })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.0 = counts.0.saturating_sub(1);
        let Some(peer) = self.peer else { return };
        match counts.1.get(&peer).copied() {
            Some(more @ 2..) => drop(counts.1.insert(peer, more - 1)),
            _ => drop(counts.1.remove(&peer)),
        }
    }
}
