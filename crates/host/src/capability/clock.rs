//! `clock`: what time it is.

use super::{Capability, Question};
use crate::call::State;
use wasmtime::component::Linker;

pub(super) static CAPABILITY: Capability =
    Capability { name: "clock", import: "ringmail:plugin/clock@0.1.0", link };

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CAPABILITY.import)?.func_wrap_async("now", |mut store, (): ()| {
        Box::new(async move { Ok((store.data_mut().ask(Question::Now)?.await?,)) })
    })
}
