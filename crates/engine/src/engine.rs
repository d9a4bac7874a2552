//! The engine: everything chains share. Built once from settings, then frozen; chains are loaded into it.

use crate::approvals::{Approvals, Inquiry};
use crate::bound::{Bound, NativeRun};
use crate::chain::Chain;
use crate::clock::{Clock, SystemClock};
use crate::commands::Commands;
use crate::consent::question_of;
use crate::egress::Egress;
use crate::egress::resolve::{Resolve, SystemResolver};
use crate::files::Mounts;
use crate::kinds::KINDS;
use crate::kv::KeyValue;
use crate::log::{LogSink, Silent};
use crate::middleware::{self, Middleware};
use crate::natives;
use crate::packages::{StoreError, believed, read_lock};
use crate::plugins::{Means, Origins, PluginFigures, Plugins, module_cache};
use crate::python::Interpreter;
use crate::recorder::Recorder;
use crate::redaction;
use crate::scripts::Scripts;
use crate::secrets::{
    SecretError, SecretLedger, SecretReader, SecretSources, Secrets, SecretsAround, placeholders,
};
use crate::sign::{HostKey, to_hex};
use crate::upstreams::{Served, Upstreams, pinned};
use crate::variables::variable;
use ringmail_core::chain::flow::Verdict;
use ringmail_core::chain::{Plan, Surroundings, load};
use ringmail_core::config::Config;
use ringmail_core::doc::{Node, Problems, Source, Span, yaml};
use ringmail_core::gate::Authority;
use ringmail_core::grant::{Grant, Grants, SecretRule};
use ringmail_core::label::{Labeled, TagTable};
use ringmail_core::package::Publishers;
use ringmail_core::plugin::Plugin;
use ringmail_core::policy::{Policies, Principal};
use ringmail_core::project::Project;
use ringmail_core::retention::Retention;
use ringmail_core::run::Limits;
use ringmail_core::upstream::Upstream;
use ringmail_core::value::Str;
use ringmail_host::{KernelWalls, Script, WorkerCommand, Workers};
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why an engine cannot be built.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("{0}")]
    Problems(Problems),
    #[error("secret `{name}`: {cause}")]
    Secret { name: String, cause: SecretError },
    #[error("mount `{name}`: cannot open `{path}`: {cause}")]
    Mount { name: String, path: String, cause: std::io::Error },
    #[error(
        "mount `{name}`: `{path}` holds `{own}` or lies in it, and who may write there decides what may happen here"
    )]
    OwnMount { name: String, path: String, own: String },
    #[error("cannot use the certificate authorities in `{path}`: {cause}")]
    Roots { path: String, cause: String },
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("{0}")]
    Lock(StoreError),
}

impl From<StoreError> for BuildError {
    fn from(error: StoreError) -> BuildError {
        match error {
            StoreError::Problems(problems) => BuildError::Problems(problems),
            other => BuildError::Lock(other),
        }
    }
}

impl From<Problems> for BuildError {
    fn from(problems: Problems) -> BuildError {
        BuildError::Problems(problems)
    }
}

/// Everything chains share. Cheap to clone.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    /// What the project calls itself.
    pub(crate) project: Str,
    pub(crate) authority: Arc<Authority>,
    pub(crate) natives: BTreeMap<Str, (Option<Str>, NativeRun)>,
    pub(crate) middleware: BTreeMap<Str, Arc<dyn Middleware>>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) sources: SecretSources,
    /// What `secrets` means in expressions: placeholders under their tags.
    pub(crate) placeholders: Labeled,
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    pub(crate) approvals: Option<Arc<Approvals>>,
    pub(crate) log: Arc<dyn LogSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) egress: Egress,
    pub(crate) mounts: Mounts,
    pub(crate) plugins: Plugins,
    pub(crate) scripts: Scripts,
    pub(crate) kept: Arc<KeyValue>,
    pub(crate) commands: Commands,
    pub(crate) upstreams: Upstreams,
    pub(crate) python: Option<Interpreter>,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    /// Whose signature a chain needs, where it needs one.
    signers: Option<Publishers>,
    pub(crate) key: HostKey,
    pub(crate) figures: Arc<middleware::Figures>,
    pub(crate) principals: Vec<Principal>,
    /// A secret key and a counter: run ids and handles nobody can guess, without asking the system each time.
    nonces: (std::hash::RandomState, AtomicU64),
    /// Without the engine they run on, which would hold itself.
    chains: RwLock<BTreeMap<Str, Arc<Bound>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.sources.note(&self.secrets, self.clock.now_ms());
    }
}

impl Inner {
    pub(crate) fn next_nonce(&self) -> u128 {
        let count = self.nonces.1.fetch_add(1, Ordering::Relaxed);
        let half = |side: u8| u128::from(self.nonces.0.hash_one((side, count)));
        half(0) << 64 | half(1)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("natives", &self.0.natives.keys()).finish_non_exhaustive()
    }
}

/// What can be said of chains before they run.
#[derive(Debug, Default)]
pub struct Checked {
    pub plans: Vec<Arc<Plan>>,
    pub problems: Problems,
    /// The flow verdict of every sink.
    pub verdicts: Vec<(Arc<Plan>, Verdict)>,
    /// Compiled for the plans, and kept until somebody runs them.
    pub(crate) scripts: Vec<Arc<Script>>,
}

impl Engine {
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Loads chain files that may call each other. All or none.
    pub fn load(&self, sources: &[Arc<Source>]) -> Result<Vec<Chain>, Problems> {
        let checked = self.check(sources);
        checked.problems.or(())?;
        Ok(self.take_in(checked.plans))
    }

    fn take_in(&self, plans: Vec<Arc<Plan>>) -> Vec<Chain> {
        let chains: Vec<Chain> = plans.into_iter().map(|plan| self.bind(plan, &Extras::default())).collect();
        let mut known = self.0.chains.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chain in &chains {
            known.insert(chain.plan().name.clone(), chain.bound.clone());
        }
        chains
    }

    /// Everything that can be known of chain files before running them.
    pub fn check(&self, sources: &[Arc<Source>]) -> Checked {
        let mut unsigned = Problems::default();
        let signed: Vec<Arc<Source>> =
            sources.iter().filter(|source| self.is_signed(source, &mut unsigned)).cloned().collect();
        let mut checked = self.check_with(&signed, &Extras::default(), &self.0.upstreams.served());
        unsigned.0.append(&mut checked.problems.0);
        Checked { problems: unsigned, ..checked }
    }

    /// Whether a chain file may be loaded: where signatures are required, under one that is believed.
    fn is_signed(&self, source: &Arc<Source>, problems: &mut Problems) -> bool {
        let Some(publishers) = &self.0.signers else { return true };
        let name = &source.name;
        match believed(publishers, Path::new(name), source.text.as_bytes(), None) {
            Ok(_) => true,
            Err(why) => {
                let message = format!("`{name}` is not loaded: {why}");
                let help = format!(
                    "the project requires signed chains; once it is reviewed: ringmail sign {name} --publisher NAME --key FILE"
                );
                problems.add_help(source, Span { start: 0, end: 0 }, message, help);
                false
            }
        }
    }

    pub(crate) fn check_with(&self, sources: &[Arc<Source>], extras: &Extras, served: &[Served]) -> Checked {
        let mut out = self.plans_with(sources, extras, served);
        if out.problems.is_empty() {
            self.check_flows(&mut out);
        }
        out
    }

    /// Chains as they can be walked, whatever their flows would be told today; those that do not load are left out.
    pub fn load_unjudged(&self, sources: &[Arc<Source>]) -> Vec<Chain> {
        self.take_in(self.plans_with(sources, &Extras::default(), &self.0.upstreams.served()).plans)
    }

    fn plans_with(&self, sources: &[Arc<Source>], extras: &Extras, served: &[Served]) -> Checked {
        let mut out = Checked::default();
        let natives = self.native_effects(extras);
        let middleware = self.middleware_names(extras);
        let secrets: Vec<Str> = self.0.authority.secrets.iter().map(|secret| secret.name.clone()).collect();
        let commands = self.0.commands.names();
        let read = |node: &Node, source: &Arc<Source>| {
            let tags = &mut *self.0.authority.tags.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut around = Surroundings {
                kinds: KINDS,
                natives: &natives,
                middleware: &middleware,
                secrets: &secrets,
                plugins: self.0.plugins.known(),
                files: &|name| self.0.scripts.read(name),
                commands: &commands,
                upstreams: self.0.upstreams.known(),
                python: self.0.python.as_ref().map(|python| python.limits),
                tags,
                limits: self.0.limits,
            };
            load(node, source, &mut around)
        };
        for source in sources {
            match yaml::parse(source).and_then(|node| read(&node, source)) {
                Ok(plan) => out.plans.push(Arc::new(plan)),
                Err(problems) => out.problems.0.extend(problems.0),
            }
        }
        for served in served {
            match read(&served.node, &served.source) {
                Ok(plan) => out.plans.push(Arc::new(served.seal(plan))),
                Err(problems) => out.problems.0.extend(problems.0),
            }
        }
        for plan in &out.plans {
            out.scripts.extend(self.0.scripts.check(plan, &mut out.problems));
        }
        self.check_names(&mut out);
        for plan in out.plans.clone() {
            self.check_programs(&plan, &mut out.problems);
        }
        out
    }

    /// A chain that was loaded, by name.
    pub fn chain(&self, name: &str) -> Option<Chain> {
        Some(self.on(self.0.chains.read().ok()?.get(name)?))
    }

    pub fn chains(&self) -> Vec<Chain> {
        let all = self.0.chains.read();
        all.map(|chains| chains.values().map(|bound| self.on(bound)).collect()).unwrap_or_default()
    }

    fn on(&self, bound: &Arc<Bound>) -> Chain {
        Chain { engine: self.clone(), bound: bound.clone() }
    }

    /// What the project calls itself.
    pub fn name(&self) -> &str {
        &self.0.project
    }

    /// A name for something that happens, sortable by time, that nobody can guess: what runs are called too.
    pub fn next_id(&self) -> Str {
        crate::ends::run_id(self.0.clock.now_ms(), self.0.next_nonce())
    }

    /// Whether this is how the holder of a secret would sign these parts, one after the other. The secret stays here.
    pub fn is_signed_with(&self, secret: &str, parts: &[&[u8]], mac: &[u8]) -> bool {
        // Whoever signs may know of a new value later than this host.
        self.0.secrets.counting(secret).iter().any(|secret| crate::sign::mac_fits(secret, parts, mac))
    }

    /// A principal of the project, by name.
    pub fn principal(&self, name: &str) -> Option<&Principal> {
        self.0.principals.iter().find(|principal| &*principal.subject == name)
    }

    /// Where it records what happens.
    pub fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.0.recorder.as_ref()
    }

    /// What its runs ask persons, if they can.
    pub fn approvals(&self) -> Option<&Arc<Approvals>> {
        self.0.approvals.as_ref()
    }

    /// Whether policy lets somebody say yes to a question. Whoever may not is not shown it.
    pub fn may_approve(&self, principal: &Principal, inquiry: &Inquiry) -> bool {
        let Ok(tags) = self.0.authority.tags.read() else { return false };
        let question = question_of(&inquiry.consent, &inquiry.link, &inquiry.value, principal);
        question.is_some_and(|question| question.ask(&self.0.authority.policies, &tags).allowed)
    }

    pub fn authority(&self) -> &Arc<Authority> {
        &self.0.authority
    }

    /// The plugins of the project, by name.
    pub fn plugins(&self) -> &BTreeMap<Str, Arc<Plugin>> {
        self.0.plugins.known()
    }

    /// The servers of MCP that the project names, with what is pinned of each.
    pub fn upstreams(&self) -> &BTreeMap<Str, Arc<Upstream>> {
        self.0.upstreams.known()
    }

    /// What the calls of each plugin came to.
    pub fn plugin_figures(&self) -> BTreeMap<Str, PluginFigures> {
        self.0.plugins.figures()
    }

    /// A copy of what plugins keep, as it is at one moment, beside where it is kept. Nothing if nothing ever was.
    pub fn copy_kept(&self) -> Result<Option<PathBuf>, String> {
        self.0.kept.copy().map_err(|error| error.to_string())
    }

    /// What all runs of programs came to, if the project has an interpreter.
    pub fn python_figures(&self) -> Option<PluginFigures> {
        self.0.python.as_ref().map(|python| python.guest.figures())
    }

    /// The same of the fast interpreter, if the project has one.
    pub fn fast_python_figures(&self) -> Option<PluginFigures> {
        self.0.python.as_ref()?.fast.as_ref().map(|fast| fast.guest.figures())
    }

    /// The key that acts are signed with, for those who verify them.
    pub fn public_key(&self) -> String {
        self.0.key.public_hex()
    }

    /// What the `timing` and `metrics` middleware have counted.
    pub fn figures(&self) -> &middleware::Figures {
        &self.0.figures
    }

    pub(crate) fn bind(&self, plan: Arc<Plan>, extras: &Extras) -> Chain {
        let bound = Bound::new(&plan, self, extras);
        Chain { engine: self.clone(), bound: Arc::new(bound) }
    }

    pub(crate) fn register(&self, chain: &Chain) {
        let mut known = self.0.chains.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.insert(chain.plan().name.clone(), chain.bound.clone());
    }

    fn native_effects(&self, extras: &Extras) -> BTreeMap<Str, Option<Str>> {
        let own = extras.natives.iter().map(|(name, (effect, _))| (name.clone(), effect.clone()));
        self.0.natives.iter().map(|(name, (effect, _))| (name.clone(), effect.clone())).chain(own).collect()
    }

    fn middleware_names(&self, extras: &Extras) -> Vec<Str> {
        self.0.middleware.keys().chain(extras.middleware.keys()).cloned().collect()
    }
}

/// What a chain built in Rust brings along.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) natives: BTreeMap<Str, (Option<Str>, NativeRun)>,
    pub(crate) middleware: BTreeMap<Str, Arc<dyn Middleware>>,
}

/// Settings of an engine. Without any, chains of pure links run and nothing else may happen.
#[derive(Default)]
pub struct EngineBuilder {
    project: Option<(Result<Config, Problems>, PathBuf)>,
    granted: Vec<Grant>,
    policies: Option<Vec<Arc<Source>>>,
    natives: BTreeMap<Str, (Option<Str>, NativeRun)>,
    middleware: BTreeMap<Str, Arc<dyn Middleware>>,
    secrets: BTreeMap<Str, Zeroizing<String>>,
    recorder: Option<Arc<dyn Recorder>>,
    approvals: Option<PathBuf>,
    log: Option<Arc<dyn LogSink>>,
    clock: Option<Arc<dyn Clock>>,
    resolver: Option<Arc<dyn Resolve>>,
    key: Option<HostKey>,
    module_cache: Option<(PathBuf, bool)>,
    kept: Arc<KeyValue>,
    walls: Option<Arc<KernelWalls>>,
    workers: Option<WorkerCommand>,
    unread_secrets: bool,
    is_development: bool,
    secrets_before: Option<Arc<Secrets>>,
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("project", &self.project.as_ref().map(|(_, folder)| folder))
            .finish_non_exhaustive()
    }
}

impl EngineBuilder {
    /// Grants, secrets, mounts, principals and limits in the form of `ringmail.toml`; paths are taken from `folder`.
    #[must_use]
    pub fn project(mut self, source: Arc<Source>, folder: &Path) -> Self {
        self.project = Some((Config::load(&[source], &variable), folder.to_path_buf()));
        self
    }

    /// The same, of several layers.
    #[must_use]
    pub fn config(mut self, config: Config, folder: &Path) -> Self {
        self.project = Some((Ok(config), folder.to_path_buf()));
        self
    }

    /// A grant besides those of the project, under the same ceiling.
    pub(crate) fn granted(mut self, grant: Grant) -> Self {
        self.granted.push(grant);
        self
    }

    /// Cedar policies. Without any, the embedding program may run chains, and no effect is permitted.
    #[must_use]
    pub fn policies(mut self, files: Vec<Arc<Source>>) -> Self {
        self.policies = Some(files);
        self
    }

    /// A function that chains in files can `call`. It must not block; see [`EngineBuilder::blocking`].
    #[must_use]
    pub fn native<F, Fut, O>(mut self, name: &str, run: F) -> Self
    where
        F: Fn(crate::Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, crate::Failure>> + Send + 'static,
        O: crate::IntoValue,
    {
        self.natives.insert(name.into(), (None, NativeRun::from_async(run)));
        self
    }

    /// A blocking function that chains in files can `call`; it runs on a thread where blocking harms nobody.
    #[must_use]
    pub fn blocking<F, O>(mut self, name: &str, run: F) -> Self
    where
        F: Fn(crate::Ctx) -> Result<O, crate::Failure> + Send + Sync + 'static,
        O: crate::IntoValue,
    {
        self.natives.insert(name.into(), (None, NativeRun::from_blocking(run)));
        self
    }

    /// Declares that the native function `name` has this effect on the world, so that grants and policies decide.
    #[must_use]
    pub fn effect(mut self, name: &str, effect: &str) -> Self {
        if let Some(native) = self.natives.get_mut(name) {
            native.0 = Some(effect.into());
        }
        self
    }

    #[must_use]
    pub fn middleware(mut self, name: &str, middleware: impl Middleware + 'static) -> Self {
        self.middleware.insert(name.into(), Arc::new(middleware));
        self
    }

    /// Gives a secret's value directly instead of reading it from where the project says.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.into(), Zeroizing::new(value.into()));
        self
    }

    /// Reads no secret values: enough to check chains, not to run them.
    #[must_use]
    pub fn unread_secrets(mut self) -> Self {
        self.unread_secrets = true;
        self
    }

    /// Lets secrets come from the `.env` of a developer.
    #[must_use]
    pub fn development(mut self) -> Self {
        self.is_development = true;
        self
    }

    #[must_use]
    pub fn recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Where runs ask persons. Without it, none can.
    #[must_use]
    pub fn approvals(mut self, folder: PathBuf) -> Self {
        self.approvals = Some(folder);
        self
    }

    #[must_use]
    pub fn log(mut self, log: Arc<dyn LogSink>) -> Self {
        self.log = Some(log);
        self
    }

    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// The key acts are signed with; without one, a key that lives as long as the engine.
    #[must_use]
    pub fn key(mut self, key: HostKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Keeps compiled plugins in a folder, under the host's key. Without `writes`, those that are there are used.
    #[must_use]
    pub fn module_cache(mut self, folder: PathBuf, writes: bool) -> Self {
        self.module_cache = Some((folder, writes));
        self
    }

    /// Keeps what plugins keep in this file; it is made when the first of them keeps something. Without one, none can.
    #[must_use]
    pub fn kept(mut self, path: PathBuf) -> Self {
        self.kept = Arc::new(KeyValue::new(path));
        self
    }

    /// Keeps what plugins keep where an engine before this one does: one process opens the file once. Values of secrets that
    /// are others by now count for their overlap.
    #[must_use]
    pub fn kept_with(mut self, before: &Engine) -> Self {
        self.kept = before.0.kept.clone();
        self.secrets_before = Some(before.0.secrets.clone());
        self
    }

    /// What commands are confined with; by default all that the kernel gives.
    #[must_use]
    pub fn kernel_walls(mut self, walls: KernelWalls) -> Self {
        self.walls = Some(Arc::new(walls));
        self
    }

    /// How workers are started, for plugins that run in processes of their own: a program that calls
    /// [`crate::serve_as_worker`] at once.
    #[must_use]
    pub fn workers(mut self, command: WorkerCommand) -> Self {
        self.workers = Some(command);
        self
    }

    pub fn build(mut self) -> Result<Engine, BuildError> {
        let mut tags = TagTable::default();
        let mut problems = Problems::default();
        let folder = self.project.as_ref().map_or_else(PathBuf::new, |(_, folder)| folder.clone());
        let project = match &self.project {
            Some((config, _)) => {
                config.as_ref().map_err(Clone::clone).and_then(|config| config.project(&mut tags))
            }
            None => Ok(Project::empty(&mut tags)),
        };
        let policies = match &self.policies {
            Some(files) => Policies::load(files),
            None => Ok(Policies::embedded()),
        };
        let (mut project, policies) = match (project, policies) {
            (Ok(project), Ok(policies)) => (project, policies),
            (project, policies) => {
                problems
                    .0
                    .extend(project.err().into_iter().chain(policies.err()).flat_map(|problems| problems.0));
                return Err(problems.into());
            }
        };
        let (secrets, rules, sources) = self.read_secrets(&mut project, &folder, &mut tags)?;
        let figures = Arc::new(middleware::Figures::default());
        let log = self.log.take().unwrap_or_else(|| Arc::new(Silent));
        for shipped in middleware::SHIPPED {
            self.middleware.entry(shipped.name.into()).or_insert_with(|| shipped.make(&figures, &log));
        }
        for native in natives::LIBRARY {
            self.natives.entry(native.name.into()).or_insert((None, NativeRun::Pure(native.run)));
        }
        let placeholders = placeholders(&rules);
        let mounts = Mounts::open(&project, &folder)?;
        let granted = project.grants.into_iter().chain(self.granted).collect();
        let mut grants = Grants::new(granted, project.ceiling);
        let key = self.key.unwrap_or_else(HostKey::ephemeral);
        let cache = self.module_cache.map(|(folder, writes)| module_cache(&key, folder, writes));
        let workers = self.workers.map(Workers::new);
        let (plugins, python) = match &self.project {
            Some((Ok(Config { source, .. }), _)) => {
                let data = folder.join(&project.data);
                let (cache, workers) = (cache.as_ref(), workers.as_ref());
                let means = Means { cache, workers, secrets: &secrets, data: &data };
                let lock = read_lock(&folder)?;
                let publishers = &project.publishers;
                let origins = Origins { root: &folder, data: &data, lock, publishers };
                let plugins =
                    Plugins::open(&project.plugins, source, &origins, means, &mut tags, &mut grants);
                let python =
                    project.python.map(|setting| Interpreter::open(&setting, source, &folder, cache));
                both(plugins, python.transpose())?
            }
            _ => Default::default(),
        };
        let commands = match &self.project {
            Some((Ok(Config { source, .. }), _)) => {
                Commands::open(&project.commands, &project.mounts, source, &folder, self.walls.take())?
            }
            _ => Commands::default(),
        };
        let upstreams = match &self.project {
            Some((Ok(Config { source, .. }), _)) => pinned(project.upstreams, source, &folder, &mut tags)?,
            _ => Upstreams::default(),
        };
        let detectors = project.detectors;
        let authority =
            Authority { grants, policies, secrets: rules, tags: Arc::new(RwLock::new(tags)), detectors };
        let resolver = self.resolver.unwrap_or_else(|| Arc::new(SystemResolver));
        let signers = project.require_signed.then_some(project.publishers);
        Ok(Engine(Arc::new(Inner {
            authority: Arc::new(authority),
            natives: self.natives,
            middleware: self.middleware,
            secrets,
            sources,
            placeholders,
            recorder: self.recorder,
            approvals: self.approvals.map(|folder| Arc::new(Approvals::new(folder, &key))),
            log,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            egress: Egress::new(resolver, &project.extra_roots, &folder)?,
            mounts,
            plugins,
            kept: self.kept,
            commands,
            upstreams,
            python,
            scripts: Scripts::new(self.project.is_some().then_some(folder), signers.clone()),
            project: project.name.into(),
            limits: project.limits,
            retention: project.retention,
            signers,
            key,
            figures,
            principals: project.principals,
            nonces: (std::hash::RandomState::new(), AtomicU64::new(0)),
            chains: RwLock::default(),
        })))
    }

    fn around(&self, folder: &Path) -> SecretsAround {
        SecretsAround {
            folder: folder.to_path_buf(),
            key: self.key.as_ref().map(|key| Arc::new(key.again())),
            is_development: self.is_development,
            recorder: self.recorder.clone(),
            clock: self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock)),
            resolver: self.resolver.clone().unwrap_or_else(|| Arc::new(SystemResolver)),
        }
    }

    fn read_secrets(
        &self,
        project: &mut Project,
        folder: &Path,
        tags: &mut TagTable,
    ) -> Result<(Arc<Secrets>, Vec<SecretRule>, SecretSources), BuildError> {
        let around = self.around(folder);
        let (clock, secrets) = (around.clock.clone(), Arc::new(Secrets::new(around.clock.clone())));
        redaction::hide(&secrets);
        let mut rules = Vec::new();
        let reader = SecretReader::new(project, around);
        for setting in &project.secrets {
            let value = match self.secrets.get(&setting.name) {
                Some(value) => Some(value.clone()),
                None if self.unread_secrets => None,
                None => Some(
                    reader
                        .read(setting)
                        .map_err(|cause| BuildError::Secret { name: setting.name.to_string(), cause })?,
                ),
            };
            if let Some(value) = value {
                secrets.insert(setting.name.clone(), value);
            }
            // The same after the process came back: what a run was given may hold it.
            let nonce = match &self.key {
                Some(key) => to_hex(key.secret_for(&format!("placeholder {}", setting.name)).split_at(16).0),
                None => format!("{:032x}", random().ok_or(BuildError::NoRandomness)?),
            };
            let tag = tags.intern(&ringmail_core::label::secret_tag(&setting.name)).unwrap_or(setting.tag);
            rules.push(SecretRule {
                name: setting.name.clone(),
                tag,
                placeholder: format!("secret:{}:{nonce}", setting.name).into(),
                bound_to: setting.bound_to.clone(),
            });
        }
        let ledger = self.key.as_ref().filter(|_| self.project.is_some() && !self.unread_secrets);
        let ledger = ledger.map(|key| SecretLedger::new(&folder.join(&project.data), key));
        let settings = std::mem::take(&mut project.secrets);
        let sources = SecretSources { reader, settings, ledger };
        if let Some(before) = &self.secrets_before {
            secrets.go_on(before, |name| sources.overlap(name));
        }
        if !sources.settings.is_empty() {
            sources.note(&secrets, clock.now_ms());
        }
        Ok((secrets, rules, sources))
    }
}

/// Both, or the problems of both.
fn both<A, B>(one: Result<A, Problems>, other: Result<B, Problems>) -> Result<(A, B), Problems> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => {
            let all = one.err().into_iter().chain(other.err()).flat_map(|problems| problems.0);
            Err(Problems(all.collect()))
        }
    }
}

pub(crate) fn random() -> Option<u128> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(u128::from_le_bytes(bytes))
}
