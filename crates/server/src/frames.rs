//! Messages without HTTP, over TCP and sockets of this machine: a line each, or four bytes of length before each. One
//! message is one call, `{"id": .., "chain": "greet", "input": .., "key": ".."}`, and has one answer under its `id`.

use crate::calls::{Asked, Turned, turn_away};
use crate::identity::{Shown, Subjected, certificate, prove};
use crate::limits::Counted;
use crate::problem::Problem;
use crate::server::Doors;
use crate::stream::Watched;
use http::StatusCode;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::listener::Frames;
use ringmail_core::value::{Str, Value};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

/// Who is at the other end.
struct Peer {
    listener: Str,
    address: Option<IpAddr>,
    subject: Option<Subjected>,
}

impl Peer {
    fn shown(&self) -> String {
        self.address.map_or_else(|| "this machine".to_string(), |address| address.to_string())
    }
}

/// Speaks with one TCP peer.
pub(crate) async fn serve_tcp(
    doors: Arc<Doors>,
    listener: Str,
    frames: Frames,
    stream: TcpStream,
    address: SocketAddr,
    held: Counted,
) {
    let world = doors.world();
    let (limits, tls) = (world.setting.limits, world.tls(&listener));
    drop(world);
    let stream = Watched::new(stream, Duration::from_millis(limits.stall_ms));
    let mut peer = Peer { listener, address: Some(address.ip()), subject: None };
    match tls {
        None => speak(&doors, &peer, frames, stream).await,
        Some(config) => {
            let head_time = Duration::from_millis(limits.head_ms);
            let accepted = tokio::time::timeout(head_time, TlsAcceptor::from(config).accept(stream)).await;
            let Ok(Ok(stream)) = accepted else { return };
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            peer.subject = shown.and_then(certificate::subject);
            speak(&doors, &peer, frames, stream).await;
        }
    }
    drop(held);
}

/// Speaks with one peer on this machine.
pub(crate) async fn serve_unix(
    doors: Arc<Doors>,
    listener: Str,
    frames: Frames,
    stream: UnixStream,
    held: Counted,
) {
    let stall = Duration::from_millis(doors.world().setting.limits.stall_ms);
    let subject = crate::identity::unix::subject(&stream);
    let peer = Peer { listener, address: None, subject };
    speak(&doors, &peer, frames, Watched::new(stream, stall)).await;
    drop(held);
}

/// Why no further message is read.
enum Halt {
    Gone,
    TooLarge,
    Slow,
}

async fn speak<S>(doors: &Arc<Doors>, peer: &Peer, frames: Frames, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    loop {
        let message = tokio::select! {
            biased;
            () = doors.stopping.cancelled() => return,
            message = next(doors, frames, &mut stream) => message,
        };
        let told = match message {
            Ok(message) => tokio::select! {
                biased;
                () = doors.cut.cancelled() => return,
                told = answer(doors, peer, &message) => told,
                () = gone(&mut stream) => return,
            },
            Err(Halt::Gone) => return,
            Err(halt) => {
                let problem = match halt {
                    Halt::Slow => {
                        Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-request", "it took too long")
                    }
                    _ => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the message is too large"),
                };
                let told = refused(doors, peer, &Value::Null, (problem, "no whole message came".into()));
                let _gone = write(frames, &mut stream, &told).await;
                return;
            }
        };
        if write(frames, &mut stream, &told).await.is_err() {
            return;
        }
    }
}

/// Ends when nobody is there any more; a message that came early is left for later.
async fn gone<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) {
    if matches!(stream.fill_buf().await, Ok(more) if !more.is_empty()) {
        std::future::pending::<()>().await;
    }
}

/// The next message: however long the peer waits to begin one, it may not dawdle over it.
async fn next<S>(doors: &Doors, frames: Frames, stream: &mut BufReader<S>) -> Result<Vec<u8>, Halt>
where
    S: AsyncRead + Unpin,
{
    let limits = doors.world().setting.limits;
    let idle = tokio::time::timeout(Duration::from_millis(limits.idle_ms), stream.fill_buf()).await;
    if !matches!(idle, Ok(Ok(begun)) if !begun.is_empty()) {
        return Err(Halt::Gone);
    }
    let whole = read(frames, limits.body_bytes_max, stream);
    tokio::time::timeout(Duration::from_millis(limits.body_ms), whole).await.unwrap_or(Err(Halt::Slow))
}

async fn read<S>(frames: Frames, bytes_max: usize, stream: &mut BufReader<S>) -> Result<Vec<u8>, Halt>
where
    S: AsyncRead + Unpin,
{
    let mut message = Vec::new();
    match frames {
        Frames::Lines => {
            let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
            stream.take(most).read_until(b'\n', &mut message).await.map_err(|_| Halt::Gone)?;
            if message.pop() != Some(b'\n') {
                return Err(if message.len() >= bytes_max { Halt::TooLarge } else { Halt::Gone });
            }
        }
        Frames::Lengths => {
            let length = stream.read_u32().await.map_err(|_| Halt::Gone)? as usize;
            if length > bytes_max {
                return Err(Halt::TooLarge);
            }
            // What was only announced is not held ready.
            stream.take(length as u64).read_to_end(&mut message).await.map_err(|_| Halt::Gone)?;
            if message.len() < length {
                return Err(Halt::Gone);
            }
        }
    }
    Ok(message)
}

async fn write<S>(frames: Frames, stream: &mut BufReader<S>, told: &Value) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut text = to_string(told).into_bytes();
    match frames {
        Frames::Lines => text.push(b'\n'),
        Frames::Lengths => {
            let length = u32::try_from(text.len()).map_err(std::io::Error::other)?;
            stream.get_mut().write_all(&length.to_be_bytes()).await?;
        }
    }
    stream.get_mut().write_all(&text).await?;
    stream.get_mut().flush().await
}

fn refused(doors: &Doors, peer: &Peer, id: &Value, turned: Turned) -> Value {
    let named = turn_away(doors, &peer.listener, peer.shown(), None, "a message".into(), &turned);
    Value::map([("id", id.clone()), ("problem", turned.0.to_value(&named))])
}

async fn answer(doors: &Arc<Doors>, peer: &Peer, message: &[u8]) -> Value {
    let world = doors.world();
    let limits = JsonLimits { bytes_max: world.setting.limits.body_bytes_max, ..JsonLimits::default() };
    let bad = |detail: String| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-message", "the message is not one");
        (problem.detail(detail.clone()), detail)
    };
    let message = match parse(message, &limits) {
        Ok(message) => message,
        Err(error) => return refused(doors, peer, &Value::Null, bad(error.to_string())),
    };
    let id = message.get("id").cloned().unwrap_or(Value::Null);
    let Some(listener) = world.listener(&peer.listener) else {
        return refused(doors, peer, &id, (Problem::not_found(), "the listener is gone".into()));
    };
    let _knocked = match doors.rates.knock(&world.setting.rates, peer.address) {
        Ok(held) => held,
        Err(wait) => {
            let turned = (Problem::too_often(wait), "too many calls from this address".to_string());
            return refused(doors, peer, &id, turned);
        }
    };
    let known = ["id", "chain", "input", "key"];
    let foreign = message.as_map().is_none_or(|map| map.iter().any(|(name, _)| !known.contains(&&**name)));
    let (Some(chain), false) = (message.get("chain").and_then(Value::as_str), foreign) else {
        let wanted = "a message has `chain`, and may have `id`, `input` and `key`".to_string();
        return refused(doors, peer, &id, bad(wanted));
    };
    let key = message.get("key").map(|key| key.as_str().unwrap_or_default());
    let resources = listener.resource.as_slice();
    let shown = Shown { bearer: key, resources, subject: peer.subject.as_ref() };
    let caller = match prove(&shown, listener, &world, doors).await {
        Ok(caller) => caller,
        Err(why) => return refused(doors, peer, &id, (Problem::unproved(), why.to_string())),
    };
    let asked = Asked { doors, world: &world, listener, caller: &caller };
    let input = message.get("input").cloned().unwrap_or(Value::Null);
    let ready = match asked.count(chain) {
        Ok(counted) => counted.ready(input).await,
        Err(turned) => Err(turned),
    };
    let ready = match ready {
        Ok(ready) => ready,
        Err(turned) => {
            let what = format!("a message for `{chain}`");
            let named = turn_away(doors, &peer.listener, peer.shown(), Some(&caller), what, &turned);
            return Value::map([("id", id), ("problem", turned.0.to_value(&named))]);
        }
    };
    let run = ready.run.id().clone();
    let report = ready.run.run().await;
    let ended = match &report.result {
        Ok(answer) => ("output", answer.value().clone()),
        Err(error) => ("problem", Problem::of(error).to_value(&run)),
    };
    Value::map([("id", id), ("run", Value::Str(run)), ended])
}
