//! `tool`: a call of one tool of a server of MCP, or, without a tool, what tools the server has. What it takes and gives is
//! held to the definition that was pinned.

use super::{Call, Runs, fail, invalid};
use crate::bound::Called;
use crate::run::Way;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Blocked, Permit, Unchecked};
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::label::Tags;
use ringmail_core::upstream::PinnedTool;
use ringmail_core::value::{Str, Value};

pub(super) static KIND: Kind = Kind {
    name: "tool",
    doc: "a tool of a server of MCP; answers with `content`, `text` and `structuredContent`",
    settings: &[
        Key::required("tool", Form::Text, "which one, as `SERVER/TOOL`; `SERVER` lists its tools"),
        Key::new(
            "expect",
            Form::OneOf(&["success", "any"]),
            "whether a tool that says it failed is a failure; `any` gives its answer as it came; default success",
        ),
    ],
    with: With::Anything,
    role: Role::Tool,
    source: true,
    patient: true,
    passes: None,
    needs,
    reach: Reach::Tool,
};

fn needs(link: &Link, args: &Value) -> Result<Vec<Need>, String> {
    let Detail::Tool { upstream, card } = &link.detail else { return Err("the link has no tool".into()) };
    if !matches!(args, Value::Null | Value::Map(_)) {
        return Err(format!("the arguments of a tool are a map, not {}", args.type_name()));
    }
    let tool = card.as_ref().map(|card| card.name.clone());
    Ok(vec![Need::Tool { upstream: upstream.clone(), tool }])
}

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(ask(way.clone(), call))
    }
}

async fn ask(way: Way, mut call: Call) -> Result<Unchecked, Blocked> {
    let (link, _) = way.link(call.admitted.position())?;
    let Detail::Tool { card, .. } = &link.detail else {
        return fail(Failure::new(FailureKind::Invalid, "the link has no tool")).await;
    };
    let Some(Permit::Tool(permit)) = call.admitted.take_permit() else {
        return fail(Failure::new(FailureKind::NotFound, "the call has no permit")).await;
    };
    let pieces = way.pieces(&call.admitted, Tags::NONE);
    let args = match call.admitted.into_args() {
        Value::Null => Value::map::<Str>([]),
        args => args,
    };
    if let Some(card) = card {
        card.input.check(&args).map_err(|found| gate::invalid("the arguments", &found))?;
    }
    let principal = way.shared.facts().principal.clone();
    let who = (principal.subject, principal.tenant);
    let engine = &way.shared.engine;
    let heard = pieces.are_heard().then_some(&pieces);
    let brought = engine.upstreams.call(engine, &permit, who, &args, heard).await?;
    let value = match card {
        None => brought.value,
        Some(card) => {
            answer(card, brought.value, link.settings.get("expect").and_then(Value::as_str) == Some("any"))?
        }
    };
    Ok(Unchecked::tagged(value, brought.echoed))
}

fn answer(card: &PinnedTool, result: Value, any: bool) -> Result<Value, Failure> {
    let Some(content) = result.get("content").and_then(Value::as_list) else {
        return Err(invalid("the answer has no `content`"));
    };
    let failed = result.get("isError") == Some(&Value::Bool(true));
    let data = result.get("structuredContent");
    if let Some(schema) = card.output.as_ref().filter(|_| !failed) {
        let data =
            data.ok_or_else(|| invalid("the answer has no `structuredContent`, which its tool promises"))?;
        schema.check(data).map_err(|found| gate::invalid("the answer", &found))?;
    }
    let kept = |names: &[&str]| {
        let members = names.iter().filter_map(|name| Some((Str::from(*name), result.get(name)?.clone())));
        members.collect::<Vec<_>>()
    };
    if any {
        return Ok(Value::map(kept(&["content", "structuredContent", "isError"])));
    }
    if failed {
        let help = "`expect: any` shows what it said";
        return Err(Failure::new(FailureKind::Status, format!("the tool says that it failed; {help}")));
    }
    let texts: Vec<&str> =
        content.iter().filter_map(|block| block.get("text").and_then(Value::as_str)).collect();
    let mut members = kept(&["content", "structuredContent"]);
    members.push(("text".into(), Value::from(texts.join("\n"))));
    Ok(Value::map(members))
}
