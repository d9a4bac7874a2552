//! OpenAPI 3.1 of the chains one caller may call, written from their schemas.

use crate::calls::Asked;
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::schema::Schema;
use ringmail_core::value::Value;
use ringmail_engine::Chain;

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

fn document<'c>(asked: Asked<'_>, chains: impl Iterator<Item = &'c Chain>) -> Value {
    let paths =
        chains.map(|chain| (format!("/chains/{}", chain.name()), Value::map([("post", operation(chain))])));
    let mut paths: Vec<(String, Value)> = paths.collect();
    paths.push(("/runs/{run}".into(), runs()));
    let problem = Value::map([
        ("type", text("object")),
        (
            "properties",
            Value::map(
                [
                    ("type", "string"),
                    ("title", "string"),
                    ("status", "integer"),
                    ("code", "string"),
                    ("id", "string"),
                    ("detail", "string"),
                ]
                .map(|(name, kind)| (name, Value::map([("type", text(kind))]))),
            ),
        ),
        ("required", Value::list(["type", "title", "status", "code", "id"].map(text))),
    ]);
    let bearer = Value::map([("type", text("http")), ("scheme", text("bearer"))]);
    Value::map([
        ("openapi", text("3.1.0")),
        (
            "info",
            Value::map([
                ("title", text(asked.world.engine.name())),
                ("version", text(env!("CARGO_PKG_VERSION"))),
            ]),
        ),
        ("paths", Value::map(paths)),
        (
            "components",
            Value::map([
                ("schemas", Value::map([("Problem", problem)])),
                ("securitySchemes", Value::map([("bearer", bearer)])),
            ]),
        ),
        ("security", Value::list([Value::map([("bearer", Value::list([]))])])),
    ])
}

fn content(kind: &str, schema: Value) -> Value {
    Value::map([(kind, Value::map([("schema", schema)]))])
}

fn problem(description: &str) -> Value {
    let schema = Value::map([("$ref", text("#/components/schemas/Problem"))]);
    Value::map([("description", text(description)), ("content", content("application/problem+json", schema))])
}

fn problems() -> [(&'static str, Value); 2] {
    [
        ("4XX", problem("what was asked for is not right, or may not be done")),
        ("5XX", problem("it could not be done")),
    ]
}

fn operation(chain: &Chain) -> Value {
    let plan = chain.plan();
    let answer = Value::map([
        ("description", text("what the chain answers")),
        ("content", content("application/json", plan.returns.as_ref().map_or(Value::Bool(true), written))),
    ]);
    let begun = Value::map([("description", text("the run has begun; `Location` says where to ask for it"))]);
    let mut responses = vec![("200", answer), ("202", begun)];
    responses.extend(problems());
    let prefer = Value::map([
        ("name", text("Prefer")),
        ("in", text("header")),
        ("description", text("`respond-async` for an answer that is fetched later")),
        ("schema", Value::map([("type", text("string"))])),
    ]);
    let body = Value::map([
        ("required", Value::Bool(plan.input.is_some())),
        ("content", content("application/json", plan.input.as_ref().map_or(Value::Bool(true), written))),
    ]);
    let mut members = vec![("operationId", Value::Str(plan.name.clone()))];
    members.extend(described(chain));
    members.push(("parameters", Value::list([prefer])));
    members.push(("requestBody", body));
    members.push(("responses", Value::map(responses)));
    Value::map(members)
}

/// Polling and cancelling.
fn runs() -> Value {
    let parameter = Value::map([
        ("name", text("run")),
        ("in", text("path")),
        ("required", Value::Bool(true)),
        ("schema", Value::map([("type", text("string"))])),
    ]);
    let state = Value::map([
        ("type", text("object")),
        (
            "properties",
            Value::map([
                ("run", Value::map([("type", text("string"))])),
                ("chain", Value::map([("type", text("string"))])),
                ("state", Value::map([("enum", Value::list(["running", "answered", "ended"].map(text)))])),
                ("output", Value::Bool(true)),
                ("problem", Value::map([("$ref", text("#/components/schemas/Problem"))])),
            ]),
        ),
    ]);
    let operation = |id: &str, status: &'static str, description: &str| {
        let answer = Value::map([
            ("description", text(description)),
            ("content", content("application/json", state.clone())),
        ]);
        let mut responses = vec![(status, answer)];
        responses.extend(problems());
        Value::map([("operationId", text(id)), ("responses", Value::map(responses))])
    };
    Value::map([
        ("parameters", Value::list([parameter])),
        ("get", operation("run_state", "200", "how the run stands")),
        ("delete", operation("run_cancel", "202", "the run is told to end")),
    ])
}
