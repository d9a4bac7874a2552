//! A chain of three native links behind a door, with key or token, policies, labels, rates, turns and records on, beside a
//! bare axum handler, in alternating rounds of one process: `doors ROUNDS SECONDS CONNECTIONS`. No rounds: ours alone, for
//! profilers, in a thread called `serving`. `doors ask ADDRESS SECONDS CONNECTIONS FILE` asks another process what the
//! file says, for `bench/doors.py`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tool for whoever measures"
)]

use ringmail_engine::core::doc::{Source, toml};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::project::Project;
use ringmail_engine::{Audit, Engine, HostKey};
use ringmail_server::{KeyStore, Loaded, NewKey, NewToken, Server, TOKENS_FILE, TokenStore};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROJECT: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\naccept = [\"key\", \"jwt\"]\nresource = \"https://api.test\"\n\
    [[rate]]\nper = \"principal\"\ncalls = 1000000000\nwithin = \"1s\"\n[[rate]]\nper = \"tenant\"\ncalls = 1000000000\nwithin = \"1s\"\n\
    [[rate]]\nper = \"chain\"\ncalls = 1000000000\nwithin = \"1s\"\n[[rate]]\nper = \"address\"\ncalls = 1000000000\nwithin = \"1s\"\n";
const POLICY: &str = "permit (principal in Ringmail::Role::\"desk\", action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource)\nwhen { context.steps < 1000 };\n\
    forbid (principal, action, resource) when { context.read.contains(\"pii\") };\n";
const CHAIN: &str = "chain: t\ninput: {type: object, properties: {name: {type: string}}, required: [name]}\nlinks:\n\
    \x20 a: {kind: native, call: same, with: {v: '${input.name}'}}\n  b: {kind: native, call: same, with: {v: '${a.v}'}}\n  c: {kind: native, call: same, with: {v: '${b.v}'}}\noutput: {name: '${c.v}'}\n";
const BODY: &str = "{\"name\":\"somebody\"}";

struct Ours {
    server: Server,
    at: String,
    key: String,
    token: String,
}

async fn ours(folder: &Path) -> Ours {
    let source = Source::new("ringmail.toml", PROJECT);
    let recorder = Arc::new(Audit::open(&folder.join("audit"), &HostKey::ephemeral()).unwrap());
    let builder = Engine::builder().project(source.clone(), folder).recorder(recorder);
    let engine = builder.policies(vec![Source::new("p.cedar", POLICY)]).build().unwrap();
    engine.load(&[Source::new("t.yaml", CHAIN)]).unwrap();
    let node = toml::parse(&source).unwrap();
    let project = Project::load(&node, &source, &mut TagTable::default()).unwrap();
    let keys = folder.join("keys.json");
    let new = NewKey {
        subject: "bot".into(),
        roles: vec!["desk".into()],
        tenant: Some("acme".into()),
        chains: None,
        expires_ms: None,
    };
    let key = KeyStore::open(&keys).unwrap().create(new, 1).unwrap().text;
    let new = NewToken {
        subject: "bot".into(),
        roles: vec!["desk".into()],
        tenant: Some("acme".into()),
        chains: None,
        audience: Some("https://api.test".into()),
        access_ms: 3_600_000,
        refresh_ms: None,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let tokens = TokenStore::open(&folder.join(TOKENS_FILE)).unwrap();
    let token = tokens.issue(new, u64::try_from(now).unwrap()).unwrap().access;
    let loaded = Loaded { engine, setting: project.server, folder: folder.into(), keep: Box::new(()) };
    let server = Server::start(loaded, folder).await.unwrap();
    let at = server.bound()[0].place.replace("http://", "");
    Ours { server, at, key, token }
}

async fn bare() -> String {
    let same =
        |axum::Json(body): axum::Json<std::collections::BTreeMap<String, String>>| async { axum::Json(body) };
    let router = axum::Router::new().route("/chains/t", axum::routing::post(same));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    at
}

/// The length of an answer that is whole, or nothing.
fn whole(answer: &[u8]) -> Option<usize> {
    let head = memchr::memmem::find(answer, b"\r\n\r\n")? + 4;
    let said = std::str::from_utf8(&answer[..head]).unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
    let length = said.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let end = head + length.parse::<usize>().unwrap();
    (answer.len() >= end).then_some(end)
}

/// Asks again and again, every `pause` if there is one, and notes how long each answer took.
async fn ask(at: String, request: Arc<str>, until: Instant, pause: Option<Duration>) -> Vec<u32> {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut took, mut answer) = (Vec::new(), vec![0; 64 << 10]);
    let mut next = Instant::now();
    while Instant::now() < until {
        if let Some(pause) = pause {
            next += pause;
            tokio::time::sleep_until(next.into()).await;
        }
        let began = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = 0;
        while whole(&answer[..read]).is_none() {
            let more = stream.read(&mut answer[read..]).await.unwrap();
            assert!(more > 0, "it ended before its answer did");
            read += more;
        }
        took.push(u32::try_from(began.elapsed().as_micros()).unwrap());
    }
    took
}

fn request(proof: &str) -> Arc<str> {
    let length = BODY.len();
    format!(
        "POST /chains/t HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {proof}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{BODY}"
    )
    .into()
}

/// What many connections were answered: how often in a second, and how long each took, in order.
struct Load {
    each_second: f64,
    took_us: Vec<u32>,
}

impl Load {
    async fn of(at: &str, request: &Arc<str>, seconds: u64, connections: usize, rate: Option<f64>) -> Load {
        let until = Instant::now() + Duration::from_secs(seconds);
        let pause = rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
        let asked: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(ask(at.to_string(), request.clone(), until, pause)))
            .collect();
        let mut took_us = Vec::new();
        for one in asked {
            took_us.extend(one.await.unwrap());
        }
        took_us.sort_unstable();
        Load { each_second: took_us.len() as f64 / seconds as f64, took_us }
    }

    fn percentile(&self, percent: usize) -> u32 {
        self.took_us[(self.took_us.len() * percent / 100).min(self.took_us.len() - 1)]
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn runtime(name: &str) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name(name).enable_all().build().unwrap()
}

/// Asks a server in another process.
fn ask_another(args: &[String]) {
    let [at, seconds, connections, file] = args else { panic!("doors ask ADDRESS SECONDS CONNECTIONS FILE") };
    let request: Arc<str> = std::fs::read_to_string(file).unwrap().into();
    let (seconds, connections) = (seconds.parse().unwrap(), connections.parse().unwrap());
    let load = runtime("asking").block_on(Load::of(at, &request, seconds, connections, None));
    println!("{:.0} {} {}", load.each_second, load.percentile(50), load.percentile(99));
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "ask") {
        return ask_another(&args[1..]);
    }
    let mut args = args.iter().map(|arg| arg.parse::<usize>().unwrap());
    let (rounds, seconds, connections) =
        (args.next().unwrap_or(5), args.next().unwrap_or(3) as u64, args.next().unwrap_or(16));
    let (serving, asking) = (runtime("serving"), runtime("asking"));
    let folder = tempfile::tempdir().unwrap();
    let own = serving.block_on(ours(folder.path()));
    let plain = serving.block_on(bare());
    let (with_key, with_token) = (request(&own.key), request(&own.token));
    asking.block_on(async {
        let load = async |at: &str, request: &Arc<str>, rate: Option<f64>| {
            Load::of(at, request, seconds, connections, rate).await
        };
        if rounds == 0 {
            return println!("ours {:.0}/s", load(&own.at, &with_key, None).await.each_second);
        }
        for at in [&own.at, &plain] {
            Load::of(at, &with_key, 1, connections, None).await;
        }
        let (mut keys, mut tokens, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let bare = load(&plain, &with_key, None).await.each_second;
            let key = load(&own.at, &with_key, None).await.each_second;
            let token = load(&own.at, &with_token, None).await.each_second;
            let half = Some(key / 2.0);
            let (bare_half, key_half) =
                (load(&plain, &with_key, half).await, load(&own.at, &with_key, half).await);
            keys.push(key / bare);
            tokens.push(token / bare);
            let (p99, bare_p99) = (key_half.percentile(99), bare_half.percentile(99));
            added.push((f64::from(p99) - f64::from(bare_p99)) / 1000.0);
            println!(
                "bare axum {bare:.0}/s, key {key:.0}/s ({:.2}), token {token:.0}/s ({:.2}); at {:.0}/s p50 {} us against {}, p99 {p99} us against {bare_p99}",
                key / bare,
                token / bare,
                key / 2.0,
                key_half.percentile(50),
                bare_half.percentile(50),
            );
        }
        println!(
            "median ratio with a key {:.2}, with a token {:.2}; added p99 {:.2} ms",
            median(keys),
            median(tokens),
            median(added)
        );
    });
    serving.block_on(own.server.drain());
}
