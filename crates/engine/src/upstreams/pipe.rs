//! A server of MCP that is a program of the project: one process a session, behind its walls, spoken with in lines.

use super::message::{Era, Heard, hear, is_change, notification, reply, request};
use super::{Answer, Ask, broken};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::Blocked;
use ringmail_core::value::Value;
use ringmail_host::{ChildHalt, ChildLines, ChildSpec, KernelWalls};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Bytes of the end of a server's error output that a failure tells.
const SAID_BYTES: usize = 400;
/// Progress that waits for whoever hears it.
const PROGRESS_MAX: usize = 64;

pub(super) struct Pipe {
    lines: Arc<ChildLines>,
    waiting: Arc<Waiting>,
    next: AtomicI64,
    /// Whether it was given any arguments.
    given: AtomicBool,
    ear: tokio::task::JoinHandle<()>,
}

/// Those who wait for an answer; nobody can once the server is gone.
#[derive(Default)]
struct Waiting {
    asked: Mutex<Option<BTreeMap<i64, Asker>>>,
    /// Whether the server said that what it offers is something else now.
    changed: AtomicBool,
}

struct Asker {
    answer: oneshot::Sender<Result<Value, i64>>,
    progress: Option<mpsc::Sender<Value>>,
}

impl Waiting {
    fn take(&self, id: i64) -> Option<Asker> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.remove(&id)
    }

    fn progress(&self, params: &Value) {
        let Some(Value::Int(token)) = params.get("progressToken") else { return };
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asker = asked.as_ref().and_then(|asked| asked.get(token));
        if let Some(progress) = asker.and_then(|asker| asker.progress.as_ref()) {
            // Whoever hears too slowly misses some of it.
            let _missed = progress.try_send(params.clone());
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.ear.abort();
    }
}

impl Pipe {
    pub(super) async fn start(
        spec: ChildSpec,
        walls: Arc<KernelWalls>,
        line_bytes_max: usize,
    ) -> Result<Pipe, Failure> {
        let lines = ChildLines::start(spec, walls, line_bytes_max).await.map_err(|halt| failure(&halt))?;
        let lines = Arc::new(lines);
        let waiting = Waiting { asked: Mutex::new(Some(BTreeMap::new())), changed: AtomicBool::new(false) };
        let waiting = Arc::new(waiting);
        let ear = tokio::spawn(listen(lines.clone(), waiting.clone()));
        Ok(Pipe { lines, waiting, next: AtomicI64::new(1), given: AtomicBool::new(false), ear })
    }

    /// Whether the server said that it offers something else since this was asked last.
    pub(super) fn has_changed(&self) -> bool {
        self.waiting.changed.swap(false, Ordering::Relaxed)
    }

    pub(super) async fn tell(&self, method: &str) -> Result<(), Failure> {
        self.lines.send(&notification(method, Vec::new())).await.map_err(|halt| failure(&halt))
    }

    /// Why nobody answers. What the server said last is told only while it can be of nobody's data.
    fn ended(&self) -> Failure {
        let said = self.lines.said();
        let said =
            String::from_utf8_lossy(said.get(said.len().saturating_sub(SAID_BYTES)..).unwrap_or_default());
        let said = said.replace(|c: char| c.is_control(), " ");
        if self.given.load(Ordering::Relaxed) || said.trim().is_empty() {
            return broken("the server ended before it answered");
        }
        broken(&format!("the server ended before it answered; it said `{}`", said.trim()))
    }

    pub(super) async fn ask(&self, ask: Ask<'_>, era: Option<&Era>) -> Result<Answer, Blocked> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let (progress, mut heard) = mpsc::channel(PROGRESS_MAX);
        let asker = Asker { answer, progress: ask.pieces.is_some().then_some(progress) };
        let known = match self.waiting.asked.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(asked) => asked.insert(id, asker).is_none(),
            None => false,
        };
        if !known {
            return Err(broken("the server is gone").into());
        }
        let gives = ask.name.is_some() || ask.method == "completion/complete";
        self.given.fetch_or(gives, Ordering::Relaxed);
        let mut asked = Asked { id, pipe: self, over: false };
        let message = request(id, ask.method, ask.params(id), era);
        self.lines.send(&message).await.map_err(|halt| failure(&halt))?;
        tokio::pin!(answered);
        let mut hears = ask.pieces.is_some();
        let result = loop {
            tokio::select! {
                biased;
                piece = heard.recv(), if hears => match (piece, ask.pieces) {
                    (Some(piece), Some(pieces)) => pieces.send(super::progress(&piece)).await?,
                    _ => hears = false,
                },
                result = &mut answered => break result,
            }
        };
        asked.over = true;
        let result = result.map_err(|_| self.ended())?;
        Ok(Answer { result, echoed: Default::default() })
    }
}

/// A request that is out. Given up, the server is told so.
struct Asked<'p> {
    id: i64,
    pipe: &'p Pipe,
    over: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        drop(self.pipe.waiting.take(self.id));
        let lines = self.pipe.lines.clone();
        let told = notification("notifications/cancelled", vec![("requestId", Value::Int(self.id))]);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // A server that does not listen any more does not need to hear it.
            runtime.spawn(async move { lines.send(&told).await.is_ok() });
        }
    }
}

/// Hears what the server says until it ends, or says what is none of the protocol's.
async fn listen(lines: Arc<ChildLines>, waiting: Arc<Waiting>) {
    while let Ok(Some(said)) = lines.receive().await {
        match hear(&said) {
            Heard::Answer { id, result } => {
                if let Some(asker) = waiting.take(id) {
                    // Whoever asked may have gone.
                    let _gone = asker.answer.send(result);
                }
            }
            Heard::Request { id, method } => {
                if lines.send(&reply(id, &method)).await.is_err() {
                    break;
                }
            }
            Heard::Notification { method, params } => match &*method {
                "notifications/progress" => waiting.progress(&params),
                change if is_change(change) => waiting.changed.store(true, Ordering::Relaxed),
                _ => {}
            },
            Heard::Nothing => {}
        }
    }
    *waiting.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn failure(halt: &ChildHalt) -> Failure {
    let kind = match halt {
        ChildHalt::Line(_) => FailureKind::TooLarge,
        _ => FailureKind::Unavailable,
    };
    Failure::new(kind, halt.to_string())
}
