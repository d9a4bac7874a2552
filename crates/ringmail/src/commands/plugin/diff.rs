//! `ringmail plugin diff`: what is different between two versions of a plugin, what is more coming first.

use super::grant::held;
use super::sign::read;
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{BOLD, DIM, Format, GREEN, RED, clean, paint, print, print_json};
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Change, Lock, Package, changes};
use ringmail_engine::core::value::Value;
use ringmail_engine::packages::PackageStore;
use std::path::Path;

/// A version of a plugin, wherever it is.
pub(super) fn find(named: &str, place: &Place, store: &PackageStore) -> Result<PluginFolder, Fault> {
    let path = Path::new(named);
    if path.is_dir() {
        return Ok(PluginFolder::read(path, &mut TagTable::default())?);
    }
    if path.is_file() {
        return Ok(PluginFolder::of(read(path)?.0));
    }
    let pinned = |lock: &Lock| {
        let setting = place.project.plugins.iter().find(|setting| &*setting.name == named)?;
        lock.pinned(named, &setting.digest).cloned()
    };
    let locked = pinned(store.lock()).or_else(|| store.lock().newest(named).cloned());
    let locked = locked.ok_or_else(|| {
        Fault::user(format!("`{}` is no folder, no package and no installed plugin", clean(named)))
    })?;
    of_archive(store, &locked)
}

fn of_archive(
    store: &PackageStore,
    locked: &ringmail_engine::core::package::Locked,
) -> Result<PluginFolder, Fault> {
    let archive = store.archive(locked).map_err(super::grant::store_fault)?;
    let package = Package::read(&archive, &mut TagTable::default());
    Ok(PluginFolder::of(package.map_err(|error| super::pack::package_fault(&error))?))
}

pub(super) fn run(old: &str, new: Option<&str>, common: &Common, format: Format) -> Result<Exit, Fault> {
    let (place, store) = held(common)?;
    let before = find(old, &place, &store)?;
    let after = match (new, store.lock().newest(old)) {
        (Some(new), _) => find(new, &place, &store)?,
        (None, Some(newest)) => of_archive(&store, newest)?,
        (None, None) => {
            return Err(Fault::user(format!("`{}` is not installed", clean(old)))
                .hint("name two: folders, packages or installed plugins"));
        }
    };
    let found = changes(&before.manifest, &after.manifest);
    let imports = |read: &PluginFolder| read.surface().map(|surface| surface.imports).map_err(Fault::user);
    let (was, is) = (imports(&before)?, imports(&after)?);
    let beyond = |some: &[String], others: &[String]| -> Vec<String> {
        some.iter().filter(|one| !others.contains(one)).cloned().collect()
    };
    let (more, fewer) = (beyond(&is, &was), beyond(&was, &is));
    match format {
        Format::Json => {
            let texts = |texts: &[String]| Value::list(texts.iter().map(|text| Value::from(text.as_str())));
            let side = |read: &PluginFolder| {
                Value::map([
                    ("plugin", Value::Str(read.manifest.name.clone())),
                    ("version", Value::Str(read.manifest.version.clone())),
                    ("digest", Value::Str(read.digest.clone())),
                ])
            };
            print_json(&Value::map([
                ("old", side(&before)),
                ("new", side(&after)),
                ("changes", changes_value(&found)),
                ("imports_more", texts(&more)),
                ("imports_fewer", texts(&fewer)),
            ]))?;
        }
        Format::Text => {
            let side = |read: &PluginFolder| {
                format!("{} {} {}", read.manifest.name, read.manifest.version, paint(DIM, &read.digest))
            };
            let mut out = format!("{}\n{}\n", side(&before), side(&after));
            if before.digest == after.digest {
                out.push_str("the same\n");
            } else {
                out.push_str(&format!("{}\n{}", paint(BOLD, "asks for"), change_lines(&found)));
                out.push_str(&format!("{}\n", paint(BOLD, "imports")));
                if more.is_empty() && fewer.is_empty() {
                    out.push_str("  the same\n");
                }
                more.iter().for_each(|one| out.push_str(&format!("  + {}\n", clean(one))));
                fewer.iter().for_each(|one| out.push_str(&format!("  - {}\n", clean(one))));
            }
            print(&out)?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn change_lines(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "  the same\n".into();
    }
    let line = |change: &Change| {
        let (mark, colour) = if change.wider { ("+", RED) } else { ("-", GREEN) };
        let what = paint(colour, &format!("{mark} {}", clean(&change.what)));
        format!("  {what} {}", paint(DIM, &clean(&change.reason))).trim_end().to_string() + "\n"
    };
    changes.iter().map(line).collect()
}

pub(super) fn changes_value(changes: &[Change]) -> Value {
    Value::list(changes.iter().map(|change| {
        Value::map([
            ("wider", Value::Bool(change.wider)),
            ("what", Value::from(change.what.as_str())),
            ("reason", Value::from(change.reason.as_str())),
        ])
    }))
}
