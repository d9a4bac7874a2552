//! `net`: requests to granted addresses, through the engine's only way out.

use super::wire::Error;
use super::{Capability, Denied, Errand, Question};
use crate::call::State;
use ringmail_core::value::Value;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

pub(super) static CAPABILITY: Capability =
    Capability { name: "net", import: "ringmail:plugin/http@0.1.0", link };

/// More than any server takes.
const HEADERS_MAX: usize = 256;

#[derive(ComponentType, Lift)]
#[component(record)]
struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(CAPABILITY.import)?.func_wrap_async("send", |mut store, (request,): (Request,)| {
        Box::new(async move {
            if request.headers.len() > HEADERS_MAX {
                let message = format!("more than {HEADERS_MAX} headers");
                return Ok((Err(Error::from(Denied { refused: false, message })),));
            }
            let answer = store.data_mut().ask(|to| Question::Ask(asked(request), to))?.await?;
            Ok((answer.map(response).map_err(Error::from),))
        })
    })
}

fn asked(request: Request) -> Errand {
    let text = |text: String| Value::from(text);
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
    let headers = Value::map(headers);
    let mut args = vec![
        ("method", text(request.method)),
        ("url", text(request.url)),
        ("headers", headers),
        ("as", Value::from("text")),
        ("expect", Value::from("any")),
    ];
    args.extend(request.body.map(|body| ("body", text(body))));
    Errand { capability: CAPABILITY.name, tool: None, args: Value::map(args) }
}

fn response(answer: Value) -> Response {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let status = match answer.get("status") {
        Some(Value::Int(status)) => u16::try_from(*status).unwrap_or(0),
        _ => 0,
    };
    let headers = answer.get("headers").and_then(Value::as_map);
    let headers = headers.into_iter().flat_map(|map| map.iter());
    Response {
        status,
        headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: answer.get("body").map(text).unwrap_or_default(),
    }
}
