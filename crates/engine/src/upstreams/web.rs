//! A server of MCP behind HTTP: each message is a request of its own through the one egress, under the permit of the
//! call that it is for.

use super::message::{Era, Heard, hear, is_change, notification, request};
use super::{Answer, Ask, broken};
use crate::egress::{Answered, Body, Events, Hear, Outgoing, Received, Sent};
use crate::engine::Inner;
use crate::pieces::Pieces;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, NetPermit, ToolPermit};
use ringmail_core::json::{JsonLimits, is_json, parse, to_string};
use ringmail_core::value::Value;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Bytes of what a server calls a session.
const SESSION_BYTES_MAX: usize = 512;
const SESSION: &str = "mcp-session-id";

/// How long a server is told that a session has ended.
const FAREWELL_MAX: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Web {
    session: Mutex<Option<Known>>,
    next: AtomicI64,
    /// Whether the server said, in the answer to a call, that it offers something else now.
    changed: Arc<AtomicBool>,
}

/// What the server calls the session, and what tells it of the end.
struct Known {
    name: String,
    version: Option<String>,
    engine: Weak<Inner>,
    farewell: Option<(NetPermit, Vec<(String, String)>)>,
}

impl Drop for Web {
    /// A server keeps what a session is made of until it hears that it has ended.
    fn drop(&mut self) {
        let known = self.session.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Known { name, version, engine, farewell: Some((permit, mut headers)) }) = known else {
            return;
        };
        let (Some(engine), Ok(runtime)) = (engine.upgrade(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        headers.push((SESSION.into(), name));
        headers.extend(version.map(|version| ("mcp-protocol-version".into(), version)));
        runtime.spawn(async move {
            let outgoing = Outgoing { headers, body: None };
            let mut sent = Sent::default();
            let telling = engine.egress.send(permit, outgoing, &engine.secrets, &mut sent);
            // A server that does not hear it forgets the session in its own time.
            let _unheard = tokio::time::timeout(FAREWELL_MAX, telling).await;
        });
    }
}

/// What one message is sent with.
pub(super) struct Through<'t> {
    pub(super) engine: &'t Arc<Inner>,
    pub(super) permit: &'t ToolPermit,
    /// Whether the server did not know the session that the call was made in, and so has not taken it.
    pub(super) lost: AtomicBool,
}

impl Web {
    /// Whether the server said that it offers something else since this was asked last.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    pub(super) async fn tell(
        &self,
        through: &Through<'_>,
        method: &'static str,
        era: &Era,
    ) -> Result<(), Blocked> {
        let message = notification(method, Vec::new());
        let received = self.send(through, &message, &Ask::of(method, Vec::new()), Some(era), None).await?;
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
        let hear = heard(id, found.clone(), (ask.pieces.cloned(), self.changed.clone()));
        let received = self.send(through, &message, &ask, era, Some(hear)).await?;
        let echoed = received.echoed;
        let from_events = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        let result = match from_events {
            Some(result) => result,
            None => whole(id, &received)?,
        };
        if ask.method == "initialize" {
            self.remember(through, &received)?;
        }
        Ok(Answer { result, echoed })
    }

    fn remember(&self, through: &Through<'_>, received: &Received) -> Result<(), Failure> {
        let Some(said) = received.header(SESSION) else { return Ok(()) };
        if said.is_empty()
            || said.len() > SESSION_BYTES_MAX
            || !said.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Failure::new(FailureKind::Invalid, "what the server calls its session is no name"));
        }
        let farewell = through.permit.message("DELETE").map(|permit| (permit, through.permit.headers()));
        let engine = Arc::downgrade(through.engine);
        let known = Known { name: said.to_string(), version: None, engine, farewell };
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(())
    }

    async fn send(
        &self,
        through: &Through<'_>,
        message: &Value,
        ask: &Ask<'_>,
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
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(|known| {
            known.version = era.map(|era| era.version().to_string());
            known.name.clone()
        });
        headers.extend(session.clone().map(|session| (SESSION.into(), session)));
        headers.extend(era.map(|era| ("mcp-protocol-version".into(), era.version().into())));
        if era == Some(&Era::Stateless) {
            headers.push(("mcp-method".into(), ask.method.into()));
            headers.extend(ask.name.clone().map(|name| ("mcp-name".into(), name)));
            headers.extend(ask.heads.iter().cloned());
        }
        headers.extend(through.permit.headers());
        let outgoing = Outgoing { headers, body: Some(Body::Json(to_string(message))) };
        let mut sent = Sent::default();
        sent.events = hear.map(Events::new);
        let engine = through.engine;
        match engine.egress.send(permit, outgoing, &engine.secrets, &mut sent).await? {
            Answered::Whole(received) if received.status == 404 && session.is_some() => {
                through.lost.store(true, Ordering::Relaxed);
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Err(broken("the server knows the session no longer").into())
            }
            Answered::Whole(received) => Ok(received),
            Answered::Elsewhere(_) => Err(answered(307).into()),
        }
    }
}

/// Hears the events of an answer: progress on the way, and the answer, which ends them.
fn heard(
    id: i64,
    found: Arc<Mutex<Option<Result<Value, i64>>>>,
    (pieces, changed): (Option<Pieces>, Arc<AtomicBool>),
) -> Hear {
    Box::new(move |data| {
        let (found, pieces, changed) = (found.clone(), pieces.clone(), changed.clone());
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
                Heard::Notification { method, .. } if is_change(&method) => {
                    changed.store(true, Ordering::Relaxed)
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
