//! `ringmail python`: the interpreter of a project, and the libraries its programs may import.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::{PROJECT_FILE, Place};
use crate::terminal::{BOLD, clean, paint, print, say};
use crate::toolchain::{module, step};
use anyhow::Context;
use ringmail_engine::core::doc::{Node, Source, toml};
use ringmail_engine::core::python::interpreter_digest;
use ringmail_engine::{PythonLibrary, prepared};
use std::path::{Path, PathBuf};

/// Set up the interpreter of `python` links; look at libraries for it
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Build the interpreter with the pinned toolchain from PyPI, pin it in `ringmail.toml`, and compile it
    ///
    /// No two builds are the same, byte for byte: where hosts share a project, build once and hand the file on.
    Setup {
        /// Set up the fast interpreter, for programs that are simple enough for it; built with Rust from crates.io
        #[arg(long)]
        fast: bool,
        /// Pin this interpreter, which was built elsewhere, instead of building one
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Show the modules of a folder of pure Python, and what lets programs import them
    Inspect {
        /// The folder
        folder: PathBuf,
    },
}

/// An interpreter that a project may have.
struct Interpreter {
    file: &'static str,
    /// Its table in `ringmail.toml`.
    table: &'static [&'static str],
    about: &'static str,
    /// Where it is built, in the data folder, and of what.
    folder: &'static str,
    files: &'static [(&'static str, &'static str)],
    build: fn(&Path) -> Result<PathBuf, Fault>,
}

static WHOLE: Interpreter = Interpreter {
    file: "interpreter.wasm",
    table: &["python"],
    about: "# What `python` links run in, built by `ringmail python setup`.",
    folder: "python",
    files: &[
        ("runner.py", include_str!("../../../../sdk/python/runner.py")),
        ("requirements.txt", include_str!("../../../../sdk/python/requirements.txt")),
        WORLD,
        PLUGIN,
    ],
    build: |folder| {
        STEPS.iter().try_for_each(|words| {
            step(folder, words, "the interpreter is built with Python 3.10 or later with `venv`")
        })?;
        Ok(folder.join(BUILT))
    },
};

static FAST: Interpreter = Interpreter {
    file: "fast.wasm",
    table: &["python", "fast"],
    about: "# Programs that are simple enough run in this, built by `ringmail python setup --fast`.",
    folder: "python/fast",
    files: &[
        ("Cargo.toml", include_str!("../../../../sdk/monty/Cargo.toml")),
        ("Cargo.lock", include_str!("../../../../sdk/monty/Cargo.lock")),
        ("src/lib.rs", include_str!("../../../../sdk/monty/src/lib.rs")),
        ("src/fit.rs", include_str!("../../../../sdk/monty/src/fit.rs")),
        ("src/given.rs", include_str!("../../../../sdk/monty/src/given.rs")),
        WORLD,
        PLUGIN,
    ],
    build: |folder| {
        let needs = "the fast interpreter is built with Rust 1.96 or later: https://rustup.rs";
        let started = std::fs::read(module(folder, "wasm32-wasip1", &["--locked"], needs)?)
            .map_err(|error| Fault::user(format!("cannot read what was built: {error}")))?;
        say("start it, once for all runs\n");
        let built = folder.join(BUILT);
        std::fs::write(&built, prepared(&started).map_err(|error| Fault::user(error.to_string()))?)
            .with_context(|| format!("cannot write to `{}`", folder.display()))?;
        Ok(built)
    },
};

const WORLD: (&str, &str) =
    ("wit/interpreter.wit", include_str!("../../../../sdk/python/wit/interpreter.wit"));
const PLUGIN: (&str, &str) =
    ("wit/deps/ringmail/ringmail.wit", include_str!("../../../../sdk/wit/ringmail.wit"));
const STEPS: &[&[&str]] = &[
    &["python3", "-m", "venv", "toolchain"],
    &[
        "toolchain/bin/pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--only-binary=:all:",
        "-r",
        "requirements.txt",
    ],
    &[
        "toolchain/bin/componentize-py",
        "-d",
        "wit",
        "-w",
        "interpreter",
        "componentize",
        "runner",
        "-o",
        BUILT,
    ],
];
const BUILT: &str = "built.wasm";

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        match self.what {
            What::Setup { fast, from } => setup(common, if fast { &FAST } else { &WHOLE }, from.as_deref()),
            What::Inspect { folder } => inspect(&folder),
        }
    }
}

fn setup(common: &Common, interpreter: &Interpreter, from: Option<&Path>) -> Result<Exit, Fault> {
    let (root, data) = Place::folders(common.project.as_deref())?;
    let folder = root.join(&data).join("python");
    let (project, whole) = (root.join(PROJECT_FILE), folder.join(WHOLE.file));
    if interpreter.file != WHOLE.file && !whole.is_file() {
        return Err(Fault::user("the fast interpreter stands beside the one that knows the whole language")
            .hint("set that up first: ringmail python setup"));
    }
    let failed = || format!("cannot write to `{}`", folder.display());
    let built = match from {
        Some(file) => file.to_path_buf(),
        None => {
            let source = root.join(&data).join(interpreter.folder);
            for (name, text) in interpreter.files {
                let path = source.join(name);
                path.parent().map_or(Ok(()), std::fs::create_dir_all).with_context(failed)?;
                std::fs::write(&path, text).with_context(failed)?;
            }
            (interpreter.build)(&source)?
        }
    };
    let module = std::fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
    let digest = interpreter_digest(&module);
    // Whole or not at all, also where it takes the place of one that runs.
    std::fs::create_dir_all(&folder).with_context(failed)?;
    let beside = folder.join(format!("{}.{}", interpreter.file, std::process::id()));
    std::fs::write(&beside, &module).with_context(failed)?;
    std::fs::rename(&beside, folder.join(interpreter.file)).with_context(failed)?;
    if from.is_none() {
        std::fs::remove_file(&built).with_context(failed)?;
        // What it was made of by the way is a hundred times as large.
        let _there = std::fs::remove_dir_all(root.join(&data).join(interpreter.folder).join("target"));
    }
    let written = format!("cannot write `{}`", project.display());
    let text =
        std::fs::read_to_string(&project).with_context(|| format!("cannot read `{}`", project.display()))?;
    let text = pinned(&text, interpreter, &format!("{data}/python/{}", interpreter.file), &digest)?;
    std::fs::write(&project, text).context(written)?;
    say("compile it\n");
    Place::open(Some(&root), Path::new("."))?.compile()?;
    print(&format!("{} {digest}\n", paint(BOLD, "Python is set up:")))?;
    Ok(Exit::Done)
}

/// The project's text with the interpreter pinned in it; everything else stays as it was written.
fn pinned(text: &str, interpreter: &Interpreter, path: &str, digest: &str) -> Result<String, Fault> {
    let node = toml::parse(&Source::new(PROJECT_FILE, text))?;
    let mut text = text.to_string();
    let mut values = [("digest", digest), ("interpreter", path)];
    let header = format!("[{}]", interpreter.table.join("."));
    let Some(table) = interpreter.table.iter().try_fold(&node, |node, key| node.get(key)) else {
        let table = format!("{header}\ninterpreter = {path:?}\ndigest = {digest:?}\n");
        return Ok(format!("{}\n\n{}\n{table}", text.trim_end(), interpreter.about));
    };
    // From the last to the first, so that places before a change still hold.
    values.sort_by_key(|(key, _)| std::cmp::Reverse(table.get(key).map(|node| node.span.start)));
    for (key, value) in values {
        let written = format!("{value:?}");
        match table.get(key).map(|node: &Node| node.span) {
            Some(span) => text.replace_range(span.start..span.end, &written),
            None => {
                let at = text.find(&header).map(|at| at + header.len());
                let at = at.ok_or_else(|| Fault::user(format!("write `{header}` as a table of its own")))?;
                text.insert_str(at, &format!("\n{key} = {written}"));
            }
        }
    }
    Ok(text)
}

fn inspect(folder: &Path) -> Result<Exit, Fault> {
    let library = PythonLibrary::read(folder).map_err(Fault::user)?;
    let mut out = format!("{}\n", paint(BOLD, "modules"));
    library.modules().for_each(|name| out.push_str(&format!("  {}\n", clean(name))));
    let path = folder.display().to_string();
    out.push_str(&format!(
        "{}\nlibraries = [{{ path = {path:?}, digest = \"{}\" }}]\n",
        paint(BOLD, "to let programs import them, below `[python]`"),
        library.digest
    ));
    print(&out)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::{FAST, WHOLE};

    fn pinned(text: &str, path: &str, digest: &str) -> Result<String, super::Fault> {
        super::pinned(text, &WHOLE, path, digest)
    }

    #[test]
    fn the_fast_one_is_pinned_beside_the_other() {
        let both = "[python]\ninterpreter = \"i\"\ndigest = \"d\"\nclock = true\n";
        let both = super::pinned(both, &FAST, "f", "e").unwrap();
        assert!(both.ends_with("[python.fast]\ninterpreter = \"f\"\ndigest = \"e\"\n"), "{both}");
        assert!(both.starts_with("[python]\ninterpreter = \"i\""), "{both}");
        let again = super::pinned(&both, &FAST, "f", "ee").unwrap();
        assert_eq!(again, both.replace("\"e\"", "\"ee\""));
    }

    #[test]
    fn a_pin_takes_the_place_of_the_one_before() {
        let first = pinned("[project]\nname = \"a\"\n", ".ringmail/i.wasm", "sha256:1").unwrap();
        assert!(first.starts_with("[project]\nname = \"a\"\n\n# What"), "{first}");
        assert!(
            first.ends_with("[python]\ninterpreter = \".ringmail/i.wasm\"\ndigest = \"sha256:1\"\n"),
            "{first}"
        );
        let again = pinned(&first, ".ringmail/i.wasm", "sha256:22").unwrap();
        assert_eq!(again, first.replace("sha256:1", "sha256:22"));
        let bare = "[python]\n# ours\nclock = true\n";
        let bare = pinned(bare, "i", "d").unwrap();
        assert_eq!(bare, "[python]\ninterpreter = \"i\"\ndigest = \"d\"\n# ours\nclock = true\n");
    }
}
