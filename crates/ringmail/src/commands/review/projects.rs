//! Projects of Ringmail among what is reviewed: what only shows once one is loaded, and with `--live` what their
//! servers of MCP say now. Loads as `check` does, which touches nothing and asks for no secret; a project that does
//! not load is said, and `check` says why.

use super::super::tool;
use super::files::{Found, shown};
use crate::exit::Fault;
use crate::inventory::inventory;
use crate::place::{PROJECT_FILE, Place};
use crate::rollback;
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::core::offer::Offered;
use ringmail_engine::core::upstream::UpstreamAt;
use ringmail_engine::core::value::Value;
use ringmail_review::{SeenElsewhere, TextFile};
use std::path::{Path, PathBuf};

/// Folders above a file in which its project is looked for.
const DEPTH_MAX: usize = 16;

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

/// A project as it lies there. To look must not go on with what somebody else began to write.
pub(in crate::commands) fn loaded(root: &Path) -> Result<Place, Fault> {
    if rollback::pending(root) {
        return Err(Fault::user("a rollback was cut off here"));
    }
    Place::open(Some(root), Path::new(""))
}

/// The folder of the project that a file belongs to.
pub(in crate::commands) fn around(file: &Path) -> Option<PathBuf> {
    let folders = file.ancestors().skip(1);
    folders.take(DEPTH_MAX).find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_path_buf)
}

fn of(root: &Path) -> Result<Vec<SeenElsewhere>, String> {
    let unloaded = |_: Fault| "it does not load, so its policies are not held against it".to_string();
    let place = loaded(root).map_err(unloaded)?;
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

/// What servers of these projects offer now: as files that rules look at, and where it is not what was pinned.
pub(super) fn live(found: &mut Found) -> Vec<SeenElsewhere> {
    let mut told = Vec::new();
    for root in roots(found) {
        let file = shown(&root.join(PROJECT_FILE));
        let Ok(place) = loaded(&root) else {
            found.unread.push((file, 1, "it does not load, so its servers are not asked".into()));
            continue;
        };
        for setting in &place.project.upstreams {
            // What a document of OpenAPI says stands in a file.
            if matches!(&setting.at, UpstreamAt::Http(http) if http.openapi.is_some()) {
                continue;
            }
            let asked = tool::ask(&place, &setting.name);
            let upstream = asked
                .as_ref()
                .ok()
                .and_then(|(engine, now)| Some((engine.upstreams().get(&setting.name)?, now)));
            let Some((upstream, now)) = upstream else {
                let line =
                    place.config.as_ref().map_or(1, |config| config.source.line_column(setting.span.start).0);
                let why = format!(
                    "`{}` cannot be asked what it offers: ringmail tool diff {}",
                    setting.name, setting.name
                );
                found.unread.push((file.clone(), line, why));
                continue;
            };
            for change in tool::changes(upstream, now) {
                // What is new is not called before somebody pins it.
                if change.how != "new" {
                    let message = format!("`{}` of `{}`: {}", change.tool, setting.name, change.how);
                    told.push(SeenElsewhere {
                        rule: "pin-changed",
                        path: file.clone(),
                        span: setting.span,
                        message,
                    });
                }
            }
            let listed = |offer: Offered| {
                let of = now.values().filter(|(known, _)| *known == offer).map(|(_, said)| said.clone());
                (offer.member(), Value::list(of))
            };
            let text = to_pretty(&Value::map(Offered::ALL.map(listed)));
            found.files.push(TextFile { path: format!("mcp:{}/offers.json", setting.name), text });
        }
    }
    told
}
