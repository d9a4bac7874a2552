//! What an argument of a prompt or a template may be, as far as the input's schema lists it.

use super::Guest;
use super::list::{is_prompt, is_resource};
use super::message::{Fault, Request};
use ringmail_core::chain::mcp::Shown;
use ringmail_core::value::Value;

/// Values of one answer, as the protocol has it.
const VALUES_MAX: usize = 100;

pub(super) fn complete(guest: &Guest, request: &Request) -> Result<Vec<(&'static str, Value)>, Fault> {
    let params = &request.params;
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(String::from);
    let unknown = || Fault::params("there is nothing of this name to complete");
    let of = params.get("ref").ok_or_else(unknown)?;
    let argument = params.get("argument").ok_or_else(unknown)?;
    let (name, begun) = (text(argument, "name"), text(argument, "value"));
    let (Some(name), Some(begun)) = (name, begun) else {
        return Err(Fault::params("an `argument` has a `name` and a `value`"));
    };
    let chain = match text(of, "type").as_deref() {
        Some("ref/prompt") => {
            let wanted = text(of, "name").ok_or_else(unknown)?;
            guest.shown(is_prompt).find(|chain| chain.name() == wanted)
        }
        Some("ref/resource") => {
            let wanted = text(of, "uri").ok_or_else(unknown)?;
            let fits =
                |shown: &Shown| matches!(shown, Shown::Resource { uri, .. } if **uri.text() == *wanted);
            guest.shown(is_resource).find(|chain| fits(&chain.plan().mcp.shown))
        }
        _ => None,
    };
    let schema = chain.ok_or_else(unknown)?.plan().input.as_ref().map(|schema| Value::from(schema.json()));
    let property = schema.as_ref().and_then(|schema| schema.get("properties")?.get(&name));
    let listed = property.and_then(|property| property.get("enum")?.as_list());
    let listed = listed.into_iter().flat_map(list_items).filter(|value| value.starts_with(&*begun));
    let all: Vec<&str> = listed.collect();
    let shown = all.iter().take(VALUES_MAX).map(|value| Value::from(*value));
    Ok(vec![(
        "completion",
        Value::map([
            ("values", Value::list(shown)),
            ("total", Value::Int(i64::try_from(all.len()).unwrap_or(i64::MAX))),
            ("hasMore", Value::Bool(all.len() > VALUES_MAX)),
        ]),
    )])
}

fn list_items(list: &ringmail_core::value::List) -> impl Iterator<Item = &str> {
    list.iter().filter_map(Value::as_str)
}
