//! HTTP/1.1 and HTTP/2: connections with limits on all a peer can make us hold, one request at a time through
//! [`route`].

pub(crate) mod answer;
mod approvals;
mod call;
pub(crate) mod deliveries;
mod from;
pub(crate) mod given;
mod hook;
mod input;
mod mcp;
mod openapi;
mod resource;
mod route;
mod token;

use crate::identity::{Subjected, certificate};
use crate::limits::Counted;
use crate::server::Doors;
use crate::stream::Watched;
use given::Given;
use http_body_util::Either;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ringmail_core::value::Str;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Streams of one HTTP/2 connection at once, and of those that were taken back before they were answered.
const STREAMS_MAX: u32 = 128;
const RESETS_MAX: usize = 20;
/// Bytes that one stream, and one connection, may have on the way.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
const SEND_BUFFER: usize = 64 << 10;
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Who is at the other end, as far as the connection tells.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) listener: Str,
    pub(crate) address: SocketAddr,
    /// Whom the connection proves.
    pub(crate) subject: Option<Subjected>,
}

/// Speaks with one peer until either side ends.
pub(crate) async fn serve(
    doors: Arc<Doors>,
    listener: Str,
    stream: TcpStream,
    address: SocketAddr,
    held: Counted,
) {
    let world = doors.world();
    let limits = world.setting.limits;
    let tls = world.tls(&listener);
    drop(world);
    // A small answer should not wait for more to send; a socket that cannot do this still works.
    let _best_effort = stream.set_nodelay(true);
    let head_time = Duration::from_millis(limits.head_ms);
    let peer = Peer { listener, address, subject: None };
    match tls {
        None => {
            let Ok(Some(h2)) = tokio::time::timeout(head_time, speaks_http2(&stream)).await else { return };
            speak(&doors, peer, Watched::new(stream, Duration::from_millis(limits.stall_ms)), h2).await;
        }
        Some(config) => Box::pin(serve_tls(&doors, peer, stream, config)).await,
    }
    drop(held);
}

async fn serve_tls(doors: &Arc<Doors>, mut peer: Peer, stream: TcpStream, config: Arc<ServerConfig>) {
    let limits = doors.world().setting.limits;
    let stream = Watched::new(stream, Duration::from_millis(limits.stall_ms));
    let head_time = Duration::from_millis(limits.head_ms);
    let accepted = tokio::time::timeout(head_time, TlsAcceptor::from(config).accept(stream)).await;
    let Ok(Ok(stream)) = accepted else { return };
    let session = stream.get_ref().1;
    let h2 = session.alpn_protocol() == Some(b"h2");
    let shown = session.peer_certificates().and_then(<[_]>::first);
    peer.subject = shown.and_then(certificate::subject);
    speak(doors, peer, stream, h2).await;
}

/// Whether the first bytes are those of HTTP/2; nothing if the peer has gone.
async fn speaks_http2(stream: &TcpStream) -> Option<bool> {
    let mut first = [0_u8; HTTP2_PREFACE.len()];
    let mut seen = 0;
    loop {
        let count = stream.peek(&mut first).await.ok()?;
        let read = first.get(..count)?;
        if count == 0 || !HTTP2_PREFACE.starts_with(read) {
            return (count > 0).then_some(false);
        }
        if count == HTTP2_PREFACE.len() {
            return Some(true);
        }
        if count == seen {
            // What is there does not wake us again; more may come.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        seen = count;
    }
}

/// Each way has a future of its own size: a connection holds room for its own alone.
async fn speak<S>(doors: &Arc<Doors>, peer: Peer, stream: S, h2: bool)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match h2 {
        true => Box::pin(speak_http2(doors, peer, stream)).await,
        false => Box::pin(speak_http1(doors, peer, stream)).await,
    }
}

type Answered = Pin<Box<dyn Future<Output = Result<answer::Answer, Infallible>> + Send>>;

/// What answers the requests of one connection.
fn answers(
    doors: &Arc<Doors>,
    peer: Peer,
    busy: &Arc<Busy>,
) -> impl Fn(Request<Incoming>) -> Answered + use<> {
    let (doors, busy) = (doors.clone(), busy.clone());
    move |request| {
        let (doors, peer) = (doors.clone(), peer.clone());
        let one = busy.begin();
        // A connection keeps room for this as long as it lives, and most of its life nothing is asked.
        Box::pin(async move {
            let mut answer = route::answer(&doors, &peer, Given::of(request)).await;
            if let Either::Right(pieces) = answer.body_mut() {
                pieces.held = Some(one);
            }
            Ok(answer)
        })
    }
}

async fn speak_http2<S>(doors: &Arc<Doors>, peer: Peer, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = doors.world().setting.limits;
    let (stop, cut) = (doors.stopping.clone(), doors.cut.clone());
    let busy = Arc::new(Busy::default());
    let service = service_fn(answers(doors, peer, &busy));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_millis(limits.idle_ms))
        .keep_alive_timeout(Duration::from_millis(limits.head_ms));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let idle = Duration::from_millis(limits.idle_ms);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        () = busy.idle_for(idle) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = cut.cancelled() => {}
        // One that is told to go and has nothing left to hear goes.
        () = busy.idle_for(2 * idle) => {}
    }
}

async fn speak_http1<S>(doors: &Arc<Doors>, peer: Peer, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = doors.world().setting.limits;
    let (stop, cut) = (doors.stopping.clone(), doors.cut.clone());
    let service = service_fn(answers(doors, peer, &Arc::default()));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max)
        .header_read_timeout(Duration::from_millis(limits.idle_ms));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = cut.cancelled() => {}
    }
}

/// How many requests of a connection are under way, and when the last one came or went.
#[derive(Debug)]
struct Busy(Mutex<(usize, Instant)>);

impl Default for Busy {
    fn default() -> Busy {
        Busy(Mutex::new((0, Instant::now())))
    }
}

#[derive(Debug)]
pub(crate) struct One(Arc<Busy>);

impl Busy {
    fn begin(self: &Arc<Self>) -> One {
        self.change(|under_way| under_way + 1);
        One(self.clone())
    }

    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = (change(busy.0), Instant::now());
    }

    /// Ends when nothing has been asked for so long.
    async fn idle_for(&self, time: Duration) {
        loop {
            let (under_way, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if under_way == 0 && since.elapsed() >= time {
                return;
            }
            let rest = if under_way == 0 { time.saturating_sub(since.elapsed()) } else { time };
            tokio::time::sleep(rest).await;
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.change(|under_way| under_way.saturating_sub(1));
    }
}
