//! Questions to a person, as MCP has them: `elicitation/create`, and what comes back.

use super::Talk;
use super::message::{notification, request};
use super::session::{OpenQuestion, Session};
use ringmail_core::value::{Str, Value};
use ringmail_engine::{CallerAnswer, CallerQuestion};

/// The requests in whose course somebody may be asked.
pub(super) const CALLS: &[&str] = &["tools/call", "prompts/get", "resources/read"];
pub(super) const ELICIT: &str = "elicitation/create";

/// A question as it is asked.
pub(super) fn params(question: &CallerQuestion) -> Value {
    Value::map([
        ("message", Value::Str(question.message.clone())),
        ("requestedSchema", question.schema.clone()),
    ])
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
    let open = session.asked.ask();
    talk.out.as_ref()?.send(request(&open.id, ELICIT, params(question))).await.ok()?;
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
    let asked = Value::map([("method", Value::from(ELICIT)), ("params", params(question))]);
    vec![
        ("resultType", Value::from("input_required")),
        ("inputRequests", Value::map([(question.name.clone(), asked)])),
        ("requestState", Value::Str(state)),
    ]
}
