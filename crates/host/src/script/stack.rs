//! Deep stacks: what a script builds is as deep as its memory allows, and is copied, compared and dropped by recursion.

use corosensei::on_stack;
use corosensei::stack::{DefaultStack, Stack};
use std::sync::{Mutex, PoisonError};

/// Deeper than anything that fits into [`super::MEMORY_BYTES_MAX`] needs; a page of it costs memory once it is touched.
const STACK_BYTES: usize = 512 << 20;
/// Stacks that wait for the next script.
const SPARE_MAX: usize = 64;
/// Of a spare stack, what may stay in memory.
const KEEP_BYTES: usize = 64 << 10;

static SPARE: Mutex<Vec<DefaultStack>> = Mutex::new(Vec::new());

/// Runs on a stack of its own. `deep` says, once it has run, whether it may have gone deep.
pub(super) fn on_deep_stack<R>(run: impl FnOnce() -> R, deep: impl FnOnce(&R) -> bool) -> std::io::Result<R> {
    let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut stack = match spare {
        Some(stack) => stack,
        None => DefaultStack::new(STACK_BYTES)?,
    };
    let ended = on_stack(&mut stack, run);
    if deep(&ended) {
        release(&stack);
    }
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if spare.len() < SPARE_MAX {
        spare.push(stack);
    }
    Ok(ended)
}

/// Gives the pages far down back.
fn release(stack: &DefaultStack) {
    let (top, bottom) = (stack.base().get(), stack.limit().get());
    let bytes = top.saturating_sub(bottom).saturating_sub(KEEP_BYTES);
    #[allow(unsafe_code, reason = "the standard library has no word for it")]
    // SAFETY: the range lies in the stack's own mapping, which begins on a page, and nothing runs on it any more. That
    // it fails is no harm: the pages stay.
    let _kept = unsafe { libc::madvise(bottom as *mut libc::c_void, bytes, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(levels: usize) -> usize {
        let frame = std::hint::black_box([levels; 64]);
        if levels == 0 { 0 } else { 1 + deep(levels - 1) + frame[63] - levels }
    }

    #[test]
    fn there_is_room_for_what_no_thread_has() {
        assert_eq!(on_deep_stack(|| deep(100_000), |_| true).unwrap(), 100_000);
        assert_eq!(on_deep_stack(|| deep(10), |_| false).unwrap(), 10);
    }

    #[test]
    fn a_panic_comes_out() {
        let caught = std::panic::catch_unwind(|| on_deep_stack(|| panic!("out"), |(): &()| false));
        assert!(caught.is_err());
    }
}
