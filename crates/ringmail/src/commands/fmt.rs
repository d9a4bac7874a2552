//! `ringmail fmt`: lays chain files out. What a file means and its comments stay; a file that is no YAML is left
//! alone.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::layout::{lay_out, same};
use crate::place::{Place, read};
use crate::terminal::{print, say};
use anyhow::Context;
use ringmail_engine::core::doc::{Problems, Source, yaml};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Format chain files
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Chain files; by default all of the project
    files: Vec<PathBuf>,
    /// Change nothing; list the files that would change and exit with 1 if there are any
    #[arg(long)]
    check: bool,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let sources = match self.files.as_slice() {
            [] => Place::open(common.project.as_deref(), Path::new(""))?.chains,
            files => files.iter().map(|file| read(file)).collect::<Result<_, _>>()?,
        };
        if sources.is_empty() {
            return Err(Fault::user("there is no chain file to format").hint("name one: ringmail fmt FILE"));
        }
        let (mut changed, mut problems) = (Vec::new(), Problems::default());
        for source in &sources {
            match formatted(source) {
                Ok(text) if text == source.text => {}
                Ok(text) => changed.push((source.name.as_str(), text)),
                Err(more) => problems.0.extend(more.0),
            }
        }
        for (name, text) in &changed {
            print(name)?;
            if !self.check {
                replace(Path::new(name), text)?;
            }
        }
        if !problems.is_empty() {
            return Err(problems.into());
        }
        if self.check && !changed.is_empty() {
            say("these files are not formatted; `ringmail fmt` would change them");
            return Err(Fault::silent(Exit::User));
        }
        Ok(Exit::Done)
    }
}

fn formatted(source: &Arc<Source>) -> Result<String, Problems> {
    let node = yaml::parse(source)?;
    let text = lay_out(&source.text, &node);
    let kept =
        yaml::parse(&Source::new(source.name.as_str(), text.as_str())).is_ok_and(|new| same(&node, &new));
    if kept {
        return Ok(text);
    }
    let mut problems = Problems::default();
    problems.add_help(
        source,
        node.span,
        "this file cannot be laid out without changing what it means",
        "it was left as it is; please report this file",
    );
    Err(problems)
}

/// Replaces a file in one step, so that a crash leaves the old or the new text.
fn replace(path: &Path, text: &str) -> Result<(), Fault> {
    let failed = || format!("cannot write `{}`", path.display());
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".ringmail-new");
    let new = path.with_file_name(name);
    std::fs::write(&new, text).with_context(failed)?;
    let mode = std::fs::metadata(path).with_context(failed)?.permissions();
    std::fs::set_permissions(&new, mode).with_context(failed)?;
    std::fs::rename(&new, path).with_context(failed)?;
    Ok(())
}
