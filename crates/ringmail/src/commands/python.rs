//! `ringmail python`: the interpreter of a project, and the libraries its programs may import.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::{PROJECT_FILE, Place};
use crate::terminal::{BOLD, clean, paint, print, say};
use crate::toolchain::step;
use anyhow::Context;
use ringmail_engine::PythonLibrary;
use ringmail_engine::core::doc::{Node, Source, toml};
use ringmail_engine::core::python::interpreter_digest;
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

/// What the interpreter is made of.
const FILES: &[(&str, &str)] = &[
    ("runner.py", include_str!("../../../../sdk/python/runner.py")),
    ("requirements.txt", include_str!("../../../../sdk/python/requirements.txt")),
    ("wit/interpreter.wit", include_str!("../../../../sdk/python/wit/interpreter.wit")),
    ("wit/deps/ringmail/ringmail.wit", include_str!("../../../../sdk/wit/ringmail.wit")),
];
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
const INTERPRETER: &str = "interpreter.wasm";
const NEEDS: &str = "the interpreter is built with Python 3.10 or later with `venv`";

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        match self.what {
            What::Setup { from } => setup(common, from.as_deref()),
            What::Inspect { folder } => inspect(&folder),
        }
    }
}

fn setup(common: &Common, from: Option<&Path>) -> Result<Exit, Fault> {
    let (root, data) = Place::folders(common.project.as_deref())?;
    let folder = root.join(&data).join("python");
    let failed = || format!("cannot write to `{}`", folder.display());
    std::fs::create_dir_all(&folder).with_context(failed)?;
    let built = match from {
        Some(file) => file.to_path_buf(),
        None => {
            for (name, text) in FILES {
                let path = folder.join(name);
                path.parent().map_or(Ok(()), std::fs::create_dir_all).with_context(failed)?;
                std::fs::write(&path, text).with_context(failed)?;
            }
            STEPS.iter().try_for_each(|words| step(&folder, words, NEEDS))?;
            folder.join(BUILT)
        }
    };
    let module = std::fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
    let digest = interpreter_digest(&module);
    // Whole or not at all, also where it takes the place of one that runs.
    let beside = folder.join(format!("{INTERPRETER}.{}", std::process::id()));
    std::fs::write(&beside, &module).with_context(failed)?;
    std::fs::rename(&beside, folder.join(INTERPRETER)).with_context(failed)?;
    if from.is_none() {
        std::fs::remove_file(&built).with_context(failed)?;
    }
    let project = root.join(PROJECT_FILE);
    let written = format!("cannot write `{}`", project.display());
    let text =
        std::fs::read_to_string(&project).with_context(|| format!("cannot read `{}`", project.display()))?;
    let text = pinned(&text, &format!("{data}/python/{INTERPRETER}"), &digest)?;
    std::fs::write(&project, text).context(written)?;
    say("compile it\n");
    Place::open(Some(&root), Path::new("."))?.compile()?;
    print(&format!("{} {digest}\n", paint(BOLD, "Python is set up:")))?;
    Ok(Exit::Done)
}

/// The project's text with the interpreter pinned in it; everything else stays as it was written.
fn pinned(text: &str, interpreter: &str, digest: &str) -> Result<String, Fault> {
    let node = toml::parse(&Source::new(PROJECT_FILE, text))?;
    let mut text = text.to_string();
    let mut values = [("digest", digest), ("interpreter", interpreter)];
    let Some(python) = node.get("python") else {
        let about = "# What `python` links run in, built by `ringmail python setup`.";
        let table = format!("[python]\ninterpreter = {interpreter:?}\ndigest = {digest:?}\n");
        return Ok(format!("{}\n\n{about}\n{table}", text.trim_end()));
    };
    // From the last to the first, so that places before a change still hold.
    values.sort_by_key(|(key, _)| std::cmp::Reverse(python.get(key).map(|node| node.span.start)));
    for (key, value) in values {
        let written = format!("{value:?}");
        match python.get(key).map(|node: &Node| node.span) {
            Some(span) => text.replace_range(span.start..span.end, &written),
            None => {
                let header = text.find("[python]").map(|at| at + "[python]".len());
                let at = header.ok_or_else(|| Fault::user("write `[python]` as a table of its own"))?;
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
    use super::pinned;

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
