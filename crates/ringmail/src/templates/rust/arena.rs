//! Memory of one call. A plugin that does not ask the host for more pages is called in less time, and its instance ends
//! with the call; so what is given back is taken up again only if it was the last that was given out.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Beyond this the usual allocator takes over.
const BYTES: usize = 128 * 1024;

struct Arena {
    bytes: UnsafeCell<[u8; BYTES]>,
    used: Cell<usize>,
}

#[global_allocator]
static ARENA: Arena = Arena { bytes: UnsafeCell::new([0; BYTES]), used: Cell::new(0) };

// SAFETY: a plugin has one thread.
unsafe impl Sync for Arena {}

// SAFETY: no two blocks overlap: `used` only moves up, or back over the block that was given out last.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.bytes.get() as usize;
        let start = (base + self.used.get()).next_multiple_of(layout.align()) - base;
        if layout.size() > BYTES.saturating_sub(start) {
            return unsafe { System.alloc(layout) };
        }
        self.used.set(start + layout.size());
        (base + start) as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let start = (block as usize).wrapping_sub(self.bytes.get() as usize);
        if start >= BYTES {
            return unsafe { System.dealloc(block, layout) };
        }
        if start + layout.size() == self.used.get() {
            self.used.set(start);
        }
    }
}
