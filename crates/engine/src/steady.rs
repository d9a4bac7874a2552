//! Threads that look after something as long as the process lives. What breaks one turn of theirs breaks no other: a thread that is
//! gone would be missed by nobody.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Nothing if it broke.
pub(crate) fn steadily<T>(turn: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(turn)).ok()
}
