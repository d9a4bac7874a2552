//! A confined process and what is said to it and by it: fed, listened to, bounded, and ended whole.

use super::group::Group;
use super::launch;
use super::probe::KernelWalls;
use super::spec::{ChildError, ChildLimits, ChildSpec};
use super::sys::Left;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::Value;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStatus {
    Code(i32),
    Signal(i32),
}

/// What a process and all it started used.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChildFigures {
    pub time: Duration,
    pub cpu: Duration,
    /// Of all together where there is a memory cgroup, of the largest otherwise.
    pub memory_peak_bytes: u64,
}

/// What a process left.
#[derive(Clone, Debug)]
pub struct ChildEnd {
    pub status: ChildStatus,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    pub figures: ChildFigures,
}

/// Why a process brought nothing.
#[derive(Debug, Error)]
pub enum ChildHalt {
    #[error(transparent)]
    Start(#[from] ChildError),
    #[error("it took longer than {} ms", .0.as_millis())]
    Time(Duration),
    #[error("it wrote more than {0} bytes")]
    Output(usize),
    #[error("what it wrote is not a line of JSON: {0}")]
    Line(String),
    #[error("it does not listen any more")]
    Deaf,
    #[error("the operating system lost hold of it: {0}")]
    Host(#[from] io::Error),
}

/// A process that runs. Dropped, it ends with everything it started.
#[derive(Debug)]
pub struct Child {
    group: Group,
    /// Closed by taking it.
    pub stdin: Option<pipe::Sender>,
    pub stdout: pipe::Receiver,
    pub stderr: pipe::Receiver,
    limits: ChildLimits,
    started: Instant,
}

impl Child {
    /// Starts a program behind walls, or says which it would lack.
    pub async fn start(spec: ChildSpec, walls: Arc<KernelWalls>) -> Result<Child, ChildError> {
        let (limits, started) = (spec.limits, Instant::now());
        let begun = launch::start_elsewhere(spec, walls).await?;
        Ok(Child {
            group: begun.group,
            stdin: Some(pipe::Sender::from_owned_fd(begun.stdin).map_err(ChildError::Host)?),
            stdout: pipe::Receiver::from_owned_fd(begun.stdout).map_err(ChildError::Host)?,
            stderr: pipe::Receiver::from_owned_fd(begun.stderr).map_err(ChildError::Host)?,
            limits,
            started,
        })
    }

    /// Its number on this host.
    pub fn pid(&self) -> i32 {
        self.group.pid()
    }

    /// Ends it, with everything it started, at once.
    pub fn kill(&self) {
        self.group.kill();
    }

    /// Waits for its end. When this returns, nothing that it started is there any more.
    pub async fn ended(&mut self) -> io::Result<(ChildStatus, ChildFigures)> {
        let left = self.group.ended().await?;
        Ok((status(left), self.figures(left)))
    }

    fn figures(&self, left: Left) -> ChildFigures {
        ChildFigures {
            time: self.started.elapsed(),
            cpu: Duration::from_micros(left.cpu_us),
            memory_peak_bytes: self.group.memory_peak_bytes().unwrap_or(left.memory_peak_bytes),
        }
    }

    /// Hands it all of `input`, and takes all it writes within its limits.
    async fn talk(&mut self, input: &[u8]) -> Result<ChildEnd, ChildHalt> {
        let most = self.limits.output_bytes_max;
        let stdin = self.stdin.take();
        let (stdout, stderr, group) = (&mut self.stdout, &mut self.stderr, &mut self.group);
        let ended = async { Ok::<_, ChildHalt>(group.ended().await?) };
        let (left, (), out, err) =
            tokio::try_join!(ended, feed(stdin, input), read(stdout, most), read(stderr, most))?;
        Ok(ChildEnd { status: status(left), out, err, figures: self.figures(left) })
    }
}

fn status(left: Left) -> ChildStatus {
    match libc::WIFSIGNALED(left.status) {
        true => ChildStatus::Signal(libc::WTERMSIG(left.status)),
        false => ChildStatus::Code(libc::WEXITSTATUS(left.status)),
    }
}

/// A program need not read what it is handed.
async fn feed(stdin: Option<pipe::Sender>, input: &[u8]) -> Result<(), ChildHalt> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    match stdin.write_all(input).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

async fn read(from: &mut pipe::Receiver, bytes_max: usize) -> Result<Vec<u8>, ChildHalt> {
    let mut out = Vec::new();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    from.take(most).read_to_end(&mut out).await?;
    match out.len() > bytes_max {
        true => Err(ChildHalt::Output(bytes_max)),
        false => Ok(out),
    }
}

/// Runs a program to its end. When this returns, or is dropped, nothing that it started is there any more.
pub async fn run_child(
    spec: ChildSpec,
    input: &[u8],
    walls: Arc<KernelWalls>,
) -> Result<ChildEnd, ChildHalt> {
    let limit = spec.limits.time_max;
    let mut child = Child::start(spec, walls).await?;
    let talked = timeout(limit, child.talk(input)).await.unwrap_or(Err(ChildHalt::Time(limit)));
    if talked.is_err() {
        child.kill();
        child.ended().await?;
    }
    talked
}

/// Bytes of its error output that are kept of a process that lasts: the latest.
const SAID_BYTES_MAX: usize = 64 << 10;

/// A process that lasts, and speaks in lines of JSON. What it says may cross what it is told, so both ways are open at
/// once; a line that is too long, or no JSON, ends it.
#[derive(Debug)]
pub struct ChildLines {
    child: Mutex<Child>,
    stdin: Mutex<Option<Telling>>,
    stdout: Mutex<(pipe::Receiver, Vec<u8>)>,
    said: Arc<std::sync::Mutex<Vec<u8>>>,
    listener: tokio::task::JoinHandle<()>,
    line_bytes_max: usize,
}

#[derive(Debug)]
struct Telling {
    pipe: pipe::Sender,
    /// A line that nobody finished: what came after it would be part of it.
    torn: bool,
}

impl Drop for ChildLines {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl ChildLines {
    /// Starts a program that will be spoken with. Its time is not limited: whoever speaks with it ends it.
    pub async fn start(
        spec: ChildSpec,
        walls: Arc<KernelWalls>,
        line_bytes_max: usize,
    ) -> Result<ChildLines, ChildHalt> {
        let mut child = Child::start(spec, walls).await?;
        let stdin = child.stdin.take().map(|pipe| Telling { pipe, torn: false });
        let (out, err) = (spare()?, spare()?);
        let stdout = std::mem::replace(&mut child.stdout, out);
        let mut stderr = std::mem::replace(&mut child.stderr, err);
        let said = Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = said.clone();
        let listener = tokio::spawn(async move {
            let mut piece = vec![0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut piece).await {
                let mut said = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                said.extend_from_slice(piece.get(..read).unwrap_or_default());
                let over = said.len().saturating_sub(SAID_BYTES_MAX);
                said.drain(..over);
            }
        });
        Ok(ChildLines {
            child: Mutex::new(child),
            stdin: Mutex::new(stdin),
            stdout: Mutex::new((stdout, Vec::new())),
            said,
            listener,
            line_bytes_max,
        })
    }

    /// Tells it one value. Given up half-way, it is told nothing any more.
    pub async fn send(&self, value: &Value) -> Result<(), ChildHalt> {
        let mut line = to_string(value);
        if line.len() > self.line_bytes_max {
            return Err(ChildHalt::Line(format!("longer than {} bytes", self.line_bytes_max)));
        }
        line.push('\n');
        let mut stdin = self.stdin.lock().await;
        let Some(telling) = stdin.as_mut().filter(|telling| !telling.torn) else {
            return Err(ChildHalt::Deaf);
        };
        telling.torn = true;
        let told = telling.pipe.write_all(line.as_bytes()).await;
        telling.torn = told.is_err();
        told.map_err(|_| ChildHalt::Deaf)
    }

    /// The next value it says; nothing at its end. Given up half-way, nothing is lost.
    pub async fn receive(&self) -> Result<Option<Value>, ChildHalt> {
        let mut stdout = self.stdout.lock().await;
        let (pipe, buffer) = &mut *stdout;
        let mut seen = 0;
        let line = loop {
            let end = buffer.iter().skip(seen).position(|byte| *byte == b'\n');
            if let Some(end) = end.map(|end| end + seen) {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                break line;
            }
            seen = buffer.len();
            if seen > self.line_bytes_max {
                break std::mem::take(buffer);
            }
            let mut piece = [0; 4096];
            match pipe.read(&mut piece).await? {
                0 if buffer.is_empty() => return Ok(None),
                0 => break std::mem::take(buffer),
                read => buffer.extend_from_slice(piece.get(..read).unwrap_or_default()),
            }
        };
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if line.len() > self.line_bytes_max {
            self.child.lock().await.kill();
            return Err(ChildHalt::Output(self.line_bytes_max));
        }
        let limits = JsonLimits { bytes_max: self.line_bytes_max, ..JsonLimits::default() };
        match parse(line, &limits) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.child.lock().await.kill();
                Err(ChildHalt::Line(error.to_string()))
            }
        }
    }

    /// The latest of what it wrote to its error output.
    pub fn said(&self) -> Vec<u8> {
        self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Its number on this host.
    pub async fn pid(&self) -> i32 {
        self.child.lock().await.pid()
    }

    /// Tells it no more, gives it a moment to end by itself, and ends it.
    pub async fn end(self, grace: Duration) -> Result<(ChildStatus, ChildFigures), ChildHalt> {
        drop(self.stdin.lock().await.take());
        let mut child = self.child.lock().await;
        if let Ok(ended) = timeout(grace, child.ended()).await {
            return Ok(ended?);
        }
        child.kill();
        Ok(child.ended().await?)
    }
}

/// A pipe that says nothing, in the place of one that was taken.
fn spare() -> io::Result<pipe::Receiver> {
    let (reader, _) = io::pipe()?;
    pipe::Receiver::from_owned_fd(reader.into())
}
