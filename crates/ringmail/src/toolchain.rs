//! Programs of other toolchains, run where they were installed.

use crate::exit::Fault;
use crate::terminal::say;
use std::io::ErrorKind;
use std::path::Path;
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
pub(crate) fn output(folder: &Path, words: &[&str], needs: &str) -> Result<Output, Fault> {
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

pub(crate) fn failed(words: &[&str], status: ExitStatus) -> Fault {
    Fault::user(format!("`{}` failed with {status}", words.join(" ")))
}
