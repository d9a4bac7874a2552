//! `ringmail client`: clients for callers of a project's chains.

use super::Common;
use crate::client::{Language, Model, WRITTEN, files};
use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::{print, say};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Write a client for callers of the project's chains, in their language
///
/// What it knows is what the OpenAPI document of the project shows: a function for each chain, with the types of what it takes and
/// answers, streams, runs that are asked for later, and problems as errors.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    language: Language,
    /// Folder to write to
    #[arg(short, long, value_name = "FOLDER")]
    out: PathBuf,
    /// The chains it is for; by default all
    #[arg(long, value_name = "NAME")]
    chain: Vec<String>,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::open(common.project.as_deref(), Path::new("."))?;
        if !place.is_project() {
            return Err(Fault::user("there is no project here").hint("make one: ringmail init my-project"));
        }
        let checked = place.checker()?.check(&place.chains);
        if !checked.problems.is_empty() {
            return Err(checked.problems.into());
        }
        for wanted in &self.chain {
            if !checked.plans.iter().any(|plan| *plan.name == **wanted) {
                return Err(
                    Fault::user(format!("there is no chain `{wanted}`")).hint("list them: ringmail check")
                );
            }
        }
        let chosen = |name: &str| self.chain.is_empty() || self.chain.iter().any(|wanted| **wanted == *name);
        let plans = checked.plans.iter().filter(|plan| chosen(&plan.name));
        let model = Model::of(plans.map(|plan| &**plan));
        let files = files(self.language, &model);
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot use `{}`", shown(&self.out)))?;
        let paths: Vec<(PathBuf, String)> =
            files.into_iter().map(|(name, text)| (self.out.join(name), text)).collect();
        for (path, _) in &paths {
            ours(path)?;
        }
        for (path, text) in paths {
            std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", shown(&path)))?;
            print(&shown(&path))?;
        }
        if model.is_empty() {
            say("the project has no chain yet");
        }
        Ok(Exit::Done)
    }
}

/// What somebody else wrote stays.
fn ours(path: &Path) -> Result<(), Fault> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if String::from_utf8_lossy(first).contains(WRITTEN) {
                return Ok(());
            }
            let message = format!("`{}` was not written by this command", shown(path));
            Err(Fault::user(message).hint("choose another folder, or move the file away"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(anyhow::Error::new(error).context(format!("cannot read `{}`", shown(path))).into()),
    }
}
