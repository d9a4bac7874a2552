//! Says whether an audit log is what was written, from its files alone. Shares no code with what writes them, so that one
//! mistake is not made twice. Reads, never writes.

mod keys;
mod note;
mod proof;
mod tree;
mod walk;

pub use keys::KeysOfLog;
pub use note::{Checkpoint, public_key, verifier_key};
pub use proof::{is_proved, prove};
pub use walk::{Verified, Wrong, verify};
