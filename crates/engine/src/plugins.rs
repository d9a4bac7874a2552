//! The plugins of a project: read, held against what was reviewed, compiled and linked once. Nothing of a plugin runs
//! here. Whatever is wrong with one stops the engine: a plugin that is not what was reviewed is not left out quietly.

use crate::circuit::Circuit;
use crate::dumps::{DumpFolder, dumps_of};
use crate::packages::{ARCHIVES, read_bounded};
use crate::quota::Window;
use crate::secrets::Secrets;
use crate::sign::HostKey;
use ringmail_core::doc::{Problems, Source, toml};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate;
use ringmail_core::grant::Grants;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::label::TagTable;
use ringmail_core::package::{LOCK_FILE, Lock, PACKAGE_BYTES_MAX, Package, Publishers, Signed};
use ringmail_core::plugin::{Manifest, Needed, Plugin, PluginPlace, Powers, Setting, Use, digest};
use ringmail_core::value::{Str, Value};
use ringmail_host::{
    CallFigures, CallLimits, Confined, Granted, Halt, LoadError, MEMORY_BYTES_MAX, MODULE_BYTES_MAX,
    ModuleCache, NoDesk, Surface, Walls, WorkerCommand, Workers, surface,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What a plugin's manifest is called.
pub const PLUGIN_FILE: &str = "plugin.toml";
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// What no setting raises.
const OUTPUT_BYTES_MAX: usize = 64 << 20;

/// The plugins an engine has.
#[derive(Debug, Default)]
pub(crate) struct Plugins {
    known: BTreeMap<Str, Arc<Plugin>>,
    guests: BTreeMap<Str, Guest>,
}

/// What plugins are loaded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'m> {
    pub(crate) cache: Option<&'m ModuleCache>,
    pub(crate) workers: Option<&'m Arc<Workers>>,
    /// What must not be in a core dump.
    pub(crate) secrets: &'m Arc<Secrets>,
    /// Where the project keeps what it makes.
    pub(crate) data: &'m Path,
}

/// A plugin that can be called.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) confined: Confined,
    pub(crate) limits: CallLimits,
    /// Ends the calls that are under way.
    pub(crate) revoked: CancellationToken,
    /// What it was granted, as it was written, and under which signature it came in.
    pub(crate) written: Value,
    pub(crate) signed: Option<Signed>,
    figures: Mutex<PluginFigures>,
    pub(crate) quota: Window,
    pub(crate) circuit: Circuit,
    /// Where its crashes leave what it was.
    pub(crate) dumps: Option<Arc<DumpFolder>>,
}

/// What the calls of one plugin came to since the engine was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginFigures {
    pub calls: u64,
    /// By kind of failure.
    pub failures: BTreeMap<&'static str, u64>,
    pub fuel: u64,
    pub memory_bytes_peak: usize,
    /// Calls of the host.
    pub asks: u64,
    /// Time that processors spent on it, and that calls waited for their turn.
    pub cpu: Duration,
    pub queued: Duration,
    /// Hosts it reached and files it touched, and how often; the first few hundred by name.
    pub hosts: BTreeMap<Str, u64>,
    pub files: BTreeMap<Str, u64>,
    /// How often it was left alone for a while because it crashed again and again.
    pub pauses: u64,
}

/// Hosts or files that are counted by name.
const NAMED_MAX: usize = 256;
/// Those beyond.
const OTHERS: &str = "others";

impl PluginFigures {
    pub fn to_value(&self) -> Value {
        let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        let micros = |time: Duration| count(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let named =
            |names: &BTreeMap<Str, u64>| Value::map(names.iter().map(|(name, n)| (name.clone(), count(*n))));
        let failures = self.failures.iter().map(|(kind, n)| (*kind, count(*n)));
        Value::map([
            ("calls", count(self.calls)),
            ("failures", Value::map(failures)),
            ("fuel", count(self.fuel)),
            ("cpu_us", micros(self.cpu)),
            ("queued_us", micros(self.queued)),
            ("memory_peak", count(self.memory_bytes_peak as u64)),
            ("asks", count(self.asks)),
            ("hosts", named(&self.hosts)),
            ("files", named(&self.files)),
            ("pauses", count(self.pauses)),
        ])
    }
}

impl Guest {
    pub(crate) fn new(confined: Confined, limits: CallLimits) -> Guest {
        Guest {
            confined,
            limits,
            revoked: CancellationToken::new(),
            written: Value::Null,
            signed: None,
            figures: Mutex::default(),
            quota: Window::default(),
            circuit: Circuit::default(),
            dumps: None,
        }
    }

    pub(crate) fn figures(&self) -> PluginFigures {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a call that has ended.
    pub(crate) fn count(&self, used: CallFigures, failed: Option<FailureKind>) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.calls += 1;
        figures.fuel = figures.fuel.saturating_add(used.fuel);
        figures.memory_bytes_peak = figures.memory_bytes_peak.max(used.memory_bytes_peak);
        figures.asks += used.asks;
        figures.cpu += used.cpu;
        figures.queued += used.queued;
        if let Some(kind) = failed {
            *figures.failures.entry(kind.id()).or_default() += 1;
        }
    }
}

impl Guest {
    /// Counts a host that was reached or a file that was touched.
    pub(crate) fn touch(&self, capability: &str, name: Str) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let names = if capability == "fs" { &mut figures.files } else { &mut figures.hosts };
        let named = names.len() < NAMED_MAX || names.contains_key(&name);
        *names.entry(if named { name } else { OTHERS.into() }).or_default() += 1;
    }

    /// Counts that it is left alone for a while.
    pub(crate) fn pause(&self) {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).pauses += 1;
    }
}

/// A plugin's folder, read.
#[derive(Debug)]
pub struct PluginFolder {
    pub manifest: Manifest,
    /// The component.
    pub module: Vec<u8>,
    /// What a project pins.
    pub digest: Str,
    /// The signature it came under.
    pub signed: Option<Signed>,
}

impl PluginFolder {
    /// Reads a manifest and its module. Nothing of it is compiled or run.
    pub fn read(path: &Path, tags: &mut TagTable) -> Result<PluginFolder, Problems> {
        let name = path.join(PLUGIN_FILE);
        let fail = |message: String| {
            let mut problems = Problems::default();
            problems.add_bare(message);
            problems
        };
        let bytes = read_bounded(&name, MANIFEST_BYTES_MAX).map_err(fail)?;
        let text = String::from_utf8(bytes.clone());
        let text = text.map_err(|_| fail(format!("`{}` is not UTF-8 text", name.display())))?;
        let source = Source::new(name.display().to_string(), text);
        let manifest = toml::parse(&source).and_then(|node| Manifest::load(&node, &source, tags))?;
        let module = read_bounded(&path.join(&manifest.module), MODULE_BYTES_MAX as u64).map_err(fail)?;
        let digest = digest(&bytes, &module);
        Ok(PluginFolder { manifest, module, digest, signed: None })
    }

    /// What an archive holds, believed or not.
    pub fn of(package: Package) -> PluginFolder {
        let digest = package.digest();
        PluginFolder { manifest: package.manifest, module: package.module, digest, signed: package.signed }
    }

    /// Compiles the component and links it to all it asks for, to be tried without a project: in this process, or in workers
    /// that this command starts. What is compiled is kept in this folder, under the host's key.
    pub fn alone(
        &self,
        workers: Option<WorkerCommand>,
        cache: Option<(&HostKey, PathBuf)>,
    ) -> Result<AlonePlugin<'_>, Failure> {
        let asks: Vec<&str> = self.manifest.asks.iter().map(|ask| ask.what.capability()).collect();
        let workers = workers.map(Workers::new);
        let cache = cache.map(|(key, folder)| module_cache(key, folder, true));
        let (cache, workers) = (cache.as_ref(), workers.as_ref());
        let granted = Granted { capabilities: &asks, workers, cache, ..Granted::default() };
        let failed = |message: String| Failure::new(FailureKind::Invalid, message);
        let walls = walls().map_err(failed)?;
        let confined = Confined::load(&walls, &self.module, granted);
        let confined = confined.map_err(|error| failed(said(&self.manifest.name, &error)))?;
        Ok(AlonePlugin { folder: self, confined })
    }

    /// What the component imports and exports.
    pub fn surface(&self) -> Result<Surface, String> {
        let walls = walls()?;
        surface(&walls, &self.module).map_err(|error| error.to_string())
    }
}

/// A call that has ended.
#[derive(Debug)]
pub struct Timed {
    pub result: Result<Value, Failure>,
    pub figures: CallFigures,
    /// From the call to its answer, without the gates.
    pub took: Duration,
}

/// A plugin that stands behind the walls and has nobody to ask.
#[derive(Debug)]
pub struct AlonePlugin<'p> {
    folder: &'p PluginFolder,
    confined: Confined,
}

impl AlonePlugin<'_> {
    /// Calls it as a link would, within the limits of its manifest. Whatever it asks of the world is denied.
    pub async fn call(&self, args: &Value) -> Result<Value, Failure> {
        self.timed(args).await.result
    }

    /// The same, with what it cost.
    pub async fn timed(&self, args: &Value) -> Timed {
        let manifest = &self.folder.manifest;
        if let Err(wrong) = takes(manifest, args) {
            return Timed { result: Err(wrong), figures: CallFigures::default(), took: Duration::ZERO };
        }
        let (input, limits) = (to_string(args), plugin_limits(manifest.limits));
        let started = Instant::now();
        let ended = self.confined.call(&input, &limits, NoDesk).await;
        let took = started.elapsed();
        let checked = |output: Value| {
            let checked = manifest.returns.as_ref().map_or(Ok(()), |schema| schema.check(&output));
            checked.map_err(|wrong| gate::invalid("the output", &wrong)).map(|()| output)
        };
        let result = output_of(ended.result, limits.output_bytes_max).and_then(checked);
        Timed { result, figures: ended.figures, took }
    }
}

/// Whether arguments are what a plugin takes.
pub(crate) fn takes(manifest: &Manifest, args: &Value) -> Result<(), Failure> {
    let checked = manifest.input.as_ref().map_or(Ok(()), |schema| schema.check(args));
    checked.map_err(|wrong| gate::invalid("the input", &wrong))
}

/// What a guest brought, or why it did not, in the words of links.
pub(crate) fn output_of(result: Result<String, Halt>, bytes_max: usize) -> Result<Value, Failure> {
    let text = result.map_err(|halt| Failure::new(failure_kind(&halt), halt.to_string()))?;
    let bounds = JsonLimits { bytes_max, ..JsonLimits::default() };
    parse(text.as_bytes(), &bounds)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("its output is not JSON: {error}")))
}

pub(crate) fn failure_kind(halt: &Halt) -> FailureKind {
    match halt {
        Halt::Failed(_) => FailureKind::Native,
        Halt::Time(_) => FailureKind::Timeout,
        Halt::Output(_) => FailureKind::TooLarge,
        Halt::Fuel(_) | Halt::Memory(_) | Halt::Stack | Halt::Large(_) | Halt::Asks(_) => FailureKind::Limit,
        Halt::Broke(_) | Halt::Left(_) => FailureKind::Panicked,
    }
}

/// Compiled modules in a folder, which count only if this host made them.
pub(crate) fn module_cache(key: &HostKey, folder: PathBuf, writes: bool) -> ModuleCache {
    ModuleCache::new(folder, &key.secret_for("compiled modules"), writes)
}

/// All guests of a process stand behind the same walls.
pub(crate) fn walls() -> Result<Arc<Walls>, String> {
    static WALLS: OnceLock<Result<Arc<Walls>, String>> = OnceLock::new();
    WALLS.get_or_init(|| Walls::new().map_err(|error| error.to_string())).clone()
}

/// Where plugins of a project come from.
#[derive(Debug)]
pub(crate) struct Origins<'o> {
    /// The project's own folder.
    pub(crate) root: &'o Path,
    pub(crate) data: &'o Path,
    pub(crate) lock: Lock,
    pub(crate) publishers: &'o Publishers,
}

impl Origins<'_> {
    fn read(
        &self,
        setting: &Setting,
        source: &Arc<Source>,
        tags: &mut TagTable,
    ) -> Result<PluginFolder, Problems> {
        match &setting.place {
            PluginPlace::Folder(path) => PluginFolder::read(&self.root.join(path), tags),
            PluginPlace::Installed(publisher) => {
                self.installed(setting, publisher, tags).map_err(|(why, help)| {
                    let mut problems = Problems::default();
                    let message = format!("the plugin `{}` cannot be used: {why}", setting.name);
                    problems.add_help(source, setting.span, message, help);
                    problems
                })
            }
        }
    }

    /// One that was installed: the bytes that the lock names, still under a signature that is believed.
    fn installed(
        &self,
        setting: &Setting,
        publisher: &Str,
        tags: &mut TagTable,
    ) -> Result<PluginFolder, (String, String)> {
        let name = &setting.name;
        let Some(locked) = self.lock.pinned(name, &setting.digest) else {
            return Err(match self.lock.newest(name) {
                Some(newest) => (
                    format!("`{LOCK_FILE}` has {} of it, which was not granted anything", newest.version),
                    format!(
                        "see what is different: ringmail plugin diff {name}\nthen let it in: ringmail plugin grant {name}"
                    ),
                ),
                None => (
                    format!("`{LOCK_FILE}` does not have it"),
                    "install it with `ringmail plugin install`".to_string(),
                ),
            });
        };
        if locked.publisher != *publisher {
            return Err((
                format!("it was published by `{}`", locked.publisher),
                "say so in its `publisher`".into(),
            ));
        }
        let path = self.data.join(ARCHIVES).join(locked.file());
        let again = "bring it back with `ringmail plugin install`; it is taken if it is what the lock names";
        let archive =
            read_bounded(&path, PACKAGE_BYTES_MAX as u64).map_err(|why| (why, again.to_string()))?;
        let vouched = locked.open(&archive, self.publishers, tags);
        vouched
            .map(|vouched| PluginFolder::of(vouched.into_package()))
            .map_err(|why| (why.to_string(), format!("if you still trust it, see `[publisher.{publisher}]`; otherwise: ringmail plugin remove {name}")))
    }
}

impl Plugins {
    /// Opens every plugin a project names, and adds its grants.
    pub(crate) fn open(
        settings: &[Setting],
        project: &Arc<Source>,
        origins: &Origins<'_>,
        means: Means<'_>,
        tags: &mut TagTable,
        grants: &mut Grants,
    ) -> Result<Plugins, Problems> {
        let (mut plugins, mut problems) = (Plugins::default(), Problems::default());
        for setting in settings {
            match origins.read(setting, project, tags) {
                Ok(read) => plugins.add(setting, read, project, means, grants, &mut problems),
                Err(found) => problems.0.extend(found.0),
            }
        }
        for (setting, plugin) in
            settings.iter().filter_map(|setting| Some((setting, plugins.known.get(&setting.name)?)))
        {
            for Needed { need, .. } in &plugin.manifest.needs {
                let name = &need.plugin;
                let has = plugins.known.get(name).map(|known| &*known.manifest.version);
                if !has.is_some_and(|version| need.takes(version)) {
                    let has = has.map_or("has none".to_string(), |version| format!("has {version}"));
                    let message =
                        format!("`{}` needs `{name}` {}, and the project {has}", setting.name, need.range);
                    let help = format!("install it, and ringmail plugin grant {name}");
                    problems.add_help(project, setting.span, message, help);
                }
            }
        }
        problems.or(plugins)
    }

    fn add(
        &mut self,
        setting: &Setting,
        read: PluginFolder,
        project: &Arc<Source>,
        means: Means<'_>,
        grants: &mut Grants,
        problems: &mut Problems,
    ) {
        let name = &setting.name;
        if read.digest != setting.digest {
            let message = format!("the plugin `{name}` is not what was reviewed");
            let path = match &setting.place {
                PluginPlace::Folder(path) => path,
                PluginPlace::Installed(_) => &**name,
            };
            let help = format!(
                "look at it with `ringmail plugin inspect {path}`; if it is as it should be, pin it:\ndigest = \"{}\"",
                read.digest
            );
            return problems.add_help(project, setting.span, message, help);
        }
        if read.manifest.name != *name {
            let message = format!("its manifest calls the plugin `{}`, and not `{name}`", read.manifest.name);
            return problems.add(project, setting.span, message);
        }
        let powers = Powers::new(&read.manifest, setting, grants.ceiling());
        for unasked in &powers.unasked {
            let message = format!("`{name}` is granted `{unasked}`, and its manifest never asks for it");
            problems.add_help(project, setting.span, message, "take it out: it changes nothing");
        }
        if setting.isolated && means.workers.is_none() {
            let message = format!("`{name}` is to run in processes of its own, and this program starts none");
            let help = "give the engine a command that starts workers";
            return problems.add_help(project, setting.span, message, help);
        }
        if setting.isolated && setting.dumps_max > 0 {
            let message = format!("`{name}` is to leave core dumps, and none comes out of a worker process");
            let help = "take out `dumps`, or `isolation` until it is found why it crashes";
            return problems.add_help(project, setting.span, message, help);
        }
        let dumps = (setting.dumps_max > 0).then(|| dumps_of(name, means.secrets));
        let workers = means.workers.filter(|_| setting.isolated);
        let env = powers.env.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let env: Vec<(String, String)> = env.collect();
        let loaded = walls().and_then(|walls| {
            let granted = Granted {
                capabilities: &powers.capabilities,
                env: &env,
                cache: means.cache,
                workers,
                dumps: dumps.as_ref(),
            };
            Confined::load(&walls, &read.module, granted).map_err(|error| said(name, &error))
        });
        match loaded {
            Ok(confined) => {
                let limits = plugin_limits(powers.limits);
                let expires_ms = setting.grant.expires_ms;
                let plugin = Plugin {
                    manifest: read.manifest,
                    powers,
                    digest: read.digest,
                    origin: match &setting.place {
                        PluginPlace::Folder(path) => format!("path:{path}").into(),
                        PluginPlace::Installed(publisher) => format!("publisher:{publisher}").into(),
                    },
                    expires_ms,
                    revoked: OnceLock::new(),
                };
                let plugin = Arc::new(plugin);
                grants.add_plugin(setting.grant.clone(), plugin.clone());
                self.known.insert(name.clone(), plugin);
                let guest = Guest {
                    written: setting.written.clone(),
                    signed: read.signed,
                    dumps: dumps.is_some().then(|| DumpFolder::new(means.data, name, setting.dumps_max)),
                    ..Guest::new(confined, limits)
                };
                self.guests.insert(name.clone(), guest);
            }
            Err(message) => problems.add(project, setting.span, message),
        }
    }

    pub(crate) fn known(&self) -> &BTreeMap<Str, Arc<Plugin>> {
        &self.known
    }

    pub(crate) fn figures(&self) -> BTreeMap<Str, PluginFigures> {
        self.guests.iter().map(|(name, guest)| (name.clone(), guest.figures())).collect()
    }

    pub(crate) fn guest(&self, name: &str) -> Option<&Guest> {
        self.guests.get(name)
    }
}

fn said(name: &str, error: &LoadError) -> String {
    match error {
        LoadError::NotGranted { import, capability } => {
            format!("`{name}` imports `{import}`, and `{capability}` is not both asked for and granted")
        }
        other => format!("`{name}` cannot be loaded: {other}"),
    }
}

/// What one call may use, where nobody said otherwise the standard.
pub fn plugin_limits(written: Use) -> CallLimits {
    call_limits(written, CallLimits::default(), MEMORY_BYTES_MAX)
}

/// What was written, where it was, within what any guest of this kind may.
pub(crate) fn call_limits(written: Use, standard: CallLimits, memory_bytes_max: usize) -> CallLimits {
    let bytes = |written: Option<u64>, standard: usize| {
        written.map_or(standard, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    };
    CallLimits {
        memory_bytes_max: bytes(written.memory_bytes_max, standard.memory_bytes_max).min(memory_bytes_max),
        time_max: written.time_ms_max.map_or(standard.time_max, Duration::from_millis),
        fuel_max: written.fuel_max.unwrap_or(standard.fuel_max),
        output_bytes_max: bytes(written.output_bytes_max, standard.output_bytes_max).min(OUTPUT_BYTES_MAX),
        asks_max: written.asks_max.unwrap_or(standard.asks_max),
    }
}
