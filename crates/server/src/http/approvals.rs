//! What runs ask persons, and what callers say to it. A caller sees what policy might let it say yes to, and what it says is
//! said to exactly what it saw.

use super::answer::{Answer, json};
use super::call::{bad, body};
use super::given::Given;
use crate::calls::{Asked, Turned};
use crate::problem::Problem;
use http::{Request, StatusCode};
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::value::Value;
use ringmail_engine::{Approvals, Inquiry};
use std::sync::Arc;

type Open<'a> = (&'a Arc<Approvals>, Vec<Inquiry>);

/// What this caller may say yes to: of its own tenant, if it has one, and of chains that its proof and this door are for.
fn open<'a>(asked: &Asked<'a>) -> Result<Open<'a>, Turned> {
    let none = |why: String| (Problem::not_found(), why);
    let engine = &asked.world.engine;
    let approvals = engine.approvals().ok_or_else(|| none("no runs ask persons here".into()))?;
    let mut open = approvals.open().map_err(|error| none(format!("cannot read what is asked: {error}")))?;
    let principal = asked.caller.principal();
    open.retain(|question| {
        let own = question.asked_by.tenant == principal.tenant && asked.is_for(&question.chain);
        own && engine.may_approve(principal, question)
    });
    Ok((approvals, open))
}

pub(super) fn list(asked: Asked<'_>) -> Result<Answer, Turned> {
    let (_, open) = open(&asked)?;
    if !open.is_empty() {
        let principal = asked.caller.principal();
        let unrecorded = |why: String| (Problem::overloaded(), why);
        let recorder = asked.world.engine.recorder();
        let recorder = recorder.ok_or_else(|| unrecorded("nothing can be recorded".into()))?;
        Approvals::shown(&open, principal, asked.doors.now_ms(), &**recorder)
            .map_err(|error| unrecorded(error.to_string()))?;
    }
    let all = Value::list(open.iter().map(Inquiry::to_value));
    Ok(json(StatusCode::OK, &Value::map([("approvals", all)])))
}

pub(super) async fn say(asked: Asked<'_>, id: &str, request: Request<Given>) -> Result<Answer, Turned> {
    let (approvals, open) = open(&asked)?;
    let nothing = || (Problem::not_found(), "no such question for this caller".to_string());
    let question = open.into_iter().find(|question| *question.id == *id).ok_or_else(nothing)?;
    let text = body(asked.world, request.into_body()).await?;
    let wrong = |detail: &str| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-input", "the input does not fit");
        bad(problem.detail(detail))
    };
    let said = parse(&text, &JsonLimits::default()).map_err(|error| wrong(&error.to_string()))?;
    let known = |map: &ringmail_core::value::Map| {
        map.iter().all(|(key, _)| matches!(&**key, "approve" | "value_sha256"))
    };
    let (Some(Value::Bool(yes)), Some(digest)) =
        (said.get("approve"), said.get("value_sha256").and_then(Value::as_str))
    else {
        return Err(wrong("`approve` is true or false, and `value_sha256` says of what"));
    };
    if !said.as_map().is_some_and(known) {
        return Err(wrong("there is a member besides `approve` and `value_sha256`"));
    }
    if digest != question.value_digest {
        let problem = Problem::new(StatusCode::CONFLICT, "conflict", "it is something else that is asked");
        return Err((problem, "the digest is that of another value".into()));
    }
    let recorder = asked.world.engine.recorder();
    let unrecorded = |why: String| (Problem::overloaded(), why);
    let recorder = recorder.ok_or_else(|| unrecorded("nothing can be recorded".into()))?;
    approvals
        .say(&question, asked.caller.principal(), *yes, asked.doors.now_ms(), &**recorder)
        .map_err(|error| unrecorded(error.to_string()))?;
    let told = [("id", Value::Str(question.id.clone())), ("approve", Value::Bool(*yes))];
    Ok(json(StatusCode::OK, &Value::map(told)))
}
