//! Which files the settings of a project come from: `ringmail.toml`, and over it the layer of the environment that is
//! meant. Production is meant where nobody says otherwise, and no name of an environment relaxes anything by itself.

use crate::exit::Fault;
use crate::place::{PROJECT_FILE, read};
use ringmail_engine::core::config::{Config, PRODUCTION};
use ringmail_engine::core::doc::{Source, suggest};
use ringmail_engine::variable;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The variable that says which environment is meant, unless `--environment` does.
pub(crate) const VARIABLE: &str = "RINGMAIL_ENV";

static CHOSEN: OnceLock<String> = OnceLock::new();

/// Takes what `--environment` said.
pub(crate) fn choose(name: String) {
    // Said once, at the start.
    let _again = CHOSEN.set(name);
}

/// The environment that is meant.
pub(crate) fn environment() -> Result<String, Fault> {
    let name = match CHOSEN.get() {
        Some(name) => name.clone(),
        None => variable(VARIABLE).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| PRODUCTION.into()),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.len() > 64 || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
        let fault = Fault::user(format!("`{}` is not the name of an environment", name.escape_debug()));
        return Err(fault.hint("write lower case letters, digits, `-` and `_`, a letter first"));
    }
    Ok(name)
}

/// The file of a layer.
pub(crate) fn layer_file(environment: &str) -> String {
    format!("ringmail.{environment}.toml")
}

/// The files of a project's settings, the lowest first. Production needs no layer; any other environment has one, so that a slip
/// in its name is not taken for production.
pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>, Fault> {
    let environment = environment()?;
    let layer = root.join(layer_file(&environment));
    let mut out = vec![root.join(PROJECT_FILE)];
    if layer.is_file() {
        out.push(layer);
    } else if environment != PRODUCTION {
        let known = all(root);
        let fault = Fault::user(format!("there is no `{}`", layer_file(&environment)));
        return Err(match suggest(&environment, known.iter().map(String::as_str)) {
            Some(near) => fault.hint(format!("did you mean the environment `{near}`?")),
            None => fault
                .hint(format!("an environment is a layer over `{PROJECT_FILE}`; `{PRODUCTION}` needs none")),
        });
    }
    Ok(out)
}

/// The environments that have a layer.
pub(crate) fn all(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_prefix("ringmail.")?.strip_suffix(".toml")?.to_string())
    });
    let mut out: Vec<String> = named.collect();
    out.sort();
    out
}

/// All settings of the project in a folder.
pub(crate) fn config(root: &Path) -> Result<Config, Fault> {
    config_with(root, read(&root.join(PROJECT_FILE))?)
}

/// The same, with another text in the place of `ringmail.toml`.
pub(crate) fn config_with(root: &Path, lowest: Arc<Source>) -> Result<Config, Fault> {
    let mut sources = vec![lowest];
    for layer in files(root)?.iter().skip(1) {
        sources.push(read(layer)?);
    }
    Ok(Config::load(&sources, &variable)?)
}
