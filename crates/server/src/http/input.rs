//! The input of a call, out of the body of a request: JSON, a form whose parts are its members, or one file as it is.
//! Files become base64 while they arrive; whether one is what the schema says, the gate asks of its content.

use super::call::{bad, body, pieces_of, too_large};
use super::given::Given;
use crate::calls::{Asked, Turned};
use crate::problem::Problem;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use ringmail_core::json::{JsonLimits, is_json, parse};
use ringmail_core::listener::ServerLimits;
use ringmail_core::multipart::{FileText, FormError, FormLimits, Multipart};
use ringmail_core::schema::Schema;
use ringmail_core::schema::form::{InputForm, Takes};
use ringmail_core::value::{Str, Value};

pub(super) const FORM: &str = "multipart/form-data";
pub(super) const ANY_FILE: &str = "application/octet-stream";

/// What a body holds. No body is no input.
pub(super) async fn read(
    asked: Asked<'_>,
    schema: Option<&Schema>,
    request: Request<Given>,
) -> Result<Value, Turned> {
    let limits = &asked.world.setting.limits;
    let said = said(request.headers()).to_string();
    let encoded = request.headers().contains_key(CONTENT_ENCODING);
    let kind = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let request_body = request.into_body();
    if let Some(form) = schema.and_then(Schema::form).filter(|_| !encoded) {
        if kind == FORM {
            return read_form(&form, limits, &said, request_body).await;
        }
        if let Some(member) = lone_member(&form, &kind) {
            return read_file(member, limits, request_body).await;
        }
    }
    let body = body(asked.world, request_body).await?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    if encoded || !is_json(&said) {
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "the input is not JSON");
        return Err(bad(problem.detail(
            "send `content-type: application/json`, or a form if the input has members, without `content-encoding`",
        )));
    }
    let json = JsonLimits { bytes_max: limits.body_bytes_max, ..JsonLimits::default() };
    parse(&body, &json).map_err(|error| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-json", "the input is not valid JSON");
        bad(problem.detail(error.to_string()))
    })
}

fn said(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn read_form(
    form: &InputForm,
    limits: &ServerLimits,
    said: &str,
    body: Given,
) -> Result<Value, Turned> {
    let most = FormLimits { parts_max: limits.parts_max, part_bytes_max: limits.part_bytes_max };
    let mut parts = Multipart::new(said, form, most).map_err(misfit)?;
    pieces_of(limits, body, |piece| parts.feed(&piece).map_err(misfit)).await?;
    parts.finish().map_err(misfit)
}

fn misfit(error: FormError) -> Turned {
    bad(match error {
        FormError::TooLarge(detail) => too_large(detail),
        FormError::Malformed(detail) => {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-form", "the form does not fit").detail(detail)
        }
    })
}

/// The one member that a body of this type may fill by itself.
fn lone_member(form: &InputForm, kind: &str) -> Option<Str> {
    let file = form.lone_file()?;
    let Takes::File(types) = &file.takes else { return None };
    (kind == ANY_FILE || types.contains(&kind)).then(|| file.name.clone())
}

async fn read_file(member: Str, limits: &ServerLimits, body: Given) -> Result<Value, Turned> {
    let mut text = FileText::default();
    let mut bytes = 0;
    pieces_of(limits, body, |piece| {
        bytes += piece.len();
        if bytes > limits.part_bytes_max {
            let detail = format!("`{member}` is larger than a part may be: {} bytes", limits.part_bytes_max);
            return Err(bad(too_large(detail)));
        }
        text.push(&piece);
        Ok(())
    })
    .await?;
    Ok(Value::map([(member.clone(), text.value())]))
}
