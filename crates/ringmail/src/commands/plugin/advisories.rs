//! Known advisories about plugins of a project and what they are made of: named by `install`, `list` and `check`, and from
//! a severity on a reason not to install.

use crate::exit::Fault;
use crate::place::Place;
use crate::terminal::{BOLD, DIM, RED, YELLOW, clean, one_line, paint};
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Advisory, Package, Part, Severity, parts};
use ringmail_engine::core::plugin::PluginPlace;
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::packages::{installed, read_advisories};
use std::path::{Path, PathBuf};

/// Where advisories are.
#[derive(clap::Args)]
pub(in crate::commands) struct Source {
    /// Advisories as OSV exports them, a file or a folder; by default those of `[advisories]`
    #[arg(long, value_name = "PATH")]
    advisories: Option<PathBuf>,
}

/// A plugin, its version, and all it is made of.
type Looked = (Str, Str, Vec<Part>);

/// An advisory about a plugin.
pub(in crate::commands) struct Finding {
    plugin: Str,
    version: Str,
    part: Part,
    advisory: Advisory,
}

/// Of packages that are on their way in.
pub(super) fn arriving<'p>(packages: impl Iterator<Item = &'p Package>) -> Vec<Looked> {
    packages.map(of_package).collect()
}

fn of_package(package: &Package) -> Looked {
    (package.manifest.name.clone(), package.manifest.version.clone(), parts(package))
}

/// Of all plugins that a project has, granted or not.
fn here(place: &Place) -> Result<Vec<Looked>, Fault> {
    let installed = installed(&place.root, &place.data()).map_err(super::grant::store_fault)?;
    let mut out: Vec<Looked> = installed.iter().map(|(_, package)| of_package(package)).collect();
    for setting in &place.project.plugins {
        // One that cannot be read is told of by whoever loads it.
        if let PluginPlace::Folder(path) = &setting.place
            && let Ok(read) = PluginFolder::read(&place.root.join(path), &mut TagTable::default())
        {
            let (name, version) = (read.manifest.name, read.manifest.version);
            let own = Part::plugin(&name, &version, None);
            out.push((name, version, vec![own]));
        }
    }
    Ok(out)
}

impl Source {
    fn path(&self, place: &Place) -> Option<PathBuf> {
        let own = || place.project.advisories.path.as_ref().map(|path| place.root.join(path));
        self.advisories.clone().or_else(own)
    }

    /// What is known of the plugins that are here.
    pub(in crate::commands) fn here(&self, place: &Place) -> Result<Vec<Finding>, Fault> {
        match self.path(place) {
            Some(path) => found(&path, here(place)?),
            None => Ok(Vec::new()),
        }
    }

    /// What is known of packages on their way in. From the project's severity on they stay outside.
    pub(super) fn let_in(&self, place: &Place, looked: Vec<Looked>) -> Result<Vec<Finding>, Fault> {
        let Some(path) = self.path(place) else { return Ok(Vec::new()) };
        let all = found(&path, looked)?;
        let most = place.project.advisories.refuse;
        let bad = |one: &&Finding| most.is_some_and(|most| one.advisory.severity >= most);
        match all.iter().filter(bad).max_by_key(|one| one.advisory.severity) {
            None => Ok(all),
            Some(worst) => {
                let message = format!(
                    "`{}` {} is not installed: {}",
                    worst.plugin,
                    worst.version,
                    one_line(&worst.words())
                );
                Err(Fault::user(message).hint(
                    "take a version that mends it; `refuse` of `[advisories]` says from which severity on nothing comes in",
                ))
            }
        }
    }
}

fn found(path: &Path, looked: Vec<Looked>) -> Result<Vec<Finding>, Fault> {
    let all: Vec<Part> = looked.iter().flat_map(|(.., parts)| parts.clone()).collect();
    let known = read_advisories(path, &all).map_err(|why| Fault::user(clean(&why).into_owned()))?;
    let mut out = Vec::new();
    for (plugin, version, parts) in looked {
        for part in parts {
            let hits = known.iter().filter(|advisory| advisory.hits(&part));
            out.extend(hits.map(|advisory| Finding {
                plugin: plugin.clone(),
                version: version.clone(),
                part: part.clone(),
                advisory: advisory.clone(),
            }));
        }
    }
    out.sort_by(|one, two| {
        (&one.plugin, &one.version, two.advisory.severity).cmp(&(
            &two.plugin,
            &two.version,
            one.advisory.severity,
        ))
    });
    Ok(out)
}

impl Finding {
    fn words(&self) -> String {
        let Finding { part, advisory, .. } = self;
        let version = if part.version.is_empty() { "of unknown version" } else { &part.version };
        format!(
            "{} ({}) {} {} in {}",
            advisory.id,
            advisory.severity.name(),
            part.name,
            version,
            part.ecosystem
        )
    }
}

/// What is to be read of them.
pub(in crate::commands) fn lines(found: &[Finding]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let line = |one: &Finding| {
        let colour = if one.advisory.severity >= Severity::High { RED } else { YELLOW };
        let (about, why) =
            (paint(colour, &one_line(&one.words())), paint(DIM, &one_line(&one.advisory.summary)));
        format!("  {} {}: {about} {why}\n", one.plugin, one.version)
    };
    format!("{}\n{}", paint(BOLD, "known advisories"), found.iter().map(line).collect::<String>())
}

/// All of them, or those about one plugin.
pub(in crate::commands) fn value(found: &[Finding], plugin: Option<&Str>) -> Value {
    let own = found.iter().filter(|one| plugin.is_none_or(|plugin| one.plugin == *plugin));
    Value::list(own.map(|one| {
        let Finding { plugin, version, part, advisory } = one;
        Value::map([
            ("plugin", Value::Str(plugin.clone())),
            ("version", Value::Str(version.clone())),
            ("id", Value::from(advisory.id.as_str())),
            ("severity", Value::from(advisory.severity.name())),
            ("summary", Value::from(advisory.summary.as_str())),
            ("ecosystem", Value::from(part.ecosystem.as_str())),
            ("part", Value::from(part.name.as_str())),
            ("part_version", Value::from(part.version.as_str())),
        ])
    }))
}
