//! `fs`: files of granted mounts, judged where they are opened.

use super::wire::Error;
use super::{Capability, Denied, Errand, Question};
use crate::call::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::value::Value;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

pub(super) static CAPABILITY: Capability =
    Capability { name: "fs", import: "ringmail:plugin/files@0.1.0", link };

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut files = linker.instance(CAPABILITY.import)?;
    files.func_wrap_async("read", |store, (path,): (String,)| {
        Box::new(async move { Ok((act(store, "read", path, None).await?.and_then(content),)) })
    })?;
    files.func_wrap_async("write", |store, (path, content): (String, Vec<u8>)| {
        Box::new(async move { Ok((act(store, "write", path, Some(content)).await?.map(drop),)) })
    })?;
    files.func_wrap_async("remove", |store, (path,): (String,)| {
        Box::new(async move { Ok((act(store, "remove", path, None).await?.map(drop),)) })
    })?;
    files.func_wrap_async("names", |store, (folder,): (String,)| {
        Box::new(async move { Ok((act(store, "list", folder, None).await?.map(names),)) })
    })
}

async fn act(
    mut store: StoreContextMut<'_, State>,
    op: &'static str,
    path: String,
    content: Option<Vec<u8>>,
) -> wasmtime::Result<Result<Value, Error>> {
    let mut args = vec![("op", Value::from(op)), ("path", Value::from(path))];
    if op != "list" && op != "remove" {
        args.push(("as", Value::from("base64")));
    }
    args.extend(content.map(|content| ("content", Value::from(STANDARD.encode(content)))));
    let asked = Errand { capability: CAPABILITY.name, tool: None, args: Value::map(args) };
    Ok(store.data_mut().ask(|to| Question::Ask(asked, to))?.await?.map_err(Error::from))
}

/// Bytes travel as base64 between guest and engine, like any value that is no text.
fn content(value: Value) -> Result<Vec<u8>, Error> {
    let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
    bytes.ok_or_else(|| Denied { refused: false, message: "the file could not be read".into() }.into())
}

fn names(value: Value) -> Vec<String> {
    match value {
        Value::List(list) => list.iter().filter_map(Value::as_str).map(String::from).collect(),
        _ => Vec::new(),
    }
}
