//! What `check` says of the projects of a workspace, with chains as they stand in the editor.

use crate::commands::review::projects;
use crate::inventory::inventory;
use crate::place::Place;
use ringmail_engine::core::doc::{Problem, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every problem with a place in some file; `open` are texts that are not saved yet.
pub(super) fn problems(root: &Path, open: &BTreeMap<PathBuf, String>) -> Vec<Problem> {
    let Ok(mut place) = projects::loaded(root) else { return Vec::new() };
    overlay(&mut place, open);
    let engine = match place.checker() {
        Ok(engine) => engine,
        Err(fault) => return fault.into_problems(),
    };
    let all = place.chains.len();
    let mut checked = engine.check(&place.chains);
    if checked.plans.len() == all {
        engine.check_grants(&checked.plans, &mut checked.problems);
        if let Ok(inventory) = inventory(&place, &engine, &checked) {
            let strays = engine.authority().policies.strays(&inventory);
            checked
                .problems
                .0
                .extend(strays.into_iter().filter(|stray| stray.certain).map(|stray| stray.problem));
        }
    }
    checked.problems.0
}

/// What does not even load as a project.
pub(super) fn unloaded(root: &Path) -> Vec<Problem> {
    projects::loaded(root).err().map_or_else(Vec::new, |fault| fault.into_problems())
}

fn overlay(place: &mut Place, open: &BTreeMap<PathBuf, String>) {
    for chain in &mut place.chains {
        if let Some(text) = open.get(Path::new(&chain.name)) {
            *chain = Source::new(chain.name.clone(), text.clone());
        }
    }
}
