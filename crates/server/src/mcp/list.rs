//! What a caller is shown: the chains it might ever run, as tools, prompts and resources, in the order of their names.

use super::message::{Fault, Request};
use super::{Guest, search};
use ringmail_core::chain::mcp::Shown;
use ringmail_core::schema::Schema;
use ringmail_core::value::{Str, Value};
use ringmail_engine::Chain;

/// Entries of one page.
const PAGE: usize = 250;

type Members = Vec<(&'static str, Value)>;

pub(crate) fn is_tool(shown: &Shown) -> bool {
    matches!(shown, Shown::Tool)
}

/// What clients call a chain that is a tool or a prompt.
pub(crate) fn shown_name(chain: &Chain) -> &str {
    let card = chain.plan().mcp.card.as_ref();
    card.and_then(|card| card.get("name")?.as_str()).unwrap_or(chain.name())
}

pub(super) fn is_prompt(shown: &Shown) -> bool {
    matches!(shown, Shown::Prompt)
}

pub(super) fn is_resource(shown: &Shown) -> bool {
    matches!(shown, Shown::Resource { .. })
}

pub(super) fn is_plain(shown: &Shown) -> bool {
    matches!(shown, Shown::Resource { uri, .. } if uri.names().next().is_none())
}

pub(super) fn is_template(shown: &Shown) -> bool {
    is_resource(shown) && !is_plain(shown)
}

/// A page of what there is. The cursor is the last name of the page before.
fn page(
    guest: &Guest,
    request: &Request,
    member: &'static str,
    kind: fn(&Shown) -> bool,
    card: impl Fn(&Chain) -> Value,
) -> Result<Members, Fault> {
    let mut chains = guest.shown(kind).peekable();
    if let Some(cursor) = request.params.get("cursor") {
        let known = cursor.as_str().is_some_and(|cursor| chains.any(|chain| chain.name() == cursor));
        if !known {
            return Err(Fault::params("the cursor leads nowhere"));
        }
    }
    let (mut cards, mut last) = (Vec::new(), None);
    while cards.len() < PAGE
        && let Some(chain) = chains.next()
    {
        cards.push(card(chain));
        last = Some(chain.plan().name.clone());
    }
    let mut members = vec![(member, Value::list(cards))];
    if chains.peek().is_some()
        && let Some(last) = last
    {
        members.push(("nextCursor", Value::Str(last)));
    }
    Ok(members)
}

fn named(chain: &Chain) -> Members {
    let plan = chain.plan();
    let mut members = vec![("name", Value::Str(plan.name.clone()))];
    if !plan.description.is_empty() {
        members.push(("description", Value::Str(plan.description.clone())));
    }
    members
}

fn is_object(schema: &Schema) -> bool {
    schema.json().get("type").and_then(|kind| kind.as_str()) == Some("object")
}

/// Whether a chain takes the arguments of a tool as they are, or in their member `input`.
pub(super) fn takes_object(chain: &Chain) -> bool {
    chain.plan().input.as_ref().is_some_and(is_object)
}

fn input_schema(chain: &Chain) -> Value {
    if let Some(schema) = chain.plan().input.as_ref().filter(|schema| is_object(schema)) {
        return Value::from(schema.json());
    }
    let input = chain.plan().input.as_ref().map(|schema| Value::from(schema.json()));
    let mut members = vec![("type", Value::from("object"))];
    let required = input.is_some();
    let input = input.unwrap_or_else(|| Value::map::<Str>([]));
    members.push(("properties", Value::map([("input", input)])));
    if required {
        members.push(("required", Value::list([Value::from("input")])));
    }
    members.push(("additionalProperties", Value::Bool(false)));
    Value::map(members)
}

pub(super) fn tools(guest: &Guest, request: &Request) -> Result<Members, Fault> {
    if search::is_needed(guest) {
        return Ok(vec![("tools", search::cards())]);
    }
    page(guest, request, "tools", is_tool, card_of)
}

/// A tool, as clients are shown it.
pub(super) fn card_of(chain: &Chain) -> Value {
    let plan = chain.plan();
    if let Some(card) = &plan.mcp.card {
        return card.clone();
    }
    let mut members = named(chain);
    members.push(("inputSchema", input_schema(chain)));
    let answers = plan.returns.as_ref().filter(|schema| is_object(schema) && !plan.mcp.content);
    members.extend(answers.map(|schema| ("outputSchema", Value::from(schema.json()))));
    Value::map(members)
}

pub(super) fn prompts(guest: &Guest, request: &Request) -> Result<Members, Fault> {
    page(guest, request, "prompts", is_prompt, prompt_of)
}

pub(super) fn prompt_of(chain: &Chain) -> Value {
    if let Some(card) = &chain.plan().mcp.card {
        return card.clone();
    }
    let mut members = named(chain);
    members.push(("arguments", Value::list(arguments(chain))));
    Value::map(members)
}

/// The members of a prompt's input.
fn arguments(chain: &Chain) -> Vec<Value> {
    let Some(schema) = chain.plan().input.as_ref().map(Schema::json) else { return Vec::new() };
    let required = schema.get("required").and_then(|required| required.as_array());
    let properties = schema.get("properties").and_then(|properties| properties.as_object());
    let argument = |(name, of): (&String, &_)| {
        let is_required = required.is_some_and(|all| all.iter().any(|known| known.as_str() == Some(name)));
        let mut members = vec![("name", Value::from(name.as_str())), ("required", Value::Bool(is_required))];
        if let Some(Value::Str(description)) = Value::from(of).get("description") {
            members.push(("description", Value::Str(description.clone())));
        }
        Value::map(members)
    };
    properties.into_iter().flatten().map(argument).collect()
}

pub(super) fn resources(guest: &Guest, request: &Request) -> Result<Members, Fault> {
    page(guest, request, "resources", is_plain, resource_of)
}

pub(super) fn templates(guest: &Guest, request: &Request) -> Result<Members, Fault> {
    page(guest, request, "resourceTemplates", is_template, resource_of)
}

pub(super) fn resource_of(chain: &Chain) -> Value {
    if let Some(card) = &chain.plan().mcp.card {
        return card.clone();
    }
    let mut members = named(chain);
    if let Shown::Resource { uri, media } = &chain.plan().mcp.shown {
        let place = if uri.names().next().is_none() { "uri" } else { "uriTemplate" };
        members.push((place, Value::Str(uri.text().clone())));
        members.push(("mimeType", Value::Str(media.clone())));
    }
    Value::map(members)
}
