//! `kv`: values that a guest keeps from call to call.

use super::wire::Error;
use super::{Capability, Denied, Errand, Question};
use crate::call::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::value::Value;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

pub(super) static CAPABILITY: Capability =
    Capability { name: "kv", import: "ringmail:plugin/kv@0.1.0", link };

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut kv = linker.instance(CAPABILITY.import)?;
    kv.func_wrap_async("get", |store, (key,): (String,)| {
        Box::new(async move { Ok((act(store, "get", &[("key", Some(key))]).await?.and_then(value),)) })
    })?;
    kv.func_wrap_async("set", |store, (key, value): (String, Vec<u8>)| {
        Box::new(async move {
            let value = STANDARD.encode(value);
            Ok((act(store, "set", &[("key", Some(key)), ("value", Some(value))]).await?.map(drop),))
        })
    })?;
    kv.func_wrap_async("delete", |store, (key,): (String,)| {
        Box::new(async move { Ok((act(store, "delete", &[("key", Some(key))]).await?.map(drop),)) })
    })?;
    kv.func_wrap_async("keys", |store, (prefix, after): (String, Option<String>)| {
        Box::new(async move {
            Ok((act(store, "keys", &[("prefix", Some(prefix)), ("after", after)]).await?.map(keys),))
        })
    })
}

async fn act(
    mut store: StoreContextMut<'_, State>,
    op: &str,
    args: &[(&str, Option<String>)],
) -> wasmtime::Result<Result<Value, Error>> {
    let given = args.iter().filter_map(|(name, text)| Some((*name, Value::from(text.as_deref()?))));
    let args = Value::map([("op", Value::from(op))].into_iter().chain(given));
    let asked = Errand { capability: CAPABILITY.name, tool: None, args };
    Ok(store.data_mut().ask(|to| Question::Ask(asked, to))?.await?.map_err(Error::from))
}

fn value(value: Value) -> Result<Option<Vec<u8>>, Error> {
    let unread = || Error::from(Denied { refused: false, message: "the value could not be read".into() });
    value.as_str().map(|text| STANDARD.decode(text).map_err(|_| unread())).transpose()
}

fn keys(value: Value) -> Vec<String> {
    match value {
        Value::List(list) => list.iter().filter_map(Value::as_str).map(String::from).collect(),
        _ => Vec::new(),
    }
}
