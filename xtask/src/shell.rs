//! Commands run by tasks: what they say goes through, and a failure ends the task.

use crate::Outcome;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

pub(crate) fn say(what: &str) {
    println!("== {what}");
}

pub(crate) fn cargo(args: &[&str]) -> Outcome {
    run("cargo", args)
}

pub(crate) fn run(program: &str, args: &[impl AsRef<OsStr>]) -> Outcome {
    run_with(program, args, &[])
}

pub(crate) fn run_with(program: &str, args: &[impl AsRef<OsStr>], env: &[(&str, &str)]) -> Outcome {
    let status = command(program).args(args).envs(env.iter().copied()).status();
    match status.map_err(|error| format!("cannot run `{program}`: {error}"))? {
        status if status.success() => Ok(()),
        status => {
            let first =
                args.first().map(|arg| arg.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
            Err(format!("`{program} {first}` ended with {status}"))
        }
    }
}

/// A command that is told nothing of this one: build scripts look at what cargo says of a package, and build anew
/// where somebody else's is said.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let ours =
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.to_string_lossy().starts_with(start));
        if ours {
            command.env_remove(name);
        }
    }
    command
}

/// What a command prints, if it ends well.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let output =
        command(program).args(args).output().map_err(|error| format!("cannot run `{program}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program}` ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{program}` printed no text"))
}
