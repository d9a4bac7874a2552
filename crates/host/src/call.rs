//! One call of a guest: a fresh instance within its limits, from its first instruction to its last. What it asks is
//! answered outside of it, on the host's own stack: the guest's is small, and some of what answers measures its own.

use crate::capability::{Desk, Question, answer};
use crate::limits::{CallLimits, Meter};
use crate::load::Confined;
use crate::wasi::Wasi;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::unconstrained;
use tokio::time::{Instant, timeout_at};
use wasmtime::{Store, Trap, UpdateDeadline};

/// Why a guest brought no output.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Halt {
    /// The guest's own words.
    #[error("{0}")]
    Failed(String),
    #[error("it ran longer than {} ms", .0.as_millis())]
    Time(Duration),
    #[error("it used more than {0} units of fuel")]
    Fuel(u64),
    #[error("it asked for more than {0} bytes of memory")]
    Memory(usize),
    #[error("its stack overflowed")]
    Stack,
    /// A script built something larger than any script may.
    #[error("it built too much: {0}")]
    Large(String),
    #[error("its output is larger than {0} bytes")]
    Output(usize),
    #[error("it asked the host more than {0} times")]
    Asks(u64),
    #[error("it left with exit code {0}")]
    Left(i32),
    #[error("it broke: {0}")]
    Broke(String),
}

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallFigures {
    pub fuel: u64,
    pub memory_bytes_peak: usize,
    pub asks: u64,
    /// Time a processor spent on it.
    pub cpu: Duration,
    /// Time it waited for its turn.
    pub queued: Duration,
}

impl CallFigures {
    /// What two attempts at one thing used together.
    #[must_use]
    pub fn after(self, first: &CallFigures) -> CallFigures {
        CallFigures {
            fuel: self.fuel.saturating_add(first.fuel),
            memory_bytes_peak: self.memory_bytes_peak.max(first.memory_bytes_peak),
            asks: self.asks.saturating_add(first.asks),
            cpu: self.cpu.saturating_add(first.cpu),
            queued: self.queued.saturating_add(first.queued),
        }
    }
}

/// No call lasts longer, whatever is granted: a limit that no clock reaches is as good as one that lies far away.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// What a guest may hand over at once beyond its largest output: the frame around it.
const COPY_BYTES_MORE: usize = 64 << 10;

/// How a call ended.
#[derive(Debug)]
pub struct Ended {
    /// JSON, unless the guest lies; whoever reads it checks.
    pub result: Result<String, Halt>,
    /// What it printed.
    pub printed: String,
    pub figures: CallFigures,
    /// What it was when it crashed, if it was to leave that.
    pub dump: Option<Vec<u8>>,
}

impl Ended {
    /// It did not even begin.
    fn before(halt: Halt, queued: Duration) -> Ended {
        let figures = CallFigures { queued, ..CallFigures::default() };
        Ended { result: Err(halt), printed: String::new(), figures, dump: None }
    }
}

/// What a running guest has of its host.
pub(crate) struct State {
    meter: Meter,
    questions: mpsc::Sender<Question>,
    asks: u64,
    asks_max: u64,
    /// Bytes of output that went ahead in pieces.
    emitted: usize,
    output_bytes_max: usize,
    /// For guests that import WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
    /// Why it was stopped, where the host knows better than the trap says.
    halt: Option<Halt>,
    dump: Option<Vec<u8>>,
}

impl State {
    pub(crate) fn memory_bytes_peak(&self) -> usize {
        self.meter.peak_bytes()
    }

    /// Counts a piece of the output before anybody looks at it.
    pub(crate) fn emits(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.emitted = self.emitted.saturating_add(bytes);
        if self.emitted > self.output_bytes_max {
            self.halt = Some(Halt::Output(self.output_bytes_max));
            wasmtime::bail!("output");
        }
        Ok(())
    }

    /// Asks the host, once more; the guest waits.
    pub(crate) fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> wasmtime::Result<impl Future<Output = wasmtime::Result<T>> + Send + 'static> {
        if self.asks >= self.asks_max {
            self.halt = Some(Halt::Asks(self.asks_max));
            wasmtime::bail!("asks");
        }
        self.asks += 1;
        let (answer, answered) = oneshot::channel();
        let (question, questions) = (question(answer), self.questions.clone());
        Ok(async move {
            questions.send(question).await.map_err(|_| wasmtime::format_err!("nobody answers"))?;
            answered.await.map_err(|_| wasmtime::format_err!("nobody answers"))
        })
    }
}

impl Confined {
    /// Calls the guest with JSON, in an instance of its own.
    pub async fn call(&self, input: &str, limits: &CallLimits, desk: impl Desk) -> Ended {
        let limits = CallLimits { time_max: limits.time_max.min(TIME_MAX), ..*limits };
        match &self.isolated {
            Some(isolated) => isolated.call(input, &limits, desk).await,
            None => self.call_here(input, &limits, desk).await,
        }
    }

    async fn call_here(&self, input: &str, limits: &CallLimits, mut desk: impl Desk) -> Ended {
        let deadline = Instant::now() + limits.time_max;
        let (questions, mut asked) = mpsc::channel(1);
        let state = State {
            meter: Meter::new(limits.memory_bytes_max),
            questions,
            asks: 0,
            asks_max: limits.asks_max,
            emitted: 0,
            output_bytes_max: limits.output_bytes_max,
            wasi: self.wasi.as_ref().map(|given| Box::new(Wasi::new(given))),
            halt: None,
            dump: None,
        };
        let (called, party) = (Instant::now(), desk.party());
        // The slot outlives the store: what is given back must be free.
        let slot = match timeout_at(deadline, self.walls.slots.take(&party)).await {
            Ok(slot) => slot,
            Err(_) => return Ended::before(Halt::Time(limits.time_max), called.elapsed()),
        };
        let mut queued = called.elapsed();
        let mut cpu = Duration::ZERO;
        let mut store = Store::new(&self.walls.engine, state);
        let whole = async {
            let run = timed(&mut cpu, self.run(&mut store, input, limits, deadline));
            let mut run = pin!(self.walls.processors.share(&party, &mut queued, run));
            loop {
                tokio::select! {
                    biased;
                    // INVARIANT: a question is heard before the guest is looked at again, so that no guest stands in
                    // line, and gets a turn, while its host is busy with what it asked.
                    Some(question) = unconstrained(asked.recv()) => answer(&mut desk, question).await,
                    result = &mut run => break result,
                }
            }
        };
        let result = match timeout_at(deadline, whole).await {
            Ok(result) => result,
            Err(_) => Err(Halt::Time(limits.time_max)),
        };
        let left = store.get_fuel().unwrap_or(0);
        let dump = store.data_mut().dump.take();
        let state = store.data();
        let figures = CallFigures {
            fuel: limits.fuel_max.saturating_sub(left),
            memory_bytes_peak: state.meter.peak_bytes(),
            asks: state.asks,
            cpu,
            queued,
        };
        let printed = state.wasi.as_ref().map_or_else(String::new, |wasi| wasi.printed());
        drop((store, slot));
        Ended { result, printed, figures, dump }
    }

    async fn run(
        &self,
        store: &mut Store<State>,
        input: &str,
        limits: &CallLimits,
        deadline: Instant,
    ) -> Result<String, Halt> {
        let broke = |error: wasmtime::Error| Halt::Broke(format!("{error:#}"));
        let _counted = self.walls.count();
        store.limiter(|state| &mut state.meter);
        store.set_fuel(limits.fuel_max).map_err(broke)?;
        // What is copied out of the guest at once, counted before it is.
        store.set_hostcall_fuel(limits.output_bytes_max.saturating_add(COPY_BYTES_MORE));
        store.set_epoch_deadline(1);
        // Others get their turn each tick, and the timer around the call is asked.
        store.epoch_deadline_callback(move |_| {
            Ok(match Instant::now() < deadline {
                true => UpdateDeadline::Yield(1),
                false => UpdateDeadline::Interrupt,
            })
        });
        match self.enter(store, input, limits).await {
            Ok(result) => result,
            Err(error) => {
                store.data_mut().dump = self.dump(store, &error);
                Err(halt(store, limits, &error))
            }
        }
    }

    async fn enter(
        &self,
        store: &mut Store<State>,
        input: &str,
        limits: &CallLimits,
    ) -> wasmtime::Result<Result<String, Halt>> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let call =
            instance.get_typed_func::<(&str,), (Result<String, String>,)>(&mut *store, &self.export)?;
        let (result,) = call.call_async(&mut *store, (input,)).await?;
        let text = result.as_ref().unwrap_or_else(|text| text);
        Ok(match text.len().saturating_add(store.data().emitted) > limits.output_bytes_max {
            true => Err(Halt::Output(limits.output_bytes_max)),
            false => result.map_err(Halt::Failed),
        })
    }
}

/// Adds up how long a future is worked on. What guests wait for is not in it. Of most calls there is but one stretch, which
/// ends before the next tick: its time is the clock's on the wall, never too little, because asking the kernel for the
/// processor's takes a tenth of a short call.
async fn timed<T>(spent: &mut Duration, future: impl Future<Output = T>) -> T {
    let (mut future, mut first) = (pin!(future), true);
    poll_fn(|cx| {
        let clock = if std::mem::take(&mut first) { wall_time } else { cpu_time };
        let started = clock();
        let polled = future.as_mut().poll(cx);
        *spent += clock().saturating_sub(started);
        polled
    })
    .await
}

fn wall_time() -> Duration {
    time_of(libc::CLOCK_MONOTONIC)
}

/// What this thread has used of a processor.
fn cpu_time() -> Duration {
    time_of(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn time_of(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a whole `timespec` of this frame, which the call only writes to.
    #[allow(unsafe_code, reason = "see above")]
    let known = unsafe { libc::clock_gettime(clock, &raw mut time) } == 0;
    match known {
        true => Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0)),
        false => Duration::ZERO,
    }
}

fn halt(store: &mut Store<State>, limits: &CallLimits, error: &wasmtime::Error) -> Halt {
    let state = store.data_mut();
    if let Some(halt) = state.halt.take() {
        return halt;
    }
    if state.meter.exceeded {
        return Halt::Memory(limits.memory_bytes_max);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Halt::Left(exit.0);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Halt::Fuel(limits.fuel_max),
        Some(Trap::Interrupt) => Halt::Time(limits.time_max),
        Some(Trap::StackOverflow) => Halt::Stack,
        Some(trap) => Halt::Broke(trap.to_string()),
        // The crate has no name for it.
        None if error.root_cause().to_string().contains("too much data") => {
            Halt::Output(limits.output_bytes_max)
        }
        None => Halt::Broke(error.root_cause().to_string()),
    }
}
