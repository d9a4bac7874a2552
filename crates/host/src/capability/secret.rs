//! `secret`: placeholders of granted secrets. A value never enters a guest.

use super::{Capability, Question};
use crate::call::State;
use wasmtime::component::Linker;

pub(super) static CAPABILITY: Capability =
    Capability { name: "secret", import: "ringmail:plugin/secrets@0.1.0", link };

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CAPABILITY.import)?.func_wrap_async("placeholder", |mut store, (name,): (String,)| {
        Box::new(async move { Ok((store.data_mut().ask(|to| Question::Secret(name, to))?.await?,)) })
    })
}
