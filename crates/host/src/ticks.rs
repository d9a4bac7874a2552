//! A clock that running guests cannot outrun: a thread that counts milliseconds while anything runs, and rests when
//! nothing does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How often running guests are looked at.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call before the clock rests.
const TICKS_IDLE_MAX: u32 = 100;

/// A thread that counts time for guests while there are any.
#[derive(Debug)]
pub(crate) struct Clock {
    shared: Arc<Shared>,
    thread: thread::Thread,
}

#[derive(Debug, Default)]
struct Shared {
    calls: AtomicUsize,
    rests: AtomicBool,
}

impl Clock {
    /// `tick` is called each millisecond, until it says that nobody is left to count for.
    pub(crate) fn start(tick: impl FnMut() -> bool + Send + 'static) -> std::io::Result<Clock> {
        let shared = Arc::new(Shared::default());
        let seen = shared.clone();
        let handle = thread::Builder::new().name("guest-clock".into()).spawn(move || run(tick, &seen))?;
        Ok(Clock { shared, thread: handle.thread().clone() })
    }

    /// Keeps the clock going until the call ends. Only a clock that rests is woken: that costs more than a short call.
    pub(crate) fn count(&self) -> Counted<'_> {
        let Clock { shared, thread } = self;
        shared.calls.fetch_add(1, Ordering::SeqCst);
        if shared.rests.load(Ordering::SeqCst) && shared.rests.swap(false, Ordering::SeqCst) {
            thread.unpark();
        }
        Counted(shared)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

/// A call that the clock counts for.
#[derive(Debug)]
pub(crate) struct Counted<'c>(&'c Shared);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(mut tick: impl FnMut() -> bool, shared: &Shared) {
    let mut idle = 0;
    while tick() {
        idle = if shared.calls.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < TICKS_IDLE_MAX {
            thread::sleep(TICK);
            continue;
        }
        shared.rests.store(true, Ordering::SeqCst);
        // INVARIANT: a call that began before this was written is seen here; a later one sees it and wakes us.
        if shared.calls.load(Ordering::SeqCst) == 0 {
            thread::park();
        }
        shared.rests.store(false, Ordering::SeqCst);
        idle = 0;
    }
}
