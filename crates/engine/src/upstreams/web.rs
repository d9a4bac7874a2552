//! A server of MCP behind HTTP: each message is a request of its own through the one egress, under the permit of the
//! call that it is for.

use super::message::{Era, Heard, hear, notification, request};
use super::{Answer, Ask, broken};
use crate::egress::{Answered, Body, Events, Hear, Outgoing, Received, Sent};
use crate::engine::Inner;
use crate::pieces::Pieces;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, ToolPermit};
use ringmail_core::json::{JsonLimits, is_json, parse, to_string};
use ringmail_core::value::Value;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of what a server calls a session.
const SESSION_BYTES_MAX: usize = 512;
const SESSION: &str = "mcp-session-id";

#[derive(Default)]
pub(super) struct Web {
    session: Mutex<Option<String>>,
    next: AtomicI64,
}

/// What one message is sent with.
pub(super) struct Through<'t> {
    pub(super) engine: &'t Inner,
    pub(super) permit: &'t ToolPermit,
}

impl Web {
    pub(super) async fn tell(&self, through: &Through<'_>, method: &str, era: &Era) -> Result<(), Blocked> {
        let message = notification(method, Vec::new());
        let received = self.send(through, &message, (method, None), Some(era), None).await?;
        match received.status {
            200..300 => Ok(()),
            status => Err(answered(status).into()),
        }
    }

    pub(super) async fn ask(
        &self,
        through: &Through<'_>,
        ask: Ask<'_>,
        era: Option<&Era>,
    ) -> Result<Answer, Blocked> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let message = request(id, ask.method, ask.params(id), era);
        let found = Arc::new(Mutex::new(None));
        let hear = heard(id, found.clone(), ask.pieces.cloned());
        let name = ask.name.as_deref();
        let received = self.send(through, &message, (ask.method, name), era, Some(hear)).await?;
        let echoed = received.echoed;
        let from_events = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        let result = match from_events {
            Some(result) => result,
            None => whole(id, &received)?,
        };
        if ask.method == "initialize" {
            self.remember(&received)?;
        }
        Ok(Answer { result, echoed })
    }

    fn remember(&self, received: &Received) -> Result<(), Failure> {
        let Some(said) = received.header(SESSION) else { return Ok(()) };
        if said.is_empty()
            || said.len() > SESSION_BYTES_MAX
            || !said.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Failure::new(FailureKind::Invalid, "what the server calls its session is no name"));
        }
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(said.to_string());
        Ok(())
    }

    async fn send(
        &self,
        through: &Through<'_>,
        message: &Value,
        (method, name): (&str, Option<&str>),
        era: Option<&Era>,
        hear: Option<Hear>,
    ) -> Result<Received, Blocked> {
        let Some(permit) = through.permit.message("POST") else {
            return Err(broken("the server has no address").into());
        };
        let mut headers = vec![
            ("content-type".to_string(), "application/json".to_string()),
            ("accept".into(), "application/json, text/event-stream".into()),
        ];
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        headers.extend(session.clone().map(|session| (SESSION.into(), session)));
        headers.extend(era.map(|era| ("mcp-protocol-version".into(), era.version().into())));
        if era == Some(&Era::Stateless) {
            headers.push(("mcp-method".into(), method.into()));
            headers.extend(name.map(|name| ("mcp-name".into(), name.into())));
        }
        let bearer = through.permit.bearer();
        headers.extend(bearer.map(|secret| ("authorization".into(), format!("Bearer {secret}"))));
        let outgoing = Outgoing { headers, body: Some(Body::Json(to_string(message))) };
        let mut sent = Sent::default();
        sent.events = hear.map(Events::new);
        let engine = through.engine;
        match engine.egress.send(permit, outgoing, &engine.secrets, &mut sent).await? {
            Answered::Whole(received) if received.status == 404 && session.is_some() => {
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Err(broken("the server knows the session no longer").into())
            }
            Answered::Whole(received) => Ok(received),
            Answered::Elsewhere(_) => Err(answered(307).into()),
        }
    }
}

/// Hears the events of an answer: progress on the way, and the answer, which ends them.
fn heard(id: i64, found: Arc<Mutex<Option<Result<Value, i64>>>>, pieces: Option<Pieces>) -> Hear {
    Box::new(move |data| {
        let (found, pieces) = (found.clone(), pieces.clone());
        Box::pin(async move {
            if data.is_empty() {
                // Some servers begin a stream with an event that says nothing.
                return Ok(false);
            }
            match hear(&json(data.as_bytes())?) {
                Heard::Answer { id: of, result } if of == id => {
                    *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                    return Ok(true);
                }
                Heard::Notification { method, params } if &*method == "notifications/progress" => {
                    let own = params.get("progressToken") == Some(&Value::Int(id));
                    if let Some(pieces) = pieces.filter(|_| own) {
                        pieces.send(super::progress(&params)).await?;
                    }
                }
                _ => {}
            }
            Ok(false)
        })
    })
}

/// An answer that came whole.
fn whole(id: i64, received: &Received) -> Result<Result<Value, i64>, Failure> {
    if received.header("content-type").is_some_and(is_json)
        && let Heard::Answer { id: of, result } = hear(&json(&received.body)?)
        && (of == id || result.is_err())
    {
        return Ok(result);
    }
    match received.status {
        200..300 => Err(broken("the server did not answer what it was asked")),
        status => Err(answered(status)),
    }
}

fn json(bytes: &[u8]) -> Result<Value, Failure> {
    let limits = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
    parse(bytes, &limits)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("the answer is no JSON: {error}")))
}

pub(super) fn answered(status: u16) -> Failure {
    let kind = match status {
        429 | 500.. => FailureKind::Unavailable,
        _ => FailureKind::Status,
    };
    Failure::new(kind, format!("the server answered {status}"))
}
