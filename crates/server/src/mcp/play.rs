//! A run on behalf of a client, from its turn to its end, or to a question that the client comes back with the answer to.

use super::message::{Fault, Request};
use super::parked::{Back, Left, bound};
use super::session::OpenQuestion;
use super::told::Told;
use super::{Era, Guest, Talk, ask, finished};
use crate::calls::{Ready, Seat};
use crate::limits::Held;
use crate::problem::Problem;
use ringmail_core::failure::FailureKind;
use ringmail_core::value::{Str, Value};
use ringmail_engine::{CallerQuestion, CancellationToken, Chain, Report, RunError};
use std::pin::Pin;
use tokio::sync::mpsc;

/// Pieces of a stream that wait for a slow reader.
const PIECES_MAX: usize = 64;

/// How a run ended, as its caller may hear it, and what it is called.
pub(super) struct Played {
    pub(super) id: Str,
    pub(super) ended: Result<Value, Problem>,
}

/// What came of a call.
pub(super) enum Came {
    Ended(Played),
    /// Its caller is asked something, and told so.
    Asked(Value),
}

/// A run that is under way.
pub(super) struct Playing {
    id: Str,
    run: Pin<Box<dyn Future<Output = Report> + Send>>,
    pieces: mpsc::Receiver<Value>,
    questions: mpsc::Receiver<CallerQuestion>,
    cancel: CancellationToken,
    _seat: Seat,
    /// Nothing while it is parked: whoever takes his time keeps nobody waiting.
    _held: Option<Held>,
}

/// What a run came to.
enum Happened {
    Ended(Report),
    Asks(CallerQuestion),
}

impl Playing {
    fn begin(ready: Ready, streams: bool, asks: bool) -> Playing {
        let Ready { run, cancel, held: (seat, held) } = ready;
        let ((sender, pieces), (asking, questions)) = (mpsc::channel(PIECES_MAX), mpsc::channel(1));
        let id = run.id().clone();
        let run = if streams { run.pieces(sender) } else { run };
        let run = if asks { run.caller(asking) } else { run };
        let run = Box::pin(run.run());
        Playing { id, run, pieces, questions, cancel, _seat: seat, _held: Some(held) }
    }
}

pub(super) async fn play(
    guest: &Guest,
    talk: &Talk,
    request: &Request,
    chain: &Chain,
    input: Value,
) -> Result<Came, Fault> {
    let what = format!("{} {}", request.method, chain.name());
    let turned = |turned| guest.turned(&what, &turned).0;
    let wrong = |key: &str| Err(Fault::params(format!("`{key}` is not what it has to be")));
    if request.params.get("inputResponses").is_some_and(|answers| answers.as_map().is_none()) {
        return wrong("inputResponses");
    }
    let counted = guest.asked().count(chain.name()).map_err(turned)?;
    let asks = talk.era.asks() && ask::CALLS.contains(&&*request.method);
    let bound = || bound(guest, request, chain.name(), &input);
    let mut playing = match request.params.get("requestState").filter(|_| talk.era.is_stateless()) {
        None => {
            let asks = asks && (talk.era.is_stateless() || talk.out.is_some());
            let ready = counted.ready(input.clone()).await.map_err(turned)?;
            Playing::begin(ready, talk.out.is_some(), asks)
        }
        Some(Value::Str(state)) => {
            let held = counted.held;
            match guest.doors.parked.go_on(guest, &bound(), state, request)? {
                Back::Told(playing) => Playing { _held: Some(held), ..playing },
                Back::Again(members) => return Ok(Came::Asked(finished(guest, &talk.era, members, None))),
            }
        }
        Some(_) => return wrong("requestState"),
    };
    match watched(talk, request, chain, &mut playing).await {
        Happened::Ended(report) => Ok(Came::Ended(ended(talk, playing.id, &report)?)),
        Happened::Asks(question) => {
            let playing = Playing { _held: None, ..playing };
            let kept = guest.doors.parked.keep(guest, &bound(), Left { playing, question });
            let members =
                kept.ok_or_else(|| turned((Problem::overloaded(), "too many callers are asked".into())))?;
            Ok(Came::Asked(finished(guest, &talk.era, members, None)))
        }
    }
}

/// How a run ended. One that failed as nobody could be asked says what its client would have to be able to.
fn ended(talk: &Talk, id: Str, report: &Report) -> Result<Played, Fault> {
    let unasked = |error: &RunError| matches!(error, RunError::Failed { failure, .. } if failure.kind == FailureKind::Unasked);
    match &report.result {
        Err(error) if talk.era.is_stateless() && !talk.era.asks() && unasked(error) => Err(ask::unable()),
        Err(error) => Ok(Played { id, ended: Err(Problem::of(error)) }),
        Ok(answer) => Ok(Played { id, ended: Ok(answer.value().clone()) }),
    }
}

/// Runs to the end, or to a question; tells on the way what the chain says, and ends it when nobody waits any more.
async fn watched(talk: &Talk, request: &Request, chain: &Chain, playing: &mut Playing) -> Happened {
    let (mut told, mut there) = (Told::new(request, chain, &talk.era), true);
    let (mut pieces_open, mut questions_open) = (true, true);
    let mut open: Option<(CallerQuestion, OpenQuestion)> = None;
    let report = loop {
        tokio::select! {
            biased;
            () = talk.gone.cancelled(), if there => {
                there = false;
                playing.cancel.cancel();
            }
            piece = playing.pieces.recv(), if pieces_open => match piece {
                Some(piece) => told.tell(talk, &piece).await,
                None => pieces_open = false,
            },
            asked = playing.questions.recv(), if questions_open && open.is_none() => match (asked, &talk.era) {
                (None, _) => questions_open = false,
                (Some(question), Era::Stateless(alone)) if alone.asks => return Happened::Asks(question),
                // Its client has become another, and whoever asks hears that there is nobody.
                (Some(_), Era::Stateless(_)) => {}
                (Some(question), Era::Session(session)) => {
                    open = ask::ask(talk, session, &question).await.map(|there| (question, there));
                }
            },
            answer = answered(&mut open), if open.is_some() => {
                go_on(talk, open.take(), answer).await;
            }
            report = &mut playing.run => break report,
        }
    };
    while let Ok(piece) = playing.pieces.try_recv() {
        told.tell(talk, &piece).await;
    }
    Happened::Ended(report)
}

/// What a client answers; nothing if nobody waits for it any more.
async fn answered(open: &mut Option<(CallerQuestion, OpenQuestion)>) -> Option<Option<Value>> {
    let Some((question, there)) = open else { return std::future::pending().await };
    tokio::select! {
        biased;
        () = question.given_up() => None,
        answer = &mut there.answer => Some(answer.ok().flatten()),
    }
}

/// Brings an answer to the run.
async fn go_on(talk: &Talk, open: Option<(CallerQuestion, OpenQuestion)>, answer: Option<Option<Value>>) {
    let Some((question, there)) = open else { return };
    match answer {
        None => ask::give_up(talk, there).await,
        Some(Some(result)) => question.tell(ask::read(&result)),
        // The client could not ask: whoever waits hears that there is nobody.
        Some(None) => {}
    }
}
