//! Processes behind walls: Landlock, a filter of system calls, limits, namespaces and groups where there are any, one
//! user that owns nothing, no descriptor of the host, and an environment that is what was granted. What cannot be
//! confined as its grant needs does not start. Decides nothing about grants or labels.

mod cgroup;
mod filter;
mod group;
mod landlock;
mod launch;
mod probe;
mod process;
mod program;
mod root;
mod spec;
mod sys;
mod worker;

pub use probe::{KernelWalls, Wall};
pub use process::{Child, ChildEnd, ChildFigures, ChildHalt, ChildLines, ChildStatus, run_child};
pub use program::program_digest;
pub use spec::{CHILD_UID, ChildAccess, ChildError, ChildFile, ChildLimits, ChildNet, ChildSpec};
pub use sys::without_core_dumps;
pub use worker::{WorkerWalls, confine_this_process};
