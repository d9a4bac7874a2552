//! What a running script has used, and whether it may go on. Lives on the thread that runs it: the interpreter is
//! shared, and asks at each step.

use crate::call::CallFigures;
use crate::limits::CallLimits;
use crate::meter::held_bytes;
use crate::ticks::{Clock, Counted};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Why a script was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Time,
    Steps,
    Memory,
}

/// One run as it is watched.
pub(super) struct Watch {
    deadline: Instant,
    steps_max: u64,
    memory_bytes_max: isize,
    gone: Arc<AtomicBool>,
    /// What the thread held when the run began.
    held_before: isize,
    memory_bytes_peak: isize,
    steps: u64,
    tick: u64,
    stop: Option<Stop>,
    _counted: Option<Counted>,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

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
    pub(super) fn new(
        started: Instant,
        time_max: Duration,
        limits: &CallLimits,
        gone: Arc<AtomicBool>,
    ) -> Watch {
        Watch {
            deadline: started + time_max,
            steps_max: limits.fuel_max,
            memory_bytes_max: isize::try_from(limits.memory_bytes_max).unwrap_or(isize::MAX),
            gone,
            held_before: 0,
            memory_bytes_peak: 0,
            steps: 0,
            tick: 0,
            stop: None,
            _counted: None,
        }
    }

    /// From here on this thread's steps are this run's.
    pub(super) fn start(mut self) -> Running {
        self._counted = clock().map(Clock::count);
        self.tick = TICKS.load(Ordering::Relaxed);
        self.held_before = held_bytes();
        WATCH.with_borrow_mut(|watch| *watch = Some(self));
        Running(())
    }

    fn step(&mut self, steps: u64) -> Option<Stop> {
        self.steps = steps;
        if self.stop.is_some() {
            return self.stop;
        }
        let held = held_bytes().wrapping_sub(self.held_before);
        self.memory_bytes_peak = self.memory_bytes_peak.max(held);
        if held > self.memory_bytes_max {
            return Some(Stop::Memory);
        }
        if steps > self.steps_max {
            return Some(Stop::Steps);
        }
        // The clock is asked when it may have something to say: a tick has passed, or there is no clock at all.
        let tick = TICKS.load(Ordering::Relaxed);
        if tick == self.tick && self._counted.is_some() {
            return None;
        }
        self.tick = tick;
        let late = Instant::now() >= self.deadline || self.gone.load(Ordering::Relaxed);
        late.then_some(Stop::Time)
    }
}

/// A run that is being watched.
pub(super) struct Running(());

impl Running {
    pub(super) fn end(self) -> CallFigures {
        let watch = WATCH.with_borrow_mut(Option::take);
        watch.map_or_else(CallFigures::default, |watch| {
            let memory_bytes_peak = usize::try_from(watch.memory_bytes_peak).unwrap_or(0);
            CallFigures { fuel: watch.steps, memory_bytes_peak, ..CallFigures::default() }
        })
    }
}

/// Whether the script that runs here ends now.
pub(super) fn step(steps: u64) -> bool {
    WATCH.with_borrow_mut(|watch| {
        let Some(watch) = watch else { return true };
        watch.stop = watch.step(steps);
        watch.stop.is_some()
    })
}

pub(super) fn stopped() -> Option<Stop> {
    WATCH.with_borrow(|watch| watch.as_ref().and_then(|watch| watch.stop))
}
