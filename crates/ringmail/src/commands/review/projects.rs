//! Projects of Ringmail among what is reviewed: what only shows once one is loaded. Loads as `check` does, which
//! touches nothing and asks for no secret; a project that does not load is said, and `check` says why.

use super::files::{Found, shown};
use crate::exit::Fault;
use crate::inventory::inventory;
use crate::place::{PROJECT_FILE, Place};
use crate::rollback;
use ringmail_review::SeenElsewhere;
use std::path::{Path, PathBuf};

/// Policies that can never match.
pub(super) fn dead_policies(found: &mut Found) -> Vec<SeenElsewhere> {
    let mut told = Vec::new();
    for root in roots(found) {
        match of(&root) {
            Ok(all) => told.extend(all),
            Err(why) => found.unread.push((shown(&root.join(PROJECT_FILE)), 1, why)),
        }
    }
    told
}

/// The folders of projects.
pub(super) fn roots(found: &Found) -> Vec<PathBuf> {
    let files = found.files.iter().map(|file| Path::new(&file.path));
    let files = files.filter(|path| path.file_name().is_some_and(|name| name == PROJECT_FILE));
    files.filter_map(Path::parent).map(|root| Path::new(".").join(root)).collect()
}

fn of(root: &Path) -> Result<Vec<SeenElsewhere>, String> {
    let unloaded = |_: Fault| "it does not load, so its policies are not held against it".to_string();
    // To look must not go on with what somebody else began to write.
    if rollback::pending(root) {
        return Err("a rollback was cut off here, so its policies are not held against it".into());
    }
    let place = Place::open(Some(root), Path::new("")).map_err(unloaded)?;
    let engine = place.checker().map_err(unloaded)?;
    let checked = engine.check(&place.chains);
    if checked.plans.len() < place.chains.len() {
        return Err("not all of its chains load, so its policies are not held against them".into());
    }
    let inventory = inventory(&place, &engine, &checked).map_err(unloaded)?;
    let strays = engine.authority().policies.strays(&inventory).into_iter().filter(|stray| stray.certain);
    let told = strays.filter_map(|stray| {
        let spot = stray.problem.spot?;
        Some(SeenElsewhere {
            rule: "dead-policy",
            path: shown(Path::new(&spot.source.name)),
            span: spot.span,
            message: stray.problem.message,
        })
    });
    Ok(told.collect())
}
