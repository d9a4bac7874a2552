//! Scripts: Rhai, compiled once, run on the host's own heap. The interpreter's limits hold what one value may become;
//! the budget of a whole run is held here, at every step the interpreter takes: memory by what the allocator counted on
//! this thread, time by a clock, steps by count. A script has no way out: it takes a value and gives a value.

mod check;
mod functions;
mod limits;
mod stack;
mod value;
mod watch;

pub use check::ScriptFault;
pub use limits::SCRIPT_BYTES_MAX;

use crate::call::{CallFigures, Halt, TIME_MAX};
use crate::limits::CallLimits;
use crate::meter::is_metered;
use limits::{
    CALLS_DEEP_MAX, EXPRESSIONS_DEEP_MAX, FUNCTIONS_MAX, ITEMS_MAX, STRING_BYTES_MAX, VARIABLES_MAX,
};
use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, OptimizationLevel, Scope};
use ringmail_core::value::Value;
use stack::on_deep_stack;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use watch::{Stop, Watch};

/// Memory of one run, whatever is granted: what the stack below it is made for.
pub const SCRIPT_MEMORY_BYTES_MAX: usize = 64 << 20;
/// How long a script may keep the thread that others wait for. What takes longer begins again on one of its own, which
/// nothing but time can tell.
const INLINE_MAX: Duration = Duration::from_millis(2);
/// Memory up to which no run can have gone deep.
const SHALLOW_BYTES: usize = 64 << 10;
/// Long runs at the same time, for each core.
const LONG_RUNS: usize = 4;

/// A script that can be called any number of times.
#[derive(Debug)]
pub struct Script {
    ast: AST,
    entry: String,
    /// Whether the last run was a long one.
    long: AtomicBool,
}

/// Why a script cannot be had.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ScriptError {
    #[error("this program counts no memory, so no script can be held to any")]
    Unmetered,
    #[error("the script has problems")]
    Faults(Vec<ScriptFault>),
}

/// How a run of a script ended.
#[derive(Debug)]
pub struct ScriptEnded {
    pub result: Result<Value, ScriptHalt>,
    pub figures: CallFigures,
}

/// Why a script brought nothing, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptHalt {
    pub halt: Halt,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
}

/// Tells a run that nobody waits for it any more.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Script {
    /// Parses a script, whose function `entry` will be called. Runs nothing of it.
    pub fn compile(source: &str, entry: &str) -> Result<Script, ScriptError> {
        if !is_metered() {
            return Err(ScriptError::Unmetered);
        }
        let ast = check::compile(source, entry).map_err(ScriptError::Faults)?;
        Ok(Script { ast, entry: entry.into(), long: AtomicBool::new(false) })
    }

    /// Calls the script with a value.
    pub async fn call(self: &Arc<Self>, input: &Value, limits: &CallLimits) -> ScriptEnded {
        let limits = &CallLimits { time_max: limits.time_max.min(TIME_MAX), ..*limits };
        let started = Instant::now();
        if !self.long.load(Ordering::Relaxed) {
            // Whoever waits for it is on this thread, and cannot go before it ends.
            let watch = Watch::new(started + limits.time_max.min(INLINE_MAX), limits, None);
            let ended = self.run(input, limits, watch);
            let slow = matches!(&ended.result, Err(halted) if matches!(halted.halt, Halt::Time(_)));
            if !slow || limits.time_max <= INLINE_MAX {
                return ended;
            }
        }
        static LONG: OnceLock<Semaphore> = OnceLock::new();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = LONG.get_or_init(|| Semaphore::new(cores * LONG_RUNS));
        let Ok(_slot) = timeout_at((started + limits.time_max).into(), slots.acquire()).await else {
            return ScriptEnded::before(Halt::Time(limits.time_max));
        };
        let gone = Gone(Arc::default());
        let watch = Watch::new(started + limits.time_max, limits, Some(gone.0.clone()));
        let (script, input, limits) = (self.clone(), input.clone(), *limits);
        let ran = tokio::task::spawn_blocking(move || script.run(&input, &limits, watch)).await;
        let ended = ran.unwrap_or_else(|_| ScriptEnded::before(Halt::Broke("its thread is gone".into())));
        self.long.store(started.elapsed() > INLINE_MAX, Ordering::Relaxed);
        ended
    }

    /// One run, on this thread.
    fn run(&self, input: &Value, limits: &CallLimits, watch: Watch) -> ScriptEnded {
        let deep = |ended: &ScriptEnded| ended.figures.memory_bytes_peak > SHALLOW_BYTES;
        let ran = on_deep_stack(|| self.eval(input, limits, watch), deep);
        ran.unwrap_or_else(|error| ScriptEnded::before(Halt::Broke(format!("it has no stack: {error}"))))
    }

    fn eval(&self, input: &Value, limits: &CallLimits, watch: Watch) -> ScriptEnded {
        let running = watch.start();
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            let options = CallFnOptions::new().eval_ast(false).rewind_scope(true);
            let args = (value::into_dynamic(input),);
            let mut scope = Scope::new();
            let given =
                engine().call_fn_with_options::<Dynamic>(options, &mut scope, &self.ast, &self.entry, args);
            let given = given.map_err(|error| halted(&error, limits));
            given.and_then(|given| {
                let value = value::of_dynamic(&given, limits.output_bytes_max).map_err(ScriptHalt::of)?;
                // What it built is taken down inside the budget too.
                drop(given);
                Ok(value)
            })
        }));
        let result = evaluated.unwrap_or_else(|_| {
            let halt =
                watch::stopped().map_or_else(|| Halt::Broke("it panicked".into()), |stop| stop.halt(limits));
            Err(ScriptHalt::of(halt))
        });
        ScriptEnded { result, figures: running.end() }
    }
}

impl ScriptEnded {
    fn before(halt: Halt) -> ScriptEnded {
        ScriptEnded { result: Err(ScriptHalt::of(halt)), figures: CallFigures::default() }
    }
}

impl ScriptHalt {
    fn of(halt: Halt) -> ScriptHalt {
        ScriptHalt { halt, place: None }
    }
}

impl Stop {
    fn halt(self, limits: &CallLimits) -> Halt {
        match self {
            Stop::Steps => Halt::Fuel(limits.fuel_max),
            Stop::Memory => Halt::Memory(limits.memory_bytes_max),
            Stop::Time => Halt::Time(limits.time_max),
            Stop::Large(what) => Halt::Large(what.into()),
        }
    }
}

/// All scripts share one interpreter: what differs between them is on the thread that runs.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut engine = Engine::new_raw();
        functions::register(&mut engine);
        engine
            .set_optimization_level(OptimizationLevel::None)
            .set_strict_variables(true)
            .set_fail_on_invalid_map_property(true)
            .set_max_expr_depths(EXPRESSIONS_DEEP_MAX, EXPRESSIONS_DEEP_MAX)
            .set_max_call_levels(CALLS_DEEP_MAX)
            .set_max_functions(FUNCTIONS_MAX)
            .set_max_variables(VARIABLES_MAX)
            .set_max_string_size(STRING_BYTES_MAX)
            .set_max_array_size(ITEMS_MAX)
            .set_max_map_size(ITEMS_MAX)
            .on_progress(|steps| watch::step(steps).then_some(Dynamic::UNIT));
        engine
    })
}

fn halted(error: &EvalAltResult, limits: &CallLimits) -> ScriptHalt {
    let mut inner = error;
    while let EvalAltResult::ErrorInFunctionCall(_, _, cause, _) = inner {
        inner = cause;
    }
    let halt = match inner {
        EvalAltResult::ErrorTerminated(..) => watch::stopped().unwrap_or(Stop::Time).halt(limits),
        EvalAltResult::ErrorStackOverflow(_) => Halt::Stack,
        EvalAltResult::ErrorDataTooLarge(what, _) => Halt::Large(what.to_lowercase()),
        EvalAltResult::ErrorTooManyVariables(_) => Halt::Large("number of variables".into()),
        EvalAltResult::ErrorRuntime(thrown, _) => Halt::Failed(thrown_text(thrown)),
        other => {
            let mut bare = other.to_string();
            if let Some(at) = bare.rfind(" (line ") {
                bare.truncate(at);
            }
            Halt::Failed(bare)
        }
    };
    let position = inner.position();
    let place = position.line().map(|line| (line, position.position().unwrap_or(1).max(1)));
    ScriptHalt { halt, place }
}

/// Longest message of a script that failed.
const THROWN_BYTES_MAX: usize = 1_024;

fn thrown_text(thrown: &Dynamic) -> String {
    match value::of_dynamic(thrown, THROWN_BYTES_MAX) {
        Ok(Value::Str(text)) => text.to_string(),
        Ok(Value::Null) => "it gave up".into(),
        Ok(other) => ringmail_core::json::to_string(&other),
        Err(_) => "it threw something that is no short text".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests beside this crate count memory; this binary does not.
    #[test]
    fn without_an_allocator_that_counts_there_is_no_script() {
        assert_eq!(Script::compile("fn main(input) { 1 }", "main").err(), Some(ScriptError::Unmetered));
    }
}
