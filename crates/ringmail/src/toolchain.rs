//! Programs of other toolchains, run where they were installed.

use crate::exit::Fault;
use crate::terminal::say;
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::value::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// Runs one step in a folder; what it says is talk. `needs` says what to have where there is no such program.
pub(crate) fn step(folder: &Path, words: &[&str], needs: &str) -> Result<(), Fault> {
    let ended = output(folder, words, needs)?;
    if ended.status.success() {
        return Ok(());
    }
    say(&String::from_utf8_lossy(&ended.stdout));
    Err(failed(words, ended.status))
}

/// The same, with what it answers on stdout.
fn output(folder: &Path, words: &[&str], needs: &str) -> Result<Output, Fault> {
    let (program, args) = words.split_first().unwrap_or((&"", &[]));
    say(&format!("{}\n", words.join(" ")));
    // A relative program would be looked for where this process is, not where it is started.
    let own = folder.join(program);
    let program = if program.contains('/') { own.canonicalize().unwrap_or(own) } else { program.into() };
    let started = Command::new(&program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    started.and_then(Child::wait_with_output).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Fault::user(format!("there is no `{}`", program.display())).hint(needs),
        _ => Fault::user(format!("cannot run `{}`: {error}", program.display())),
    })
}

fn failed(words: &[&str], status: ExitStatus) -> Fault {
    Fault::user(format!("`{}` failed with {status}", words.join(" ")))
}

/// Builds a crate for WebAssembly with the Rust that is there, and says where its module is.
pub(crate) fn module(folder: &Path, target: &str, more: &[&str], needs: &str) -> Result<PathBuf, Fault> {
    let words =
        ["cargo", "build", "--release", "--target", target, "--message-format", "json-render-diagnostics"];
    let words = [&words, more].concat();
    let built = output(folder, &words, needs)?;
    if !built.status.success() {
        let fault = failed(&words, built.status);
        return Err(match lacks_target(folder, target) {
            true => fault.hint(format!("where `core` or `std` is not found: rustup target add {target}")),
            false => fault,
        });
    }
    last_module(&built.stdout).ok_or_else(|| {
        Fault::user("cargo built no module")
            .hint("Cargo.toml needs `crate-type = [\"cdylib\"]` under `[lib]`")
    })
}

/// The module among what cargo says it built, wherever that is; the crate's own comes last.
fn last_module(messages: &[u8]) -> Option<PathBuf> {
    let read = |line: &str| parse(line.as_bytes(), &JsonLimits::default()).ok();
    let messages = String::from_utf8_lossy(messages);
    let built = messages.lines().filter_map(read).flat_map(|message| {
        let files = message.get("filenames").and_then(Value::as_list);
        let files = files.into_iter().flat_map(|files| files.iter().filter_map(Value::as_str));
        files.filter(|file| file.ends_with(".wasm")).map(PathBuf::from).collect::<Vec<PathBuf>>()
    });
    built.last()
}

/// Whether no standard library for the target came with the toolchain.
fn lacks_target(folder: &Path, target: &str) -> bool {
    let words = ["rustc", "--print", "target-libdir", "--target", target];
    let asked = output(folder, &words, "").ok().filter(|asked| asked.status.success());
    let Some(asked) = asked else { return false };
    !Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir()
}
