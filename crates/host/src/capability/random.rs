//! `random`: bytes nobody can guess.

use super::{Capability, Question};
use crate::call::State;
use wasmtime::component::Linker;

pub(super) static CAPABILITY: Capability =
    Capability { name: "random", import: "ringmail:plugin/random@0.1.0", link };

/// Most bytes of one call.
pub(crate) const BYTES_MAX: u32 = 64 << 10;

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CAPABILITY.import)?.func_wrap_async("bytes", |mut store, (count,): (u32,)| {
        Box::new(async move {
            if count > BYTES_MAX {
                wasmtime::bail!("more than {BYTES_MAX} random bytes at once");
            }
            let bytes = store.data_mut().ask(|to| Question::Random(count, to))?.await?;
            let none = || wasmtime::format_err!("the operating system gives no randomness");
            Ok((bytes.ok_or_else(none)?,))
        })
    })
}
