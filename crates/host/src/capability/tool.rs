//! `tool`: chains of the project that a guest may call, by name.

use super::wire::Error;
use super::{Capability, Denied, Errand, Question, ToolCard};
use crate::call::State;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::Value;
use wasmtime::component::{ComponentType, Linker, Lower};

pub(super) static CAPABILITY: Capability =
    Capability { name: "tool", import: "ringmail:plugin/tools@0.1.0", link };

#[derive(ComponentType, Lower)]
#[component(record)]
struct Tool {
    name: String,
    description: String,
    input: Option<String>,
}

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut tools = linker.instance(CAPABILITY.import)?;
    tools.func_wrap_async("list", |mut store, (): ()| {
        Box::new(async move {
            let cards = store.data_mut().ask(Question::Tools)?.await?;
            let tools = cards.into_iter().map(|ToolCard { name, description, input }| Tool {
                name,
                description,
                input,
            });
            Ok((tools.collect::<Vec<Tool>>(),))
        })
    })?;
    tools.func_wrap_async("call", |mut store, (name, input): (String, String)| {
        Box::new(async move {
            let args = match taken(&input) {
                Ok(args) => args,
                Err(denied) => return Ok((Err(Error::from(denied)),)),
            };
            let asked = Errand { capability: CAPABILITY.name, tool: Some(name), args };
            let answer = store.data_mut().ask(|to| Question::Ask(asked, to))?.await?;
            Ok((answer.map(|value| to_string(&value)).map_err(Error::from),))
        })
    })
}

/// How much a guest may hand over was counted before it came here.
fn taken(input: &str) -> Result<Value, Denied> {
    let bounds = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
    parse(input.as_bytes(), &bounds)
        .map_err(|error| Denied { refused: false, message: format!("the input is not JSON: {error}") })
}
