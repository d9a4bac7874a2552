//! The walls: one wasmtime engine with a pool of instances, and the clock that no guest can outrun.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

/// Calls that run at the same time; others wait their turn.
const CALLS_MAX: u32 = 256;
/// Largest single memory, whatever is granted.
pub const MEMORY_BYTES_MAX: usize = 1 << 30;
/// What one component may be made of. Every call that has a slot finds room for that much.
const INSTANCES_MAX: u32 = 32;
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 16;
const TABLE_ELEMENTS_MAX: usize = 100_000;
const STACK_BYTES_MAX: usize = 512 << 10;
/// The guest's stack and what the host needs below it.
const FIBER_BYTES: usize = 1 << 20;
/// Memory of a slot that is zeroed instead of being given back: most guests touch less, and giving pages back stops
/// every thread of the process.
const KEEP_BYTES: usize = 512 << 10;
const METADATA_BYTES_MAX: usize = 16 << 20;

/// How often running guests are looked at.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call before the clock rests.
const TICKS_IDLE_MAX: u32 = 100;

/// Why there are no walls.
#[derive(Debug, Error)]
#[error("this machine cannot confine plugins: {0}")]
pub struct WallsError(String);

/// What all guests of a process share.
#[derive(Debug)]
pub struct Walls {
    pub(crate) engine: Engine,
    pub(crate) slots: Semaphore,
    clock: Clock,
}

impl Walls {
    pub fn new() -> Result<Arc<Walls>, WallsError> {
        let engine = Engine::new(&config()).map_err(|error| WallsError(format!("{error:#}")))?;
        let clock = Clock::start(&engine).map_err(|error| WallsError(error.to_string()))?;
        Ok(Arc::new(Walls { engine, slots: Semaphore::new(CALLS_MAX as usize), clock }))
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(CALLS_MAX)
        .total_core_instances(CALLS_MAX * INSTANCES_MAX)
        .total_memories(CALLS_MAX * MEMORIES_MAX)
        .total_tables(CALLS_MAX * TABLES_MAX)
        .total_stacks(CALLS_MAX)
        .max_core_instances_per_component(INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_component_instance_size(METADATA_BYTES_MAX)
        .max_core_instance_size(METADATA_BYTES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(KEEP_BYTES)
        .table_keep_resident(KEEP_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(FIBER_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // The same bits on every machine, so that a run can be replayed.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// A thread that counts time for guests while there are any.
#[derive(Debug)]
struct Clock {
    shared: Arc<Shared>,
    thread: thread::Thread,
}

#[derive(Debug, Default)]
struct Shared {
    calls: AtomicUsize,
    rests: AtomicBool,
}

impl Clock {
    fn start(engine: &Engine) -> std::io::Result<Clock> {
        let shared = Arc::new(Shared::default());
        let (seen, engine) = (shared.clone(), engine.weak());
        let handle = thread::Builder::new().name("guest-clock".into()).spawn(move || tick(&engine, &seen))?;
        Ok(Clock { shared, thread: handle.thread().clone() })
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

/// A call that the clock counts for.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Shared>);

impl Walls {
    /// Keeps the clock going until the call ends. Only a clock that rests is woken: that costs more than a short call.
    pub(crate) fn count(&self) -> Counted {
        let Clock { shared, thread } = &self.clock;
        shared.calls.fetch_add(1, Ordering::SeqCst);
        if shared.rests.swap(false, Ordering::SeqCst) {
            thread.unpark();
        }
        Counted(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &EngineWeak, shared: &Shared) {
    let mut idle = 0;
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
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
