//! What is kept on disk and must not lie: a log that can only grow. Knows bytes, order and durability, and nothing of what
//! a record says or who may read it.

mod log;
mod note;
mod tree;

pub use log::{Log, LogError, LogSettings, LogSpan, Logged, Position, Reader, root_at};
pub use note::{Signs, newest_note};
pub use tree::{Hash, Tree, leaf};
