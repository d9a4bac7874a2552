//! The project on disk: finds `ringmail.toml`, reads chains and policies, builds the engine. Without a project a
//! chain file stands alone in its folder, and nothing is granted.

use crate::exit::Fault;
use crate::snippet::Origin;
use crate::terminal;
use crate::{layers, rollback};
use anyhow::Context;
use ringmail_engine::core::config::{Config, PRODUCTION};
use ringmail_engine::core::doc::{Problem, Problems, Source, suggest};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::project::{DATA_FOLDER, Project};
use ringmail_engine::core::refusal::Refusal;
use ringmail_engine::packages::write_whole;
use ringmail_engine::{
    Audit, AuditReader, BuildError, Checked, Engine, EngineBuilder, ForwardAround, GrantWatch, HostKey,
    LogLine, LogLines, LogSink, Principal, SecretReader, SecretsAround, SystemClock, SystemResolver,
    WorkerCommand,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const HOST_KEY: &str = "host.key";
/// Says how what is in the data folder is laid out.
pub(crate) const FORMAT: &str = "format";
const FORMAT_NOW: u32 = 1;
pub(crate) const PROJECT_FILE: &str = "ringmail.toml";
/// Larger files are no chains, policies or projects.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Folders below the folder of chains that are looked into.
const DEPTH_MAX: usize = 8;

/// A project that was read, nothing checked but `ringmail.toml` itself.
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) project: Project,
    /// What `ringmail.toml` and the layer over it say, if there is a project.
    pub(crate) config: Option<Config>,
    policies: Option<Vec<Arc<Source>>>,
    pub(crate) chains: Vec<Arc<Source>>,
}

impl Place {
    /// The project around `start`, or the one in `chosen`.
    pub(crate) fn open(chosen: Option<&Path>, start: &Path) -> Result<Place, Fault> {
        let root = match chosen {
            Some(folder) if folder.join(PROJECT_FILE).is_file() => Some(folder.to_path_buf()),
            // Whoever names the file means its folder.
            Some(file) if file.ends_with(PROJECT_FILE) && file.is_file() => file.parent().map(folder_of),
            Some(folder) => {
                return Err(Fault::user(format!("there is no `{PROJECT_FILE}` in `{}`", folder.display()))
                    .hint(format!("make a project there: ringmail init {}", folder.display())));
            }
            None => find_root(start),
        };
        let Some(root) = root else {
            return Ok(Place {
                root: folder_of(start),
                project: Project::empty(&mut TagTable::default()),
                config: None,
                policies: None,
                chains: Vec::new(),
            });
        };
        rollback::finish(&root)?;
        let config = layers::config(&root)?;
        let project = config.project(&mut TagTable::default())?;
        let policies = read_all(&root.join(&project.policies), &["cedar"])?;
        let chains = read_all(&root.join(&project.chains), &["yaml", "yml"])?;
        Ok(Place { root, project, config: Some(config), policies: Some(policies), chains })
    }

    /// The project around this folder, or the one in `chosen`; without one, what was run in this folder.
    pub(crate) fn here(chosen: Option<&Path>) -> Result<Place, Fault> {
        Place::open(chosen, Path::new("."))
    }

    /// The project around this folder, or the one in `chosen`; there must be one.
    pub(crate) fn project_in(chosen: Option<&Path>) -> Result<Place, Fault> {
        let place = Place::open(chosen, Path::new("."))?;
        if place.is_project() {
            return Ok(place);
        }
        Err(no_project())
    }

    /// The project around what a command was given: a chain file, or the name of a chain.
    pub(crate) fn around(chosen: Option<&Path>, target: &str) -> Result<(Place, Wanted), Fault> {
        let path = Path::new(target);
        if !looks_like_file(path) {
            return Ok((Place::open(chosen, Path::new("."))?, Wanted::Name(target.into())));
        }
        let mut place = Place::open(chosen, path.parent().unwrap_or(Path::new("")))?;
        let file = place.add(path)?;
        Ok((place, Wanted::File(file)))
    }

    /// Adds a chain file that need not lie in the project's folder; gives the name it is known by.
    pub(crate) fn add(&mut self, path: &Path) -> Result<String, Fault> {
        let source = read(path)?;
        let same =
            |known: &&Arc<Source>| known.text == source.text && same_file(Path::new(&known.name), path);
        if let Some(known) = self.chains.iter().find(same) {
            return Ok(known.name.clone());
        }
        self.chains.push(source.clone());
        Ok(source.name.clone())
    }

    /// Whether there is a `ringmail.toml`.
    pub(crate) fn is_project(&self) -> bool {
        self.config.is_some()
    }

    /// Every file that places may point into.
    pub(crate) fn sources(&self) -> Vec<Arc<Source>> {
        let policies = self.policies.iter().flatten();
        let layers = self.config.iter().flat_map(|config| config.source.texts());
        self.chains.iter().chain(policies).cloned().chain(layers).collect()
    }

    /// Where records and the host's key are kept.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join(&self.project.data)
    }

    /// Makes the data folder, which no version control looks into.
    pub(crate) fn keep_out(&self) -> Result<(), Fault> {
        let data = self.data();
        let made = std::fs::create_dir_all(&data).and_then(|()| keep_out(&data));
        Ok(made.with_context(|| format!("cannot use the data folder `{}`", shown(&data)))?)
    }

    fn modules(&self) -> PathBuf {
        self.data().join("modules")
    }

    /// Where what happened is on record.
    pub(crate) fn audit_folder(&self) -> PathBuf {
        self.data().join("audit")
    }

    /// Where runs ask persons.
    pub(crate) fn approvals(&self) -> PathBuf {
        self.data().join("approvals")
    }

    pub(crate) fn host_key(&self) -> Result<HostKey, Fault> {
        self.keep_out()?;
        let data = self.data();
        let unusable = || format!("cannot use the data folder `{}`", shown(&data));
        Ok(HostKey::open(&data.join(HOST_KEY)).with_context(unusable)?)
    }

    pub(crate) fn audit(&self) -> Result<Audit, Fault> {
        let failed = || format!("cannot use the audit log in `{}`", shown(&self.audit_folder()));
        match Audit::open(&self.audit_folder(), &self.host_key()?) {
            Err(error) if error.is_taken_over() => {
                let fault = Fault::from(anyhow::Error::new(error).context(failed()));
                Err(fault
                    .hint("end an exchange that was cut off, if there was one: ringmail store rotate-key"))
            }
            opened => Ok(opened.with_context(failed)?),
        }
    }

    /// Records as they stand in the log, with their numbers.
    pub(crate) fn recorded_lines(&self, from: u64) -> Result<LogLines, Fault> {
        let folder = self.audit_folder();
        let lines = LogLines::open(&folder, from);
        Ok(lines.with_context(|| format!("cannot read the audit log in `{}`", shown(&folder)))?)
    }

    /// What is on record from some place on.
    pub(crate) fn recorded(&self, from: u64) -> Result<AuditReader, Fault> {
        let key = self.data().join(HOST_KEY);
        let key = if key.exists() {
            Some(HostKey::open(&key).context("cannot read the host's key")?)
        } else {
            None
        };
        let folder = self.audit_folder();
        let reader = AuditReader::open(&folder, key.as_ref(), from);
        Ok(reader.with_context(|| format!("cannot read the audit log in `{}`", shown(&folder)))?)
    }

    /// An engine that can check chains and touches nothing.
    pub(crate) fn checker(&self) -> Result<Engine, Fault> {
        let mut builder = with_workers(Engine::builder().unread_secrets());
        let key = self.data().join(HOST_KEY);
        if let Ok(true) = key.try_exists()
            && let Ok(key) = HostKey::open(&key)
        {
            builder = builder.key(key).module_cache(self.modules(), false);
        }
        if let Some(config) = &self.config {
            builder = builder.config(config.clone(), &self.root);
        }
        if let Some(policies) = &self.policies {
            builder = builder.policies(policies.clone());
        }
        builder.build().map_err(build_fault)
    }

    /// An engine that runs chains and records what they do.
    pub(crate) fn engine(&self) -> Result<Engine, Fault> {
        self.engine_after(None)
    }

    /// The same, in place of one that still runs.
    pub(crate) fn engine_after(&self, before: Option<&Engine>) -> Result<Engine, Fault> {
        self.engine_with(before, self.audit()?)
    }

    /// One whose runs go on in this log.
    pub(crate) fn engine_on(&self, audit: Audit) -> Result<Engine, Fault> {
        self.engine_with(None, audit)
    }

    fn engine_with(&self, before: Option<&Engine>, audit: Audit) -> Result<Engine, Fault> {
        let builder = self.builder(before, audit)?;
        let builder = match &self.policies {
            Some(policies) => builder.policies(policies.clone()),
            None => builder,
        };
        builder.build().map_err(build_fault)
    }

    /// One that asks a server of the project for its tools, on record like any other.
    pub(crate) fn engine_looking_at(&self, server: &str) -> Result<Engine, Fault> {
        self.builder(None, self.audit()?)?.looking_at(server).build().map_err(build_fault)
    }

    /// Reads secrets of the project where they are kept.
    pub(crate) fn secret_reader(&self) -> Result<SecretReader, Fault> {
        Ok(SecretReader::new(&self.project, self.secrets_around()?))
    }

    /// What records and checkpoints are sent on with.
    pub(crate) fn forward_around(&self) -> Result<ForwardAround, Fault> {
        let log = self.audit()?;
        Ok(ForwardAround {
            data: self.data(),
            audit: self.audit_folder(),
            secrets: self.secrets_around_with(log.clone())?,
            log,
        })
    }

    fn secrets_around(&self) -> Result<SecretsAround, Fault> {
        self.secrets_around_with(self.audit()?)
    }

    fn secrets_around_with(&self, log: Audit) -> Result<SecretsAround, Fault> {
        Ok(SecretsAround {
            folder: self.root.clone(),
            key: Some(Arc::new(self.host_key()?)),
            is_development: layers::environment()? != PRODUCTION,
            recorder: Some(Arc::new(log)),
            clock: Arc::new(SystemClock),
            resolver: Arc::new(SystemResolver),
        })
    }

    fn builder(&self, before: Option<&Engine>, audit: Audit) -> Result<EngineBuilder, Fault> {
        let data = self.data();
        let unusable = || format!("cannot use the data folder `{}`", shown(&data));
        let key = HostKey::open(&data.join(HOST_KEY)).with_context(unusable)?;
        let builder = with_workers(Engine::builder())
            .recorder(Arc::new(audit))
            .key(key)
            .log(Arc::new(StderrLog))
            .approvals(self.approvals());
        let builder = builder.module_cache(self.modules(), true);
        let builder = if layers::environment()? == PRODUCTION { builder } else { builder.development() };
        let mut builder = match before {
            Some(before) => builder.kept_with(before),
            None => builder.kept(data.join("kept.redb")),
        };
        if let Some(config) = &self.config {
            builder = builder.config(config.clone(), &self.root);
        }
        Ok(builder)
    }

    /// The folder of a project and its data folder, which is all there is to know before its `[python]` is pinned.
    pub(crate) fn folders(chosen: Option<&Path>) -> Result<(PathBuf, String), Fault> {
        let root = match chosen {
            Some(folder) if folder.join(PROJECT_FILE).is_file() => Some(folder.to_path_buf()),
            Some(_) => None,
            None => find_root(Path::new(".")),
        };
        let root = root.ok_or_else(no_project)?;
        let config = layers::config(&root)?;
        let data =
            config.node.get("project").and_then(|project| project.get("data")).and_then(|data| data.text());
        Ok((root, data.unwrap_or(DATA_FOLDER).to_string()))
    }

    /// The folder of a project, whatever its files say.
    pub(crate) fn root_of(chosen: Option<&Path>) -> Result<PathBuf, Fault> {
        let root = match chosen {
            Some(folder) if folder.join(PROJECT_FILE).is_file() => Some(folder.to_path_buf()),
            Some(_) => None,
            None => find_root(Path::new(".")),
        };
        let none = || Fault::user("there is no project here").hint("make one: ringmail init my-project");
        root.ok_or_else(none)
    }

    /// The files that were read, by their paths from the project's folder.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let file = |source: Arc<Source>| {
            let path = Path::new(&source.name);
            let path = path.strip_prefix(&self.root).unwrap_or(path);
            (shown(path), source.text.clone().into_bytes())
        };
        self.sources().into_iter().map(file).collect()
    }

    /// Compiles every guest into the module cache.
    pub(crate) fn compile(&self) -> Result<(), Fault> {
        let data = self.data();
        let unusable = || format!("cannot use the data folder `{}`", shown(&data));
        keep_out(&data).with_context(unusable)?;
        let key = HostKey::open(&data.join(HOST_KEY)).with_context(unusable)?;
        let mut builder = Engine::builder().unread_secrets().key(key).module_cache(self.modules(), true);
        if let Some(config) = &self.config {
            builder = builder.config(config.clone(), &self.root);
        }
        builder.build().map(drop).map_err(build_fault)
    }

    /// Where compiled guests are kept, and the key they are kept under, if there is a project to keep them in.
    pub(crate) fn cache(&self) -> Result<Option<(HostKey, PathBuf)>, Fault> {
        if !self.is_project() {
            return Ok(None);
        }
        let data = self.data();
        let unusable = || format!("cannot use the data folder `{}`", shown(&data));
        std::fs::create_dir_all(&data).with_context(unusable)?;
        keep_out(&data).with_context(unusable)?;
        let key = HostKey::open(&data.join(HOST_KEY)).with_context(unusable)?;
        Ok(Some((key, self.modules())))
    }

    /// Looks on while an engine runs: what the project's settings no longer grant ends.
    pub(crate) fn watch(&self, engine: &Engine) -> Result<Option<GrantWatch>, Fault> {
        if self.config.is_none() || engine.plugins().is_empty() {
            return Ok(None);
        }
        let told = |what: &str| terminal::say(&terminal::clean(what));
        let watch = engine.watch_grants(layers::files(&self.root)?, told);
        Ok(Some(watch.context("cannot look at what is granted")?))
    }

    /// Leaves only what a chain needs to run, itself and all it calls, if anything else is broken.
    pub(crate) fn keep_needed(&mut self, engine: &Engine, wanted: &Wanted) -> Result<(), Fault> {
        let checked = engine.check(&self.chains);
        if checked.problems.is_empty() {
            return Ok(());
        }
        let Ok(first) = wanted.pick(&checked.plans, |plan| plan) else {
            return Err(match wanted {
                Wanted::File(file) => of_file(checked.problems, file).into(),
                Wanted::Name(name) => {
                    let fault: Fault = checked.problems.into();
                    fault.hint(format!("there is no `{name}` among the chains that load; fix these first"))
                }
            });
        };
        let mut needed = vec![first.clone()];
        let mut at = 0;
        while let Some(plan) = needed.get(at).cloned() {
            for (name, _) in plan.calls() {
                let called = checked.plans.iter().find(|plan| plan.name == name);
                if let Some(called) =
                    called.filter(|called| !needed.iter().any(|known| known.name == called.name))
                {
                    needed.push(called.clone());
                }
            }
            at += 1;
        }
        self.chains.retain(|source| needed.iter().any(|plan| plan.source.name == source.name));
        Ok(())
    }

    /// Who runs a chain: the principal named, the project's default, or the program itself.
    pub(crate) fn principal(&self, engine: &Engine, named: Option<&str>) -> Result<Principal, Fault> {
        let Some(name) = named.or(self.project.run_as.as_deref()) else { return Ok(Principal::host()) };
        if let Some(principal) = engine.principal(name) {
            return Ok(principal.clone());
        }
        let known: Vec<&str> = self.project.principals.iter().map(|principal| &*principal.subject).collect();
        let fault = Fault::user(format!("there is no principal `{name}`"));
        Err(match (suggest(name, known.iter().copied()), known.is_empty()) {
            (Some(near), _) => fault.hint(format!("did you mean `{near}`?")),
            (None, false) => fault.hint(format!("principals of this project: {}", known.join(", "))),
            (None, true) => {
                fault.hint(format!("add it to `{PROJECT_FILE}`:\n[[principal]]\nname = \"{name}\""))
            }
        })
    }
}

/// Keeps the data folder out of version control, and off what a newer version wrote in its own way.
fn keep_out(data: &Path) -> std::io::Result<()> {
    let ignore = data.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(&ignore, "*\n")?;
    }
    match std::fs::read_to_string(data.join(FORMAT)) {
        Ok(text) if text.trim().parse::<u32>().is_ok_and(|format| format <= FORMAT_NOW) => Ok(()),
        Ok(text) => {
            let text = terminal::clean(text.trim()).into_owned();
            Err(std::io::Error::other(format!("its format is `{text}`, and this version knows {FORMAT_NOW}")))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_whole(&data.join(FORMAT), format!("{FORMAT_NOW}\n").as_bytes())
        }
        Err(error) => Err(error),
    }
}

/// What a command was asked to look at.
pub(crate) enum Wanted {
    Name(String),
    /// The name of the source.
    File(String),
}

impl Wanted {
    /// The plan that was meant, among those that loaded.
    pub(crate) fn pick<'c, C>(
        &self,
        chains: &'c [C],
        plan: impl Fn(&C) -> &ringmail_engine::core::chain::Plan,
    ) -> Result<&'c C, Fault> {
        let found = chains.iter().find(|chain| match self {
            Wanted::Name(name) => *plan(chain).name == **name,
            Wanted::File(file) => plan(chain).source.name == *file,
        });
        found.ok_or_else(|| {
            let Wanted::Name(name) = self else { return Fault::user("the chain did not load") };
            let known: Vec<&str> = chains.iter().map(|chain| &*plan(chain).name).collect();
            let fault = Fault::user(format!("there is no chain `{name}` and no such file"));
            match suggest(name, known.iter().copied()) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None if known.is_empty() => {
                    fault.hint("make a project with an example: ringmail init my-project")
                }
                None => fault.hint(format!("chains here: {}", known.join(", "))),
            }
        })
    }
}

/// Workers are this program itself, started again.
pub(crate) fn worker_command() -> Option<WorkerCommand> {
    let program = std::env::current_exe().ok()?;
    Some(WorkerCommand { program, args: vec![crate::WORKER.into()] })
}

fn with_workers(builder: EngineBuilder) -> EngineBuilder {
    match worker_command() {
        Some(command) => builder.workers(command),
        // A plugin that needs workers says that there are none.
        None => builder,
    }
}

/// The problems of one file.
fn of_file(problems: Problems, file: &str) -> Problems {
    let own = |problem: &Problem| problem.spot.as_ref().is_some_and(|spot| spot.source.name == file);
    Problems(problems.0.into_iter().filter(own).collect())
}

/// Where the data that tainted a refused value entered, as far as the chains here show it.
pub(crate) fn origins(refusal: &Refusal, checked: &Checked) -> Vec<Origin> {
    let find = |name: &str| checked.plans.iter().find_map(|plan| plan.spot(plan.find(name)?.span));
    let named = refusal.origins.iter();
    named.filter_map(|name| Some(Origin { name: name.to_string(), spot: find(name)? })).collect()
}

struct StderrLog;

impl LogSink for StderrLog {
    fn write(&self, line: &LogLine) {
        let fields = match line.fields.as_map() {
            Some(_) => format!(" {}", ringmail_engine::core::json::to_string(&line.fields)),
            None => String::new(),
        };
        // One line of the log is one line, whatever the message holds.
        let line = format!("{} {}: {}{fields}", line.level, line.link, line.message);
        terminal::say(&terminal::clean(&line).replace('\n', "\\n"));
    }
}

fn build_fault(error: BuildError) -> Fault {
    match error {
        BuildError::Problems(problems) => problems.into(),
        BuildError::Secret { .. } => {
            Fault::from(anyhow::Error::new(error)).hint("set it, or change where the project says it is kept")
        }
        other => Fault::from(anyhow::Error::new(other)),
    }
}

/// A path with a separator or an ending is a file; a bare word is the name of a chain unless such a file exists.
fn looks_like_file(path: &Path) -> bool {
    path.extension().is_some() || path.components().count() > 1 || path.is_file()
}

fn folder_of(start: &Path) -> PathBuf {
    if start.as_os_str().is_empty() { PathBuf::from(".") } else { start.to_path_buf() }
}

/// The nearest folder above `start` with a project in it.
fn find_root(start: &Path) -> Option<PathBuf> {
    let mut at = folder_of(start);
    let whole = at.canonicalize().ok()?;
    for _ in whole.components() {
        if at.join(PROJECT_FILE).is_file() {
            return Some(at);
        }
        at = if at == Path::new(".") { PathBuf::from("..") } else { parent(&at) };
    }
    None
}

/// The folder above, written as short as it can be.
fn parent(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(up) if up.as_os_str().is_empty() => PathBuf::from("."),
        Some(up) if folder.file_name().is_some() => up.to_path_buf(),
        _ => folder.join(".."),
    }
}

/// A path as people know it: without a leading `./`.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

pub(crate) fn read(path: &Path) -> Result<Arc<Source>, Fault> {
    let failed = || format!("cannot read `{}`", shown(path));
    let meta = std::fs::metadata(path).with_context(failed)?;
    if meta.is_dir() {
        return Err(Fault::user(format!("`{}` is a folder, and a chain is a file", shown(path))));
    }
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(Fault::user(format!("`{}` is no file of at most 4 MiB", shown(path))));
    }
    let bytes = std::fs::read(path).with_context(failed)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(shown(path), text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes().get(..at).unwrap_or_default().split(|byte| *byte == b'\n').count();
            Err(Fault::user(format!("`{}` is not UTF-8 text: see line {line}", shown(path))))
        }
    }
}

/// All files with one of these endings in a folder and below, by name. A folder that is not there holds none.
pub(crate) fn read_all(folder: &Path, endings: &[&str]) -> Result<Vec<Arc<Source>>, Fault> {
    let mut paths = Vec::new();
    collect(folder, endings, DEPTH_MAX, &mut paths)?;
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn collect(folder: &Path, endings: &[&str], depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(anyhow::Error::new(error)
                .context(format!("cannot read the folder `{}`", shown(folder)))
                .into());
        }
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read the folder `{}`", shown(folder)))?;
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth > 0 {
                collect(&path, endings, depth - 1, paths)?;
            }
        } else if endings.contains(&ending) {
            paths.push(path);
        }
    }
    Ok(())
}

fn same_file(one: &Path, two: &Path) -> bool {
    match (one.canonicalize(), two.canonicalize()) {
        (Ok(one), Ok(two)) => one == two,
        _ => false,
    }
}

fn no_project() -> Fault {
    Fault::user("there is no project here").hint("make one: ringmail init my-project")
}
