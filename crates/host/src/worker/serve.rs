//! A worker's own side: it builds its walls, gives up everything else, and calls one guest again and again for its
//! host. It holds nothing but what the host sends it, and reaches nothing but the socket it was started with.

use super::wire::{Answer, FromWorker, HEAD_BYTES, ToWorker};
use crate::call::Ended;
use crate::capability::{Denied, Desk, Errand, Reply, ToolCard};
use crate::child::{ChildLimits, WorkerWalls, confine_this_process};
use crate::limits::CallLimits;
use crate::load::{Confined, Granted, MODULE_BYTES_MAX};
use crate::walls::{MEMORY_BYTES_MAX, Walls};
use ringmail_core::json::{JsonLimits, parse, to_string};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Compiled code is larger than what it was compiled from.
const FRAME_BYTES_MAX: usize = 8 * MODULE_BYTES_MAX;
/// The pool reserves addresses for memories without using them.
const ADDRESS_BYTES_MAX: u64 = 1 << 40;
const DESCRIPTORS_MAX: u64 = 64;
const THREADS_MAX: u64 = 4_096;

/// Serves the host that started this process, whose standard input is a socket to it, until the host hangs up. Must be
/// the first thing the process does: it has to be alone when it gives up its powers.
pub fn serve_as_worker() -> ExitCode {
    match begin().and_then(|(walls, host)| serve(&walls, host)) {
        Ok(()) => ExitCode::SUCCESS,
        // The host sees it end, and nobody else is there to be told.
        Err(_) => ExitCode::FAILURE,
    }
}

fn begin() -> io::Result<(Arc<Walls>, UnixStream)> {
    let host = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // What the pool opens is opened before nothing can be any more.
    let begun = Walls::begin_alone().map_err(io::Error::other)?;
    let limits = ChildLimits {
        // Each call has its own limits; a worker lives longer than any.
        cpu_max: Duration::from_secs(u64::from(u32::MAX)),
        memory_bytes_max: ADDRESS_BYTES_MAX,
        processes_max: THREADS_MAX,
        files_max: DESCRIPTORS_MAX,
        // No file can be opened; what a module's memory begins with lies in one that is memory itself.
        file_bytes_max: MEMORY_BYTES_MAX as u64,
        ..ChildLimits::default()
    };
    confine_this_process(&WorkerWalls { files: Vec::new(), limits }).map_err(io::Error::other)?;
    Ok((begun.start().map_err(io::Error::other)?, host))
}

fn serve(walls: &Arc<Walls>, mut host: UnixStream) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut guest = None;
    while let Some(said) = hear(&mut host)? {
        match said {
            ToWorker::Load { capabilities, env, code } => {
                let known: Vec<&str> = capabilities.iter().map(String::as_str).collect();
                let granted = Granted { capabilities: &known, env: &env, ..Granted::default() };
                // SAFETY: the code came from the host that started this process, over the only way there is into it,
                // and the host compiled it or found it in its authenticated cache.
                #[allow(unsafe_code, reason = "see above")]
                let loaded = unsafe { Confined::from_code(walls, &code, granted) };
                let said = match loaded {
                    Ok(confined) => {
                        guest = Some(confined);
                        FromWorker::Ready
                    }
                    Err(error) => FromWorker::Unfit(error.to_string()),
                };
                say(&mut host, &said)?;
            }
            ToWorker::Call { limits, input } => {
                let Some(guest) = &guest else { return Err(io::ErrorKind::InvalidData.into()) };
                let ended = runtime.block_on(call(guest, &input, &limits, &mut host));
                say(&mut host, &FromWorker::Ended(ended))?;
            }
            ToWorker::Answer(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Ok(())
}

async fn call(guest: &Confined, input: &str, limits: &CallLimits, host: &mut UnixStream) -> Ended {
    guest.call(input, limits, Relay(host)).await
}

/// The next frame; nothing once the host is gone.
fn hear(host: &mut UnixStream) -> io::Result<Option<ToWorker>> {
    let mut head = [0; HEAD_BYTES];
    match host.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes(head) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = Vec::with_capacity(length);
    host.take(length as u64).read_to_end(&mut frame)?;
    ToWorker::read(&frame).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn say(host: &mut UnixStream, said: &FromWorker) -> io::Result<()> {
    host.write_all(&said.to_frame().ok_or(io::ErrorKind::InvalidData)?)
}

/// Asks the host. The guest waits, and nothing else is here to do.
struct Relay<'h>(&'h mut UnixStream);

impl Relay<'_> {
    fn ask(&mut self, asked: &FromWorker) -> Option<Answer> {
        say(self.0, asked).ok()?;
        match hear(self.0).ok()?? {
            ToWorker::Answer(answer) => Some(answer),
            _ => None,
        }
    }

    fn text(&mut self, asked: &FromWorker) -> Option<String> {
        match self.ask(asked)? {
            Answer::Text(text) => text,
            _ => None,
        }
    }
}

impl Desk for Relay<'_> {
    fn ask(&mut self, asked: Errand) -> Reply<'_> {
        let Errand { capability, tool, args } = asked;
        let asked = FromWorker::Ask { capability: capability.into(), tool, args: to_string(&args) };
        let answer = Relay::ask(self, &asked);
        Box::pin(async move {
            let gone = Denied { refused: false, message: "the host is gone".into() };
            let Some(Answer::Value(answer)) = answer else { return Err(gone) };
            let bounds = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
            answer.and_then(|text| parse(text.as_bytes(), &bounds).map_err(|_| gone))
        })
    }

    fn secret(&mut self, name: &str) -> Option<String> {
        self.text(&FromWorker::Secret(name.into()))
    }

    fn setting(&mut self, key: &str) -> Option<String> {
        self.text(&FromWorker::Setting(key.into()))
    }

    fn now_ms(&mut self) -> u64 {
        match Relay::ask(self, &FromWorker::Now) {
            Some(Answer::Number(now)) => now,
            _ => 0,
        }
    }

    fn random(&mut self, into: &mut [u8]) -> bool {
        let Ok(count) = u32::try_from(into.len()) else { return false };
        match Relay::ask(self, &FromWorker::Random(count)) {
            Some(Answer::Bytes(Some(bytes))) if bytes.len() == into.len() => {
                into.copy_from_slice(&bytes);
                true
            }
            _ => false,
        }
    }

    fn tools(&mut self) -> Vec<ToolCard> {
        match Relay::ask(self, &FromWorker::Tools) {
            Some(Answer::Tools(tools)) => tools,
            _ => Vec::new(),
        }
    }
}
