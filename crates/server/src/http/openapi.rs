//! OpenAPI 3.1 of the chains one caller may call, written from their schemas.

use super::input::{ANY_FILE, FORM};
use crate::calls::Asked;
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::schema::Schema;
use ringmail_core::schema::form::Takes;
use ringmail_core::value::{Str, Value};
use ringmail_engine::Chain;

/// Where schemas stand in the document.
const COMPONENTS: &str = "#/components/schemas/";

/// A chain as lists show it.
pub(super) fn card(chain: &Chain) -> Value {
    let plan = chain.plan();
    let mut members = vec![("name", Value::Str(plan.name.clone()))];
    members.extend(described(chain));
    members.extend(plan.input.as_ref().map(|schema| ("input", written(schema))));
    members.extend(plan.returns.as_ref().map(|schema| ("output", written(schema))));
    Value::map(members)
}

pub(super) fn all(asked: Asked<'_>) -> Value {
    document(asked, asked.world.chains_for(asked.listener, asked.caller))
}

pub(super) fn one(asked: Asked<'_>, chain: &Chain) -> Value {
    document(asked, std::iter::once(chain))
}

fn described(chain: &Chain) -> Option<(&'static str, Value)> {
    let description = &chain.plan().description;
    (!description.is_empty()).then(|| ("description", Value::Str(description.clone())))
}

fn written(schema: &Schema) -> Value {
    parse(schema.json().to_string().as_bytes(), &JsonLimits::default()).unwrap_or(Value::Bool(true))
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::map(members)
}

fn typed(kind: &str) -> Value {
    object([("type", text(kind))])
}

/// A part of the document, by its name.
fn component(name: &str) -> Value {
    object([("$ref", Value::from(format!("{COMPONENTS}{name}")))])
}

fn document<'c>(asked: Asked<'_>, chains: impl Iterator<Item = &'c Chain>) -> Value {
    let mut paths: Vec<(String, Value)> = Vec::new();
    let mut schemas: Vec<(String, Value)> =
        vec![("Problem".into(), problem_schema()), ("Run".into(), run_schema())];
    for chain in chains {
        let plan = chain.plan();
        for (part, schema) in [("input", &plan.input), ("output", &plan.returns)] {
            let Some(schema) = schema else { continue };
            let name = format!("{}.{part}", plan.name);
            schemas.push((name.clone(), anchored(&written(schema), &name)));
        }
        let operations = [("get", about(chain)), ("post", operation(chain))];
        paths.push((format!("/chains/{}", plan.name), object(operations)));
    }
    paths.push(("/runs/{run}".into(), runs()));
    let bearer = object([("type", text("http")), ("scheme", text("bearer"))]);
    let mut security = vec![object([("bearer", Value::list([]))])];
    if asked.listener.anonymous {
        security.push(object([]));
    }
    let info =
        object([("title", text(asked.world.engine.name())), ("version", text(env!("CARGO_PKG_VERSION")))]);
    object([
        ("openapi", text("3.1.0")),
        ("info", info),
        ("paths", Value::map(paths)),
        (
            "components",
            object([("schemas", Value::map(schemas)), ("securitySchemes", object([("bearer", bearer)]))]),
        ),
        ("security", Value::list(security)),
    ])
}

/// A schema as it is in a document of which it is a part: what it refers to stands below its name.
fn anchored(schema: &Value, name: &str) -> Value {
    match schema {
        Value::Map(map) => Value::map(map.iter().map(|(key, inner)| {
            let inner = match (&**key, inner.as_str()) {
                ("$ref", Some(target)) => {
                    let target = target.strip_prefix('#').unwrap_or(target);
                    Value::from(format!("{COMPONENTS}{name}{target}"))
                }
                // What stands there is data, whatever it looks like.
                ("const" | "enum" | "default" | "examples", _) => inner.clone(),
                _ => anchored(inner, name),
            };
            (key.clone(), inner)
        })),
        Value::List(list) => Value::list(list.iter().map(|inner| anchored(inner, name))),
        other => other.clone(),
    }
}

fn problem_schema() -> Value {
    let names = ["type", "title", "status", "code", "id", "detail"];
    let members = names.map(|name| (name, typed(if name == "status" { "integer" } else { "string" })));
    object([
        ("type", text("object")),
        ("properties", object(members)),
        ("required", Value::list(["type", "title", "status", "code", "id"].map(text))),
    ])
}

/// How a run stands that is asked for later.
fn run_schema() -> Value {
    let states = Value::list(["running", "answered", "ended"].map(text));
    let members = [
        ("run", typed("string")),
        ("chain", typed("string")),
        ("state", object([("enum", states)])),
        ("output", object([])),
        ("problem", component("Problem")),
    ];
    object([
        ("type", text("object")),
        ("properties", object(members)),
        ("required", Value::list(["run", "chain", "state"].map(text))),
    ])
}

fn content(kind: &str, schema: Value) -> Value {
    object([(kind, object([("schema", schema)]))])
}

fn problem(description: &str) -> Value {
    let told = content("application/problem+json", component("Problem"));
    object([("description", text(description)), ("content", told)])
}

fn problems() -> [(&'static str, Value); 2] {
    [
        ("4XX", problem("what was asked for is not right, or may not be done")),
        ("5XX", problem("it could not be done")),
    ]
}

/// The schema of a part of a chain; one that says nothing takes anything.
fn part(chain: &Chain, schema: Option<&Schema>, part: &str) -> Value {
    schema.map_or_else(|| object([]), |_| component(&format!("{}.{part}", chain.name())))
}

fn operation(chain: &Chain) -> Value {
    let plan = chain.plan();
    let output = part(chain, plan.returns.as_ref(), "output");
    let answers = [
        ("application/json", object([("schema", output)])),
        ("text/event-stream", object([("schema", typed("string"))])),
    ];
    let answer = object([
        ("description", text("what the chain answers, or the events of its run")),
        ("content", object(answers)),
    ]);
    let begun = object([
        ("description", text("the run has begun; `Location` says where to ask for it")),
        ("headers", object([("Location", object([("schema", typed("string"))]))])),
        ("content", content("application/json", component("Run"))),
    ]);
    let mut responses = vec![("200", answer), ("202", begun)];
    responses.extend(problems());
    let prefer = object([
        ("name", text("Prefer")),
        ("in", text("header")),
        ("description", text("`respond-async` for an answer that is fetched later")),
        ("schema", typed("string")),
    ]);
    let mut bodies = vec![(
        Str::from("application/json"),
        object([("schema", part(chain, plan.input.as_ref(), "input"))]),
    )];
    if let Some(schema) = &plan.input {
        bodies.extend(forms(chain, schema));
    }
    let body = object([("required", Value::Bool(plan.input.is_some())), ("content", Value::map(bodies))]);
    let mut members = vec![("operationId", Value::Str(plan.name.clone()))];
    members.extend(described(chain));
    members.push(("parameters", Value::list([prefer])));
    members.push(("requestBody", body));
    members.push(("responses", Value::map(responses)));
    Value::map(members)
}

/// What `GET` says of a chain. No chain has a name with `-`.
fn about(chain: &Chain) -> Value {
    let card = object([
        ("description", text("what the chain takes and answers")),
        ("content", content("application/json", typed("object"))),
    ]);
    let mut responses = vec![("200", card)];
    responses.extend(problems());
    let id = format!("about-{}", chain.name());
    object([("operationId", Value::from(id)), ("responses", Value::map(responses))])
}

/// The other forms that an input may come in: parts, and one file as it is. Files are bytes there, not base64.
fn forms(chain: &Chain, schema: &Schema) -> Vec<(Str, Value)> {
    let Some(form) = schema.form() else { return Vec::new() };
    let whole = written(schema);
    let base = format!("{}.input", chain.name());
    let mut encodings: Vec<(Str, Value)> = Vec::new();
    let members: Vec<(Str, Value)> = form
        .fields
        .iter()
        .map(|field| {
            let known = whole.get("properties").and_then(|all| all.get(&field.name));
            let member = match &field.takes {
                Takes::File(types) => {
                    let types = if types.is_empty() { ANY_FILE.to_string() } else { types.join(", ") };
                    encodings.push((field.name.clone(), object([("contentType", Value::from(types))])));
                    let bytes = typed("string");
                    let list = |items| object([("type", text("array")), ("items", items)]);
                    if field.many { list(bytes) } else { bytes }
                }
                _ => known.map_or_else(|| object([]), |known| anchored(known, &base)),
            };
            (field.name.clone(), member)
        })
        .collect();
    // What holds for members together holds for parts as well.
    let mut parts: Vec<(Str, Value)> = whole.as_map().map_or_else(Vec::new, |all| {
        let rest = all.iter().filter(|(key, _)| !matches!(&***key, "properties" | "$defs" | "$ref"));
        rest.map(|(key, inner)| (key.clone(), anchored(inner, &base))).collect()
    });
    parts.push(("properties".into(), Value::map(members)));
    let mut form_members = vec![("schema", Value::map(parts))];
    if !encodings.is_empty() {
        form_members.push(("encoding", Value::map(encodings)));
    }
    let mut forms = vec![(Str::from(FORM), Value::map(form_members))];
    if let Some(Takes::File(types)) = form.lone_file().map(|file| &file.takes) {
        let types = if types.is_empty() { vec![ANY_FILE] } else { types.clone() };
        forms.extend(types.into_iter().map(|kind| (kind.into(), object([("schema", object([]))]))));
    }
    forms
}

/// Polling and cancelling.
fn runs() -> Value {
    let parameter = object([
        ("name", text("run")),
        ("in", text("path")),
        ("required", Value::Bool(true)),
        ("schema", typed("string")),
    ]);
    let operation = |id: &str, status: &'static str, description: &str| {
        let answer = object([
            ("description", text(description)),
            ("content", content("application/json", component("Run"))),
        ]);
        let mut responses = vec![(status, answer)];
        responses.extend(problems());
        object([("operationId", text(id)), ("responses", Value::map(responses))])
    };
    object([
        ("parameters", Value::list([parameter])),
        ("get", operation("run-state", "200", "how the run stands")),
        ("delete", operation("run-cancel", "202", "the run is told to end")),
    ])
}
