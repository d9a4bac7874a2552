//! Where an attack is played: a project of its own, a server on loopback that notes who comes, and names that all lead to it.

use super::server::Server;
use super::{Attack, Means, Mode, OPEN, Open};
use crate::exit::Fault;
use crate::folder::Folder;
use anyhow::Context;
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::{
    Audit, Chain, Engine, HostKey, Output, PluginFolder, Resolve, Resolving, RunError, Value, WorkerCommand,
};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Stands in projects and inputs for the server's port.
const PORT: &str = "@PORT@";
const POLICY: &str =
    "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);";
const VOUCHED: &str = "permit (principal, action, resource);";
const MANIFEST: &str = "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"attacks its host\"\n";

pub(super) struct Stage {
    folder: Folder,
    attack: &'static Attack,
    mode: Mode,
    means: Means,
    engine: Result<Engine, String>,
    server: Server,
    /// Beside it, where no request may go.
    other: Option<Server>,
    names: Arc<Names>,
}

/// Where names lead, look-up by look-up, and which were looked up.
struct Names {
    leads: Mutex<VecDeque<IpAddr>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn new(leads: &[&str]) -> Arc<Names> {
        let leads = leads.iter().filter_map(|text| text.parse().ok()).collect();
        Arc::new(Names { leads: Mutex::new(leads), asked: Mutex::default() })
    }
}

impl Resolve for Names {
    fn resolve<'r>(&'r self, name: &'r str) -> Resolving<'r> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(name.into());
        let mut leads = self.leads.lock().unwrap_or_else(PoisonError::into_inner);
        let next = if leads.len() > 1 { leads.pop_front() } else { leads.front().copied() };
        Box::pin(async move { Ok(next.into_iter().collect()) })
    }
}

/// What a run came to, in words.
pub(super) fn told(ended: Result<Output, RunError>) -> String {
    match ended {
        Ok(output) => to_string(output.value()),
        Err(RunError::Refused(refusal)) => format!("refused {}: {}", refusal.rule.id(), refusal.message),
        Err(error) => error.to_string(),
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())
}

impl Stage {
    pub(super) fn set(attack: &'static Attack, mode: Mode, means: &Means) -> Result<Stage, Fault> {
        let folder = Folder::temporary("selftest")?;
        let server = Server::start(Ipv4Addr::LOCALHOST.into(), 0).context("cannot listen on loopback")?;
        let other = match attack.names {
            [_, other, ..] => {
                let address = other.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
                Some(Server::start(address, server.address.port()).context("cannot listen on loopback")?)
            }
            _ => None,
        };
        let engine = Err("the attack is not prepared".into());
        let (means, names) = (means.clone(), Names::new(attack.names));
        let mut stage = Stage { folder, attack, mode, means, engine, server, other, names };
        let unwritable = format!("cannot write to `{}`", stage.folder.path.display());
        stage.write().with_context(|| unwritable)?;
        let pinned = stage.project();
        (attack.before)(&stage).context("the attack cannot be prepared")?;
        let project = if stage.open().pinned_late { stage.project() } else { pinned };
        stage.engine = stage.build(&project);
        Ok(stage)
    }

    /// What takes the wall away, if that was asked for.
    fn open(&self) -> Open {
        self.attack.open.filter(|_| self.means.open).unwrap_or(OPEN)
    }

    fn filled(&self, text: &str) -> String {
        let swapped =
            self.open().swaps.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to));
        swapped.replace(PORT, &self.server.address.port().to_string())
    }

    fn write(&self) -> std::io::Result<()> {
        let folder = &self.folder.path;
        for name in ["in", "out"] {
            std::fs::create_dir(folder.join(name))?;
        }
        std::fs::write(folder.join("secret.txt"), "secret")?;
        for (name, text) in self.attack.files {
            let path = folder.join(name);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(path, text)?;
        }
        if !self.attack.module.is_empty() {
            let asks = self.filled(&format!("{MANIFEST}{}{}", self.attack.asks, self.open().asks));
            std::fs::create_dir(folder.join("p"))?;
            std::fs::write(folder.join("p/plugin.toml"), asks)?;
            self.put(self.attack.module)?;
        }
        Ok(())
    }

    /// Makes this the plugin's module.
    pub(super) fn put(&self, text: &str) -> std::io::Result<()> {
        let module = wat::parse_str(module(text)).map_err(std::io::Error::other)?;
        std::fs::write(self.folder.path.join("p/plugin.wasm"), module)
    }

    /// The text of `ringmail.toml`, which pins the plugin as it is.
    pub(super) fn project(&self) -> String {
        let mut out = String::from("[mount.in]\npath = \"in\"\n[mount.out]\npath = \"out\"\n");
        out.push_str(self.attack.project);
        if let Some(python) = self.means.python.as_ref().filter(|_| self.attack.python) {
            let path = python.path.display().to_string();
            out.push_str(&format!("\n[python]\ninterpreter = {path:?}\ndigest = \"{}\"\n", python.digest));
        }
        if !self.attack.module.is_empty() {
            let read = PluginFolder::read(&self.folder.path.join("p"), &mut TagTable::default());
            let pin = read.map_or_else(|_| "none".into(), |read| read.digest);
            let isolation = if self.mode == Mode::Process { "process" } else { "instance" };
            let granted = format!("{}{}", self.attack.granted, self.open().granted);
            out.push_str(&format!(
                "\n[plugin.p]\npath = \"p\"\ndigest = \"{pin}\"\nreason = \"selftest\"\nisolation = \"{isolation}\"\n{granted}"
            ));
        }
        self.filled(&out)
    }

    /// An engine for a project's text.
    pub(super) fn build(&self, project: &str) -> Result<Engine, String> {
        let folder = &self.folder.path;
        let audit = Audit::open(&folder.join("audit"), &HostKey::ephemeral());
        let audit = audit.map_err(|error| error.to_string())?;
        let policy = if self.attack.vouched { VOUCHED } else { POLICY };
        let mut builder = Engine::builder()
            .project(Source::new("ringmail.toml", project), folder)
            .policies(vec![Source::new("main.cedar", policy)])
            .recorder(Arc::new(audit))
            .resolver(self.names.clone());
        if self.mode == Mode::Process {
            let program = std::env::current_exe().map_err(|error| error.to_string())?;
            builder = builder.workers(WorkerCommand { program, args: vec![crate::WORKER.into()] });
        }
        if let Some(python) = self.means.python.as_ref().filter(|_| self.attack.python) {
            let key = HostKey::open(&python.data.join(crate::place::HOST_KEY))
                .map_err(|error| error.to_string())?;
            builder = builder.key(key).module_cache(python.data.join("modules"), false);
        }
        if self.attack.by_hand.is_some() {
            let key = HostKey::open(&folder.join("host.key")).map_err(|error| error.to_string())?;
            builder = builder.key(key).module_cache(folder.join("modules"), true);
        }
        builder.build().map_err(|error| error.to_string())
    }

    pub(super) fn engine(&self) -> Result<&Engine, String> {
        self.engine.as_ref().map_err(|problems| format!("not loaded: {problems}"))
    }

    /// The chain `t` of an engine.
    pub(super) fn chain(&self, engine: &Engine) -> Result<Chain, String> {
        let first = format!("chain: t\n{}", self.filled(self.attack.chain));
        let texts = std::iter::once(first).chain(self.attack.more.iter().map(|text| (*text).to_string()));
        let sources: Vec<_> =
            texts.enumerate().map(|(at, text)| Source::new(format!("{at}.yaml"), text)).collect();
        let chains = engine.load(&sources).map_err(|problems| format!("not loaded: {problems}"))?;
        chains.into_iter().next().ok_or_else(|| "not loaded".into())
    }

    pub(super) fn input(&self, input: &str) -> Result<Value, String> {
        parse(self.filled(input).as_bytes(), &JsonLimits::default()).map_err(|error| error.to_string())
    }

    /// Runs the chain, and tells how it ended.
    pub(super) fn play(&self, input: &str, time_max: Duration) -> Result<String, Fault> {
        let chain = match self.engine().and_then(|engine| self.chain(engine)) {
            Ok(chain) => chain,
            Err(not_loaded) => return Ok(not_loaded),
        };
        let input = self.input(input).map_err(Fault::user)?;
        let runtime = runtime().map_err(Fault::user)?;
        let run = async { tokio::time::timeout(time_max, chain.run(input)).await };
        Ok(runtime.block_on(run).map_or_else(|_| "it did not end".into(), told))
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder.path
    }

    /// Nobody came to the server.
    pub(super) fn nobody_came(&self) -> Result<(), String> {
        self.server.was_left_alone()
    }

    /// Nobody came to where the name led afterwards, and it was looked up once.
    pub(super) fn the_first_address_counted(&self) -> Result<(), String> {
        self.other.as_ref().map_or(Ok(()), Server::was_left_alone)?;
        match self.names.asked.lock().unwrap_or_else(PoisonError::into_inner).len() {
            1 => Ok(()),
            times => Err(format!("the name was looked up {times} times")),
        }
    }

    /// No name was looked up.
    pub(super) fn no_name_was_asked(&self) -> Result<(), String> {
        self.nobody_came()?;
        let asked = self.names.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.first() {
            None => Ok(()),
            Some(name) => Err(format!("the name `{name}` was looked up")),
        }
    }
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
