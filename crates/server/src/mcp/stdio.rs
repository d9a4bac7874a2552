//! MCP over this process's own pipes, for one local client: a line a message. Whoever started the process is the
//! caller, so there is nothing to prove; everything else is as at any other door.

use super::era::{Said, alone, is_stateless};
use super::message::{Fault, Message, Request, answer};
use super::session::{Session, UnderWay};
use super::{Era, Guest, Talk, hear, hear_answer, initialize};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::resumed;
use crate::server::{Doors, ServerError};
use crate::world::Loaded;
use http::StatusCode;
use ringmail_core::json::to_string;
use ringmail_core::listener::{Frames, ListenAt, ListenerSetting, ServerSetting};
use ringmail_core::policy::Principal;
use ringmail_core::value::Value;
use ringmail_engine::Audit;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Requests answered at once, and answers that wait for a slow reader.
const REQUESTS_MAX: usize = 64;
const ANSWERS_MAX: usize = 256;
/// How long what is under way may take to end once the client has gone.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves one client until it closes its side. Its runs that a process before this one left open go on.
pub async fn serve_stdio<R, W>(
    loaded: Loaded,
    principal: Principal,
    (data, audit, said): (&Path, Audit, fn(&str)),
    (input, output): (R, W),
) -> Result<(), ServerError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    // Nobody comes in but over the pipes.
    let setting = ServerSetting {
        limits: loaded.setting.limits,
        rates: loaded.setting.rates,
        ..ServerSetting::default()
    };
    let doors = Doors::new(Loaded { setting, ..loaded }, data)?;
    let world = doors.world();
    resumed::recall(&doors, audit.clone(), said);
    if let Err(error) = resumed::resume(&doors, audit, said, Some(&principal)) {
        said(&format!("runs that were left open stay so: {error}"));
    }
    let bytes_max = world.setting.limits.body_bytes_max;
    let gone = CancellationToken::new();
    let guest = Arc::new(Guest {
        listener: Arc::new(listener()),
        caller: Caller::new(principal, None, gone.clone()),
        from: "stdio".into(),
        doors,
        world,
    });
    let (out, answers) = mpsc::channel(ANSWERS_MAX);
    let writing = tokio::spawn(write(answers, output));
    let pipe = Pipe {
        guest,
        out,
        gone,
        under_way: UnderWay::default(),
        room: Arc::new(Semaphore::new(REQUESTS_MAX)),
        tasks: TaskTracker::new(),
    };
    let mut session = None;
    let mut input = BufReader::new(input);
    while let Some(line) = next(&mut input, bytes_max).await {
        if pipe.out.is_closed() {
            break;
        }
        match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => {}
            Line::Whole(line) => pipe.take(&line, bytes_max, &mut session).await,
            Line::TooLong => {
                let fault = Fault::envelope(format!("a message has at most {bytes_max} bytes"));
                pipe.say(answer(None, Err(&fault))).await;
            }
        }
    }
    pipe.tasks.close();
    // What was asked before the end is answered, if it does not take for ever.
    let limit = Duration::from_millis(pipe.guest.world.setting.limits.drain_ms);
    let doors = &pipe.guest.doors;
    let answered = async {
        pipe.tasks.wait().await;
        // What waits is left open, for whoever comes after this process.
        doors.leaving.cancel();
        doors.no_run().await;
    };
    if tokio::time::timeout(limit, answered).await.is_err() {
        pipe.gone.cancel();
        doors.runs.cancel_all();
        let ended = async { tokio::join!(pipe.tasks.wait(), doors.no_run()) };
        let _ended = tokio::time::timeout(LAST_WORDS, ended).await;
    }
    drop(pipe);
    // A writer that cannot write has nobody to tell.
    let _unheard = tokio::time::timeout(LAST_WORDS, writing).await;
    Ok(())
}

/// The one way in that no project has to name: all chains, for whoever started the process.
fn listener() -> ListenerSetting {
    ListenerSetting {
        name: "stdio".into(),
        at: ListenAt::Unix(String::new(), Frames::Lines),
        chains: None,
        accept: Vec::new(),
        anonymous: false,
        tls: None,
        hosts: None,
        origins: Vec::new(),
        proxies: Vec::new(),
        mcp: true,
        resource: None,
    }
}

enum Line {
    Whole(Vec<u8>),
    /// Its rest was thrown away.
    TooLong,
}

async fn next<R: AsyncRead + Unpin>(input: &mut BufReader<R>, bytes_max: usize) -> Option<Line> {
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    let read = (&mut *input).take(most).read_until(b'\n', &mut line).await.ok()?;
    if line.last() == Some(&b'\n') || (read > 0 && line.len() <= bytes_max) {
        return Some(Line::Whole(line));
    }
    if read == 0 {
        return None;
    }
    loop {
        let here = input.fill_buf().await.ok()?;
        let (end, found) = match here.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (here.len(), false),
        };
        input.consume(end);
        if found || end == 0 {
            return Some(Line::TooLong);
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(mut answers: mpsc::Receiver<Value>, mut output: W) {
    while let Some(value) = answers.recv().await {
        let line = to_string(&value) + "\n";
        if output.write_all(line.as_bytes()).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}

/// One client at the other end.
struct Pipe {
    guest: Arc<Guest>,
    out: mpsc::Sender<Value>,
    gone: CancellationToken,
    under_way: UnderWay,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Pipe {
    async fn say(&self, value: Value) {
        // Nobody listens any more: reading ends next.
        let _unheard = self.out.send(value).await;
    }

    async fn take(&self, line: &[u8], bytes_max: usize, session: &mut Option<Arc<Session>>) {
        let message = match Message::read(line, bytes_max) {
            Ok(message) => message,
            Err((id, fault)) => return self.say(answer(id.as_ref(), Err(&fault))).await,
        };
        let request = match message {
            Message::Request(ref request) => request,
            Message::Notification { method, params } => {
                // A notification is never answered, not even that there were too many.
                let _unheard = hear(&self.guest, &self.under_way, &method, &params);
                return;
            }
            Message::Response { id, result } => {
                // Nobody answers an answer.
                if let Some(session) = session {
                    let _unheard = hear_answer(&self.guest, session, &id, result);
                }
                return;
            }
        };
        match self.era(&message, request, session) {
            Ok(Some(era)) => self.begin(era, request).await,
            Ok(None) => match initialize(&self.guest, request) {
                Ok((begun, result)) => {
                    *session = Some(Arc::new(begun));
                    self.say(answer(Some(&request.id), Ok(&result))).await;
                }
                Err(fault) => self.say(answer(Some(&request.id), Err(&fault))).await,
            },
            Err(fault) => self.say(answer(Some(&request.id), Err(&fault))).await,
        }
    }

    /// What a request is spoken in; nothing if it begins a session.
    fn era(
        &self,
        message: &Message,
        request: &Request,
        session: &Option<Arc<Session>>,
    ) -> Result<Option<Era>, Fault> {
        if is_stateless(message, &Said::default()) {
            let alone = alone(request, None)?;
            return Ok(Some(Era::Stateless(alone)));
        }
        if &*request.method == "initialize" {
            return Ok(None);
        }
        let session = session.clone();
        let session = session.ok_or_else(|| Fault::envelope("a session begins with `initialize`"))?;
        Ok(Some(Era::Session(session)))
    }

    async fn begin(&self, era: Era, request: &Request) {
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            let why = format!("more than {REQUESTS_MAX} requests at once");
            let turned = (Problem::overloaded(), why);
            let (fault, _) = self.guest.turned(&request.method, &turned);
            return self.say(answer(Some(&request.id), Err(&fault.status(StatusCode::OK)))).await;
        };
        let (guest, request, out) = (self.guest.clone(), request.clone(), self.out.clone());
        let gone = self.gone.child_token();
        let begun = match self.under_way.begin(&request.id, gone.clone()) {
            Ok(begun) => begun,
            Err(fault) => return self.say(answer(Some(&request.id), Err(&fault))).await,
        };
        let talk = Talk { era, out: Some(out.clone()), gone: gone.clone() };
        self.tasks.spawn(async move {
            let _permit = permit;
            let told = super::answer(&guest, &talk, &request).await;
            drop(begun);
            if gone.is_cancelled() {
                // Whoever cancelled a request waits for no answer to it.
                return;
            }
            let told = answer(Some(&request.id), told.as_ref());
            // The client has gone.
            let _unheard = out.send(told).await;
        });
    }
}
