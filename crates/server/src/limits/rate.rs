//! How often and how many at once, by principal, tenant, chain and address. What is counted outlives a reload.

use foldhash::HashMap as FastMap;
use ringmail_core::listener::{Per, Rate};
use ringmail_core::value::Str;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Past this many, those that count nothing are forgotten; whoever comes while all count something shares one count.
const COUNTS_MAX: usize = 100_000;
/// How often those that count nothing are looked for.
const SWEEP_EVERY_NS: u64 = 1_000_000_000;
const SHARDS: usize = 16;

/// Whose call it is, by all that can be counted.
#[derive(Debug)]
pub(crate) struct Subject<'s> {
    pub(crate) principal: &'s str,
    pub(crate) tenant: Option<&'s str>,
    /// Nothing where no chain is called.
    pub(crate) chain: Option<&'s str>,
}

/// What has been used of each rate.
#[derive(Debug)]
pub(crate) struct Rates {
    began: Instant,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    counts: FastMap<Box<str>, Count>,
    sweep_after_ns: u64,
}

impl Shard {
    /// Whether one more can be told from the others.
    fn has_room(&mut self, now_ns: u64) -> bool {
        if self.counts.len() >= COUNTS_MAX / SHARDS && now_ns >= self.sweep_after_ns {
            self.counts.retain(|_, count| count.full_until_ns > now_ns || count.under_way > 0);
            self.sweep_after_ns = now_ns.saturating_add(SWEEP_EVERY_NS);
        }
        self.counts.len() < COUNTS_MAX / SHARDS
    }
}

/// When the last of the calls that count will have been forgotten, and how many are under way.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    full_until_ns: u64,
    under_way: u64,
}

/// Calls under way; whoever drops it ends them.
#[derive(Debug)]
pub(crate) struct Held {
    rates: Arc<Rates>,
    keys: Vec<Box<str>>,
    /// What its caller counts for besides, as long as this lasts.
    _beside: Option<Arc<Held>>,
}

impl Held {
    pub(crate) fn beside(self, other: Option<Arc<Held>>) -> Held {
        let mut held = self;
        held._beside = other;
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for key in &self.keys {
            if let Some(count) = self.rates.shard(key).counts.get_mut(key) {
                count.under_way = count.under_way.saturating_sub(1);
            }
        }
    }
}

impl Rates {
    pub(crate) fn new() -> Rates {
        Rates { began: Instant::now(), hasher: RandomState::new(), shards: Default::default() }
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        let [first, ..] = &self.shards;
        self.shards.get(at).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call from an address, before anything else is known of it.
    pub(crate) fn knock(self: &Arc<Self>, rates: &[Rate], peer: Option<IpAddr>) -> Result<Held, Duration> {
        let mut held = Held { rates: self.clone(), keys: Vec::new(), _beside: None };
        let Some(peer) = peer else { return Ok(held) };
        let of_address = rates.iter().enumerate().filter(|(_, rate)| rate.per == Per::Address);
        for (at, rate) in of_address {
            self.count(at, format!("{at} address {}", network(peer)).into(), rate, &mut held)?;
        }
        Ok(held)
    }

    /// Counts a call of a caller that is known.
    pub(crate) fn enter(self: &Arc<Self>, rates: &[Rate], subject: &Subject<'_>) -> Result<Held, Duration> {
        let mut held = Held { rates: self.clone(), keys: Vec::with_capacity(3), _beside: None };
        for (at, rate) in rates.iter().enumerate() {
            let concerns = |chains: &Vec<Str>| chains.iter().any(|chain| Some(&**chain) == subject.chain);
            if !rate.chains.as_ref().is_none_or(concerns) {
                continue;
            }
            let key = match rate.per {
                Per::Principal => format!("{at} principal {}", subject.principal),
                Per::Tenant => match subject.tenant {
                    Some(tenant) => format!("{at} tenant {tenant}"),
                    None => continue,
                },
                Per::Chain => match subject.chain {
                    Some(chain) => format!("{at} chain {chain}"),
                    None => continue,
                },
                Per::Address => continue,
            };
            self.count(at, key.into(), rate, &mut held)?;
        }
        Ok(held)
    }

    /// Calls are spread so that `calls_max` of them may come at once and no more within the time.
    fn count(&self, at: usize, mut key: Box<str>, rate: &Rate, held: &mut Held) -> Result<(), Duration> {
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let within_ns = rate.within_ms.saturating_mul(1_000_000);
        let one_ns = (within_ns / rate.calls_max.max(1)).max(1);
        let mut shard = self.shard(&key);
        if !shard.counts.contains_key(&key) && !shard.has_room(now_ns) {
            drop(shard);
            key = format!("{at} others").into();
            shard = self.shard(&key);
        }
        let count = shard.counts.entry(key.clone()).or_default();
        if rate.at_once_max.is_some_and(|most| count.under_way >= most) {
            return Err(Duration::from_secs(1));
        }
        let next = count.full_until_ns.max(now_ns).saturating_add(one_ns);
        let over = next.saturating_sub(now_ns.saturating_add(within_ns));
        if over > 0 {
            return Err(Duration::from_nanos(over));
        }
        count.full_until_ns = next;
        count.under_way += 1;
        held.keys.push(key);
        Ok(())
    }
}

/// Whoever has an IPv6 address has as many as fit a /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let mut segments = v6.segments();
                segments.iter_mut().skip(4).for_each(|segment| *segment = 0);
                IpAddr::V6(segments.into())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per: Per, calls_max: u64, at_once_max: Option<u64>) -> Rate {
        Rate { per, chains: None, calls_max, within_ms: 3_600_000, at_once_max }
    }

    fn subject<'s>(principal: &'s str, tenant: Option<&'s str>, chain: &'s str) -> Subject<'s> {
        Subject { principal, tenant, chain: Some(chain) }
    }

    #[test]
    fn calls_are_counted_for_those_they_are_counted_for() {
        for (per, same, other) in [
            (Per::Principal, subject("a", Some("u"), "d"), subject("b", Some("t"), "c")),
            (Per::Tenant, subject("b", Some("t"), "d"), subject("a", Some("u"), "c")),
            (Per::Chain, subject("b", None, "c"), subject("a", Some("t"), "d")),
        ] {
            let counts = Arc::new(Rates::new());
            let rates = [rate(per, 2, None)];
            let first = subject("a", Some("t"), "c");
            assert!(counts.enter(&rates, &first).is_ok() && counts.enter(&rates, &same).is_ok());
            let wait = counts.enter(&rates, &first).unwrap_err();
            assert!(wait > Duration::from_secs(60), "{per:?} {wait:?}");
            assert!(counts.enter(&rates, &other).is_ok(), "{per:?}");
        }
    }

    #[test]
    fn calls_under_way_are_counted_until_they_end() {
        let counts = Arc::new(Rates::new());
        let rates = [rate(Per::Principal, 1_000, Some(1))];
        let held = counts.enter(&rates, &subject("a", None, "c")).unwrap();
        assert!(counts.enter(&rates, &subject("a", None, "c")).is_err());
        drop(held);
        assert!(counts.enter(&rates, &subject("a", None, "c")).is_ok());
    }

    #[test]
    fn a_rate_is_for_its_chains() {
        let counts = Arc::new(Rates::new());
        let rates = [Rate { chains: Some(vec!["c".into()]), ..rate(Per::Principal, 1, None) }];
        assert!(counts.enter(&rates, &subject("a", None, "c")).is_ok());
        assert!(counts.enter(&rates, &subject("a", None, "c")).is_err());
        assert!(counts.enter(&rates, &subject("a", None, "d")).is_ok());
    }

    #[test]
    fn attack_34_one_network_is_one_address() {
        let counts = Arc::new(Rates::new());
        let rates = [rate(Per::Address, 1, None)];
        assert!(counts.knock(&rates, Some("2001:db8::1".parse().unwrap())).is_ok());
        assert!(counts.knock(&rates, Some("2001:db8::2".parse().unwrap())).is_err());
        assert!(counts.knock(&rates, Some("2001:db8:0:1::1".parse().unwrap())).is_ok());
        assert!(counts.knock(&rates, Some("192.0.2.1".parse().unwrap())).is_ok());
        assert!(counts.knock(&rates, Some("::ffff:192.0.2.1".parse().unwrap())).is_err());
    }

    #[test]
    fn so_many_are_told_apart_and_no_more() {
        let counts = Arc::new(Rates::new());
        // One call of each is held against it for an hour, so that the time the test takes counts for little.
        let rates = [rate(Per::Principal, 1, None)];
        let held =
            |name: usize| counts.enter(&rates, &subject(&name.to_string(), None, "c")).map(drop).is_ok();
        let let_in = (0..COUNTS_MAX + 20_000).filter(|name| held(*name)).count();
        let kept: usize = counts.shards.iter().map(|shard| shard.lock().unwrap().counts.len()).sum();
        assert!(kept <= COUNTS_MAX + SHARDS, "{kept}");
        // Those who could not be told apart had one call together.
        assert!(let_in <= COUNTS_MAX + 10, "{let_in}");
    }
}
