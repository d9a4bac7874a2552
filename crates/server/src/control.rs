//! The door of those who steer: a socket in the data folder, for the user this host runs as and root, and where the
//! project asks for it a port where certificates alone count. No listener leads here, and nothing here leads to a chain.

use crate::http::answer::{Answer, empty, json};
use crate::http::given::Given;
use crate::identity::kept::KeptError;
use crate::identity::keys::{ApiKeyError, NewKey};
use crate::identity::tokens::TokenError;
use crate::identity::{Subjected, certificate, unix};
use crate::problem::Problem;
use crate::recorded::Ordered;
use crate::server::Doors;
use crate::stream::Watched;
use crate::world::CONTROL;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ringmail_core::gate::{Commander, Order, Steered, steer};
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use ringmail_engine::DataSubject;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

const BODY_BYTES_MAX: usize = 64 << 10;
/// Orders that wait to be followed.
const ORDERS_MAX: usize = 16;
const BREATH: Duration = Duration::from_millis(50);

/// What only whoever runs the server can do, and where to say how it went.
#[derive(Debug)]
pub enum Task {
    /// Who ordered it, and who waits for how it went.
    Reload {
        by: Str,
        done: oneshot::Sender<Result<(), String>>,
    },
    Drain,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
enum Visitor {
    Owner(Str),
    Named(Principal),
}

#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) tasks: mpsc::Sender<Task>,
}

/// Opens the socket; one that somebody listens on belongs to another server.
pub(crate) async fn open(
    path: &Path,
    doors: &Arc<Doors>,
) -> std::io::Result<(mpsc::Receiver<Task>, Option<SocketAddr>)> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(std::io::Error::new(
            std::io::ErrorKind::AddrInUse,
            "another server has this data folder",
        ));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let (tasks, receiver) = mpsc::channel(ORDERS_MAX);
    let control = Arc::new(Control { tasks });
    let setting = doors.world().setting.control.clone();
    let mut port = None;
    if let Some(setting) = setting {
        let socket = TcpListener::bind(setting.bind).await?;
        port = Some(socket.local_addr()?);
        tokio::spawn(accept_port(doors.clone(), control.clone(), socket));
    }
    tokio::spawn(accept(doors.clone(), control, socket, path.to_path_buf()));
    Ok((receiver, port))
}

async fn accept(doors: Arc<Doors>, control: Arc<Control>, socket: UnixListener, path: PathBuf) {
    loop {
        let accepted = tokio::select! {
            () = doors.cut.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        if let Some(visitor) = visitor(&stream, &doors) {
            doors.orders.spawn(speak(doors.clone(), control.clone(), stream, visitor));
        }
    }
    // Whoever removed it before us did our work.
    let _gone = std::fs::remove_file(path);
}

/// The kernel says who it is.
fn visitor(stream: &UnixStream, doors: &Doors) -> Option<Visitor> {
    let subject = unix::subject(stream)?;
    let uid = stream.peer_cred().ok()?.uid();
    let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").ok()?);
    Some(match uid == own || uid == 0 {
        true => Visitor::Owner(subject.name),
        false => Visitor::Named(doors.world().principal(&subject)),
    })
}

/// The port, for those who show a certificate.
async fn accept_port(doors: Arc<Doors>, control: Arc<Control>, socket: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = doors.cut.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let world = doors.world();
        let limits = world.setting.limits;
        let held =
            doors.connections.add(Some(address.ip()), limits.connections_max, limits.address_connections_max);
        let (Some(held), Some(config)) = (held, world.tls(CONTROL)) else { continue };
        drop(world);
        let (doors, control) = (doors.clone(), control.clone());
        let orders = doors.orders.clone();
        orders.spawn(async move {
            let _held = held;
            let stream = Watched::new(stream, Duration::from_millis(limits.stall_ms));
            let accepting = TlsAcceptor::from(config).accept(stream);
            let head_time = Duration::from_millis(limits.head_ms);
            let Ok(Ok(stream)) = tokio::time::timeout(head_time, accepting).await else { return };
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let subject: Option<Subjected> = shown.and_then(certificate::subject);
            if let Some(subject) = subject {
                let visitor = Visitor::Named(doors.world().principal(&subject));
                speak(doors, control, stream, visitor).await;
            }
        });
    }
}

async fn speak<S>(doors: Arc<Doors>, control: Arc<Control>, stream: S, visitor: Visitor)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = doors.world().setting.limits;
    let cut = doors.cut.clone();
    let service = service_fn(move |request| {
        let (doors, control, visitor) = (doors.clone(), control.clone(), visitor.clone());
        async move {
            Ok::<_, std::convert::Infallible>(answer(&doors, &control, &visitor, Given::of(request)).await)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(limits.idle_ms));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection that breaks is the other side's to report.
    tokio::select! {
        _ = &mut connection => return,
        () = cut.cancelled() => {}
    }
    // What was ordered is answered, and nothing else.
    connection.as_mut().graceful_shutdown();
    let _broken = connection.await;
}

async fn answer(doors: &Arc<Doors>, control: &Control, visitor: &Visitor, request: Request<Given>) -> Answer {
    let path = request.uri().path().to_string();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let order = match (request.method(), parts.as_slice()) {
        (&Method::GET, ["status" | "keys"]) => Order::Look,
        (&Method::POST, ["reload"]) => Order::Reload,
        (&Method::POST, ["drain"]) => Order::Drain,
        (&Method::POST, ["keys"]) => Order::Grant,
        (&Method::POST, ["backup"]) => Order::Backup,
        (&Method::DELETE, ["keys" | "tokens" | "plugins", _]) => Order::Revoke,
        _ => return Problem::not_found().answer(&doors.next_id()),
    };
    let world = doors.world();
    let (by, commander) = match visitor {
        Visitor::Owner(name) => (DataSubject { name: name.clone(), tenant: None }, Commander::Owner),
        Visitor::Named(principal) => (DataSubject::of(principal), Commander::Principal(principal)),
    };
    let who = by.name.clone();
    let host: Str = world.engine.name().into();
    let steered = steer(order, commander, &host, world.engine.authority(), doors.now_ms());
    let id = doors.next_id();
    // What is only looked at changes nothing.
    if order != Order::Look || steered.is_err() {
        let ordered = Ordered {
            id: id.clone(),
            at_ms: doors.now_ms(),
            by,
            order: order.name(),
            what: format!("{} {path}", request.method()),
            refused: steered.as_ref().err().cloned(),
        };
        if crate::recorded::order(world.engine.recorder(), ordered).await.is_err() {
            let problem =
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unrecorded", "it cannot be recorded");
            return problem.answer(&id);
        }
    }
    drop(world);
    match steered {
        Err(_) => Problem::new(StatusCode::FORBIDDEN, "refused", "this may not be done").answer(&id),
        Ok(steered) => {
            let target = parts.last().copied().unwrap_or_default().to_string();
            let kind = parts.first().copied().unwrap_or_default().to_string();
            follow(doors, control, (&steered, &who), (&kind, &target), request, &id).await
        }
    }
}

/// Follows an order that passed the gate.
async fn follow(
    doors: &Arc<Doors>,
    control: &Control,
    (steered, by): (&Steered, &Str),
    (kind, target): (&str, &str),
    request: Request<Given>,
    id: &Str,
) -> Answer {
    let failed = |detail: String| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-done", "it could not be done")
            .detail(detail)
            .answer(id)
    };
    match (steered.order(), kind) {
        (Order::Look, "status") => json(StatusCode::OK, &status(doors)),
        (Order::Look, _) => {
            let keys = doors.keys.all();
            json(StatusCode::OK, &Value::list(keys.iter().map(|key| key.to_value())))
        }
        (Order::Reload, _) => {
            let (done, wait) = oneshot::channel();
            if control.tasks.send(Task::Reload { by: by.clone(), done }).await.is_err() {
                return failed("the server is ending".into());
            }
            match wait.await {
                Ok(Ok(())) => json(StatusCode::OK, &status(doors)),
                Ok(Err(why)) => failed(why),
                Err(_) => failed("the server is ending".into()),
            }
        }
        (Order::Drain, _) => match control.tasks.send(Task::Drain).await {
            Ok(()) => empty(StatusCode::ACCEPTED),
            Err(_) => failed("the server is ending".into()),
        },
        (Order::Grant, _) => match new_key(request, doors.now_ms()).await {
            Ok(new) => match kept(doors, move |doors| doors.keys.create(new, doors.now_ms())).await {
                Ok(issued) => {
                    let shown =
                        [("key", Value::from(issued.text.as_str())), ("known", issued.key.to_value())];
                    json(StatusCode::CREATED, &Value::map(shown))
                }
                Err(error) => failed(error.to_string()),
            },
            Err(why) => failed(why),
        },
        (Order::Backup, _) => {
            let engine = doors.world().engine.clone();
            let copied = tokio::task::spawn_blocking(move || engine.copy_kept()).await;
            match copied.unwrap_or_else(|_| Err("it was broken off".into())) {
                Ok(copied) => json(StatusCode::OK, &Value::map([("kept", Value::Bool(copied.is_some()))])),
                Err(why) => failed(why),
            }
        }
        (Order::Revoke, "keys") => {
            let named = target.to_string();
            match kept(doors, move |doors| doors.keys.revoke(&named, doors.now_ms())).await {
                Ok(key) => json(StatusCode::OK, &key.to_value()),
                Err(ApiKeyError::Unknown(_)) => Problem::not_found().answer(id),
                Err(error) => failed(error.to_string()),
            }
        }
        (Order::Revoke, "tokens") => {
            let named = target.to_string();
            match kept(doors, move |doors| doors.tokens.revoke(&named, doors.now_ms())).await {
                Ok(family) => json(StatusCode::OK, &family.to_value()),
                Err(TokenError::Unknown(_)) => Problem::not_found().answer(id),
                Err(error) => failed(error.to_string()),
            }
        }
        (Order::Revoke, _) => {
            match doors.world().engine.revoke_plugin(target, "it was revoked at the control door") {
                true => empty(StatusCode::NO_CONTENT),
                false => Problem::not_found().answer(id),
            }
        }
    }
}

/// Changes what is kept on disk, where waiting for the disk holds nobody up.
async fn kept<T, E>(
    doors: &Arc<Doors>,
    change: impl FnOnce(&Doors) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<KeptError> + Send + 'static,
{
    let doors = doors.clone();
    let changed = tokio::task::spawn_blocking(move || change(&doors)).await;
    changed.unwrap_or_else(|_| Err(KeptError::Broken.into()))
}

/// A key as somebody asks for it.
async fn new_key(request: Request<Given>, now_ms: u64) -> Result<NewKey, String> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|_| "the body is larger than 64 KiB, or broke off".to_string())?.to_bytes();
    let value = parse(&body, &JsonLimits::default()).map_err(|error| error.to_string())?;
    let known = ["name", "roles", "tenant", "chains", "expires_ms"];
    if value.as_map().is_none_or(|map| map.iter().any(|(name, _)| !known.contains(&&**name))) {
        return Err("a key has `name`, and may have `roles`, `tenant`, `chains` and `expires_ms`".into());
    }
    let texts = |key: &str| -> Result<Option<Vec<Str>>, String> {
        let Some(list) = value.get(key) else { return Ok(None) };
        let items = list.as_list().map(|list| list.iter().map(|item| item.as_str().map(Str::from)));
        let texts: Option<Vec<Str>> = items.and_then(Iterator::collect);
        texts.map(Some).ok_or_else(|| format!("`{key}` is a list of texts"))
    };
    let expires_ms = match value.get("expires_ms") {
        Some(Value::Int(ms)) => u64::try_from(*ms).map_err(|_| "`expires_ms` is a time".to_string())?,
        _ => return Err("`expires_ms` says until when it holds, in milliseconds since 1970".into()),
    };
    if expires_ms <= now_ms {
        return Err("`expires_ms` has passed: the key would never hold".into());
    }
    let tenant = match value.get("tenant") {
        None => None,
        Some(Value::Str(tenant)) => Some(tenant.clone()),
        Some(_) => return Err("`tenant` is a text".into()),
    };
    Ok(NewKey {
        subject: value.get("name").and_then(Value::as_str).ok_or("`name` is the subject it proves")?.into(),
        roles: texts("roles")?.unwrap_or_default(),
        tenant,
        chains: texts("chains")?,
        expires_ms: Some(expires_ms),
    })
}

/// What is served, and how much of it.
fn status(doors: &Doors) -> Value {
    let world = doors.world();
    let count = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    let chains = world.engine.chains();
    let plugins = world.engine.plugin_figures();
    Value::map([
        ("project", Value::from(world.engine.name())),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("draining", Value::Bool(doors.stopping.is_cancelled())),
        ("connections", count(doors.connections.all())),
        ("waiting", count(doors.queue().waiting())),
        ("runs_kept", count(doors.runs.under_way())),
        ("chains", Value::list(chains.iter().map(|chain| Value::from(chain.name())))),
        ("plugins", Value::map(plugins.iter().map(|(name, figures)| (name.clone(), figures.to_value())))),
    ])
}
