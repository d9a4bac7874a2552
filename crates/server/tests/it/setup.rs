//! A server in this process, and callers who write every byte themselves.

use ringmail_engine::core::doc::{Source, toml};
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::project::Project;
use ringmail_engine::{Audit, Engine, HostKey, Value, transcript};
use ringmail_server::{KeyStore, Loaded, NewKey, Server, ServerError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

pub const WEB: &str = "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n";
pub const PERMIT_ALL: &str = "permit (principal, action, resource);\n";

/// Chains that answer, that wait to be let go, and that say who runs them.
const CHAINS: &[&str] = &[
    "chain: greet\ndescription: greets\ninput: {type: object, properties: {name: {type: string, maxLength: 9}}, required: [name]}\n\
     returns: {type: string}\nlinks:\n  g: {kind: native, call: same, with: {t: 'hello ${input.name}'}}\noutput: ${g.t}\n",
    "chain: needs\ninput: {type: object, properties: {headers: {type: object, properties: {x-event: {type: string}}, required: [x-event]}, id: true, time: true, body: true}}\noutput: 1\n",
    "chain: who\noutput: ${run}\n",
    "chain: echo\noutput: ${input}\n",
    "chain: held\nlinks:\n  h: {kind: native, call: hold, with: {}}\noutput: ${h}\n",
    "chain: broken\nlinks:\n  b: {kind: native, call: fail, with: {}}\noutput: ${b}\n",
];

pub struct Doors {
    pub server: Server,
    pub folder: tempfile::TempDir,
    pub keys: KeyStore,
    /// Lets one call of `held` go.
    pub go: Arc<Notify>,
    /// Calls of `held` so far.
    pub held: Arc<AtomicUsize>,
    /// Who signs tokens, where a test has one of its own.
    pub issuer: Option<crate::issuer::TestIssuer>,
    place: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        parse(self.body.as_bytes(), &JsonLimits::default())
            .unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a problem.
    pub fn code(&self) -> String {
        self.json().get("code").and_then(Value::as_str).unwrap_or_default().to_string()
    }

    pub fn read(bytes: &[u8]) -> Reply {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunked(body) } else { body.to_string() };
        Reply { status, head: head.into(), body }
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        out.push_str(&more[..size]);
        rest = &more[size + 2..];
    }
    out
}

fn host_key(folder: &std::path::Path) -> HostKey {
    HostKey::open(&folder.join("host.key")).unwrap()
}

/// A project's text, and what stands in `policy`, loaded as `ringmail serve` loads them.
pub fn loaded(
    folder: &std::path::Path,
    project: &str,
    policy: &str,
    more: &[&str],
    go: &Arc<Notify>,
    held: &Arc<AtomicUsize>,
) -> Result<Loaded, String> {
    let source = Source::new("ringmail.toml", project);
    let (go, held) = (go.clone(), held.clone());
    let engine = Engine::builder()
        .project(source.clone(), folder)
        .policies(vec![Source::new("main.cedar", policy)])
        .approvals(folder.join("approvals"))
        .recorder(Arc::new(Audit::open(&folder.join("audit"), &host_key(folder)).unwrap()))
        .native("hold", move |_| {
            held.fetch_add(1, Ordering::SeqCst);
            let go = go.clone();
            async move {
                go.notified().await;
                Ok("let go")
            }
        })
        .native("steps", async |ctx: ringmail_engine::Ctx| {
            for step in 1..=3_i64 {
                ctx.emit(format!("step {step}")).await?;
            }
            Ok::<_, ringmail_engine::Failure>("done")
        })
        .native("fail", async |_| {
            let kind = ringmail_engine::FailureKind::Native;
            Err::<String, _>(ringmail_engine::Failure::new(kind, "the inner cause at /etc/shadow"))
        })
        .build()
        .map_err(|error| error.to_string())?;
    let chains = CHAINS.iter().chain(more).enumerate();
    let chains: Vec<_> = chains.map(|(at, text)| Source::new(format!("{at}.yaml"), *text)).collect();
    engine.load(&chains).map_err(|problems| problems.to_string())?;
    let node = toml::parse(&source).map_err(|problems| problems.to_string())?;
    let project =
        Project::load(&node, &source, &mut TagTable::default()).map_err(|problems| problems.to_string())?;
    Ok(Loaded { engine, setting: project.server, folder: folder.to_path_buf(), keep: Box::new(()) })
}

impl Doors {
    pub async fn open(project: &str) -> Doors {
        Doors::try_open(project, PERMIT_ALL, |_| ()).await.unwrap()
    }

    pub async fn with_policy(project: &str, policy: &str) -> Doors {
        Doors::try_open(project, policy, |_| ()).await.unwrap()
    }

    /// `prepare` sees the folder before anything is read.
    pub async fn try_open(
        project: &str,
        policy: &str,
        prepare: impl FnOnce(&std::path::Path),
    ) -> Result<Doors, String> {
        Doors::open_with(project, policy, &[], prepare).await
    }

    /// With chains besides the usual ones.
    pub async fn open_with(
        project: &str,
        policy: &str,
        more: &[&str],
        prepare: impl FnOnce(&std::path::Path),
    ) -> Result<Doors, String> {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (go, held) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let loaded = loaded(folder.path(), project, policy, more, &go, &held)?;
        let path = folder.path().join("keys.json");
        let keys = KeyStore::open(&path).unwrap();
        let server = Server::start(loaded, folder.path()).await;
        let server = server.map_err(|error: ServerError| error.to_string())?;
        let bound = server.bound();
        let first = bound.iter().find(|bound| &*bound.name == "web").or(bound.first());
        let place = first.map(|bound| bound.place.clone()).unwrap_or_default();
        Ok(Doors { server, folder, keys, go, held, issuer: None, place })
    }

    pub async fn reload(&self, project: &str, policy: &str, more: &[&str]) -> Result<(), String> {
        let loaded = loaded(self.folder.path(), project, policy, more, &self.go, &self.held)?;
        self.server.reload(loaded).await.map_err(|error| error.to_string())
    }

    /// Where the listener `web` is, or the only one, without a scheme.
    pub fn address(&self) -> &str {
        self.place.split("://").last().unwrap()
    }

    pub fn place_of(&self, name: &str) -> String {
        self.server.bound().into_iter().find(|bound| &*bound.name == name).unwrap().place
    }

    /// A key of `alice` with no scope.
    pub fn key(&self) -> String {
        self.key_of("alice", None, None)
    }

    pub fn key_of(&self, subject: &str, tenant: Option<&str>, chains: Option<&[&str]>) -> String {
        let new = NewKey {
            subject: subject.into(),
            roles: vec!["desk".into()],
            tenant: tenant.map(Into::into),
            chains: chains.map(|chains| chains.iter().map(|chain| (*chain).into()).collect()),
            expires_ms: None,
        };
        self.keys.create(new, 1).unwrap().text
    }

    /// Waits until the server lets a key in.
    pub async fn known(&self, key: &str) {
        within(async {
            // Not how it is asked for, so it counts for nobody.
            while self.ask("PUT", "/chains", &[("authorization", &format!("Bearer {key}"))], "").await.status
                == 401
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    pub async fn alice(&self) -> String {
        let key = self.key();
        self.known(&key).await;
        key
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.raw(request(self.address(), method, path, headers, body).as_bytes()).await
    }

    pub async fn post(&self, key: &str, chain: &str, body: &str) -> Reply {
        self.post_with(key, chain, &[], body).await
    }

    pub async fn post_with(&self, key: &str, chain: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let bearer = format!("Bearer {key}");
        let mut all = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        self.ask("POST", &format!("/chains/{chain}"), &all, body).await
    }

    pub async fn get(&self, key: &str, path: &str) -> Reply {
        self.ask("GET", path, &[("authorization", &format!("Bearer {key}"))], "").await
    }

    /// Writes these bytes and reads to the end.
    pub async fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        // A server that has heard enough may close before it is told everything.
        let _cut = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _cut = within(stream.read_to_end(&mut answer)).await;
        Reply::read(&answer)
    }

    /// What is on record, once it holds `wanted`.
    pub async fn doors_say(&self, wanted: &str) -> String {
        within(async {
            loop {
                let text = self.record();
                if text.contains(wanted) {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    /// All that is on record, a line each.
    pub fn record(&self) -> String {
        let folder = self.folder.path();
        transcript(&folder.join("audit"), Some(&host_key(folder))).unwrap()
    }

    /// Waits until so many calls of `held` have begun.
    pub async fn begun(&self, count: usize) {
        within(async {
            while self.held.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// An HTTP/1.1 request, after which the connection ends.
pub fn request(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        text.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n" + body
}

/// Waits for something that must come: longer than any machine takes, and not for ever.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it comes within a minute")
}
