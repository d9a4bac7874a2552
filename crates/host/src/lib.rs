//! Confinement: what runs code nobody has to trust. A guest gets a fresh instance for each call, limits on all it may
//! use, and only the imports its grant covers. Whatever it asks of the world leaves through [`Desk`], which the engine
//! implements as calls through the gate. Decides nothing about grants or labels.

mod cache;
mod call;
mod capability;
mod child;
mod core_module;
mod dump;
mod limits;
mod load;
mod meter;
mod prepare;
mod producers;
mod script;
mod ticks;
mod turns;
mod walls;
mod wasi;
mod worker;

pub use cache::ModuleCache;
pub use call::{CallFigures, Ended, Halt};
pub use capability::{CAPABILITIES, Capability, Denied, Desk, Errand, NoDesk, Reply, ToolCard};
pub use child::{
    CHILD_UID, Child, ChildAccess, ChildEnd, ChildError, ChildFigures, ChildFile, ChildHalt, ChildLimits,
    ChildLines, ChildNet, ChildSpec, ChildStatus, KernelWalls, Wall, WorkerWalls, confine_this_process,
    program_digest, run_child, without_core_dumps,
};
pub use dump::{DUMP_BYTES_MAX, Dumps};
pub use limits::CallLimits;
pub use load::{Confined, Granted, LoadError, MODULE_BYTES_MAX, Surface, surface};
pub use meter::{Metered, is_metered};
pub use prepare::{PrepareError, prepared};
pub use producers::producers;
pub use script::{
    SCRIPT_BYTES_MAX, SCRIPT_MEMORY_BYTES_MAX, Script, ScriptEnded, ScriptError, ScriptFault, ScriptHalt,
};
pub use turns::{Turn, Turns};
pub use walls::{MEMORY_BYTES_MAX, Walls, WallsError};
pub use worker::{WorkerCommand, Workers, serve_as_worker};
