//! The Python interpreter of a project: a guest like any other, held against its pin, with the libraries that programs
//! may import. Reads programs and says what is wrong with them without running them.

use crate::packages::read_bounded;
use crate::plugins::{Guest, plugin_limits, walls};
use crate::scripts::{TextDigest, digest};
use ringmail_core::doc::{Problems, Source, suggest};
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::plugin::Use;
use ringmail_core::program::Program;
use ringmail_core::python::{LibrarySetting, Pinned, PythonSetting, interpreter_digest, library_digest};
use ringmail_core::value::{Str, Value};
use ringmail_host::{Confined, Ended, Granted, Halt, MODULE_BYTES_MAX, ModuleCache, NoDesk};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// How to come to an interpreter, for messages.
const SETUP: &str = "ringmail python setup";
const SETUP_FAST: &str = "ringmail python setup --fast";
const LIBRARY_BYTES_MAX: usize = 64 << 20;
const LIBRARY_DEPTH_MAX: usize = 16;
/// Files of machine code that a package may hold: a sign that it is not pure Python.
const NATIVE: &[&str] = &["so", "pyd", "dylib", "dll"];

/// Modules by their dotted names: whether each is a package, and its source.
pub(crate) type Modules = BTreeMap<String, (bool, Str)>;

/// What programs run in.
#[derive(Debug)]
pub(crate) struct Interpreter {
    pub(crate) guest: Guest,
    pub(crate) fast: Option<Fast>,
    pub(crate) limits: Use,
    pub(crate) modules: Arc<Modules>,
}

/// A second interpreter, which starts at once and does not know the whole language.
#[derive(Debug)]
pub(crate) struct Fast {
    pub(crate) guest: Guest,
    /// Programs that the whole language was needed for, by digest.
    unfit: Mutex<BTreeSet<TextDigest>>,
}

/// Programs that are remembered to be unfit for the fast interpreter.
const UNFIT_MAX: usize = 10_000;
/// How the fast interpreter begins its answer: the result follows.
const RESULT: char = 'r';

impl Fast {
    fn new(guest: Guest) -> Fast {
        Fast { guest, unfit: Mutex::default() }
    }

    /// Whether it is worth a try.
    pub(crate) fn fits(&self, code: &str) -> bool {
        !self.unfit.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest(code))
    }

    /// Remembers a program that the other interpreter ran and this one could not.
    pub(crate) fn unfit(&self, code: &str) {
        let mut unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner);
        if unfit.len() >= UNFIT_MAX {
            unfit.clear();
        }
        unfit.insert(digest(code));
    }

    /// What came of a run, unless the other interpreter is to do it. Whatever the guest says, a run that asked for
    /// anything is not done again.
    pub(crate) fn ended(ended: &mut Ended) -> Option<Result<String, Halt>> {
        let asked = ended.figures.asks > 0;
        match std::mem::replace(&mut ended.result, Ok(String::new())) {
            Ok(text) => match text.strip_prefix(RESULT) {
                Some(result) => Some(Ok(result.into())),
                None if asked => Some(Err(Halt::Broke("it gave up in the middle".into()))),
                None => None,
            },
            // What it lacks it may lack in any of these ways.
            Err(Halt::Broke(_) | Halt::Stack | Halt::Memory(_)) if !asked => None,
            Err(halt) => Some(Err(halt)),
        }
    }
}

impl Interpreter {
    /// Opens the interpreter a project pins, and reads its libraries.
    pub(crate) fn open(
        setting: &PythonSetting,
        project: &Arc<Source>,
        folder: &Path,
        cache: Option<&ModuleCache>,
    ) -> Result<Interpreter, Problems> {
        let mut problems = Problems::default();
        let modules = libraries(&setting.libraries, project, folder, &mut problems);
        // Libraries are settings of the guest, and tools its only other way out.
        let mut capabilities = vec!["tool", "env"];
        capabilities.extend(setting.clock.then_some("clock"));
        capabilities.extend(setting.random.then_some("random"));
        let mut open = |pinned: &Pinned, capabilities: &[&str], setup: &str| {
            let confined = confine(pinned, folder, capabilities, cache);
            let confined = confined.map_err(|message| {
                problems.add_help(project, pinned.span, message, format!("build and pin one: {setup}"));
            });
            Some(Guest::new(confined.ok()?, plugin_limits(setting.limits)))
        };
        let guest = open(&setting.interpreter, &capabilities, SETUP);
        // What would need a clock or chance is left to the other.
        let fast =
            setting.fast.as_ref().and_then(|pinned| open(pinned, &["tool"], SETUP_FAST)).map(Fast::new);
        match guest {
            Some(guest) => {
                problems.or(Interpreter { guest, fast, limits: setting.limits, modules: Arc::new(modules) })
            }
            None => Err(problems),
        }
    }

    /// What the interpreter is asked to do with a program.
    pub(crate) fn errand(&self, check: bool, code: &str, members: Vec<(&'static str, Value)>) -> String {
        let libraries =
            self.modules.iter().map(|(name, (package, _))| (name.as_str(), Value::Bool(*package)));
        let asked =
            [("check", Value::Bool(check)), ("code", code.into()), ("libraries", Value::map(libraries))];
        to_string(&Value::map(asked.into_iter().chain(members)))
    }

    /// Says what is wrong with a program, without running it.
    pub(crate) fn check(&self, program: &Program, tools: &[Str], problems: &mut Problems) {
        let texts = |texts: &[Str]| Value::list(texts.iter().map(|text| Value::Str(text.clone())));
        let given = program.given.as_deref().unwrap_or_default();
        let members =
            vec![("tools", texts(tools)), ("given", texts(given)), ("open", program.given.is_none().into())];
        let seen = self.looked_at(self.errand(true, &program.text, members));
        let int = |value: &Value, key: &str| match value.get(key) {
            Some(Value::Int(int)) => usize::try_from(*int).unwrap_or(1),
            _ => 1,
        };
        let mut add = |line, column, length, message: String, help: Option<String>| {
            let spot = program.spot(line, column, length);
            match help {
                Some(help) => problems.add_help(&spot.source, spot.span, message, help),
                None => problems.add(&spot.source, spot.span, message),
            }
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(message) => return add(1, 1, 0, format!("the program cannot be looked at: {message}"), None),
        };
        let list =
            |key: &str| seen.get(key).and_then(Value::as_list).into_iter().flat_map(|list| list.iter());
        if let Some(error) = seen.get("error").and_then(Value::as_str) {
            return add(
                int(&seen, "line"),
                int(&seen, "column"),
                1,
                format!("this is no Python: {error}"),
                None,
            );
        }
        for unknown in list("unknown") {
            let name = unknown.get("name").and_then(Value::as_str).unwrap_or_default();
            let message = format!("nothing gives the program the name `{name}`");
            let help = suggest(name, tools.iter().chain(given).map(|known| &**known));
            let help = help.map_or_else(
                || "hand it over in `with`, or name the chain among its `tools`".to_string(),
                |near| format!("did you mean `{near}`?"),
            );
            add(int(unknown, "line"), int(unknown, "column"), name.chars().count(), message, Some(help));
        }
        let called: Vec<&str> = list("tools").filter_map(Value::as_str).collect();
        let open = matches!(seen.get("open"), Some(Value::Bool(true)));
        for tool in tools.iter().filter(|tool| !open && !called.contains(&&***tool)) {
            let message = format!("`{tool}` is among its tools, and the program never names it");
            add(1, 1, 0, message, Some("take it out: it changes nothing".into()));
        }
    }

    /// Whoever checks may stand in a runtime already, so the guest gets one of its own, on a thread of its own.
    fn looked_at(&self, errand: String) -> Result<Value, String> {
        let call = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            let limits = self.guest.limits;
            let ended = runtime.block_on(self.guest.confined.call(&errand, &limits, NoDesk));
            ended.result.map_err(|halt| halt.to_string())
        };
        let text =
            std::thread::scope(|scope| scope.spawn(call).join()).map_err(|_| "it broke".to_string())??;
        parse(text.as_bytes(), &JsonLimits::default()).map_err(|error| error.to_string())
    }
}

/// An interpreter, if it is what was pinned.
fn confine(
    pinned: &Pinned,
    folder: &Path,
    capabilities: &[&str],
    cache: Option<&ModuleCache>,
) -> Result<Confined, String> {
    let module = read_bounded(&folder.join(&pinned.path), MODULE_BYTES_MAX as u64)
        .map_err(|why| format!("the Python interpreter is not there: {why}"))?;
    if interpreter_digest(&module) != pinned.digest {
        return Err("the Python interpreter is not what was set up".into());
    }
    let granted = Granted { capabilities, env: &[], cache, ..Granted::default() };
    Confined::load(&walls()?, &module, granted)
        .map_err(|error| format!("the Python interpreter cannot be loaded: {error}"))
}

fn libraries(
    settings: &[LibrarySetting],
    project: &Arc<Source>,
    folder: &Path,
    problems: &mut Problems,
) -> Modules {
    let mut all = Modules::new();
    for setting in settings {
        let library = match PythonLibrary::read(&folder.join(&setting.path)) {
            Ok(library) => library,
            Err(message) => {
                problems.add(project, setting.span, message);
                continue;
            }
        };
        if library.digest != setting.digest {
            let message = format!("the library in `{}` is not what was reviewed", setting.path);
            let help =
                format!("look at it; if it is as it should be, pin it:\ndigest = \"{}\"", library.digest);
            problems.add_help(project, setting.span, message, help);
            continue;
        }
        for (name, module) in library.modules {
            if all.contains_key(&name) {
                problems.add(project, setting.span, format!("two libraries have the module `{name}`"));
            }
            all.insert(name, module);
        }
    }
    all
}

/// A folder of pure Python, read.
#[derive(Debug)]
pub struct PythonLibrary {
    modules: Modules,
    /// What a project pins.
    pub digest: Str,
}

impl PythonLibrary {
    /// Reads every module below a folder. Runs nothing of it.
    pub fn read(folder: &Path) -> Result<PythonLibrary, String> {
        let mut modules = Modules::new();
        let mut bytes_left = LIBRARY_BYTES_MAX;
        collect(folder, "", &mut modules, &mut bytes_left, LIBRARY_DEPTH_MAX)?;
        if modules.is_empty() {
            return Err(format!("there is no Python in `{}`", folder.display()));
        }
        let parts = modules.iter().map(|(name, (package, text))| (name.as_str(), *package, &**text));
        let digest = library_digest(parts);
        Ok(PythonLibrary { modules, digest })
    }

    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }
}

fn collect(
    folder: &Path,
    package: &str,
    modules: &mut Modules,
    bytes_left: &mut usize,
    depth_left: usize,
) -> Result<(), String> {
    let fault = |error: std::io::Error| format!("cannot read `{}`: {error}", folder.display());
    if depth_left == 0 {
        return Err(format!("`{}` lies too deep for a library", folder.display()));
    }
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(fault)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().map_err(fault)?;
        let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
        if kind.is_file() && NATIVE.contains(&ending) {
            return Err(format!("`{}` is machine code, and a library is pure Python", path.display()));
        }
        let stem = if kind.is_dir() { &*name } else { stem };
        let word = stem.chars().all(|c| c.is_alphanumeric() || c == '_') && stem != "__pycache__";
        let dotted = if package.is_empty() { stem.to_string() } else { format!("{package}.{stem}") };
        if kind.is_symlink() {
            return Err(format!("`{}` is a link, and a library holds its own files", path.display()));
        } else if kind.is_dir() && word {
            let before = modules.len();
            collect(&path, &dotted, modules, bytes_left, depth_left - 1)?;
            if modules.len() > before {
                let module = modules.entry(dotted).or_insert_with(|| (true, "".into()));
                module.0 = true;
            }
        } else if kind.is_file() && ending == "py" && word {
            let bytes = read_bounded(&path, *bytes_left as u64)?;
            *bytes_left -= bytes.len();
            let text =
                String::from_utf8(bytes).map_err(|_| format!("`{}` is not UTF-8 text", path.display()))?;
            let module = match stem {
                "__init__" => (package.to_string(), (true, text.into())),
                _ => (dotted, (false, text.into())),
            };
            modules.entry(module.0).or_insert(module.1);
        }
    }
    Ok(())
}
