//! A server that speaks HTTP as its OpenAPI document says: an operation is one request through the one egress, and its
//! answer is a tool's.

use super::Brought;
use super::web::{Through, answered};
use crate::egress::{Answered, Body, Outgoing, Received, Sent};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::Blocked;
use ringmail_core::json::{JsonLimits, is_json, parse, to_string};
use ringmail_core::openapi::Operation;
use ringmail_core::value::Value;

pub(super) async fn call(
    through: &Through<'_>,
    operation: &Operation,
    args: &Value,
) -> Result<Brought, Blocked> {
    let (permit, asking) =
        through.permit.request(operation, args).map_err(|why| Failure::new(FailureKind::Invalid, why))?;
    let mut headers = asking.headers;
    headers.push(("accept".into(), "application/json".into()));
    headers.extend(through.permit.headers());
    let body = asking.body.map(|body| Body::Json(to_string(&body)));
    if body.is_some() {
        headers.push(("content-type".into(), "application/json".into()));
    }
    let engine = through.engine;
    let outgoing = Outgoing { headers, body };
    match engine.egress.send(permit, outgoing, &engine.secrets, &mut Sent::default()).await? {
        Answered::Whole(received) if received.status == 429 || received.status >= 500 => {
            Err(answered(received.status).into())
        }
        Answered::Whole(received) => {
            let value = result(operation, &received)?;
            Ok(Brought { value, echoed: received.echoed })
        }
        Answered::Elsewhere(_) => Err(answered(307).into()),
    }
}

/// An answer as tools give theirs.
fn result(operation: &Operation, received: &Received) -> Result<Value, Failure> {
    let good = (200..300).contains(&received.status);
    let json = received.header("content-type").is_some_and(is_json);
    let mut members = Vec::new();
    let text = match std::str::from_utf8(&received.body) {
        Ok(text) => text.to_string(),
        Err(_) => STANDARD.encode(&received.body),
    };
    if good && json && !received.body.is_empty() {
        let limits = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
        let data = parse(&received.body, &limits)
            .map_err(|error| Failure::new(FailureKind::Invalid, format!("the answer is no JSON: {error}")))?;
        let data = if operation.wraps { Value::map([("result", data)]) } else { data };
        if data.as_map().is_some() {
            members.push(("structuredContent", data));
        }
    }
    let block = Value::map([("type", Value::from("text")), ("text", Value::from(text))]);
    members.push(("content", Value::list([block])));
    if !good {
        members.push(("isError", Value::Bool(true)));
    }
    Ok(Value::map(members))
}
