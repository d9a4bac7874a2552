//! What a caller is shown who may call more tools than are listed at once: one tool that finds them, and one that calls
//! what was found. Both show and reach what the caller might call anyway, and nothing else.

use super::Guest;
use super::list::{card_of, is_tool, shown_name};
use super::message::{Fault, Request};
use super::shape::text_block;
use ringmail_core::json::to_string;
use ringmail_core::value::{Str, Value};
use ringmail_engine::Chain;
use std::borrow::Cow;

pub(crate) const SEARCH: &str = "search_tools";
pub(crate) const CALL: &str = "call_tool";
/// Characters of what is searched for.
const ASKED_CHARS_MAX: usize = 1_000;
/// Tools of one answer, and how many without being asked.
const FOUND_MAX: usize = 50;
const FOUND: usize = 10;

/// Whether a caller may call more tools than are listed.
pub(super) fn is_needed(guest: &Guest) -> bool {
    guest.shown(is_tool).nth(guest.world.setting.limits.tools_max).is_some()
}

fn typed(kind: &'static str, words: &'static str, more: &[(&'static str, i64)]) -> Value {
    let said = [("type", Value::from(kind)), ("description", Value::from(words))];
    Value::map(said.into_iter().chain(more.iter().map(|(name, number)| (*name, Value::Int(*number)))))
}

fn object(properties: Value, required: &[&str]) -> Value {
    Value::map([
        ("type", Value::from("object")),
        ("properties", properties),
        ("required", Value::list(required.iter().map(|name| Value::from(*name)))),
        ("additionalProperties", Value::Bool(false)),
    ])
}

/// The two, as lists show them.
pub(super) fn cards() -> Value {
    let most = i64::try_from(FOUND_MAX).unwrap_or(i64::MAX);
    let asked = i64::try_from(ASKED_CHARS_MAX).unwrap_or(i64::MAX);
    let search = Value::map([
        ("query", typed("string", "words of names, descriptions and parameters", &[("maxLength", asked)])),
        ("limit", typed("integer", "how many are wanted", &[("minimum", 1), ("maximum", most)])),
        ("skip", typed("integer", "how many of the best are known already", &[("minimum", 0)])),
    ]);
    let call = Value::map([
        ("name", typed("string", "the tool, as it was found", &[])),
        ("arguments", typed("object", "as the tool's `inputSchema` has them", &[])),
    ]);
    let card = |name: &'static str, words: &'static str, schema: Value| {
        Value::map([
            ("name", Value::from(name)),
            ("description", Value::from(words)),
            ("inputSchema", schema),
        ])
    };
    Value::list([
        card(
            SEARCH,
            "Finds tools by words, the best first, with their schemas; without words, all in the order of their names. \
             There are too many to list.",
            object(search, &["query"]),
        ),
        card(CALL, "Calls a tool that was found.", object(call, &["name"])),
    ])
}

/// What a call of the calling tool stands for; any other call is itself.
pub(super) fn meant<'r>(guest: &Guest, request: &'r Request) -> Cow<'r, Request> {
    let text = |of: &Value| of.get("name").and_then(Value::as_str).map(String::from);
    let called = request.params.get("arguments").filter(|_| text(&request.params).as_deref() == Some(CALL));
    let Some((called, name)) = called.and_then(|called| Some((called, text(called)?))) else {
        return Cow::Borrowed(request);
    };
    if !is_needed(guest) {
        return Cow::Borrowed(request);
    }
    let members = request.params.as_map().into_iter().flat_map(|map| map.iter());
    let kept = members.filter(|(key, _)| !["name", "arguments"].contains(&&***key));
    let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
    let arguments = called.get("arguments").map(|arguments| (Str::from("arguments"), arguments.clone()));
    let params = [(Str::from("name"), Value::from(name))].into_iter().chain(arguments).chain(kept);
    Cow::Owned(Request { params: Value::map(params.collect::<Vec<_>>()), ..request.clone() })
}

/// An answer of the searching tool.
pub(super) fn find(guest: &Guest, params: &Value) -> Result<Vec<(&'static str, Value)>, Fault> {
    let wrong = || {
        Fault::params(format!(
            "`{SEARCH}` takes a `query` of at most {ASKED_CHARS_MAX} characters, a `limit` from 1 to {FOUND_MAX}, and how \
             many to `skip`"
        ))
    };
    let arguments = params.get("arguments").and_then(Value::as_map).ok_or_else(wrong)?;
    let number = |key: &str, standard: usize| match arguments.get(key) {
        None => Ok(standard),
        Some(Value::Int(int)) => usize::try_from(*int).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    };
    let query = arguments.get("query").and_then(Value::as_str).ok_or_else(wrong)?;
    let (limit, skip) = (number("limit", FOUND)?, number("skip", 0)?);
    let known = arguments.iter().all(|(name, _)| ["query", "limit", "skip"].contains(&&**name));
    if !known || !(1..=FOUND_MAX).contains(&limit) || query.chars().count() > ASKED_CHARS_MAX {
        return Err(wrong());
    }
    let chains: Vec<&Chain> = guest.shown(is_tool).collect();
    let found = match query.trim().is_empty() {
        true => chains,
        false => guest.world.found(query, &chains),
    };
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let page = found.iter().skip(skip).take(limit).map(|chain| card_of(chain));
    let result = Value::map([("tools", Value::list(page)), ("total", Value::Int(total))]);
    let text = text_block(Value::from(to_string(&result)));
    Ok(vec![("content", Value::list([text])), ("structuredContent", result)])
}

/// What is searched of a tool: its name, its words, and the names of its parameters.
pub(crate) fn texts(chain: &Chain) -> [(f64, String); 3] {
    let card = card_of(chain);
    let text = |key: &str| card.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    let words = format!("{} {}", text("title"), text("description"));
    let properties = card.get("inputSchema").and_then(|schema| schema.get("properties")?.as_map());
    let names: Vec<&str> =
        properties.into_iter().flat_map(|map| map.iter()).map(|(name, _)| &**name).collect();
    [(3.0, shown_name(chain).to_string()), (1.0, words), (1.5, names.join(" "))]
}
