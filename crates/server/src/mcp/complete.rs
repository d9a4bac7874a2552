//! What an argument of a prompt or a template may be: as far as the input's schema lists it, or as a chain says that is
//! there for it.

use super::list::{is_prompt, is_resource, shown_name};
use super::message::{Fault, Request};
use super::{Guest, Talk, call, finished};
use ringmail_core::chain::mcp::Shown;
use ringmail_core::value::Value;
use ringmail_engine::Chain;

/// Values of one answer, as the protocol has it.
const VALUES_MAX: usize = 100;

pub(super) async fn complete(guest: &Guest, talk: &Talk, request: &Request) -> Result<Value, Fault> {
    let found = asked_of(guest, request);
    let completes = found.as_ref().ok().and_then(|(chain, ..)| {
        let name = chain.plan().mcp.completes.as_ref()?;
        guest.shown(|shown| *shown == Shown::Nothing).find(|known| known.name() == &**name)
    });
    if let Some(chain) = completes {
        return call::completion(guest, talk, request, chain).await;
    }
    let _held = guest.count(&request.method)?;
    let (chain, name, begun) = found?;
    Ok(finished(guest, &talk.era, vec![("completion", listed(chain, name, begun))], None))
}

/// The chain, the argument's name, and what is written of it so far.
fn asked_of<'g, 'r>(guest: &'g Guest, request: &'r Request) -> Result<(&'g Chain, &'r str, &'r str), Fault> {
    let params = &request.params;
    let unknown = || Fault::params("there is nothing of this name to complete");
    let of = params.get("ref").ok_or_else(unknown)?;
    let argument = params.get("argument").ok_or_else(unknown)?;
    let text = |of: &'r Value, key: &str| of.get(key).and_then(Value::as_str);
    let (Some(name), Some(begun)) = (text(argument, "name"), text(argument, "value")) else {
        return Err(Fault::params("an `argument` has a `name` and a `value`"));
    };
    let chain = match text(of, "type") {
        Some("ref/prompt") => {
            let wanted = text(of, "name").ok_or_else(unknown)?;
            guest.shown(is_prompt).find(|chain| shown_name(chain) == wanted)
        }
        Some("ref/resource") => {
            let wanted = text(of, "uri").ok_or_else(unknown)?;
            let fits =
                |shown: &Shown| matches!(shown, Shown::Resource { uri, .. } if **uri.text() == *wanted);
            guest.shown(is_resource).find(|chain| fits(&chain.plan().mcp.shown))
        }
        _ => None,
    };
    Ok((chain.ok_or_else(unknown)?, name, begun))
}

fn listed(chain: &Chain, name: &str, begun: &str) -> Value {
    let schema = chain.plan().input.as_ref().map(|schema| Value::from(schema.json()));
    let property = schema.as_ref().and_then(|schema| schema.get("properties")?.get(name));
    let listed = property.and_then(|property| property.get("enum")?.as_list());
    let listed = listed.into_iter().flat_map(list_items).filter(|value| value.starts_with(begun));
    let all: Vec<&str> = listed.collect();
    let shown = all.iter().take(VALUES_MAX).map(|value| Value::from(*value));
    Value::map([
        ("values", Value::list(shown)),
        ("total", Value::Int(i64::try_from(all.len()).unwrap_or(i64::MAX))),
        ("hasMore", Value::Bool(all.len() > VALUES_MAX)),
    ])
}

fn list_items(list: &ringmail_core::value::List) -> impl Iterator<Item = &str> {
    list.iter().filter_map(Value::as_str)
}
