//! `log`: lines to the host's log, a sink like any other.

use super::wire::Error;
use super::{Capability, Errand, Question};
use crate::call::State;
use ringmail_core::value::Value;
use wasmtime::component::{ComponentType, Lift, Linker};

pub(super) static CAPABILITY: Capability =
    Capability { name: "log", import: "ringmail:plugin/log@0.1.0", link };

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "guests make the values")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CAPABILITY.import)?.func_wrap_async(
        "write",
        |mut store, (level, message): (Level, String)| {
            Box::new(async move {
                let args = [("level", Value::from(level.word())), ("message", Value::from(message))];
                let asked = Errand { capability: CAPABILITY.name, tool: None, args: Value::map(args) };
                let answer = store.data_mut().ask(|to| Question::Ask(asked, to))?.await?;
                Ok((answer.map(drop).map_err(Error::from),))
            })
        },
    )
}
