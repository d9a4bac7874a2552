//! `ringmail plugin build`: the component, by the toolchain of its language.

use super::languages::{LANGUAGES, Language, of};
use crate::exit::{Exit, Fault};
use crate::terminal::{print, say};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

pub(super) fn run(folder: &Path) -> Result<Exit, Fault> {
    let Some(language) = of(folder) else {
        let sources: Vec<&str> = LANGUAGES.iter().map(|language| language.source).collect();
        let message = format!("there is none of `{}` in `{}`", sources.join("`, `"), folder.display());
        return Err(Fault::user(message).hint(
            "a component made by any other toolchain does as well: put it where `module` of plugin.toml says",
        ));
    };
    if !folder.join(language.tool).exists() {
        for step in language.install {
            call(folder, language, step)?;
        }
    }
    let build: Vec<&str> = [language.tool].iter().chain(language.build).copied().collect();
    call(folder, language, &build)?;
    print(&format!("built {}\n", folder.join("plugin.wasm").display()))?;
    Ok(Exit::Done)
}

/// Runs one step in the plugin's folder; what it says is talk.
fn call(folder: &Path, language: &Language, step: &[&str]) -> Result<(), Fault> {
    let Some((program, args)) = step.split_first() else { return Ok(()) };
    say(&format!("{}\n", step.join(" ")));
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
            Err(Fault::user(format!("`{}` failed with {}", step.join(" "), output.status)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Fault::user(format!("there is no `{}`", program.display()))
                .hint(format!("plugins in {} need {}", language.name, language.needs)))
        }
        Err(error) => Err(Fault::user(format!("cannot run `{}`: {error}", program.display()))),
    }
}
