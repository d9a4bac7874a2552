//! One call of a guest: a fresh instance within its limits, from its first instruction to its last. What it asks is
//! answered outside of it, on the host's own stack: the guest's is small, and some of what answers measures its own.

use crate::capability::{Desk, Question, answer};
use crate::limits::{CallLimits, Meter};
use crate::load::Confined;
use crate::wasi::Wasi;
use std::pin::pin;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
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
}

/// No call lasts longer, whatever is granted.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);

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
}

impl Ended {
    /// It did not even begin.
    fn before(halt: Halt) -> Ended {
        Ended { result: Err(halt), printed: String::new(), figures: CallFigures::default() }
    }
}

/// What a running guest has of its host.
pub(crate) struct State {
    meter: Meter,
    questions: mpsc::Sender<Question>,
    asks: u64,
    asks_max: u64,
    /// For guests that import WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
    /// Why it was stopped, where the host knows better than the trap says.
    halt: Option<Halt>,
}

impl State {
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
    pub async fn call(&self, input: &str, limits: &CallLimits, mut desk: impl Desk) -> Ended {
        // A limit that no clock reaches is as good as one that lies far away.
        let deadline = Instant::now() + limits.time_max.min(TIME_MAX);
        let (questions, mut asked) = mpsc::channel(1);
        let state = State {
            meter: Meter::new(limits.memory_bytes_max),
            questions,
            asks: 0,
            asks_max: limits.asks_max,
            wasi: self.wasi.as_ref().map(|given| Box::new(Wasi::new(given))),
            halt: None,
        };
        // The slot outlives the store: what is given back must be free.
        let slot = match timeout_at(deadline, self.walls.slots.acquire()).await {
            Ok(slot) => slot,
            Err(_) => return Ended::before(Halt::Time(limits.time_max)),
        };
        let mut store = Store::new(&self.walls.engine, state);
        let whole = async {
            let mut run = pin!(self.run(&mut store, input, limits, deadline));
            loop {
                tokio::select! {
                    biased;
                    result = &mut run => break result,
                    Some(question) = asked.recv() => answer(&mut desk, question).await,
                }
            }
        };
        let result = match timeout_at(deadline, whole).await {
            Ok(result) => result,
            Err(_) => Err(Halt::Time(limits.time_max)),
        };
        let left = store.get_fuel().unwrap_or(0);
        let state = store.data();
        let figures = CallFigures {
            fuel: limits.fuel_max.saturating_sub(left),
            memory_bytes_peak: state.meter.peak_bytes(),
            asks: state.asks,
        };
        let printed = state.wasi.as_ref().map_or_else(String::new, |wasi| wasi.printed());
        drop((store, slot));
        Ended { result, printed, figures }
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
            Err(error) => Err(halt(store, limits, &error)),
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
        Ok(match text.len() > limits.output_bytes_max {
            true => Err(Halt::Output(limits.output_bytes_max)),
            false => result.map_err(Halt::Failed),
        })
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
