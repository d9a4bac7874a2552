//! The scripts of chains: read once, compiled once for each text, exchanged whole. A script that does not hold what its
//! cases say takes no one's place.

use crate::engine::Engine;
use crate::packages::{believed, read_bounded};
use crate::plugins::call_limits;
use ringmail_core::chain::{Detail, Plan, Scripted};
use ringmail_core::doc::{Problems, Source, Span};
use ringmail_core::failure::FailureKind;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::package::Publishers;
use ringmail_core::plugin::Use;
use ringmail_core::program::Program;
use ringmail_core::value::{Str, Value};
use ringmail_host::{
    CallFigures, CallLimits, SCRIPT_BYTES_MAX, SCRIPT_MEMORY_BYTES_MAX, Script, ScriptError,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

/// What ends in this beside a script holds its cases.
const CASES: &str = "test.json";

/// What one run may use, where the link does not say.
pub(crate) fn script_limits(written: Use) -> CallLimits {
    let standard = CallLimits {
        memory_bytes_max: 16 << 20,
        time_max: Duration::from_secs(1),
        fuel_max: 1_000_000_000,
        asks_max: 0,
        ..CallLimits::default()
    };
    call_limits(written, standard, SCRIPT_MEMORY_BYTES_MAX)
}

pub(crate) type TextDigest = [u8; 32];

pub(crate) fn digest(text: &str) -> TextDigest {
    Sha256::digest(text).into()
}

/// A script that stands in for the one of a link.
#[derive(Debug)]
pub(crate) struct Slot {
    script: RwLock<(TextDigest, Arc<Script>)>,
    file: Option<Str>,
    entry: Str,
    limits: Use,
    figures: Mutex<ScriptFigures>,
}

impl Slot {
    pub(crate) fn current(&self) -> Arc<Script> {
        self.script.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn digest(&self) -> TextDigest {
        self.script.read().unwrap_or_else(PoisonError::into_inner).0
    }

    fn set(&self, digest: TextDigest, script: Arc<Script>) {
        *self.script.write().unwrap_or_else(PoisonError::into_inner) = (digest, script);
    }

    pub(crate) fn count(&self, figures: CallFigures, failed: Option<FailureKind>) {
        locked(&self.figures).add(&ScriptFigures {
            calls: 1,
            failures: failed.map(|kind| (kind.id(), 1)).into_iter().collect(),
            fuel: figures.fuel,
            memory_bytes_peak: figures.memory_bytes_peak,
        });
    }
}

/// What the runs of one script came to since the engine was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptFigures {
    pub calls: u64,
    /// By kind of failure.
    pub failures: BTreeMap<&'static str, u64>,
    /// Steps of the interpreter.
    pub fuel: u64,
    pub memory_bytes_peak: usize,
}

impl ScriptFigures {
    pub fn to_value(&self) -> Value {
        let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        Value::map([
            ("calls", count(self.calls)),
            ("failures", Value::map(self.failures.iter().map(|(kind, n)| (*kind, count(*n))))),
            ("fuel", count(self.fuel)),
            ("memory_peak", count(self.memory_bytes_peak as u64)),
        ])
    }

    fn add(&mut self, more: &ScriptFigures) {
        self.calls += more.calls;
        self.fuel = self.fuel.saturating_add(more.fuel);
        self.memory_bytes_peak = self.memory_bytes_peak.max(more.memory_bytes_peak);
        for (kind, count) in &more.failures {
            *self.failures.entry(kind).or_default() += count;
        }
    }
}

/// What came of looking at the files of scripts again.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Files whose new text runs from now on.
    pub changed: Vec<Str>,
    /// Why others go on as they were.
    pub problems: Problems,
}

/// The scripts of an engine.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    folder: Option<PathBuf>,
    /// Whose signature a file needs, where it needs one.
    signers: Option<Publishers>,
    compiled: Mutex<BTreeMap<(TextDigest, Str), Weak<Script>>>,
    slots: Mutex<Vec<Weak<Slot>>>,
    compilations: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scripts {
    pub(crate) fn new(folder: Option<PathBuf>, signers: Option<Publishers>) -> Scripts {
        Scripts { folder, signers, ..Scripts::default() }
    }

    /// The text of a file of the project, signed where that is asked for.
    pub(crate) fn read(&self, name: &str) -> Result<Arc<Source>, String> {
        let (path, bytes) = self.bytes(name)?;
        let shown = ringmail_core::json::shorten(name);
        if let Some(signers) = &self.signers {
            let by = believed(signers, &path, &bytes, None);
            by.map_err(|why| format!("`{shown}` is not loaded: {why}"))?;
        }
        let text = String::from_utf8(bytes);
        Ok(Source::new(name, text.map_err(|_| format!("`{shown}` is not UTF-8 text"))?))
    }

    /// A file, which lies below the project's folder.
    fn bytes(&self, name: &str) -> Result<(PathBuf, Vec<u8>), String> {
        let shown = ringmail_core::json::shorten(name);
        let folder = self.folder.as_ref().ok_or_else(|| {
            format!("`{shown}` is looked for in a project, and there is none: write it under `code`")
        })?;
        let path = Path::new(name);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let whole = folder.join(path);
        let inside = match (folder.join(".").canonicalize(), whole.canonicalize()) {
            (Ok(folder), Ok(whole)) => whole.starts_with(folder),
            // Reading it says why.
            _ => true,
        };
        if !plain || !inside {
            return Err(format!("`{shown}` does not lie in the project's folder"));
        }
        let bytes = read_bounded(&whole, SCRIPT_BYTES_MAX as u64)?;
        Ok((whole, bytes))
    }

    /// Compiles a text, unless somebody has it compiled.
    fn script(&self, program: &Program, entry: &Str, problems: &mut Problems) -> Option<Arc<Script>> {
        let key = (digest(&program.text), entry.clone());
        if let Some(script) = locked(&self.compiled).get(&key).and_then(Weak::upgrade) {
            return Some(script);
        }
        self.compilations.fetch_add(1, Ordering::Relaxed);
        match Script::compile(&program.text, entry) {
            Ok(script) => {
                let script = Arc::new(script);
                let mut compiled = locked(&self.compiled);
                compiled.retain(|_, script| script.strong_count() > 0);
                compiled.insert(key, Arc::downgrade(&script));
                Some(script)
            }
            Err(ScriptError::Faults(faults)) => {
                for fault in faults {
                    let spot = program.spot(fault.line, fault.column, 1);
                    match fault.help {
                        Some(help) => problems.add_help(&spot.source, spot.span, fault.message, help),
                        None => problems.add(&spot.source, spot.span, fault.message),
                    }
                }
                None
            }
            Err(error @ ScriptError::Unmetered) => {
                let spot = program.spot(0, 0, 0);
                let help = "make `ringmail_engine::Metered` its global allocator";
                problems.add_help(&spot.source, spot.span, error.to_string(), help);
                None
            }
        }
    }

    /// Compiles the scripts of a plan and of all bodies in it; whoever wants them to last keeps them.
    pub(crate) fn check(&self, plan: &Plan, problems: &mut Problems) -> Vec<Arc<Script>> {
        let here = plan.links.iter().filter_map(|link| match &link.detail {
            Detail::Script(scripted) => Some(scripted),
            _ => None,
        });
        let mut out: Vec<_> =
            here.filter_map(|scripted| self.script(&scripted.program, &scripted.entry, problems)).collect();
        for (_, body) in plan.bodies() {
            out.extend(self.check(body, problems));
        }
        out
    }

    /// What a link runs. Links that name the same file share it, and change together.
    pub(crate) fn slot(&self, scripted: &Scripted) -> Option<Arc<Slot>> {
        let script = self.script(&scripted.program, &scripted.entry, &mut Problems::default())?;
        let digest = digest(&scripted.program.text);
        let mut slots = locked(&self.slots);
        slots.retain(|slot| slot.strong_count() > 0);
        let known = slots.iter().filter_map(Weak::upgrade).find(|slot| {
            slot.file.is_some()
                && (&slot.file, &slot.entry, slot.limits)
                    == (&scripted.file, &scripted.entry, scripted.limits)
        });
        if let Some(slot) = known {
            slot.set(digest, script);
            return Some(slot);
        }
        let slot = Arc::new(Slot {
            script: RwLock::new((digest, script)),
            file: scripted.file.clone(),
            entry: scripted.entry.clone(),
            limits: scripted.limits,
            figures: Mutex::default(),
        });
        slots.push(Arc::downgrade(&slot));
        Some(slot)
    }
}

impl Engine {
    /// Reads the files of scripts again. A text that changed is compiled and run on its cases, and takes the place of the
    /// one before it in every chain at once; one that has problems changes nothing.
    pub async fn reload_scripts(&self) -> Reloaded {
        let scripts = &self.0.scripts;
        let slots: Vec<Arc<Slot>> = locked(&scripts.slots).iter().filter_map(Weak::upgrade).collect();
        let mut reloaded = Reloaded::default();
        let mut texts: BTreeMap<Str, Result<Arc<Source>, String>> = BTreeMap::new();
        for slot in slots {
            let Some(file) = &slot.file else { continue };
            // Each file is read once, whoever runs it.
            match texts.entry(file.clone()).or_insert_with(|| scripts.read(file)) {
                Ok(source) if digest(&source.text) != slot.digest() => {
                    let program = Program::of_file(source.clone());
                    let script = scripts.script(&program, &slot.entry, &mut reloaded.problems);
                    let Some(script) = script else { continue };
                    match dry_run(scripts, file, &script, slot.limits).await {
                        Ok(()) => {
                            slot.set(digest(&source.text), script);
                            if !reloaded.changed.contains(file) {
                                reloaded.changed.push(file.clone());
                            }
                        }
                        Err(message) => reloaded.problems.add(source, Span::default(), message),
                    }
                }
                Ok(_) => {}
                Err(message) => reloaded.problems.add_bare(message.clone()),
            }
        }
        reloaded
    }

    /// What the runs of each script came to, by file.
    pub fn script_figures(&self) -> BTreeMap<Str, ScriptFigures> {
        let mut out: BTreeMap<Str, ScriptFigures> = BTreeMap::new();
        for slot in locked(&self.0.scripts.slots).iter().filter_map(Weak::upgrade) {
            let name = slot.file.clone().unwrap_or_else(|| "code".into());
            out.entry(name).or_default().add(&locked(&slot.figures));
        }
        out
    }

    /// How often a script was compiled.
    pub fn script_compilations(&self) -> u64 {
        self.0.scripts.compilations.load(Ordering::Relaxed)
    }
}

/// Runs a script on the cases that stand beside it, if there are any: it has no way out, so nothing comes of it.
async fn dry_run(scripts: &Scripts, file: &str, script: &Arc<Script>, limits: Use) -> Result<(), String> {
    let name = Path::new(file).with_extension(CASES);
    let name = name.to_string_lossy();
    let there = scripts.folder.as_ref().is_some_and(|folder| folder.join(&*name).exists());
    if !there {
        return Ok(());
    }
    let cases = parse(&scripts.bytes(&name)?.1, &JsonLimits::default());
    let cases = cases.map_err(|error| format!("`{name}` is not JSON: {error}"))?;
    for case in cases.as_list().ok_or_else(|| format!("`{name}` holds a list of cases"))?.iter() {
        let input = case.get("input").unwrap_or(&Value::Null);
        let given = script.call(input, &script_limits(limits)).await.result;
        let shown = match &given {
            Ok(value) => to_string(value),
            Err(halted) => format!("failed: {}", halted.halt),
        };
        let holds = match (&given, case.get("output"), case.get("error").and_then(Value::as_str)) {
            (Ok(value), Some(output), None) => value == output,
            (Err(halted), None, Some(error)) => halted.halt.to_string().contains(error),
            _ => false,
        };
        if !holds {
            return Err(format!("the case {} of `{name}` does not hold: {shown}", to_string(input)));
        }
    }
    Ok(())
}
