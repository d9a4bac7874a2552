//! A chain of three native links behind a door, with key, policies, labels, rates, turns and records on, beside a bare
//! axum handler, in alternating rounds of one process: `doors ROUNDS SECONDS CONNECTIONS`. No rounds: ours alone, for
//! profilers, in a thread called `serving`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool for whoever measures"
)]

use ringmail_engine::core::doc::{Source, toml};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::project::Project;
use ringmail_engine::{Audit, Engine, HostKey};
use ringmail_server::{KeyStore, Loaded, NewKey, Server};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROJECT: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n\
    [[rate]]\nper = \"principal\"\ncalls = 1000000000\nwithin = \"1s\"\n[[rate]]\nper = \"tenant\"\ncalls = 1000000000\nwithin = \"1s\"\n\
    [[rate]]\nper = \"chain\"\ncalls = 1000000000\nwithin = \"1s\"\n[[rate]]\nper = \"address\"\ncalls = 1000000000\nwithin = \"1s\"\n";
const POLICY: &str = "permit (principal in Ringmail::Role::\"desk\", action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource)\nwhen { context.steps < 1000 };\n\
    forbid (principal, action, resource) when { context.read.contains(\"pii\") };\n";
const CHAIN: &str = "chain: t\ninput: {type: object, properties: {name: {type: string}}, required: [name]}\nlinks:\n\
    \x20 a: {kind: native, call: same, with: {v: '${input.name}'}}\n  b: {kind: native, call: same, with: {v: '${a.v}'}}\n  c: {kind: native, call: same, with: {v: '${b.v}'}}\noutput: {name: '${c.v}'}\n";
const BODY: &str = "{\"name\":\"somebody\"}";

async fn ours(folder: &Path) -> (Server, String, String) {
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
    let loaded = Loaded { engine, setting: project.server, folder: folder.into(), keep: Box::new(()) };
    let server = Server::start(loaded, folder).await.unwrap();
    let place = server.bound()[0].place.replace("http://", "");
    (server, place, key)
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

/// Asks again and again, every `pause` if there is one, and notes how long each answer took.
async fn ask(at: String, request: Arc<str>, until: Instant, pause: Option<Duration>) -> Vec<u32> {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut took, mut answer) = (Vec::new(), vec![0; 4096]);
    let mut next = Instant::now();
    while Instant::now() < until {
        if let Some(pause) = pause {
            next += pause;
            tokio::time::sleep_until(next.into()).await;
        }
        let began = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = 0;
        loop {
            read += stream.read(&mut answer[read..]).await.unwrap();
            let text = std::str::from_utf8(&answer[..read]).unwrap();
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 200"), "{text}");
            if text.ends_with(BODY) {
                break;
            }
        }
        took.push(u32::try_from(began.elapsed().as_micros()).unwrap());
    }
    took
}

/// Answers a second, and the times of all of them in order.
async fn load(at: &str, key: &str, seconds: u64, connections: usize, rate: Option<f64>) -> (f64, Vec<u32>) {
    let request: Arc<str> = format!(
        "POST /chains/t HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
    .into();
    let until = Instant::now() + Duration::from_secs(seconds);
    let pause = rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
    let asked: Vec<_> =
        (0..connections).map(|_| tokio::spawn(ask(at.to_string(), request.clone(), until, pause))).collect();
    let mut all = Vec::new();
    for one in asked {
        all.extend(one.await.unwrap());
    }
    all.sort_unstable();
    (all.len() as f64 / seconds as f64, all)
}

fn percentile(times: &[u32], percent: usize) -> u32 {
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().unwrap());
    let (rounds, seconds, connections) =
        (args.next().unwrap_or(5), args.next().unwrap_or(3) as u64, args.next().unwrap_or(16));
    let runtime = |name: &str| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name(name).enable_all().build().unwrap()
    };
    let (serving, asking) = (runtime("serving"), runtime("asking"));
    let folder = tempfile::tempdir().unwrap();
    let (server, at, key) = serving.block_on(ours(folder.path()));
    let plain = serving.block_on(bare());
    asking.block_on(async {
        if rounds == 0 {
            let (own, _) = load(&at, &key, seconds, connections, None).await;
            return println!("ours {own:.0}/s");
        }
        load(&at, &key, 1, connections, None).await;
        load(&plain, &key, 1, connections, None).await;
        let (mut ratios, mut added) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (bare, _) = load(&plain, &key, seconds, connections, None).await;
            let (own, _) = load(&at, &key, seconds, connections, None).await;
            let (_, bare_half) = load(&plain, &key, seconds, connections, Some(own / 2.0)).await;
            let (_, own_half) = load(&at, &key, seconds, connections, Some(own / 2.0)).await;
            ratios.push(own / bare);
            let (p50, p99) = (percentile(&own_half, 50), percentile(&own_half, 99));
            let (bare_p50, bare_p99) = (percentile(&bare_half, 50), percentile(&bare_half, 99));
            added.push((f64::from(p99) - f64::from(bare_p99)) / 1000.0);
            println!(
                "bare axum {bare:.0}/s, ours {own:.0}/s ({:.2}); at {:.0}/s p50 {p50} us against {bare_p50}, p99 {p99} us against {bare_p99}",
                own / bare,
                own / 2.0
            );
        }
        println!("median ratio {:.2}, added p99 {:.2} ms", median(ratios), median(added));
    });
    serving.block_on(server.drain());
}
