//! `POST /token`: new tokens of this project for a refresh token. Whoever comes with one has proved nothing yet, so what
//! is read is small and what is told is one word.

use super::answer::{Answer, json};
use super::given::Given;
use crate::calls::Turned;
use crate::identity::tokens::IssuedToken;
use crate::problem::Problem;
use crate::server::Doors;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use ringmail_core::value::{Str, Value};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// More is no request for a token.
const FORM_BYTES_MAX: usize = 4 << 10;
/// So little comes in one piece, or nearly.
const FORM_MS_MAX: u64 = 5_000;

/// The tokens, or why there are none: a word for the caller, and the cause for the record.
pub(super) async fn answer(
    doors: &Arc<Doors>,
    body_ms: u64,
    from: IpAddr,
    request: Request<Given>,
) -> Result<Answer, (&'static str, String)> {
    let invalid = |why: &str| ("invalid_request", why.to_string());
    let said = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if said.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(invalid("what was sent is no form"));
    }
    let busy = || ("temporarily_unavailable", "too many forms are read".to_string());
    let _reading = doors.refreshing.add_unproved(from).ok_or_else(busy)?;
    let body = Limited::new(request.into_body(), FORM_BYTES_MAX).collect();
    let body = tokio::time::timeout(Duration::from_millis(body_ms.min(FORM_MS_MAX)), body).await;
    let body = body.ok().and_then(Result::ok).ok_or_else(|| invalid("no whole form came"))?.to_bytes();
    let form = std::str::from_utf8(&body).map_err(|_| invalid("the form is no text"))?;
    // Neither of the two has a character that forms spell differently.
    let field = |name: &str| {
        let mut found = form.split('&').filter_map(|pair| pair.split_once('=')).filter(|pair| pair.0 == name);
        let first = found.next()?;
        found.next().is_none().then(|| first.1.to_string())
    };
    if field("grant_type").as_deref() != Some("refresh_token") {
        return Err(("unsupported_grant_type", "only refresh tokens are exchanged here".into()));
    }
    let shown = field("refresh_token").ok_or_else(|| invalid("there is no refresh token"))?;
    let (tokens, now_ms) = (doors.tokens.clone(), doors.now_ms());
    let refreshed = tokio::task::spawn_blocking(move || tokens.refresh(&shown, now_ms)).await;
    let refreshed = refreshed.map_err(|error| invalid(&error.to_string()))?;
    let issued = refreshed.map_err(|error| ("invalid_grant", error.to_string()))?;
    Ok(json(StatusCode::OK, &issued.answer(now_ms)))
}

impl IssuedToken {
    /// As clients of OAuth expect it.
    pub fn answer(&self, now_ms: u64) -> Value {
        let seconds = self.access_end_ms.saturating_sub(now_ms) / 1_000;
        let mut members = vec![
            ("access_token", Value::from(self.access.as_str())),
            ("token_type", Value::from("Bearer")),
            ("expires_in", Value::Int(i64::try_from(seconds).unwrap_or(i64::MAX))),
        ];
        members.extend(self.refresh.as_ref().map(|text| ("refresh_token", Value::from(text.as_str()))));
        Value::map(members)
    }
}

/// What the record says of somebody who got no token.
pub(super) fn turned(why: &str) -> Turned {
    let problem = Problem::new(StatusCode::BAD_REQUEST, "no-token", "there is no token for this");
    (problem, why.into())
}

/// What a client of OAuth is told.
pub(super) fn refused(word: &'static str, id: &Str) -> Answer {
    let told = Value::map([("error", Value::from(word)), ("id", Value::Str(id.clone()))]);
    json(StatusCode::BAD_REQUEST, &told)
}
