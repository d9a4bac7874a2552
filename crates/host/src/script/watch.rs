//! What a running script has used, and whether it may go on. Lives on the thread that runs it: the interpreter is
//! shared, and asks at each step.

use crate::call::CallFigures;
use crate::limits::CallLimits;
use crate::meter::held_bytes;
use crate::ticks::{Clock, Counted};
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Why a script was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Time,
    Steps,
    Memory,
    /// What of it is too large.
    Large(&'static str),
}

/// What a run that is taken down unwinds with.
struct Stopped;

/// One run as it is watched.
pub(super) struct Watch {
    deadline: Instant,
    steps_max: u64,
    memory_bytes_max: isize,
    /// Whether whoever waited for it has gone.
    gone: Option<Arc<AtomicBool>>,
}

/// What each step of the run on this thread is held against.
struct Bounds {
    held_before: Cell<isize>,
    /// What the thread may hold at most, and has held; counted as the allocator counts.
    held_max: Cell<isize>,
    held_peak: Cell<isize>,
    steps_max: Cell<u64>,
    steps: Cell<u64>,
    /// The tick at which the clock was asked. No tick is ever the last one.
    tick: Cell<u64>,
}

struct Watched {
    watch: Watch,
    stop: Option<Stop>,
    counted: Option<Counted<'static>>,
}

thread_local! {
    static BOUNDS: Bounds = const {
        Bounds {
            held_before: Cell::new(isize::MIN),
            held_max: Cell::new(isize::MIN),
            held_peak: Cell::new(isize::MIN),
            steps_max: Cell::new(0),
            steps: Cell::new(0),
            tick: Cell::new(NO_TICK),
        }
    };
    static WATCHED: RefCell<Option<Watched>> = const { RefCell::new(None) };
}

const NO_TICK: u64 = u64::MAX;
/// What a run may hold that is stopped by an error, which says where it was. The interpreter prints a value whole, and
/// without a limit, where printing it within limits failed: whoever holds more is stopped by unwinding.
const PLACE_BYTES_MAX: isize = 32 << 10;
static TICKS: AtomicU64 = AtomicU64::new(0);

fn clock() -> Option<&'static Clock> {
    static CLOCK: OnceLock<Option<Clock>> = OnceLock::new();
    let tick = || {
        TICKS.fetch_add(1, Ordering::Relaxed);
        true
    };
    CLOCK.get_or_init(|| Clock::start(tick).ok()).as_ref()
}

impl Watch {
    pub(super) fn new(deadline: Instant, limits: &CallLimits, gone: Option<Arc<AtomicBool>>) -> Watch {
        let memory_bytes_max = isize::try_from(limits.memory_bytes_max).unwrap_or(isize::MAX);
        Watch { deadline, steps_max: limits.fuel_max, memory_bytes_max, gone }
    }

    /// From here on this thread's steps are this run's.
    pub(super) fn start(self) -> Running {
        let counted = clock().map(Clock::count);
        let held_before = held_bytes();
        BOUNDS.with(|bounds| {
            bounds.held_before.set(held_before);
            bounds.held_max.set(held_before.saturating_add(self.memory_bytes_max));
            bounds.held_peak.set(held_before);
            bounds.steps_max.set(self.steps_max);
            bounds.steps.set(0);
            // Where there is no clock the time is looked at in each step.
            let tick = if counted.is_some() { TICKS.load(Ordering::Relaxed) } else { NO_TICK };
            bounds.tick.set(tick);
        });
        WATCHED.with_borrow_mut(|watched| {
            *watched = Some(Watched { watch: self, stop: None, counted });
        });
        Running(())
    }
}

impl Watched {
    fn judge(&self, bounds: &Bounds, held: isize) -> Option<Stop> {
        if self.stop.is_some() {
            return self.stop;
        }
        if held > bounds.held_max.get() {
            return Some(Stop::Memory);
        }
        if bounds.steps.get() > bounds.steps_max.get() {
            return Some(Stop::Steps);
        }
        if self.counted.is_some() {
            bounds.tick.set(TICKS.load(Ordering::Relaxed));
        }
        let gone = self.watch.gone.as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed));
        let late = gone || Instant::now() >= self.watch.deadline;
        late.then_some(Stop::Time)
    }
}

/// A run that is being watched.
pub(super) struct Running(());

impl Running {
    pub(super) fn end(self) -> CallFigures {
        let watched = WATCHED.with_borrow_mut(Option::take);
        let (peak, fuel) = BOUNDS.with(|bounds| {
            let taken = bounds.held_peak.get().wrapping_sub(bounds.held_before.get());
            // Whatever would run here now is nobody's.
            bounds.held_max.set(isize::MIN);
            (usize::try_from(taken).unwrap_or(0), bounds.steps.get())
        });
        watched.map_or_else(CallFigures::default, |_| CallFigures {
            fuel,
            memory_bytes_peak: peak,
            ..CallFigures::default()
        })
    }
}

/// Whether the script that runs here ends now. Called at every step: what is nothing to stop for costs a few compares.
pub(super) fn step(steps: u64) -> bool {
    BOUNDS.with(|bounds| {
        let held = held_bytes();
        bounds.steps.set(steps);
        if held > bounds.held_peak.get() {
            bounds.held_peak.set(held);
        }
        let same_tick = TICKS.load(Ordering::Relaxed) == bounds.tick.get();
        if same_tick && held <= bounds.held_max.get() && steps <= bounds.steps_max.get() {
            return false;
        }
        if !stops(bounds, held) {
            return false;
        }
        if held.saturating_sub(bounds.held_before.get()) > PLACE_BYTES_MAX {
            resume_unwind(Box::new(Stopped));
        }
        true
    })
}

#[cold]
fn stops(bounds: &Bounds, held: isize) -> bool {
    WATCHED.with_borrow_mut(|watched| {
        let Some(watched) = watched else { return true };
        watched.stop = watched.judge(bounds, held);
        if watched.stop.is_some() {
            // A script that catches the stop meets it again at its next step.
            bounds.held_max.set(isize::MIN);
        }
        watched.stop.is_some()
    })
}

/// Ends the run that is on this thread. Unwinds, because the interpreter swallows errors where it prints and sorts.
pub(super) fn stop(why: Stop) -> ! {
    WATCHED.with_borrow_mut(|watched| {
        if let Some(watched) = watched {
            watched.stop.get_or_insert(why);
        }
    });
    BOUNDS.with(|bounds| bounds.held_max.set(isize::MIN));
    resume_unwind(Box::new(Stopped))
}

/// Ends the run if it may not take so many bytes more, in one step.
pub(super) fn ask(bytes: usize) {
    BOUNDS.with(|bounds| {
        let held = held_bytes();
        bounds.held_peak.set(bounds.held_peak.get().max(held));
        let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
        if held.saturating_add(bytes) > bounds.held_max.get() {
            stop(Stop::Memory);
        }
    });
}

pub(super) fn stopped() -> Option<Stop> {
    WATCHED.with_borrow(|watched| watched.as_ref().and_then(|watched| watched.stop))
}
