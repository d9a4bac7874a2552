//! MCP over HTTP: one message a request, answered as JSON, or as events where something is told meanwhile.

use super::answer::{Answer, Pieces, empty, json};
use super::call::body;
use super::given::Given;
use crate::calls::{Asked, Turned};
use crate::mcp::era::{Said, alone, is_stateless};
use crate::mcp::listen::in_session;
use crate::mcp::message::{Fault, Id, Message, Request, answer};
use crate::mcp::session::{Begun, Session, UnderWay};
use crate::mcp::{Era, Guest, Talk, hear, hear_answer, initialize, may_ask, may_stream};
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Either;
use ringmail_core::json::to_string;
use ringmail_core::value::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Events that wait for a slow reader.
const EVENTS_MAX: usize = 64;
/// How often a stream says that it is still there.
const STILL_HERE: Duration = Duration::from_secs(15);
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

fn guest(asked: Asked<'_>, from: String) -> Guest {
    Guest {
        doors: asked.doors.clone(),
        world: asked.world.clone(),
        listener: Arc::new(asked.listener.clone()),
        caller: asked.caller.clone(),
        from,
    }
}

fn told(id: Option<&Id>, fault: &Fault) -> Answer {
    json(fault.status, &answer(id, Err(fault)))
}

pub(super) async fn post(
    asked: Asked<'_>,
    from: String,
    request: http::Request<Given>,
) -> Result<Answer, Turned> {
    let headers = request.headers().clone();
    let body = body(asked.world, request.into_body()).await?;
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") || headers.contains_key(CONTENT_ENCODING) {
        let fault = Fault::envelope("send `content-type: application/json`, without `content-encoding`");
        return Ok(told(None, &fault.status(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
    }
    let message = match Message::read(&body, asked.world.setting.limits.body_bytes_max) {
        Ok(message) => message,
        Err((id, fault)) => return Ok(told(id.as_ref(), &fault)),
    };
    let (guest, said) = (guest(asked, from), Said::of(&headers));
    Ok(match message {
        Message::Request(ref of) => {
            let begun = speak(guest, &headers, &said, &message, of).await;
            begun.unwrap_or_else(|fault| told(Some(&of.id), &fault))
        }
        Message::Notification { ref method, ref params } => {
            let under_way = if is_stateless(&message, &said) {
                Ok(UnderWay::default())
            } else {
                session(&guest, &said).map(|session| session.under_way.clone())
            };
            match under_way.and_then(|under_way| hear(&guest, &under_way, method, params)) {
                Ok(()) => empty(StatusCode::ACCEPTED),
                Err(fault) => told(None, &fault),
            }
        }
        Message::Response { id, result } => {
            let heard = session(&guest, &said);
            match heard.and_then(|session| hear_answer(&guest, &session, &id, result)) {
                Ok(()) => empty(StatusCode::ACCEPTED),
                Err(fault) => told(None, &fault),
            }
        }
    })
}

/// The session a request says it belongs to, if it is the caller's own.
fn session(guest: &Guest, said: &Said) -> Result<Arc<Session>, Fault> {
    let Some(id) = &said.session else {
        return Err(Fault::envelope("a session begins with `initialize`, and `Mcp-Session-Id` names it"));
    };
    let owner = guest.caller.principal();
    let session = guest.doors.sessions.find(id, owner, &guest.listener.name);
    session.ok_or_else(|| Fault::envelope("there is no such session").status(StatusCode::NOT_FOUND))
}

async fn speak(
    guest: Guest,
    headers: &HeaderMap,
    said: &Said,
    message: &Message,
    request: &Request,
) -> Result<Answer, Fault> {
    let (era, under_way) = if is_stateless(message, said) {
        (Era::Stateless(alone(request, Some(said))?), UnderWay::default())
    } else if &*request.method == "initialize" {
        return begin(&guest, request);
    } else {
        let session = session(&guest, said)?;
        let under_way = session.under_way.clone();
        (Era::Session(session), under_way)
    };
    let mut talk = Talk { era, out: None, gone: CancellationToken::new() };
    let begun = under_way.begin(&request.id, talk.gone.clone())?;
    if takes_events(headers) && may_stream(&guest, &talk.era, request) {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        talk.out = Some(sender);
        return Ok(stream(guest, talk, request.clone(), begun, events));
    }
    if takes_events(headers) && may_ask(&talk.era, request) {
        return Ok(once_asked(guest, talk, request.clone(), begun).await);
    }
    let result = crate::mcp::answer(&guest, &talk, request).await?;
    Ok(json(StatusCode::OK, &answer(Some(&request.id), Ok(&result))))
}

fn begin(guest: &Guest, request: &Request) -> Result<Answer, Fault> {
    let (session, result) = initialize(guest, request)?;
    let full = || Fault::envelope("there are too many sessions").status(StatusCode::SERVICE_UNAVAILABLE);
    let id = guest.doors.sessions.begin(session).ok_or_else(full)?;
    let mut begun = json(StatusCode::OK, &answer(Some(&request.id), Ok(&result)));
    if let Ok(id) = HeaderValue::from_str(&id) {
        begun.headers_mut().insert(SESSION, id);
    }
    Ok(begun)
}

/// Ends a session.
pub(super) fn delete(asked: Asked<'_>, from: String, headers: &HeaderMap) -> Answer {
    let (guest, said) = (guest(asked, from), Said::of(headers));
    match session(&guest, &said) {
        Ok(_) => {
            guest.doors.sessions.end(said.session.as_deref().unwrap_or_default());
            empty(StatusCode::NO_CONTENT)
        }
        Err(fault) => told(None, &fault),
    }
}

/// What the client of a session is told without having asked, until either ends.
pub(super) fn listen(asked: Asked<'_>, from: String, headers: &HeaderMap) -> Answer {
    let (guest, said) = (guest(asked, from), Said::of(headers));
    if !takes_events(headers) {
        return told(None, &Fault::envelope("take `text/event-stream`").status(StatusCode::NOT_ACCEPTABLE));
    }
    match session(&guest, &said) {
        Ok(session) => {
            let (sender, said) = mpsc::channel(EVENTS_MAX);
            let gone = CancellationToken::new();
            let talk = Talk { era: Era::Session(session), out: Some(sender), gone };
            let gone = talk.gone.clone();
            events(gone, None, said, async move {
                let ended = in_session(&guest, &talk).await;
                ended.err().map(|fault| answer(None, Err(&fault)))
            })
        }
        Err(fault) => told(None, &fault),
    }
}

fn takes_events(headers: &HeaderMap) -> bool {
    let said = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = said.flat_map(|value| value.split(',')).filter_map(|item| item.split(';').next());
    kinds.any(|kind| matches!(kind.trim(), "text/event-stream" | "*/*" | "text/*"))
}

fn event(value: &Value) -> Bytes {
    Bytes::from(format!("event: message\ndata: {}\n\n", to_string(value)))
}

/// Answers whole, unless something has to be said before: then it becomes events.
async fn once_asked(guest: Guest, mut talk: Talk, request: Request, begun: Begun) -> Answer {
    let (sender, mut said) = mpsc::channel(EVENTS_MAX);
    let (gone, id) = (talk.gone.clone(), request.id.clone());
    talk.out = Some(sender);
    let mut answering = Box::pin(async move {
        let result = crate::mcp::answer(&guest, &talk, &request).await;
        drop((talk, begun));
        result
    });
    let result = tokio::select! {
        biased;
        Some(first) = said.recv() => {
            let answered = async move { Some(answer(Some(&id), answering.await.as_ref())) };
            return events(gone, Some(first), said, answered);
        }
        result = &mut answering => result,
    };
    match result {
        Ok(result) => json(StatusCode::OK, &answer(Some(&id), Ok(&result))),
        Err(fault) => told(Some(&id), &fault),
    }
}

/// What is told meanwhile, then the answer. Whoever stops listening ends the run.
fn stream(guest: Guest, talk: Talk, request: Request, begun: Begun, said: mpsc::Receiver<Value>) -> Answer {
    events(talk.gone.clone(), None, said, async move {
        let result = crate::mcp::answer(&guest, &talk, &request).await;
        // What was told before comes before.
        drop((talk, begun));
        Some(answer(Some(&request.id), result.as_ref()))
    })
}

/// Events of what is said, and then the last of it, if there is any.
fn events(
    gone: CancellationToken,
    first: Option<Value>,
    mut said: mpsc::Receiver<Value>,
    answering: impl Future<Output = Option<Value>> + Send + 'static,
) -> Answer {
    let (sender, events) = mpsc::channel::<Bytes>(EVENTS_MAX);
    tokio::spawn(async move {
        let telling = async {
            if let Some(first) = first {
                let _unheard = sender.send(event(&first)).await;
            }
            loop {
                let next = tokio::time::timeout(STILL_HERE, said.recv()).await;
                let bytes = match &next {
                    Ok(Some(value)) => event(value),
                    Ok(None) => return,
                    Err(_) => Bytes::from_static(b": still here\n\n"),
                };
                // Whoever listened has gone, and the run is told to end.
                let _unheard = sender.send(bytes).await;
            }
        };
        let (last, ()) = tokio::join!(answering, telling);
        if let Some(last) = last {
            let _unheard = sender.send(event(&last)).await;
        }
    });
    let mut answer = Response::new(Either::Right(Pieces { events, _cancel: gone.drop_guard(), held: None }));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
