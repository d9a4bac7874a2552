//! How much callers may use: so often, so many at once, and turns where not all can go.

mod rate;
mod turn;

pub(crate) use rate::{Held, Rates, Subject};
pub(crate) use turn::{Counted, Counts, Queue};
