//! Counts what each thread holds of the process's memory, so that code which runs on the host's own heap can be held
//! to a budget. A program that runs scripts makes [`Metered`] its global allocator.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::hint::black_box;

/// An allocator that counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metered<A>(pub A);

thread_local! {
    /// Bytes taken on this thread less bytes given back on it. Has no destructor, so allocating while a thread ends is
    /// no problem.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn note(bytes: isize) {
    HELD.with(|held| held.set(held.get().wrapping_add(bytes)));
}

/// What this thread holds, counted from anywhere: only differences mean anything.
pub(crate) fn held_bytes() -> isize {
    HELD.with(Cell::get)
}

/// Whether this process counts at all.
pub fn is_metered() -> bool {
    let before = held_bytes();
    let taken = black_box(Box::new([0_u8; 64]));
    let counted = held_bytes().wrapping_sub(before);
    drop(black_box(taken));
    counted == 64
}

#[allow(unsafe_code, reason = "an allocator is unsafe to implement")]
// SAFETY: every call is handed on as it came; what is counted beside it allocates nothing.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Metered<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promise, handed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promise, handed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: the caller's promise, handed on.
        unsafe { self.0.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        note(bytes as isize - layout.size() as isize);
        // SAFETY: the caller's promise, handed on.
        unsafe { self.0.realloc(at, layout, bytes) }
    }
}
