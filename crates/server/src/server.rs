//! The doors of one project: opened, reloaded without dropping a call, closed in order.

use crate::control::{self, Task};
use crate::frames;
use crate::http::{self, deliveries::Deliveries};
use crate::identity::keys::{ApiKeyError, KeyStore};
use crate::identity::tokens::{TOKENS_FILE, TokenError, TokenStore};
use crate::limits::{Counts, Queue, Rates};
use crate::mcp::listen::Streams;
use crate::mcp::parked::Parked;
use crate::mcp::session::Sessions;
use crate::recorded::DoorLog;
use crate::resumed::{self, Recalled};
use crate::runs::Runs;
use crate::schedules::Schedules;
use crate::world::{Loaded, World};
use ringmail_core::listener::{ListenAt, ListenerSetting};
use ringmail_core::value::Str;
use ringmail_engine::{Audit, CancellationToken, Engine, PastError};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::task::TaskTracker;

/// In the data folder: keys, what happened at the doors, and where orders come in.
pub const KEYS_FILE: &str = "keys.json";
pub const CONTROL_FILE: &str = "control.sock";
/// How often the files of keys, tokens and certificates are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long accepting pauses when the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(50);
/// How often it is looked whether runs have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long runs that are told to end may take to do so.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[derive(Debug, Error)]
pub enum ServerError {
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    #[error("listener `{name}`: cannot listen on `{place}`: {cause}")]
    Listen { name: Str, place: String, cause: std::io::Error },
    #[error("cannot listen for orders on `{path}`: {cause}")]
    Control { path: String, cause: std::io::Error },
    #[error(transparent)]
    Keys(#[from] ApiKeyError),
    #[error(transparent)]
    Tokens(#[from] TokenError),
    #[error("cannot begin to write what happens at the doors: {0}")]
    Log(std::io::Error),
    #[error("cannot read which deliveries of webhooks were taken in: {0}")]
    Deliveries(std::io::Error),
}

/// What all doors share, and what outlives a reload.
#[derive(Debug)]
pub(crate) struct Doors {
    world: RwLock<Arc<World>>,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) tokens: Arc<TokenStore>,
    pub(crate) rates: Arc<Rates>,
    queue: RwLock<Arc<Queue>>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) recalled: OnceLock<Recalled>,
    /// Held while it is looked for them, and while one is walked once more.
    pub(crate) recalling: Arc<Semaphore>,
    /// Held until all runs that were left open have begun to go on.
    pub(crate) resuming: Arc<Semaphore>,
    pub(crate) sessions: Sessions,
    /// Clients that wait to hear of a change.
    pub(crate) streams: Streams,
    /// Calls whose callers were asked something, and come back with an answer.
    pub(crate) parked: Arc<Parked>,
    /// Counts reloads, for those who wait for one.
    pub(crate) reloads: watch::Sender<u64>,
    pub(crate) log: DoorLog,
    /// Webhooks that were taken in.
    pub(crate) deliveries: Deliveries,
    /// Bodies that are read of callers that only their body proves.
    pub(crate) delivering: Arc<Counts>,
    pub(crate) refreshing: Arc<Counts>,
    pub(crate) connections: Arc<Counts>,
    /// Ends when nothing new is let in.
    pub(crate) stopping: CancellationToken,
    /// Ends when runs that wait are left open, for whoever comes after this process.
    pub(crate) leaving: CancellationToken,
    /// Ends when what is still under way is cut.
    pub(crate) cut: CancellationToken,
    tasks: TaskTracker,
    /// Connections of those who steer: whoever ordered the end hears that it is followed.
    pub(crate) orders: TaskTracker,
}

impl Doors {
    pub(crate) fn new(loaded: Loaded, data: &Path) -> Result<Arc<Doors>, ServerError> {
        let world = World::new(loaded, None).map_err(ServerError::Settings)?;
        let keys = Arc::new(KeyStore::open(&data.join(KEYS_FILE))?);
        let tokens = Arc::new(TokenStore::open(&data.join(TOKENS_FILE))?);
        Ok(Arc::new(Doors {
            queue: RwLock::new(Arc::new(Queue::new(world.setting.limits.requests_max))),
            world: RwLock::new(Arc::new(world)),
            keys,
            tokens,
            rates: Arc::new(Rates::new()),
            runs: Arc::default(),
            recalled: OnceLock::new(),
            recalling: Arc::new(Semaphore::new(1)),
            resuming: Arc::new(Semaphore::new(1)),
            sessions: Sessions::default(),
            streams: Streams::default(),
            parked: Arc::default(),
            reloads: watch::Sender::default(),
            log: DoorLog::open().map_err(ServerError::Log)?,
            deliveries: Deliveries::open(data).map_err(ServerError::Deliveries)?,
            delivering: Arc::default(),
            refreshing: Arc::default(),
            connections: Arc::default(),
            stopping: CancellationToken::new(),
            leaving: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
            orders: TaskTracker::new(),
        }))
    }

    pub(crate) fn world(&self) -> Arc<World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends everything that waits for callers or orders.
    fn end(&self) {
        self.stopping.cancel();
        self.cut.cancel();
    }

    /// Who goes next, where not all can.
    pub(crate) fn queue(&self) -> Arc<Queue> {
        self.queue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends when no run is under way that nobody waits for.
    pub(crate) async fn no_run(&self) {
        while self.runs.under_way() > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) fn next_id(&self) -> Str {
        self.world().engine.next_id()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Where a listener really listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub name: Str,
    /// As a URL, or the path of a socket.
    pub place: String,
    /// Who may call there, in words.
    pub accepts: String,
}

/// One listener that is open.
#[derive(Debug)]
struct Open {
    at: ListenAt,
    bound: Bound,
    stop: CancellationToken,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    doors: Arc<Doors>,
    data: PathBuf,
    open: Mutex<BTreeMap<Str, Open>>,
    tasks: tokio::sync::Mutex<mpsc::Receiver<Task>>,
    control: Option<SocketAddr>,
}

impl Server {
    /// Opens every listener of a project, or none.
    pub async fn start(loaded: Loaded, data: &Path) -> Result<Server, ServerError> {
        let doors = Doors::new(loaded, data)?;
        let path = data.join(CONTROL_FILE);
        let failed = |cause| ServerError::Control { path: path.display().to_string(), cause };
        let (tasks, control) = control::open(&path, &doors).await.map_err(failed)?;
        let (data, tasks) = (data.to_path_buf(), tokio::sync::Mutex::new(tasks));
        let server = Server { doors, data, open: Mutex::default(), tasks, control };
        let world = server.doors.world();
        let opened = open_all(&server.doors, &world.setting.listeners, &BTreeMap::new(), &world.folder).await;
        let opened = opened.inspect_err(|_| server.doors.end())?;
        server.opened().extend(opened);
        tokio::spawn(watch_files(server.doors.clone()));
        Ok(server)
    }

    /// Goes on with runs that a process before this one left open, and answers how many; begins to run what is due when they
    /// have begun.
    pub fn resume(&self, audit: Audit, told: fn(&str)) -> Result<usize, PastError> {
        let schedules = Schedules::new(self.doors.clone(), self.data.clone(), audit.clone(), told);
        resumed::recall(&self.doors, audit.clone(), told);
        let (count, begun) = resumed::resume(&self.doors, audit, told, None)?;
        tokio::spawn(async move {
            // One that could not be gone on with was told of.
            let _begun = begun.await;
            schedules.keep().await;
        });
        Ok(count)
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeMap<Str, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What those who steer want done next; whoever runs the server does it.
    pub async fn task(&self) -> Task {
        match self.tasks.lock().await.recv().await {
            Some(task) => task,
            None => std::future::pending().await,
        }
    }

    /// Where those who steer come in from other machines, if they do.
    pub fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    pub fn bound(&self) -> Vec<Bound> {
        self.opened().values().map(|open| open.bound.clone()).collect()
    }

    /// The engine that serves now.
    pub fn engine(&self) -> Engine {
        self.doors.world().engine.clone()
    }

    /// Puts another project in place of the one that is served. Calls under way end in the world they began in; if
    /// anything about the new one is wrong, nothing changes.
    pub async fn reload(&self, loaded: Loaded) -> Result<(), ServerError> {
        let before = self.doors.world().setting.clone();
        if before.control != loaded.setting.control {
            let why = "`[control]` is another: it takes effect when the server is started anew";
            return Err(ServerError::Settings(vec![why.into()]));
        }
        let world = Arc::new(World::new(loaded, Some(&self.doors.world())).map_err(ServerError::Settings)?);
        let known: BTreeMap<Str, ListenAt> =
            self.opened().iter().map(|(name, open)| (name.clone(), open.at.clone())).collect();
        let opened = open_all(&self.doors, &world.setting.listeners, &known, &world.folder).await?;
        let requests_max = world.setting.limits.requests_max;
        if before.limits.requests_max != requests_max {
            // Those who wait, wait in the old line.
            *self.doors.queue.write().unwrap_or_else(PoisonError::into_inner) =
                Arc::new(Queue::new(requests_max));
        }
        let mut open = self.opened();
        *self.doors.world.write().unwrap_or_else(PoisonError::into_inner) = world.clone();
        let kept = |name: &Str, at: &ListenAt| {
            world.setting.listeners.iter().any(|listener| listener.name == *name && listener.at == *at)
        };
        open.retain(|name, open| {
            let keep = kept(name, &open.at);
            if !keep {
                open.stop.cancel();
            }
            keep
        });
        open.extend(opened);
        drop(open);
        self.doors.reloads.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Lets nothing new in, waits for what is under way as long as the project says, and ends it then. Answers how
    /// many connections were cut.
    pub async fn drain(&self) -> usize {
        let limits = self.doors.world().setting.limits;
        self.doors.stopping.cancel();
        self.doors.leaving.cancel();
        self.opened().values().for_each(|open| open.stop.cancel());
        self.doors.tasks.close();
        let under_way = async {
            self.doors.tasks.wait().await;
            self.doors.no_run().await;
        };
        let in_time = tokio::time::timeout(Duration::from_millis(limits.drain_ms), under_way).await;
        let cut = match in_time {
            Ok(()) => 0,
            Err(_) => {
                self.doors.runs.cancel_all();
                self.doors.connections.all()
            }
        };
        self.doors.cut.cancel();
        self.doors.orders.close();
        let ended = async { tokio::join!(self.doors.tasks.wait(), self.doors.orders.wait()) };
        let _ended = tokio::time::timeout(LAST_WORDS, ended).await;
        cut
    }
}

/// Opens the listeners that are not open at the same place already: all or none.
async fn open_all(
    doors: &Arc<Doors>,
    listeners: &[ListenerSetting],
    known: &BTreeMap<Str, ListenAt>,
    folder: &Path,
) -> Result<BTreeMap<Str, Open>, ServerError> {
    let mut sockets = Vec::new();
    for listener in listeners.iter().filter(|listener| known.get(&listener.name) != Some(&listener.at)) {
        let socket = bind(listener, folder).await.map_err(|cause| {
            let place = match &listener.at {
                ListenAt::Http(at) | ListenAt::Tcp(at, _) => at.to_string(),
                ListenAt::Unix(path, _) => path.clone(),
            };
            ServerError::Listen { name: listener.name.clone(), place, cause }
        })?;
        sockets.push((listener, socket));
    }
    let mut open = BTreeMap::new();
    for (listener, (socket, place)) in sockets {
        let stop = doors.stopping.child_token();
        let name = listener.name.clone();
        let bound = Bound { name: name.clone(), place, accepts: accepts(listener) };
        tokio::spawn(accept(doors.clone(), name.clone(), listener.at.clone(), socket, stop.clone()));
        open.insert(name, Open { at: listener.at.clone(), bound, stop });
    }
    Ok(open)
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    /// With its path, which goes when it is closed.
    Unix(UnixListener, PathBuf),
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = self {
            // Whoever removed it before us did our work.
            let _gone = std::fs::remove_file(path);
        }
    }
}

/// Opens one listener; says where it is.
async fn bind(listener: &ListenerSetting, folder: &Path) -> std::io::Result<(Socket, String)> {
    match &listener.at {
        ListenAt::Http(at) | ListenAt::Tcp(at, _) => {
            let socket = TcpListener::bind(at).await?;
            let scheme = match (&listener.at, listener.tls.is_some()) {
                (ListenAt::Http(_), true) => "https",
                (ListenAt::Http(_), false) => "http",
                (_, true) => "tls",
                (_, false) => "tcp",
            };
            let place = format!("{scheme}://{}", socket.local_addr()?);
            Ok((Socket::Tcp(socket), place))
        }
        ListenAt::Unix(path, _) => {
            let path = folder.join(path);
            // One that nobody listens on any more was left by a process that is gone.
            let left = std::fs::symlink_metadata(&path)
                .is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()));
            if left && std::os::unix::net::UnixStream::connect(&path).is_err() {
                std::fs::remove_file(&path)?;
            }
            let socket = UnixListener::bind(&path)?;
            // Who may connect is asked of each peer; who may reach the folder is its owner's to say.
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
            let place = path.display().to_string();
            Ok((Socket::Unix(socket, path), place))
        }
    }
}

fn accepts(listener: &ListenerSetting) -> String {
    if listener.anonymous {
        return "anybody".into();
    }
    let names: Vec<&str> = listener.accept.iter().map(|proof| proof.name()).collect();
    names.join(", ")
}

/// Takes connections in as long as the listener is open.
async fn accept(doors: Arc<Doors>, name: Str, at: ListenAt, socket: Socket, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = take(&socket) => accepted,
        };
        let Ok(stream) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let limits = doors.world().setting.limits;
        let peer = match &stream {
            Stream::Tcp(_, address) => Some(address.ip()),
            Stream::Unix(_) => None,
        };
        let held = doors.connections.add(peer, limits.connections_max, limits.address_connections_max);
        // Whoever is one too many sees its connection closed.
        let Some(held) = held else { continue };
        let (shared, name) = (doors.clone(), name.clone());
        match (stream, &at) {
            (Stream::Tcp(stream, address), ListenAt::Tcp(_, frames)) => {
                doors.tasks.spawn(frames::serve_tcp(shared, name, *frames, stream, address, held));
            }
            (Stream::Tcp(stream, address), _) => {
                doors.tasks.spawn(http::serve(shared, name, stream, address, held));
            }
            (Stream::Unix(stream), ListenAt::Unix(_, frames)) => {
                doors.tasks.spawn(frames::serve_unix(shared, name, *frames, stream, held));
            }
            // A socket of this machine speaks frames and nothing else.
            (Stream::Unix(_), _) => {}
        }
    }
}

enum Stream {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

async fn take(socket: &Socket) -> std::io::Result<Stream> {
    match socket {
        Socket::Tcp(socket) => socket.accept().await.map(|(stream, address)| Stream::Tcp(stream, address)),
        Socket::Unix(socket, _) => socket.accept().await.map(|(stream, _)| Stream::Unix(stream)),
    }
}

/// Takes in what other processes do to keys, tokens and certificates.
async fn watch_files(doors: Arc<Doors>) {
    // What happened before the first look is seen by it.
    let (mut keys, mut tokens, mut shown, mut verified) = (None, None, Vec::new(), Vec::new());
    while !doors.stopping.is_cancelled() {
        let now = stamp(doors.keys.path());
        // A file that cannot be read changes nothing and is read again.
        if now != keys && doors.keys.reread().is_ok() {
            keys = now;
        }
        let now = stamp(doors.tokens.path());
        if now != tokens && doors.tokens.reread().is_ok() {
            tokens = now;
        }
        let world = doors.world();
        let now: Vec<Option<Stamp>> = world.issuers.files().map(|path| stamp(&path)).collect();
        if now != verified {
            world.issuers.reread();
            verified = now;
        }
        let now: Vec<Option<Stamp>> = world.tls_files().map(|path| stamp(&path)).collect();
        if now != shown {
            world.reread_tls();
            shown = now;
        }
        drop(world);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

type Stamp = (SystemTime, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len(), std::os::unix::fs::MetadataExt::ino(&meta)))
}
