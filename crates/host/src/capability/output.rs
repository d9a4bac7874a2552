//! `output`: pieces of the output, on their way while the guest still runs. They count as output.

use super::wire::Error;
use super::{Capability, Denied, Errand, Question};
use crate::call::State;
use ringmail_core::json::{JsonLimits, parse};
use wasmtime::component::Linker;

pub(super) static CAPABILITY: Capability =
    Capability { name: "output", import: "ringmail:plugin/output@0.1.0", link };

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CAPABILITY.import)?.func_wrap_async("emit", |mut store, (piece,): (String,)| {
        Box::new(async move {
            store.data_mut().emits(piece.len())?;
            let bounds = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
            let args = match parse(piece.as_bytes(), &bounds) {
                Ok(args) => args,
                Err(error) => {
                    let message = format!("the piece is not JSON: {error}");
                    return Ok((Err(Error::from(Denied { refused: false, message })),));
                }
            };
            let asked = Errand { capability: CAPABILITY.name, tool: None, args };
            let answer = store.data_mut().ask(|to| Question::Ask(asked, to))?.await?;
            Ok((answer.map(drop).map_err(Error::from),))
        })
    })
}
