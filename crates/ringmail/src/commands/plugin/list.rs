//! `ringmail plugin list`: the plugins of a project, what is known to be wrong with them, and which are behind.

use super::grant::held;
use super::registries::{How, Registries};
use super::{advisories, described};
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{BOLD, DIM, Format, one_line, paint, print, print_json};
use ringmail_engine::core::package::{Locked, version_of};
use ringmail_engine::core::value::{Str, Value};
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Ask the registries what is newer than what is installed, and say only that
    #[arg(long)]
    outdated: bool,
    /// Ask no other machine
    #[arg(long, requires = "outdated")]
    offline: bool,
    #[command(flatten)]
    advisories: advisories::Source,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args, common: &Common) -> Result<Exit, Fault> {
    if args.outdated {
        return outdated(args, common);
    }
    let place = Place::open(common.project.as_deref(), Path::new("."))?;
    let engine = place.checker()?;
    let known = args.advisories.here(&place)?;
    let plugins = engine.plugins();
    match args.format {
        Format::Json => {
            let all = plugins.iter().map(|(name, plugin)| {
                let mut members = described(&engine, plugin);
                members.push(("advisories", advisories::value(&known, Some(name))));
                Value::map(members)
            });
            print_json(&Value::list(all))?;
        }
        Format::Text => {
            let mut out = String::new();
            if plugins.is_empty() {
                out.push_str("the project has no plugins\n");
            }
            for (name, plugin) in plugins {
                let may = match plugin.powers.capabilities.as_slice() {
                    [] => "nothing beyond its arguments".to_string(),
                    some => some.join(", "),
                };
                let about = format!("{} {}", paint(BOLD, name), plugin.manifest.version);
                out.push_str(&format!(
                    "{about}  {}\n  may        {may}\n",
                    paint(DIM, &one_line(&plugin.manifest.description))
                ));
            }
            out.push_str(&advisories::lines(&known));
            print(&out)?;
        }
    }
    Ok(Exit::Done)
}

fn outdated(args: &Args, common: &Common) -> Result<Exit, Fault> {
    let (place, mut store) = held(common)?;
    let registries = Registries::new(&place, How { offline: args.offline, ..How::default() })?;
    let mut names: Vec<Str> = store.lock().all().iter().map(|locked| locked.name.clone()).collect();
    names.sort();
    names.dedup();
    let mut behind: Vec<(Locked, Str)> = Vec::new();
    for name in names {
        let Some(locked) = store.lock().newest(&name).cloned() else { continue };
        // What came from a file has nobody to ask.
        let Some(setting) = place.project.registries.iter().find(|one| *one.name == *locked.source) else {
            continue;
        };
        let registry = registries.open(setting, &store)?;
        let listed = registries.offers(&registry, &name, &mut store)?;
        let newest = listed.first().map(|one| one.offer.version.clone());
        let newer = newest.filter(|newest| version_of(newest) > version_of(&locked.version));
        behind.extend(newer.map(|newest| (locked, newest)));
    }
    match args.format {
        Format::Json => print_json(&Value::list(behind.iter().map(|(locked, newest)| {
            Value::map([
                ("plugin", Value::Str(locked.name.clone())),
                ("version", Value::Str(locked.version.clone())),
                ("newest", Value::Str(newest.clone())),
                ("registry", Value::from(locked.source.as_str())),
            ])
        })))?,
        Format::Text if behind.is_empty() => print("no registry has anything newer\n")?,
        Format::Text => {
            let line = |(locked, newest): &(Locked, Str)| {
                let from = paint(DIM, &format!("in {}", one_line(&locked.source)));
                format!("{} {} -> {newest} {from}\n", paint(BOLD, &locked.name), locked.version)
            };
            print(&behind.iter().map(line).collect::<String>())?;
        }
    }
    Ok(Exit::Done)
}
