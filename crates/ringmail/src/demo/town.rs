//! The servers of the demo: a mailbox, a ticket desk, a bank and a partner, each on a loopback port of its own.
//! They note what they are sent, so that the demo can tell what really happened.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};

/// Larger requests are no demo.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What a server answers, from the request and how many it has had before.
type Answer = fn(&Seen, usize) -> String;

const SERVERS: &[(&str, Answer)] = &[
    ("mailbox", |_, before| if before == 0 { mail(MAILS.0) } else { mail(MAILS.1) }),
    ("desk", |_, before| format!(r#"{{"ticket": {}}}"#, 7001 + before)),
    ("bank", |seen, before| match seen.path.as_str() {
        "/payments" => format!(r#"{{"id": "p-{}"}}"#, 1 + before),
        // A test server that was left in debug mode, as they are.
        _ => format!(r#"{{"balance": 9120.5, "debug": {{"authorization": "{}"}}}}"#, seen.authorization),
    }),
    ("partner", |_, _| "{}".into()),
];

/// From, subject, text.
type Mail = (&'static str, &'static str, &'static str);
pub(super) const MAILS: (Mail, Mail) = (
    ("kim@customer.example", "App crashes", include_str!("mail-1.txt")),
    ("robin@customer.example", "Charged twice", include_str!("mail-2.txt")),
);

fn mail((from, subject, text): Mail) -> String {
    use ringmail_engine::core::{json::to_string, value::Value};
    let members = [("from", from), ("subject", subject), ("text", text)];
    to_string(&Value::map(members.map(|(name, text)| (name, Value::from(text)))))
}

/// One request as a server got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) server: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

/// The servers, running.
pub(crate) struct Town {
    /// Name and address of each.
    pub(crate) addresses: Vec<(&'static str, String)>,
    seen: Arc<Mutex<Vec<Seen>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Town {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Town {
    pub(crate) fn start() -> std::io::Result<Town> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut addresses = Vec::new();
        for (name, answer) in SERVERS {
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
            addresses.push((*name, format!("http://{}", listener.local_addr()?)));
            runtime.spawn(listen(listener, name, *answer, seen.clone()));
        }
        Ok(Town { addresses, seen, runtime: Some(runtime) })
    }

    /// What the servers were sent so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }
}

fn lock(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, name: &'static str, answer: Answer, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(stream, name, answer, seen.clone()));
    }
}

async fn talk(stream: TcpStream, name: &'static str, answer: Answer, seen: Arc<Mutex<Vec<Seen>>>) {
    let service = service_fn(move |request| respond(request, name, answer, seen.clone()));
    // A connection that breaks is the other side's to report.
    let _broken =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    request: Request<Incoming>,
    server: &'static str,
    answer: Answer,
    log: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut seen = Seen {
        server,
        method: request.method().to_string(),
        path: request.uri().path().to_string(),
        authorization: header("authorization").unwrap_or_default().to_string(),
        body: String::new(),
    };
    let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = hyper::StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(refused);
    };
    seen.body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let mut all = lock(&log);
    let before = all.iter().filter(|other| other.server == server).count();
    let mut response = Response::new(Full::from(answer(&seen, before)));
    all.push(seen);
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}
