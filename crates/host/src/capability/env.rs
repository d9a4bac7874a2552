//! `env`: the settings an operator gave the plugin. The host's own environment is never seen.

use super::{Capability, Question};
use crate::call::State;
use wasmtime::component::Linker;

pub(super) static CAPABILITY: Capability =
    Capability { name: "env", import: "ringmail:plugin/config@0.1.0", link };

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CAPABILITY.import)?.func_wrap_async("get", |mut store, (key,): (String,)| {
        Box::new(async move { Ok((store.data_mut().ask(|to| Question::Setting(key, to))?.await?,)) })
    })
}
