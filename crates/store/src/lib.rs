//! What is kept on disk and must not lie: a log that can only grow. Knows bytes, order and durability, and nothing of what
//! a record says or who may read it.

mod file;
mod lineage;
mod log;
mod note;
mod tree;

pub use file::{copy_file, digest_file, put_once, sync_folders};
pub use lineage::Lineage;
pub use log::{Log, LogError, LogSettings, LogSpan, Logged, Position, Reader, copy_log, root_at};
pub use note::Signs;
pub use tree::{Hash, Tree, leaf};
