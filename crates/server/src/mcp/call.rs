//! Calls of chains as tools, prompts and resources: counted, given their turn and run as from any other door.

use super::list::{is_plain, is_prompt, is_template, is_tool, shown_name, takes_object};
use super::message::{Fault, INVALID_PARAMS, Request};
use super::play::{Came, Played, play};
use super::{Era, Guest, Talk, fault, finished, search, shape, tasks};
use crate::problem::Problem;
use crate::runs::Of;
use ringmail_core::chain::mcp::Shown;
use ringmail_core::failure::FailureKind;
use ringmail_core::value::{Str, Value};
use ringmail_engine::Chain;

const NO_RESOURCE: i64 = -32002;
const INTERNAL: i64 = -32603;
const META_RUN: &str = "ringmail/run";

pub(super) async fn tool(guest: &Guest, talk: &Talk, request: &Request) -> Result<Value, Fault> {
    let name = request.params.get("name").and_then(Value::as_str);
    let chain = name.and_then(|name| guest.shown(is_tool).find(|chain| shown_name(chain) == name));
    let Some(chain) = chain else {
        let _held = guest.count(&request.method)?;
        if name == Some(search::SEARCH) && search::is_needed(guest) {
            return Ok(finished(guest, &talk.era, search::find(guest, &request.params)?, None));
        }
        return Err(Fault::params("there is no such tool, or none for this caller"));
    };
    let input = arguments(chain, &request.params)?;
    if tasks::is_made(guest, talk, request, chain) {
        return tasks::begin(guest, talk, request, chain, input).await;
    }
    let played = match play(guest, talk, request, chain, input).await? {
        Came::Ended(played) => played,
        Came::Asked(question) => return Ok(question),
    };
    Ok(told(guest, &talk.era, &Of::plan(chain.plan()), played))
}

/// What a call of a tool is answered with, when its run has ended.
pub(super) fn told(guest: &Guest, era: &Era, of: &Of, played: Played) -> Value {
    let mut members = match &played.ended {
        Ok(output) => shape::tool(of.content, output).unwrap_or_else(|| {
            let (problem, id) = misshapen(guest, &of.chain);
            shape::failed(&problem, &id)
        }),
        Err(problem) => shape::failed(problem, &played.id),
    };
    members.push(("_meta", Value::map([(META_RUN, Value::Str(played.id))])));
    finished(guest, era, members, None)
}

/// An output that was to be content and is none: what is told of it, and under which id it is known.
fn misshapen(guest: &Guest, chain: &str) -> (Problem, Str) {
    let problem = Problem::new(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        FailureKind::Invalid.id(),
        FailureKind::Invalid.public(),
    );
    let turned = (problem, "the output is not content as MCP has it".to_string());
    let (_, id) = guest.turned(chain, &turned);
    (turned.0, id)
}

/// The arguments of a tool as the chain's input.
fn arguments(chain: &Chain, params: &Value) -> Result<Value, Fault> {
    let arguments = match params.get("arguments") {
        None => Value::map::<Str>([]),
        Some(arguments) if arguments.as_map().is_some() => arguments.clone(),
        Some(_) => return Err(Fault::params("`arguments` is an object")),
    };
    if takes_object(chain) {
        return Ok(arguments);
    }
    let foreign = arguments.as_map().is_some_and(|map| map.iter().any(|(name, _)| &**name != "input"));
    if foreign {
        return Err(Fault::params("this tool takes `input` and nothing else"));
    }
    Ok(arguments.get("input").cloned().unwrap_or(Value::Null))
}

pub(super) async fn prompt(guest: &Guest, talk: &Talk, request: &Request) -> Result<Value, Fault> {
    let name = request.params.get("name").and_then(Value::as_str);
    let chain = name.and_then(|name| guest.shown(is_prompt).find(|chain| shown_name(chain) == name));
    let Some(chain) = chain else {
        let _held = guest.count(&request.method)?;
        return Err(Fault::params("there is no such prompt, or none for this caller"));
    };
    let input = match request.params.get("arguments") {
        None if chain.plan().input.is_none() => Value::Null,
        None => Value::map::<Str>([]),
        Some(arguments) => arguments.clone(),
    };
    let played = match play(guest, talk, request, chain, input).await? {
        Came::Ended(played) => played,
        Came::Asked(question) => return Ok(question),
    };
    let output = played.ended.map_err(|problem| failed(&problem, &played.id))?;
    let members = shape::prompt(&chain.plan().mcp, &output);
    let members = members.ok_or_else(|| {
        let (problem, id) = misshapen(guest, chain.name());
        failed(&problem, &id)
    })?;
    Ok(finished(guest, &talk.era, members, None))
}

pub(super) async fn resource(guest: &Guest, talk: &Talk, request: &Request) -> Result<Value, Fault> {
    let uri = request.params.get("uri").and_then(Value::as_str);
    let found = uri.and_then(|uri| {
        let fitting = |kind| {
            guest.shown(kind).find_map(|chain| match &chain.plan().mcp.shown {
                Shown::Resource { uri: pattern, media } => Some((chain, media, uri, pattern.fit(uri)?)),
                _ => None,
            })
        };
        // What is there by this very name is meant, whatever templates would fit as well.
        fitting(is_plain).or_else(|| fitting(is_template))
    });
    let Some((chain, media, uri, named)) = found else {
        let _held = guest.count(&request.method)?;
        let code = if talk.era.is_stateless() { INVALID_PARAMS } else { NO_RESOURCE };
        let data = Value::map([("uri", uri.map_or(Value::Null, Value::from))]);
        return Err(Fault::new(code, "there is no such resource, or none for this caller").data(data));
    };
    let input = match chain.plan().input {
        None => Value::Null,
        Some(_) => Value::map(named.into_iter().map(|(name, value)| (name, Value::from(value)))),
    };
    let played = match play(guest, talk, request, chain, input).await? {
        Came::Ended(played) => played,
        Came::Asked(question) => return Ok(question),
    };
    let output = played.ended.map_err(|problem| failed(&problem, &played.id))?;
    let members = shape::resource(&chain.plan().mcp, uri, media, &output);
    let members = members.ok_or_else(|| {
        let (problem, id) = misshapen(guest, chain.name());
        failed(&problem, &id)
    })?;
    Ok(finished(guest, &talk.era, members, Some(0)))
}

/// What has no place for errors in its result.
fn failed(problem: &Problem, id: &Str) -> Fault {
    let code = if problem.code == "invalid-input" { INVALID_PARAMS } else { INTERNAL };
    Fault { code, status: http::StatusCode::OK, ..fault(problem, id) }
}

/// Asks the chain what arguments may be that is there for that.
pub(super) async fn completion(
    guest: &Guest,
    talk: &Talk,
    request: &Request,
    chain: &Chain,
) -> Result<Value, Fault> {
    let given = ["argument", "context"].into_iter();
    let given = given.filter_map(|key| Some((key, request.params.get(key)?.clone())));
    let played = match play(guest, talk, request, chain, Value::map(given)).await? {
        Came::Ended(played) => played,
        Came::Asked(question) => return Ok(question),
    };
    let output = played.ended.map_err(|problem| failed(&problem, &played.id))?;
    Ok(finished(guest, &talk.era, vec![("completion", output)], None))
}
