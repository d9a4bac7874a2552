//! Where an attack is played: a project of its own, a server on loopback that notes who comes, and names that all lead to it.

use super::Attack;
use crate::exit::Fault;
use crate::folder::Folder;
use anyhow::Context;
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use ringmail_engine::core::plugin::digest;
use ringmail_engine::{Engine, FileRecorder, Resolve, Resolving, RunError};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Stands in projects and inputs for the server's port.
const PORT: &str = "@PORT@";
const POLICY: &str =
    "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);";
const MANIFEST: &str = "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"attacks its host\"\n";

pub(super) struct Stage {
    folder: Folder,
    engine: Result<Engine, String>,
    chain: &'static str,
    server: Server,
    names: Arc<Names>,
}

/// Everything is at home here.
#[derive(Default)]
struct Names(Mutex<Vec<String>>);

impl Resolve for Names {
    fn resolve<'r>(&'r self, name: &'r str) -> Resolving<'r> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name.into());
        Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
    }
}

impl Stage {
    pub(super) fn set(attack: &Attack) -> Result<Stage, Fault> {
        let folder = Folder::temporary("selftest")?;
        let server = Server::start().context("cannot listen on loopback")?;
        let names = Arc::new(Names::default());
        let project = write(attack, &folder.path, server.address.port())
            .with_context(|| format!("cannot write to `{}`", folder.path.display()))?;
        let mut stage =
            Stage { folder, engine: Err(String::new()), chain: attack.chain, server, names: names.clone() };
        (attack.before)(&stage).context("the attack cannot be prepared")?;
        let recorder = FileRecorder::open(&stage.folder.path.join("records"));
        let engine = Engine::builder()
            .project(Source::new("ringmail.toml", project), &stage.folder.path)
            .policies(vec![Source::new("main.cedar", POLICY)])
            .recorder(Arc::new(recorder.map_err(|error| Fault::user(error.to_string()))?))
            .resolver(names)
            .build();
        stage.engine = engine.map_err(|error| error.to_string());
        Ok(stage)
    }

    /// Runs the chain, and tells how it ended.
    pub(super) fn play(&self, input: &str, time_max: Duration) -> Result<String, Fault> {
        let engine = match &self.engine {
            Ok(engine) => engine,
            Err(problems) => return Ok(format!("not loaded: {problems}")),
        };
        let chains = match engine.load(&[Source::new("t.yaml", format!("chain: t\n{}", self.chain))]) {
            Ok(chains) => chains,
            Err(problems) => return Ok(format!("not loaded: {problems}")),
        };
        let port = self.server.address.port().to_string();
        let input = parse(input.replace(PORT, &port).as_bytes(), &JsonLimits::default());
        let input = input.map_err(|error| Fault::user(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start")?;
        let Some(chain) = chains.first() else { return Ok("not loaded".into()) };
        let run = async { tokio::time::timeout(time_max, chain.run(input)).await };
        Ok(match runtime.block_on(run) {
            Err(_) => "it did not end".into(),
            Ok(Ok(output)) => to_string(output.value()),
            Ok(Err(RunError::Refused(refusal))) => {
                format!("refused {}: {}", refusal.rule.id(), refusal.message)
            }
            Ok(Err(error)) => error.to_string(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder.path
    }

    /// Nobody came to the server.
    pub(super) fn nobody_came(&self) -> Result<(), String> {
        match self.server.seen.load(Ordering::SeqCst) {
            0 => Ok(()),
            count => Err(format!("{count} requests reached the other side")),
        }
    }

    /// No name was looked up.
    pub(super) fn no_name_was_asked(&self) -> Result<(), String> {
        self.nobody_came()?;
        let asked = self.names.0.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.first() {
            None => Ok(()),
            Some(name) => Err(format!("the name `{name}` was looked up")),
        }
    }
}

/// Writes the attack's project, and gives the text of its `ringmail.toml`.
fn write(attack: &Attack, folder: &Path, port: u16) -> std::io::Result<String> {
    for name in ["in", "out"] {
        std::fs::create_dir(folder.join(name))?;
    }
    std::fs::write(folder.join("secret.txt"), "secret")?;
    for (name, text) in attack.files {
        let path = folder.join(name);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, text)?;
    }
    let mut project = String::from("[mount.in]\npath = \"in\"\n[mount.out]\npath = \"out\"\n");
    project.push_str(&attack.project.replace(PORT, &port.to_string()));
    if !attack.module.is_empty() {
        let module = wat::parse_str(module(attack.module)).map_err(std::io::Error::other)?;
        let manifest = format!("{MANIFEST}{}", attack.asks.replace(PORT, &port.to_string()));
        let plugin = folder.join("p");
        std::fs::create_dir(&plugin)?;
        std::fs::write(plugin.join("plugin.toml"), &manifest)?;
        std::fs::write(plugin.join("plugin.wasm"), &module)?;
        let pin = digest(manifest.as_bytes(), &module);
        let granted = attack.granted.replace(PORT, &port.to_string());
        project.push_str(&format!(
            "\n[plugin.p]\npath = \"p\"\ndigest = \"{pin}\"\nreason = \"selftest\"\n{granted}"
        ));
    }
    Ok(project)
}

/// What every guest has around its own text: a memory of two pages, an allocator that never frees, and `$ok`, which
/// answers with a text.
fn module(text: &str) -> String {
    let memory = if text.contains("(memory (") { "" } else { "(memory (export \"memory\") 2)" };
    let realloc = match text.contains("\"cabi_realloc\"") {
        true => "",
        false => {
            "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))"
        }
    };
    let (imports, rest) = text.split_once(";; --").unwrap_or(("", text));
    format!(
        "(module {imports} {memory}
          (global $next (mut i32) (i32.const 65536))
          (func $alloc (param $size i32) (result i32)
            (local $at i32)
            (local.set $at (global.get $next))
            (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7)) (i32.const -8)))
            (local.get $at))
          (func $ok (param $ptr i32) (param $len i32) (result i32)
            (i32.store8 (i32.const 16) (i32.const 0))
            (i32.store (i32.const 20) (local.get $ptr))
            (i32.store (i32.const 24) (local.get $len))
            (i32.const 16))
          {realloc} {rest})"
    )
}

/// Answers on loopback, and counts.
struct Server {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> std::io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (seen, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (seen.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever attacks may hang up at any time.
                let _gone = serve(&stream, &count, &ends);
            }
        });
        Ok(Server { address, seen, over, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for somebody.
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn serve(mut stream: &TcpStream, seen: &AtomicUsize, over: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(()) };
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    match path.as_str() {
        "/away" => {
            let port = stream.local_addr()?.port();
            let line = format!(
                "HTTP/1.1 302 X\r\nlocation: http://localhost:{port}/seen\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(line.as_bytes())
        }
        "/much" => {
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n")?;
            let chunk = [b'x'; 64 << 10];
            while !over.load(Ordering::SeqCst) {
                stream.write_all(&chunk)?;
            }
            Ok(())
        }
        "/slow" => {
            stream
                .write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\ncontent-length: 100000\r\n\r\n")?;
            while !over.load(Ordering::SeqCst) {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        _ => {
            seen.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
        }
    }
}
