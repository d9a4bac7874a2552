//! The walls: one wasmtime engine with a pool of instances, and the clock that no guest can outrun.

use crate::ticks::{Clock, Counted};
use crate::turns::Turns;
use std::sync::Arc;
use thiserror::Error;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

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

/// Why there are no walls.
#[derive(Debug, Error)]
#[error("this machine cannot confine plugins: {0}")]
pub struct WallsError(String);

/// What all guests of a process share.
#[derive(Debug)]
pub struct Walls {
    pub(crate) engine: Engine,
    /// Room for an instance, and time of a processor.
    pub(crate) slots: Turns,
    pub(crate) processors: Turns,
    clock: Clock,
}

impl Walls {
    pub fn new() -> Result<Arc<Walls>, WallsError> {
        Walls::begin(CALLS_MAX)?.start()
    }

    /// For one call at a time, and without a second thread as yet.
    pub(crate) fn begin_alone() -> Result<Begun, WallsError> {
        Walls::begin(1)
    }

    fn begin(calls_max: u32) -> Result<Begun, WallsError> {
        let engine = Engine::new(&config(calls_max)).map_err(|error| WallsError(format!("{error:#}")))?;
        Ok(Begun { engine, calls_max })
    }

    /// The clock goes until this is dropped.
    pub(crate) fn count(&self) -> Counted<'_> {
        self.clock.count()
    }
}

/// Walls that stand, and a clock that does not go yet.
pub(crate) struct Begun {
    engine: Engine,
    calls_max: u32,
}

impl Begun {
    pub(crate) fn start(self) -> Result<Arc<Walls>, WallsError> {
        let Begun { engine, calls_max } = self;
        let ticked = engine.weak();
        let clock = Clock::start(move || ticked.upgrade().map(|engine| engine.increment_epoch()).is_some());
        let clock = clock.map_err(|error| WallsError(error.to_string()))?;
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (slots, processors) = (Turns::new(calls_max as usize), Turns::new(processors));
        Ok(Arc::new(Walls { engine, slots, processors, clock }))
    }
}

fn config(calls_max: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls_max)
        .total_core_instances(calls_max * INSTANCES_MAX)
        .total_memories(calls_max * MEMORIES_MAX)
        .total_tables(calls_max * TABLES_MAX)
        .total_stacks(calls_max)
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
        // What is noted at a trap; memory is looked at only where a plugin is to leave a dump.
        .coredump_on_trap(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(FIBER_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // The same bits on every machine, so that a run can be replayed.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
