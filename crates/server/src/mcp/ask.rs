//! Questions to a person, as MCP has them: `elicitation/create`, and what comes back.

use super::Talk;
use super::message::{Fault, notification, request};
use super::session::{OpenQuestion, Session};
use ringmail_core::value::{Str, Value};
use ringmail_engine::{CallerAnswer, CallerQuestion};

/// The requests in whose course somebody may be asked.
pub(super) const CALLS: &[&str] = &["tools/call", "prompts/get", "resources/read"];
pub(super) const ELICIT: &str = "elicitation/create";

/// A question as it is asked.
fn params(message: &Str, schema: &Value) -> Value {
    Value::map([("message", Value::Str(message.clone())), ("requestedSchema", schema.clone())])
}

/// A question for whoever comes back with the answer.
pub(super) fn request_of(message: &Str, schema: &Value) -> Value {
    Value::map([("method", Value::from(ELICIT)), ("params", params(message, schema))])
}

/// What needs a person, and a client that has none.
pub(super) fn unable() -> Fault {
    let able = Value::map([("elicitation", Value::map::<Str>([]))]);
    Fault::lacking(able, "this needs a client that can ask a person")
}

/// What came back. Whatever is no answer is one that does not fit.
pub(super) fn read(result: &Value) -> CallerAnswer {
    match result.get("action").and_then(Value::as_str) {
        Some("accept") => CallerAnswer::Given(result.get("content").cloned().unwrap_or_default()),
        Some("decline") => CallerAnswer::Declined,
        Some("cancel") => CallerAnswer::Dismissed,
        _ => CallerAnswer::Given(Value::Null),
    }
}

/// Asks in the course of a session; nothing if there is nobody to be asked any more.
pub(super) async fn ask(talk: &Talk, session: &Session, question: &CallerQuestion) -> Option<OpenQuestion> {
    let (open, asked) = (session.asked.ask(), params(&question.message, &question.schema));
    talk.out.as_ref()?.send(request(&open.id, ELICIT, asked)).await.ok()?;
    Some(open)
}

/// Tells that nobody waits for an answer any more.
pub(super) async fn give_up(talk: &Talk, open: OpenQuestion) {
    let params = [("requestId", open.id.to_value()), ("reason", Value::from("nobody waits for it any more"))];
    if let Some(out) = &talk.out {
        // Whoever listened has gone.
        let _unheard = out.send(notification("notifications/cancelled", Value::map(params))).await;
    }
}

/// Questions for whoever calls again with the answers.
pub(super) fn required(question: &CallerQuestion, state: Str) -> Vec<(&'static str, Value)> {
    let asked = request_of(&question.message, &question.schema);
    vec![
        ("resultType", Value::from("input_required")),
        ("inputRequests", Value::map([(question.name.clone(), asked)])),
        ("requestState", Value::Str(state)),
    ]
}
