//! Core dumps: what a guest's memory and stack were when it crashed, in the format that WebAssembly's tools read. Off unless
//! the operator asks. Before a byte is copied, whoever asked takes out of the memory what must not be in there.

use crate::call::State;
use crate::load::Confined;
use std::sync::Arc;
use wasmtime::{Store, Trap, WasmCoreDump};

/// Largest memory of which a dump is made, and largest dump.
pub const DUMP_BYTES_MAX: usize = 64 << 20;

type Hide = dyn Fn(&mut [u8]) + Send + Sync;

/// That crashes of a guest leave dumps.
#[derive(Clone)]
pub struct Dumps {
    /// What the guest is called in its dumps.
    pub name: String,
    /// Takes out of a memory what must not be in there.
    pub hide: Arc<Hide>,
}

impl std::fmt::Debug for Dumps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dumps({})", self.name)
    }
}

impl Confined {
    /// The dump of a guest that trapped, if it is to leave one. A guest that ran until its time was over did not crash.
    pub(crate) fn dump(&self, store: &mut Store<State>, error: &wasmtime::Error) -> Option<Vec<u8>> {
        let dumps = self.dumps.as_ref()?;
        let core = error.downcast_ref::<WasmCoreDump>()?;
        let over = error.downcast_ref::<Trap>() == Some(&Trap::Interrupt);
        if over || store.data().memory_bytes_peak() > DUMP_BYTES_MAX {
            return None;
        }
        for memory in core.memories() {
            (dumps.hide)(memory.data_mut(&mut *store));
        }
        Some(core.serialize(store, &dumps.name)).filter(|dump| dump.len() <= DUMP_BYTES_MAX)
    }
}
