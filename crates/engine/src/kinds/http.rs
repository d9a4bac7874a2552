//! `http`: one request through the engine's only way out.

use super::{Call, Runs, invalid, known_keys, required, text};
use crate::bound::Called;
use crate::egress::{Answered, Body, Lines, Onward, Outgoing, PLAIN_HEADERS, Received, Sent};
use crate::run::Way;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::address::Target;
use ringmail_core::chain::Link;
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::expr::text_of;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Permit, Redirect, Unchecked};
use ringmail_core::grant::METHODS;
use ringmail_core::json::{JsonLimits, is_json, parse, to_string};
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::label::Tags;
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::value::{Str, Value};

const FORMS: &[&str] = &["auto", "json", "text", "lines", "base64"];
const WITH: &[Key] = &[
    Key::required("url", Form::Text, "where to; http or https, without user or password"),
    Key::new("method", Form::OneOf(METHODS), "default GET"),
    Key::new("query", Form::Any, "a map of query parameters, encoded and appended"),
    Key::new("headers", Form::Any, "a map of headers; `${secrets.NAME}` is filled in on the way out"),
    Key::new("body", Form::Any, "a text as it is, anything else as JSON"),
    Key::new(
        "body_as",
        Form::OneOf(&["auto", "base64"]),
        "`base64`: the body is a text in base64, and the bytes are sent that it stands for; default auto",
    ),
    Key::new("as", Form::OneOf(FORMS), "how the answer's body is read; default by its content type"),
    Key::new(
        "expect",
        Form::OneOf(&["success", "any"]),
        "whether an error status is a failure; default success",
    ),
];

pub(super) static KIND: Kind = Kind {
    name: "http",
    doc: "a request to another host; answers with `status`, `headers` and `body`",
    settings: &[],
    with: With::Fields(WITH),
    role: Role::Step,
    source: true,
    patient: false,
    passes: None,
    needs,
    reach: Reach::Net { method: "method", url: "url" },
};

fn needs(_: &Link, args: &Value) -> Result<Vec<Need>, String> {
    known_keys(args, WITH)?;
    let method = text(args, "method")?.unwrap_or("GET");
    let known = METHODS.iter().find(|known| **known == method);
    let method = known.ok_or_else(|| format!("`method` must be one of {}", METHODS.join(", ")))?;
    let target = Target::parse(required(args, "url")?)?;
    let target = match args.get("query") {
        None | Some(Value::Null) => target,
        Some(Value::Map(query)) => {
            let mut pairs: Vec<(Str, String)> = Vec::new();
            for (name, value) in query.iter() {
                match value {
                    Value::List(several) => {
                        pairs.extend(several.iter().map(|value| (name.clone(), text_of(value).to_string())))
                    }
                    Value::Map(_) => return Err(format!("the query parameter `{name}` must not be a map")),
                    value => pairs.push((name.clone(), text_of(value).to_string())),
                }
            }
            target.with_query(pairs.iter().map(|(name, value)| (&**name, value.clone())))
        }
        Some(other) => return Err(format!("`query` must be a map, not {}", other.type_name())),
    };
    Ok(vec![Need::Net { method, target: Box::new(target) }])
}

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(request(way.clone(), call))
    }
}

async fn request(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let args = call.admitted.args();
    let form = text(args, "as").map_err(invalid)?.unwrap_or("auto").to_string();
    if !FORMS.contains(&&*form) {
        return Err(invalid(format!("`as` must be one of {}", FORMS.join(", "))).into());
    }
    let any = text(args, "expect").map_err(invalid)? == Some("any");
    let mut sent = Sent::default();
    let mut tags = Tags::NONE;
    let mut call = call;
    let received = loop {
        let Some(Permit::Net(permit)) = call.admitted.take_permit() else {
            return Err(Failure::new(FailureKind::Unavailable, "the call has no permit").into());
        };
        let outgoing = outgoing(call.admitted.args(), call.key.as_ref())?;
        if form == "lines" {
            // Judged by whoever answers, with the tags of all who led there.
            sent.lines = Some(Lines::new(way.pieces(&call.admitted, tags)));
        }
        let engine = &way.shared.engine;
        match engine.egress.send(*permit, outgoing, &engine.secrets, &mut sent).await? {
            Answered::Whole(received) => break received,
            Answered::Elsewhere(onward) => {
                let (link, _) = way.link(call.admitted.position())?;
                if !onward.tags.is_empty() {
                    // Before anything else is said of the address: it holds a secret.
                    let why = "a redirect leads to an address with a secret in it";
                    return Err(Refusal::new(Rule::Clearance, &link.full, why).into());
                }
                call.admitted = way.admit_again(link, call.admitted, &redirect(&onward)).await?;
                // What comes back from there is what a call of that address would have brought.
                tags = tags.with(call.admitted.output_label().tags);
                call.key = call.key.filter(|_| onward.keeps && !onward.crosses);
            }
        }
    };
    if !any && !(200..300).contains(&received.status) {
        let kind = match received.status {
            429 | 502 | 503 | 504 => FailureKind::Unavailable,
            _ => FailureKind::Status,
        };
        return Err(Failure::new(kind, format!("`{}` answered {}", received.origin, received.status)).into());
    }
    let tags = tags.with(received.echoed);
    Ok(Unchecked::tagged(answer(received, &form)?, tags))
}

fn redirect(onward: &Onward) -> Redirect<'_> {
    let Onward { url, keeps, crosses, tags } = onward;
    Redirect { url, keeps: *keeps, crosses: *crosses, plain_headers: PLAIN_HEADERS, tags: *tags }
}

fn outgoing(args: &Value, key: Option<&Str>) -> Result<Outgoing, Failure> {
    let mut headers: Vec<(String, String)> = Vec::new();
    match args.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Map(map)) => {
            for (name, value) in map.iter() {
                if key.is_some() && name.eq_ignore_ascii_case("idempotency-key") {
                    return Err(invalid(
                        "`idempotency_key` sets the header of that name, so the link must not",
                    ));
                }
                match value {
                    Value::Str(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                        headers.push((name.to_lowercase(), text_of(value).to_string()));
                    }
                    other => {
                        return Err(invalid(format!("a header must be a text, not {}", other.type_name())));
                    }
                }
            }
        }
        Some(other) => return Err(invalid(format!("`headers` must be a map, not {}", other.type_name()))),
    }
    let typed = headers.iter().any(|(name, _)| name == "content-type");
    let (body, kind) = match args.get("body") {
        None | Some(Value::Null) => (None, None),
        Some(Value::Str(text)) if packed(args)? => {
            let bytes =
                STANDARD.decode(&**text).map_err(|_| invalid("`body` is not base64, as `body_as` says"))?;
            (Some(Body::Bytes(bytes.into())), Some("application/octet-stream"))
        }
        Some(_) if packed(args)? => return Err(invalid("`body` must be a text, since `body_as` is base64")),
        Some(Value::Str(text)) => (Some(Body::Text(text.to_string())), Some("text/plain; charset=utf-8")),
        Some(data) => (Some(Body::Json(to_string(data))), Some("application/json")),
    };
    if let Some(kind) = kind.filter(|_| !typed) {
        headers.push(("content-type".into(), kind.into()));
    }
    if let Some(key) = key {
        headers.push(("idempotency-key".into(), key.to_string()));
    }
    Ok(Outgoing { headers, body })
}

/// Whether the body is bytes, written in base64.
fn packed(args: &Value) -> Result<bool, Failure> {
    match text(args, "body_as").map_err(invalid)? {
        None | Some("auto") => Ok(false),
        Some("base64") => Ok(true),
        Some(_) => Err(invalid("`body_as` must be one of auto, base64")),
    }
}

fn answer(received: Received, form: &str) -> Result<Value, Failure> {
    let json = received.header("content-type").is_some_and(is_json);
    let headers =
        Value::map(received.headers.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))));
    let body = match (form, received.lines) {
        ("lines", Some(lines)) => Value::list(lines),
        ("base64", _) => Value::from(STANDARD.encode(&received.body)),
        ("json", _) => json_body(&received.body)?,
        ("auto", _) if json && !received.body.is_empty() => json_body(&received.body)?,
        _ => {
            let text = String::from_utf8(received.body.to_vec());
            Value::from(text.map_err(|_| invalid("the answer is not UTF-8 text; read it `as: base64`"))?)
        }
    };
    Ok(Value::map([("status", Value::Int(received.status.into())), ("headers", headers), ("body", body)]))
}

fn json_body(body: &[u8]) -> Result<Value, Failure> {
    let limits = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
    parse(body, &limits).map_err(|error| invalid(format!("the answer is not JSON: {error}")))
}
