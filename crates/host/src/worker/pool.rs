//! The host's side of workers: started before they are needed, one guest and one party each, killed when a call is over
//! its time or given up, and replaced. What a worker sends is bounded and doubted.

use super::wire::{Answer, FRAME_BYTES_MORE, FromWorker, HEAD_BYTES, ToWorker};
use crate::call::{CallFigures, Ended, Halt};
use crate::capability::{CAPABILITIES, Desk, Errand, FREE, RANDOM_BYTES_MAX};
use crate::limits::CallLimits;
use ringmail_core::json::{JsonLimits, parse, to_string};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

/// Calls in workers at the same time; others wait their turn.
const CALLS_MAX: usize = 64;
/// Workers that wait for a next call of their guest.
const IDLE_MAX: usize = 32;
/// Workers that wait for any guest.
const SPARE_MAX: usize = 2;
/// How much later than the worker itself its host ends a call.
const GRACE: Duration = Duration::from_millis(10);
/// How long a worker may take to get ready for a guest.
const READY_MAX: Duration = Duration::from_secs(30);
/// What a guest that broke may say about it.
const WHY_BYTES_MAX: usize = 4 << 10;

/// How a worker is started: a program that calls [`super::serve_as_worker`] at once.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

/// The workers of a host.
#[derive(Debug)]
pub struct Workers {
    command: WorkerCommand,
    spare: Mutex<Vec<Worker>>,
    /// Oldest first.
    idle: Mutex<VecDeque<(Held, Worker)>>,
    slots: Semaphore,
    guests: AtomicU64,
}

/// Which guest a worker has, and on whose behalf: a worker never serves another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    guest: u64,
    party: String,
}

/// A guest that runs in workers.
#[derive(Clone, Debug)]
pub(crate) struct Isolated {
    workers: Arc<Workers>,
    guest: u64,
    capabilities: Arc<[&'static str]>,
    load: Arc<Vec<u8>>,
}

/// A worker at rest belongs to no runtime.
#[derive(Debug)]
struct Worker {
    process: Process,
    host: std::os::unix::net::UnixStream,
}

/// A worker in a call.
struct Busy {
    process: Process,
    host: UnixStream,
}

impl Worker {
    fn wake(self) -> io::Result<Busy> {
        Ok(Busy { process: self.process, host: UnixStream::from_std(self.host)? })
    }
}

impl Busy {
    fn rest(self) -> io::Result<Worker> {
        Ok(Worker { process: self.process, host: self.host.into_std()? })
    }
}

/// A process that does not outlive whoever holds it.
#[derive(Debug)]
struct Process(Option<Child>);

impl Drop for Process {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        // It may be gone already.
        let _gone = child.kill();
        let mut wait = move || drop(child.wait());
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(wait)),
            Err(_) => wait(),
        }
    }
}

/// Why a worker can no longer be used.
enum Lost {
    Halt(Halt),
    /// It ended, or said something that makes no sense.
    Broken(String),
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Lost {
        Lost::Broken(format!("its worker ended: {}", error.kind()))
    }
}

impl Workers {
    /// Nothing is started before the first call.
    pub fn new(command: WorkerCommand) -> Arc<Workers> {
        Arc::new(Workers {
            command,
            spare: Mutex::default(),
            idle: Mutex::default(),
            slots: Semaphore::new(CALLS_MAX),
            guests: AtomicU64::new(0),
        })
    }

    /// Starts the workers that wait for any guest. Blocks.
    pub fn warm(&self) -> io::Result<()> {
        while lock(&self.spare).len() < SPARE_MAX {
            let worker = self.start()?;
            lock(&self.spare).push(worker);
        }
        Ok(())
    }

    fn start(&self) -> io::Result<Worker> {
        let (host, worker) = std::os::unix::net::UnixStream::pair()?;
        let mut command = Command::new(&self.command.program);
        command.args(&self.command.args).env_clear().current_dir("/").process_group(0);
        command.stdin(OwnedFd::from(worker)).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process(Some(command.spawn()?));
        host.set_nonblocking(true)?;
        Ok(Worker { process, host })
    }

    /// A worker that has this guest for this party.
    async fn take(self: &Arc<Self>, isolated: &Isolated, held: &Held) -> Result<Busy, Lost> {
        let idle = {
            let mut idle = lock(&self.idle);
            let at = idle.iter().rposition(|(known, _)| known == held);
            at.and_then(|at| idle.remove(at))
        };
        if let Some((_, worker)) = idle {
            return Ok(worker.wake()?);
        }
        let spare = lock(&self.spare).pop();
        let mut worker = match spare {
            Some(worker) => worker,
            None => {
                let workers = self.clone();
                let started = tokio::task::spawn_blocking(move || workers.start()).await;
                started.map_err(|_| Lost::Broken("no worker starts".into()))??
            }
        }
        .wake()?;
        // The next one finds another in its place; that none starts is said to whoever needs it.
        let workers = self.clone();
        drop(tokio::task::spawn_blocking(move || workers.warm()));
        let ready = async {
            worker.host.write_all(&isolated.load).await?;
            worker.hear(&CallLimits::default()).await
        };
        match timeout(READY_MAX, ready).await {
            Ok(Ok(FromWorker::Ready)) => Ok(worker),
            Ok(Ok(FromWorker::Unfit(why))) => Err(Lost::Broken(shortened(why))),
            Ok(Err(lost)) => Err(lost),
            Ok(Ok(_)) | Err(_) => Err(Lost::Broken("its worker does not get ready".into())),
        }
    }

    fn give_back(&self, held: Held, worker: Busy) {
        // One that cannot rest is killed.
        let Ok(worker) = worker.rest() else { return };
        let mut idle = lock(&self.idle);
        idle.push_back((held, worker));
        let oldest = if idle.len() > IDLE_MAX { idle.pop_front() } else { None };
        drop(idle);
        drop(oldest);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shortened(mut why: String) -> String {
    if let Some(most) = (0..=WHY_BYTES_MAX).rev().find(|at| why.is_char_boundary(*at)) {
        why.truncate(most);
    }
    why
}

impl Isolated {
    /// `code` is what this host compiled, and `capabilities` what was granted.
    pub(crate) fn new(
        workers: &Arc<Workers>,
        capabilities: &[&str],
        env: &[(String, String)],
        code: Vec<u8>,
    ) -> Option<Isolated> {
        let known = CAPABILITIES.iter().map(|capability| capability.name);
        let load = ToWorker::Load {
            capabilities: capabilities.iter().map(|name| (*name).to_string()).collect(),
            env: env.to_vec(),
            code,
        };
        Some(Isolated {
            workers: workers.clone(),
            guest: workers.guests.fetch_add(1, Ordering::Relaxed),
            capabilities: known.filter(|name| capabilities.contains(name) || *name == FREE).collect(),
            load: Arc::new(load.to_frame()?),
        })
    }

    pub(crate) async fn call(&self, input: &str, limits: &CallLimits, mut desk: impl Desk) -> Ended {
        let called = Instant::now();
        let deadline = called + limits.time_max;
        let before = |halt, queued| Ended {
            result: Err(halt),
            printed: String::new(),
            figures: CallFigures { queued, ..CallFigures::default() },
            dump: None,
        };
        let Ok(Ok(_slot)) = timeout_at(deadline, self.workers.slots.acquire()).await else {
            return before(Halt::Time(limits.time_max), called.elapsed());
        };
        let held = Held { guest: self.guest, party: desk.party() };
        let taken = match timeout_at(deadline, self.workers.take(self, &held)).await {
            Ok(Ok(worker)) => Ok(worker),
            Ok(Err(Lost::Halt(halt))) => Err(halt),
            Ok(Err(Lost::Broken(why))) => Err(Halt::Broke(why)),
            Err(_) => Err(Halt::Time(limits.time_max)),
        };
        let queued = called.elapsed();
        let mut worker = match taken {
            Ok(worker) => worker,
            Err(halt) => return before(halt, queued),
        };
        // What is left of its time; the worker's own clock ends it first.
        let own = CallLimits { time_max: limits.time_max.saturating_sub(queued), ..*limits };
        let mut asks = 0;
        let whole = self.exchange(&mut worker, input, (&own, limits), &mut desk, &mut asks);
        let ended = timeout_at(deadline + GRACE, whole).await;
        match ended {
            Ok(Ok(mut ended)) => {
                ended.figures.queued = queued;
                ended.figures.asks = asks;
                self.workers.give_back(held, worker);
                ended
            }
            // Whatever state it is in, nobody meets it again.
            Ok(Err(Lost::Halt(halt))) => Ended {
                figures: CallFigures { asks, queued, ..CallFigures::default() },
                ..before(halt, queued)
            },
            Ok(Err(Lost::Broken(why))) => before(Halt::Broke(why), queued),
            Err(_) => before(Halt::Time(limits.time_max), queued),
        }
    }

    async fn exchange(
        &self,
        worker: &mut Busy,
        input: &str,
        (own, limits): (&CallLimits, &CallLimits),
        desk: &mut impl Desk,
        asks: &mut u64,
    ) -> Result<Ended, Lost> {
        worker.say(&ToWorker::Call { limits: *own, input: input.into() }).await?;
        let mut emitted = 0;
        loop {
            let said = match worker.hear(limits).await? {
                FromWorker::Ended(ended) => return ended_within(ended, limits, emitted),
                said => said,
            };
            if *asks >= limits.asks_max {
                return Err(Lost::Halt(Halt::Asks(limits.asks_max)));
            }
            *asks += 1;
            let answer = self.answer(said, limits, &mut emitted, desk).await?;
            worker.say(&ToWorker::Answer(answer)).await?;
        }
    }

    /// Answers what a guest may ask. A worker that asks anything else is in somebody's hands.
    async fn answer(
        &self,
        said: FromWorker,
        limits: &CallLimits,
        emitted: &mut usize,
        desk: &mut impl Desk,
    ) -> Result<Answer, Lost> {
        let own = |name: &str| {
            let found = self.capabilities.iter().find(|known| **known == name);
            found.copied().ok_or_else(|| Lost::Broken("its worker asked for what was not granted".into()))
        };
        Ok(match said {
            FromWorker::Ask { capability, tool, args } => {
                let capability = own(&capability)?;
                if capability == FREE {
                    *emitted = emitted.saturating_add(args.len());
                    if *emitted > limits.output_bytes_max {
                        return Err(Lost::Halt(Halt::Output(limits.output_bytes_max)));
                    }
                }
                let bounds = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
                let args = parse(args.as_bytes(), &bounds)
                    .map_err(|_| Lost::Broken("its worker asked with no JSON".into()))?;
                let answer = desk.ask(Errand { capability, tool, args }).await;
                Answer::Value(answer.map(|value| to_string(&value)))
            }
            FromWorker::Secret(name) => {
                own("secret")?;
                Answer::Text(desk.secret(&name))
            }
            FromWorker::Setting(key) => {
                own("env")?;
                Answer::Text(desk.setting(&key))
            }
            FromWorker::Now => {
                own("clock")?;
                Answer::Number(desk.now_ms())
            }
            FromWorker::Random(count) if count <= RANDOM_BYTES_MAX => {
                own("random")?;
                let mut bytes = vec![0; count as usize];
                let filled = desk.random(&mut bytes);
                Answer::Bytes(filled.then_some(bytes))
            }
            FromWorker::Tools => {
                own("tool")?;
                Answer::Tools(desk.tools())
            }
            _ => return Err(Lost::Broken("its worker said something that makes no sense".into())),
        })
    }
}

fn ended_within(ended: Ended, limits: &CallLimits, emitted: usize) -> Result<Ended, Lost> {
    let Ended { result, printed, figures, dump } = ended;
    let text = match &result {
        Ok(text) | Err(Halt::Failed(text)) => text.len(),
        _ => 0,
    };
    if text.saturating_add(emitted) > limits.output_bytes_max {
        return Err(Lost::Halt(Halt::Output(limits.output_bytes_max)));
    }
    let result = result.map_err(|halt| match halt {
        Halt::Broke(why) => Halt::Broke(shortened(why)),
        Halt::Large(why) => Halt::Large(shortened(why)),
        other => other,
    });
    Ok(Ended { result, printed, figures, dump })
}

impl Busy {
    async fn say(&mut self, said: &ToWorker) -> Result<(), Lost> {
        let frame = said.to_frame().ok_or_else(|| Lost::Broken("what it is told is too large".into()))?;
        Ok(self.host.write_all(&frame).await?)
    }

    /// The next frame, in no more room than a guest within its limits needs.
    async fn hear(&mut self, limits: &CallLimits) -> Result<FromWorker, Lost> {
        let mut head = [0; HEAD_BYTES];
        self.host.read_exact(&mut head).await?;
        let length = u32::from_le_bytes(head) as usize;
        // Bytes travel as base64 in JSON.
        if length > limits.output_bytes_max.saturating_mul(2).saturating_add(FRAME_BYTES_MORE) {
            return Err(Lost::Broken("its worker sent more than it may".into()));
        }
        let mut frame = Vec::new();
        (&mut self.host).take(length as u64).read_to_end(&mut frame).await?;
        FromWorker::read(&frame, limits)
            .ok_or_else(|| Lost::Broken("its worker said something that makes no sense".into()))
    }
}
