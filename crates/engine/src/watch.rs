//! Who looks on while a run happens: the progress tree of the command line, tests, later the console.

use ringmail_core::trail::Event;

/// Sees each stage as it happens. Must not wait; it cannot change anything.
pub trait Watch: Send + Sync {
    fn stage(&self, event: &Event);
}
