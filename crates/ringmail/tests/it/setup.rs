//! A folder of its own for each test, and the binary run in it.

use crate::toolchains::{kept, rust};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub struct Place {
    folder: tempfile::TempDir,
}

/// How a command ended, with what changes from run to run taken out.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Both streams and the exit code, for a snapshot.
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        for (name, text) in [("out", &self.out), ("err", &self.err)] {
            if !text.is_empty() {
                shown.push_str(&format!("--- {name}\n{}\n", text.trim_end()));
            }
        }
        shown.push_str(&format!("--- exit {}", self.code));
        shown
    }
}

impl Place {
    pub fn empty() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    /// All that is on record, a line each.
    pub fn recorded(&self) -> String {
        self.recorded_in(".ringmail").unwrap_or_default()
    }

    /// The same of some data folder; nothing if nothing was ever recorded there.
    pub fn recorded_in(&self, data: &str) -> Option<String> {
        let data = self.path().join(data);
        if !data.join("audit").is_dir() {
            return None;
        }
        let key = ringmail_engine::HostKey::open(&data.join("host.key")).unwrap();
        Some(ringmail_engine::transcript(&data.join("audit"), Some(&key)).unwrap())
    }

    /// The records of the audit log, with all that is sealed in them.
    pub fn records(&self) -> Vec<ringmail_engine::Entry> {
        let data = self.path().join(".ringmail");
        let key = ringmail_engine::HostKey::open(&data.join("host.key")).unwrap();
        let mut reader = ringmail_engine::AuditReader::open(&data.join("audit"), Some(&key), 0).unwrap();
        std::iter::from_fn(|| reader.next_where(|_| true).unwrap()).collect()
    }

    /// A project as `ringmail init` makes it.
    pub fn project() -> Place {
        let place = Place::empty();
        assert_eq!(place.run(&["init"]).code, 0);
        place
    }

    /// A project whose interpreter is set up: built once for all tests, by the command itself.
    pub fn with_python() -> Place {
        let place = Place::project();
        place.add_python();
        place
    }

    /// The same with the fast interpreter besides.
    pub fn with_fast_python() -> Place {
        let place = Place::with_python();
        let built = fast_python();
        place.take(&built, &["python/fast.wasm"]);
        let module = std::fs::read(place.path().join(".ringmail/python/fast.wasm")).unwrap();
        let digest = ringmail_engine::core::python::interpreter_digest(&module);
        let fast =
            format!("fast = {{ interpreter = \".ringmail/python/fast.wasm\", digest = \"{digest}\" }}\n");
        place.write("ringmail.toml", &format!("{}{fast}", place.read("ringmail.toml")));
        place
    }

    /// Takes over from a project that was set up before: files of its data folder, and what it has compiled.
    fn take(&self, from: &Path, names: &[&str]) {
        let modules = std::fs::read_dir(from.join(".ringmail/modules")).unwrap();
        let modules = modules.map(|entry| Path::new("modules").join(entry.unwrap().file_name()));
        for name in names.iter().map(PathBuf::from).chain(modules) {
            let path = self.path().join(".ringmail").join(&name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::copy(from.join(".ringmail").join(name), path).unwrap();
        }
    }

    pub fn add_python(&self) {
        let built = python();
        self.take(&built, &["host.key", "python/interpreter.wasm"]);
        let project = std::fs::read_to_string(built.join("ringmail.toml")).unwrap();
        let (_, table) = project.split_once("[python]").unwrap();
        self.write("ringmail.toml", &format!("{}\n[python]{table}", self.read("ringmail.toml")));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        self.write_bytes(name, text.as_bytes())
    }

    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Whoever looks on sees all of it or nothing.
        let half = self.path().join(".half");
        std::fs::write(&half, bytes).unwrap();
        if let Ok(before) = std::fs::metadata(&path) {
            std::fs::set_permissions(&half, before.permissions()).unwrap();
        }
        std::fs::rename(half, &path).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringmail"));
        command.args(args).current_dir(self.path()).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, b"")
    }

    /// Runs with something on stdin.
    pub fn run_with(&self, args: &[&str], stdin: &[u8]) -> Ended {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may be gone before it is written.
        let _unread = child.stdin.take().unwrap().write_all(stdin);
        self.ended(child.wait_with_output().unwrap())
    }

    pub fn ended(&self, output: Output) -> Ended {
        let text = |bytes: Vec<u8>| self.steady(&String::from_utf8(bytes).unwrap());
        Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The text without run ids, times, ports and the folder's own path.
    fn steady(&self, text: &str) -> String {
        let text = text.replace(&self.path().display().to_string(), "FOLDER");
        let mut out = String::new();
        for line in text.split_inclusive('\n') {
            out.push_str(&steady_line(line));
        }
        out
    }
}

/// A project in which `ringmail python setup` ran, for this binary and this runner.
fn python() -> PathBuf {
    let made_of = [
        include_bytes!("../../../../sdk/python/runner.py").as_slice(),
        include_bytes!("../../../../sdk/python/requirements.txt"),
        include_bytes!("../../../../sdk/wit/ringmail.wit"),
        include_bytes!("../../../../Cargo.lock"),
    ];
    let name = ringmail_engine::core::python::interpreter_digest(&made_of.concat());
    let (folder, _lock) = kept("python");
    let built = folder.join("built");
    if std::fs::read_to_string(built.join("made-of")).ok().as_deref() != Some(&*name) {
        let _none_yet = std::fs::remove_dir_all(&built);
        let run = |args: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_ringmail")).args(args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let shown = built.display().to_string();
        run(&["init", &shown]);
        run(&["-C", &shown, "python", "setup"]);
        std::fs::remove_dir_all(built.join(".ringmail/python/toolchain")).unwrap();
        std::fs::write(built.join("made-of"), &*name).unwrap();
    }
    built
}

/// The fast interpreter, built by the command itself for this binary's version of it.
fn fast_python() -> PathBuf {
    let made_of = [
        include_bytes!("../../../../sdk/monty/Cargo.lock").as_slice(),
        include_bytes!("../../../../sdk/monty/Cargo.toml"),
        include_bytes!("../../../../sdk/monty/src/lib.rs"),
        include_bytes!("../../../../sdk/monty/src/fit.rs"),
        include_bytes!("../../../../sdk/monty/src/given.rs"),
        include_bytes!("../../../host/src/prepare.rs"),
        include_bytes!("../../../../sdk/wit/ringmail.wit"),
    ];
    let name = ringmail_engine::core::python::interpreter_digest(&made_of.concat());
    let target = rust("wasm32-wasip1");
    let (folder, _lock) = kept("fast-python");
    let built = folder.join(name.replace(':', "-"));
    if !built.is_dir() {
        let place = Place::with_python();
        let ended = place.command(&["python", "setup", "--fast"]).envs(target).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let _earlier = std::fs::remove_dir_all(folder.join("half"));
        for name in ["python", "modules"] {
            std::fs::create_dir_all(folder.join("half/.ringmail").join(name)).unwrap();
            for entry in std::fs::read_dir(place.path().join(".ringmail").join(name)).unwrap() {
                let entry = entry.unwrap();
                if entry.path().is_file() {
                    let path = folder.join("half/.ringmail").join(name).join(entry.file_name());
                    std::fs::copy(entry.path(), path).unwrap();
                }
            }
        }
        std::fs::rename(folder.join("half"), &built).unwrap();
    }
    built
}

fn steady_line(line: &str) -> String {
    let mut out = line.to_string();
    let random = |word: &&str| matches!(word.len(), 16 | 32) && word.chars().all(|c| c.is_ascii_hexdigit());
    while let Some(id) = out.split(|c: char| !c.is_ascii_alphanumeric()).find(random).map(String::from) {
        out = out.replace(&id, "RUN");
    }
    while let Some(at) = out.find("127.0.0.1:") {
        let rest = &out[at + 10..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        out = format!("{}LOOPBACK{}", &out[..at], &out[at + 10 + digits..]);
    }
    let words: Vec<String> = out.split(' ').map(String::from).collect();
    for pair in words.windows(2) {
        if let [number, unit] = pair {
            let timed = number.parse::<f64>().is_ok() && matches!(unit.trim_end(), "µs" | "ms" | "s");
            if timed {
                let timed = format!("{number} {}", unit.trim_end());
                // Times are right-aligned, so the space before them is as long as they are short.
                let (before, after) = out.split_once(&timed).unwrap();
                out = format!("{} TIME{after}", before.trim_end());
            }
        }
    }
    out
}
