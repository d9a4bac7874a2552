//! A chain, called over HTTP. Answered whole, in pieces as they come, or later.

use super::answer::{Answer, Pieces, RUN_HEADER, json};
use super::given::Given;
use super::input;
use crate::calls::{Asked, Ready, Turned};
use crate::later;
use crate::problem::Problem;
use crate::resumed;
use crate::runs::Told;
use crate::world::World;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Limited};
use hyper::body::Frame;
use ringmail_core::chain::Plan;
use ringmail_core::json::to_string;
use ringmail_core::listener::ServerLimits;
use ringmail_core::value::{Str, Value};
use ringmail_engine::Report;
use std::time::Duration;
use tokio::sync::mpsc;

/// Pieces of a stream that wait for a slow reader.
const PIECES_MAX: usize = 64;
/// How often a stream says that it is still there.
const STILL_HERE: Duration = Duration::from_secs(15);

pub(super) async fn chain(asked: Asked<'_>, name: &str, request: Request<Given>) -> Result<Answer, Turned> {
    let counted = asked.count(name)?;
    let way = match asked.world.asking.contains(name) {
        true => Way::Later,
        false => way(request.headers()),
    };
    let plan = counted.chain.plan().clone();
    let input = input::read(asked, plan.input.as_ref(), request).await?;
    let ready = counted.ready(input).await?;
    match way {
        Way::Whole => {
            let id = ready.run.id().clone();
            let report = ready.run.run().await;
            drop(ready.held);
            Ok(whole(&id, &report))
        }
        Way::Pieces => Ok(pieces(ready)),
        Way::Later => later(asked, &plan, ready).await,
    }
}

enum Way {
    Whole,
    Pieces,
    Later,
}

/// How the caller would like its answer.
fn way(headers: &HeaderMap) -> Way {
    let any = |name: http::HeaderName, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|item| item.split(';').next().is_some_and(|item| item.trim().eq_ignore_ascii_case(wanted)))
    };
    if any(http::HeaderName::from_static("prefer"), "respond-async") {
        Way::Later
    } else if any(ACCEPT, "text/event-stream") {
        Way::Pieces
    } else {
        Way::Whole
    }
}

/// What a problem says of itself is why.
pub(super) fn bad(problem: Problem) -> Turned {
    let why = problem.detail.clone().unwrap_or_default();
    (problem, why)
}

pub(super) fn too_large(detail: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the request is too large").detail(detail)
}

/// A body that is handed on piece by piece, within its limits. What nobody wants any more is read all the same: a client
/// that still sends would not hear why.
pub(super) async fn pieces_of(
    limits: &ServerLimits,
    body: Given,
    mut take: impl FnMut(Bytes) -> Result<(), Turned>,
) -> Result<(), Turned> {
    let mut body = Limited::new(body, limits.body_bytes_max);
    let reading = async {
        let mut taken = Ok(());
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) if taken.is_ok() => taken = take(data),
                // Trailers say nothing here.
                Ok(_) => {}
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    let detail = format!("a body has at most {} bytes", limits.body_bytes_max);
                    return Err(bad(too_large(detail)));
                }
                Err(_) => {
                    let problem =
                        Problem::new(StatusCode::BAD_REQUEST, "broken-request", "the request broke off");
                    return Err(bad(problem));
                }
            }
        }
        taken
    };
    let slow = |_| {
        let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-request", "the request took too long");
        bad(problem.detail("the body did not arrive in time"))
    };
    tokio::time::timeout(Duration::from_millis(limits.body_ms), reading).await.map_err(slow)?
}

/// A body, whole and within its limits.
pub(super) async fn body(world: &World, body: Given) -> Result<Bytes, Turned> {
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    pieces_of(&world.setting.limits, body, |piece| {
        if first.is_empty() && whole.is_empty() {
            first = piece;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&piece);
        }
        Ok(())
    })
    .await?;
    // Most bodies come in one piece.
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

fn whole(id: &Str, report: &Report) -> Answer {
    let mut answer = match &report.result {
        Ok(answer) => json(StatusCode::OK, answer.value()),
        Err(error) => Problem::of(error).answer(id),
    };
    if let Ok(id) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(RUN_HEADER, id);
    }
    answer
}

fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {}\n\n", to_string(data)))
}

/// Server-sent events: `piece` for each, then `output` or `problem`.
fn pieces(ready: Ready) -> Answer {
    let Ready { run, cancel, held } = ready;
    let id = run.id().clone();
    let (sender, events) = mpsc::channel::<Bytes>(PIECES_MAX);
    let (piece_sender, mut piece_receiver) = mpsc::channel(PIECES_MAX);
    let run = run.pieces(piece_sender);
    let told = id.clone();
    tokio::spawn(async move {
        let _held = held;
        let running = run.run();
        tokio::pin!(running);
        let mut open = true;
        let report = loop {
            tokio::select! {
                biased;
                piece = piece_receiver.recv(), if open => match piece {
                    Some(piece) => if sender.send(event("piece", &piece)).await.is_err() { return },
                    None => open = false,
                },
                report = &mut running => break report,
                () = tokio::time::sleep(STILL_HERE) => {
                    if sender.send(Bytes::from_static(b": still here\n\n")).await.is_err() {
                        return;
                    }
                }
            }
        };
        while let Ok(piece) = piece_receiver.try_recv() {
            if sender.send(event("piece", &piece)).await.is_err() {
                return;
            }
        }
        let last = match &report.result {
            Ok(answer) => event("output", answer.value()),
            Err(error) => event("problem", &Problem::of(error).to_value(&told)),
        };
        // Whoever listened has gone; the run is on record.
        let _unheard = sender.send(last).await;
    });
    let pieces = Pieces { events, _cancel: cancel.drop_guard(), held: None };
    let mut answer = Response::new(Either::Right(pieces));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(RUN_HEADER, id);
    }
    answer
}

/// 202 and where to ask, once no crash can lose the run.
pub(super) async fn later(asked: Asked<'_>, plan: &Plan, ready: Ready) -> Result<Answer, Turned> {
    let id = later::begin(asked, plan, ready, false).await?;
    let mut answer = json(StatusCode::ACCEPTED, &state(&id, &plan.name, None));
    if let Ok(place) = HeaderValue::from_str(&format!("/runs/{id}")) {
        answer.headers_mut().insert(LOCATION, place);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(RUN_HEADER, id);
    }
    Ok(answer)
}

fn state(id: &Str, chain: &Str, ended: Option<&Told>) -> Value {
    let mut members = vec![("run", Value::Str(id.clone())), ("chain", Value::Str(chain.clone()))];
    match ended {
        None => members.push(("state", Value::from("running"))),
        Some(Told::Output(output)) => {
            members.push(("state", Value::from("answered")));
            members.push(("output", output.clone()));
        }
        Some(Told::Problem(problem)) => {
            members.push(("state", Value::from("ended")));
            members.push(("problem", problem.to_value(id)));
        }
    }
    Value::map(members)
}

pub(super) async fn poll(asked: Asked<'_>, id: &str) -> Result<Answer, Turned> {
    let seen = resumed::find(asked.doors, id, asked.caller.principal()).await;
    let seen = seen.filter(|seen| asked.is_for(&seen.of.chain)).ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &state(&id.into(), &seen.of.chain, seen.ended.as_ref())))
}

pub(super) async fn cancel(asked: Asked<'_>, id: &str) -> Result<Answer, Turned> {
    let seen = resumed::find(asked.doors, id, asked.caller.principal()).await;
    seen.filter(|seen| asked.is_for(&seen.of.chain)).ok_or_else(unknown)?;
    let limits = &asked.world.setting.limits;
    let seen = asked.doors.runs.cancel(id, asked.caller.principal(), limits).ok_or_else(unknown)?;
    Ok(json(StatusCode::ACCEPTED, &state(&id.into(), &seen.of.chain, seen.ended.as_ref())))
}

fn unknown() -> Turned {
    (Problem::not_found(), "no such run of this caller".to_string())
}
