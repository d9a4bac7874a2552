//! Programs of other toolchains, run where they were installed.

use crate::exit::Fault;
use crate::terminal::say;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs one step in a folder; what it says is talk. `needs` says what to have where there is no such program.
pub(crate) fn step(folder: &Path, words: &[&str], needs: &str) -> Result<(), Fault> {
    let Some((program, args)) = words.split_first() else { return Ok(()) };
    say(&format!("{}\n", words.join(" ")));
    // A relative program would be looked for where this process is, not where it is started.
    let own = folder.join(program);
    let program = if program.contains('/') { own.canonicalize().unwrap_or(own) } else { program.into() };
    let done = Command::new(&program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let output = done.and_then(std::process::Child::wait_with_output);
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            say(&String::from_utf8_lossy(&output.stdout));
            Err(Fault::user(format!("`{}` failed with {}", words.join(" "), output.status)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Fault::user(format!("there is no `{}`", program.display())).hint(needs))
        }
        Err(error) => Err(Fault::user(format!("cannot run `{}`: {error}", program.display()))),
    }
}
