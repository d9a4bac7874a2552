//! Who does the work: the crate starts no threads, so whoever calls it lends some.

use std::sync::{Mutex, PoisonError};

/// Does pieces of work that do not depend on each other, in any order, each once.
pub trait Hands: Sync {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync));
}

/// One piece after the other.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Hands for Alone {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(work);
    }
}

/// What each piece gave, by its number.
pub(crate) fn gather<T: Send>(hands: &dyn Hands, count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let slots: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    hands.each(count, &|at| {
        if let Some(slot) = slots.get(at) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(make(at));
        }
    });
    slots.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}
