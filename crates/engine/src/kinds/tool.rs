//! `tool`: a call of one tool of a server of MCP, or, without a tool, what tools the server has. What it takes and gives is
//! held to the definition that was pinned.

use super::{Call, Runs, fail, invalid};
use crate::bound::Called;
use crate::run::Way;
use crate::upstreams::Wanted;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Blocked, Permit, Unchecked};
use ringmail_core::json::shorten;
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::label::Tags;
use ringmail_core::offer::{Card, Offered};
use ringmail_core::value::{Str, Value};

/// Values of one completion, as the protocol has it.
const VALUES_MAX: usize = 100;

pub(super) static KIND: Kind = Kind {
    name: "tool",
    doc: "a tool, a prompt or a resource of a server of MCP; answers with what it said, and `text`",
    settings: &[
        Key::required(
            "tool",
            Form::Text,
            "which one, as `SERVER/TOOL`, `SERVER/prompt:NAME` or `SERVER/resource:URI`; `SERVER` lists what there is",
        ),
        Key::new(
            "expect",
            Form::OneOf(&["success", "any"]),
            "whether a tool that says it failed is a failure; `any` gives its answer as it came; default success",
        ),
        Key::new(
            "complete",
            Form::Bool,
            "asks what an argument of a prompt or a template may be instead: `with` is `{argument: {name, value}}`, the \
             answer has `values`; default no",
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
    let completes = link.settings.get("complete") == Some(&Value::Bool(true));
    let pieces = way.pieces(&call.admitted, Tags::NONE);
    let args = match call.admitted.into_args() {
        Value::Null => Value::map::<Str>([]),
        args => args,
    };
    if let Some(card) = card.as_ref().filter(|_| completes) {
        check_asked(&args, card)?;
    } else if let Some(card) = card {
        card.input.check(&args).map_err(|found| gate::invalid("the arguments", &found))?;
    }
    let any = link.settings.get("expect").and_then(Value::as_str) == Some("any");
    let principal = way.shared.facts().principal.clone();
    let who = (principal.subject, principal.tenant);
    let engine = &way.shared.engine;
    let pieces = pieces.are_heard().then_some(&pieces);
    let wanted = Wanted { args: &args, completes, pieces };
    let brought = engine.upstreams.call(engine, &permit, who, wanted).await?;
    let value = match card.as_ref().map(|card| (card, card.offer)) {
        None => brought.value,
        Some(_) if completes => completion(&brought.value)?,
        Some((card, Offered::Tool)) => answer(card, brought.value, any)?,
        Some((_, Offered::Prompt)) => prompt(&brought.value, any)?,
        Some((_, Offered::Resource | Offered::Template)) => resource(&brought.value, any)?,
    };
    Ok(Unchecked::tagged(value, brought.echoed))
}

/// What an argument is asked about: its name and what is written of it so far.
fn check_asked(args: &Value, card: &Card) -> Result<(), Failure> {
    let text = |key: &str| args.get("argument").and_then(|argument| argument.get(key)?.as_str());
    let (Some(name), Some(_)) = (text("name"), text("value")) else {
        return Err(invalid("the arguments are `{argument: {name, value}}`, with texts"));
    };
    let known = card.input.json().get("properties").is_some_and(|known| known.get(name).is_some());
    if known { Ok(()) } else { Err(invalid(format!("there is no argument `{}`", shorten(name)))) }
}

fn completion(result: &Value) -> Result<Value, Failure> {
    let said = result.get("completion").ok_or_else(|| invalid("the answer has no `completion`"))?;
    let values = said.get("values").and_then(Value::as_list);
    let values = values.ok_or_else(|| invalid("the answer has no list of `values`"))?;
    if values.len() > VALUES_MAX || !values.iter().all(|value| value.as_str().is_some()) {
        return Err(invalid(format!("`values` are at most {VALUES_MAX} texts")));
    }
    let mut members = vec![("values", Value::List(values.clone()))];
    members.extend(
        said.get("total").filter(|total| matches!(total, Value::Int(_))).map(|of| ("total", of.clone())),
    );
    let more = said.get("hasMore").filter(|more| matches!(more, Value::Bool(_)));
    members.extend(more.map(|more| ("hasMore", more.clone())));
    Ok(Value::map(members))
}

/// All texts of some blocks, one below the other.
fn texts<'v>(blocks: impl Iterator<Item = &'v Value>) -> Value {
    let texts: Vec<&str> = blocks.filter_map(|block| block.get("text")?.as_str()).collect();
    Value::from(texts.join("\n"))
}

fn prompt(result: &Value, any: bool) -> Result<Value, Failure> {
    let messages = result.get("messages").and_then(Value::as_list);
    let messages = messages.ok_or_else(|| invalid("the answer has no `messages`"))?;
    let mut members = vec![("messages", Value::List(messages.clone()))];
    let words = result.get("description").filter(|words| words.as_str().is_some());
    members.extend(words.map(|words| ("description", words.clone())));
    if !any {
        members.push(("text", texts(messages.iter().filter_map(|message| message.get("content")))));
    }
    Ok(Value::map(members))
}

fn resource(result: &Value, any: bool) -> Result<Value, Failure> {
    let contents = result.get("contents").and_then(Value::as_list);
    let contents = contents.ok_or_else(|| invalid("the answer has no `contents`"))?;
    let mut members = vec![("contents", Value::List(contents.clone()))];
    if !any {
        members.push(("text", texts(contents.iter())));
    }
    Ok(Value::map(members))
}

fn answer(card: &Card, result: Value, any: bool) -> Result<Value, Failure> {
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
    let mut members = kept(&["content", "structuredContent"]);
    members.push(("text".into(), texts(content.iter())));
    Ok(Value::map(members))
}
