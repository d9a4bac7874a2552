//! Earlier results: for `cache`, for a while; for `idempotency_key`, one for each key. Two calls with one key never
//! run at the same time: the second waits for the first. Labels are not kept; the gate works them out anew.

use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Admitted, Unchecked};
use ringmail_core::json::to_canonical;
use ringmail_core::label::Label;
use ringmail_core::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Keys of effects remembered for each link.
pub(crate) const ONCE_MAX: usize = 100_000;

/// What a result is kept under. Holds the tenant, so one tenant's result never answers another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    tenant: Option<Str>,
    /// The idempotency key, or the digest of arguments and labels.
    name: Str,
    /// What the labels of the arguments say: a result tells of what it was made of, so it serves no others.
    under: String,
    /// For an idempotency key, what it was first used for.
    used_for: Option<Str>,
}

impl Key {
    /// The key of a cached call: tenant, arguments, and what their labels say.
    pub(crate) fn cached(tenant: Option<Str>, admitted: &Admitted) -> Key {
        let label = admitted.labels().all().join(admitted.decision());
        let name = format!("{} {:?} {}", digest(admitted.args()), label.tags, label.untrusted);
        Key { tenant, name: name.into(), under: String::new(), used_for: None }
    }

    /// The key an author chose for an effect.
    pub(crate) fn once(tenant: Option<Str>, link: &Str, key: &str, args: &Value, label: Label) -> Key {
        let under = format!("{:?} {}", label.tags, label.untrusted);
        Key { tenant, name: format!("{link} {key}").into(), under, used_for: Some(digest(args).into()) }
    }

    /// Where a result is kept.
    fn place(&self) -> (Option<Str>, Str) {
        (self.tenant.clone(), format!("{} {}", self.name, self.under).into())
    }

    /// What the other side is told, so that it can tell a repetition too: no key or tenant in clear.
    pub(crate) fn name(&self) -> Str {
        let tenant = self.tenant.as_deref().unwrap_or_default();
        hex(&Sha256::digest(format!("{tenant}\n{}", self.name).as_bytes())).into()
    }
}

/// SHA-256 of a value's canonical form.
pub(crate) fn digest(value: &Value) -> String {
    hex(&Sha256::digest(to_canonical(value).as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The results of one link.
#[derive(Clone, Debug)]
pub(crate) struct Results(Arc<Store>);

#[derive(Debug)]
struct Store {
    ttl: Option<Duration>,
    entries_max: usize,
    entries: Mutex<HashMap<(Option<Str>, Str), Entry>>,
    changed: Notify,
}

#[derive(Debug)]
enum Entry {
    Running,
    Done { used_for: Option<Str>, result: Unchecked, at: Instant },
}

/// The right to run the call of a key; given back when dropped without a result.
#[derive(Debug)]
pub(crate) struct Claim {
    results: Results,
    key: Key,
    kept: bool,
}

/// What is known of a key.
#[derive(Debug)]
pub(crate) enum Earlier {
    /// A kept result, to pass the gate like a new one.
    Hit(Unchecked),
    Mine(Claim),
}

impl Results {
    pub(crate) fn new(ttl_ms: Option<u64>, entries_max: usize) -> Results {
        Results(Arc::new(Store {
            ttl: ttl_ms.map(Duration::from_millis),
            entries_max,
            entries: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<(Option<Str>, Str), Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of a key, or the right to make it; waits while another call makes it.
    pub(crate) async fn claim(&self, key: Key) -> Result<Earlier, Failure> {
        loop {
            let changed = self.0.changed.notified();
            if let Some(answer) = self.look(&key)? {
                return Ok(answer);
            }
            changed.await;
        }
    }

    /// Nothing while the key is being worked on.
    fn look(&self, key: &Key) -> Result<Option<Earlier>, Failure> {
        let place = key.place();
        let mut entries = self.entries();
        match entries.get(&place) {
            Some(Entry::Running) => return Ok(None),
            Some(Entry::Done { used_for, .. }) if *used_for != key.used_for => {
                return Err(Failure::new(
                    FailureKind::Conflict,
                    "the idempotency key was used with other arguments",
                ));
            }
            Some(Entry::Done { result, at, .. }) if self.0.ttl.is_none_or(|ttl| at.elapsed() < ttl) => {
                return Ok(result.again().map(Earlier::Hit));
            }
            _ => {}
        }
        make_room(&mut entries, self.0.entries_max);
        entries.insert(place, Entry::Running);
        Ok(Some(Earlier::Mine(Claim { results: self.clone(), key: key.clone(), kept: false })))
    }
}

/// Forgets the oldest result when there are too many.
fn make_room(entries: &mut HashMap<(Option<Str>, Str), Entry>, most: usize) {
    if entries.len() < most {
        return;
    }
    let oldest = entries.iter().filter_map(|(key, entry)| match entry {
        Entry::Done { at, .. } => Some((*at, key.clone())),
        Entry::Running => None,
    });
    if let Some((_, key)) = oldest.min_by_key(|(at, _)| *at) {
        entries.remove(&key);
    }
}

impl Claim {
    /// Keeps a result for the next call of the key.
    pub(crate) fn keep(mut self, unchecked: &Unchecked) {
        let Some(result) = unchecked.again() else { return };
        let done = Entry::Done { used_for: self.key.used_for.clone(), result, at: Instant::now() };
        self.results.entries().insert(self.key.place(), done);
        self.kept = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.kept {
            self.results.entries().remove(&self.key.place());
        }
        self.results.0.changed.notify_waiters();
    }
}
