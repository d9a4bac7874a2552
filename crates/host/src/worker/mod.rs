//! Plugins in processes of their own: the same guest behind the same walls, and around those the walls of a process
//! that gave up everything but computing. A guest that breaks out of its instance finds a socket to its host and
//! nothing else, and what it says there is judged as what any guest asks.

mod pool;
mod serve;
mod wire;

pub(crate) use pool::Isolated;
pub use pool::{WorkerCommand, Workers};
pub use serve::serve_as_worker;
