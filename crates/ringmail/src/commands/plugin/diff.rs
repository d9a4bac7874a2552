//! `ringmail plugin diff`: what is different between two versions of a plugin, what is more coming first.

use super::grant::held;
use super::sign::read;
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{BOLD, DIM, Format, GREEN, RED, one_line, paint, print, print_json};
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Change, Lock, Package, changes, effect_changes};
use ringmail_engine::core::plugin::{Manifest, Power, Powers};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::packages::PackageStore;
use ringmail_engine::{Clock, SystemClock};
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
        Fault::user(format!("`{}` is no folder, no package and no installed plugin", one_line(named)))
    })?;
    of_archive(store, &locked)
}

pub(super) fn of_archive(
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
            return Err(Fault::user(format!("`{}` is not installed", one_line(old)))
                .hint("name two: folders, packages or installed plugins"));
        }
    };
    let imports = |read: &PluginFolder| read.surface().map(|surface| surface.imports).map_err(Fault::user);
    let (was, is) = (imports(&before)?, imports(&after)?);
    let beyond = |some: &[String], others: &[String]| -> Vec<String> {
        some.iter().filter(|one| !others.contains(one)).cloned().collect()
    };
    let found = Found {
        asked: changes(&before.manifest, &after.manifest),
        more: beyond(&is, &was),
        fewer: beyond(&was, &is),
        effect: Effect::of(&place, &before, &after),
    };
    match format {
        Format::Json => print_json(&found.value(&before, &after))?,
        Format::Text => print(&found.text(&before, &after))?,
    }
    Ok(Exit::Done)
}

/// All that is different.
struct Found {
    asked: Vec<Change>,
    more: Vec<String>,
    fewer: Vec<String>,
    effect: Effect,
}

/// What both come to in this project.
enum Effect {
    /// The project lets the newer do nothing, and this is why.
    None(String),
    /// Under the grant that there is, though it may be for another digest.
    Granted { changes: Vec<Change>, new: Box<Powers>, for_digest: Str },
}

impl Effect {
    fn of(place: &Place, before: &PluginFolder, after: &PluginFolder) -> Effect {
        let name = &after.manifest.name;
        let Some(setting) = place.project.plugins.iter().find(|setting| setting.name == *name) else {
            return Effect::None(format!("the project grants `{name}` nothing"));
        };
        if setting.grant.expires_ms.is_some_and(|end_ms| SystemClock.now_ms() >= end_ms) {
            return Effect::None(format!("the grant of `{name}` is over"));
        }
        let powers = |read: &PluginFolder| Powers::new(&read.manifest, setting, &place.project.ceiling);
        let (old, new) = (powers(before), Box::new(powers(after)));
        Effect::Granted { changes: effect_changes(&old, &new), new, for_digest: setting.digest.clone() }
    }

    fn lines(&self, after: &PluginFolder) -> String {
        let head = paint(BOLD, "in effect here, within grant and ceiling");
        let (changes, new, for_digest) = match self {
            Effect::None(why) => return format!("{head}\n  nothing: {}\n", one_line(why)),
            Effect::Granted { changes, new, for_digest } => (changes, new, for_digest),
        };
        let mut out = format!("{head}\n{}", change_lines(changes));
        if !new.lacking.is_empty() {
            out.push_str(&format!("{}\n", paint(BOLD, "asked for by the newer, and not granted as much")));
            let line = |power: &Power| {
                format!("  · {} {}\n", one_line(&power.what), paint(DIM, &one_line(&power.reason)))
            };
            out.extend(new.lacking.iter().map(line));
        }
        if *for_digest != after.digest {
            let name = &after.manifest.name;
            out.push_str(&format!(
                "the grant is for {for_digest}; the newer has none of it until: ringmail plugin grant {name}\n"
            ));
        }
        out
    }

    fn value(&self, after: &PluginFolder) -> Value {
        let powers = |some: &[Power]| {
            Value::list(some.iter().map(|power| {
                Value::map([
                    ("what", Value::from(power.what.as_str())),
                    ("reason", Value::Str(power.reason.clone())),
                ])
            }))
        };
        match self {
            Effect::None(why) => Value::map([("nothing", Value::from(why.as_str()))]),
            Effect::Granted { changes, new, for_digest } => Value::map([
                ("granted_for", Value::Str(for_digest.clone())),
                ("holds", Value::Bool(*for_digest == after.digest)),
                ("changes", changes_value(changes)),
                ("new", powers(&new.in_effect)),
                ("not_granted", powers(&new.lacking)),
            ]),
        }
    }
}

impl Found {
    fn value(&self, before: &PluginFolder, after: &PluginFolder) -> Value {
        let texts = |texts: &[String]| Value::list(texts.iter().map(|text| Value::from(text.as_str())));
        let side = |read: &PluginFolder| {
            Value::map([
                ("plugin", Value::Str(read.manifest.name.clone())),
                ("version", Value::Str(read.manifest.version.clone())),
                ("digest", Value::Str(read.digest.clone())),
            ])
        };
        Value::map([
            ("old", side(before)),
            ("new", side(after)),
            ("changes", changes_value(&self.asked)),
            ("imports_more", texts(&self.more)),
            ("imports_fewer", texts(&self.fewer)),
            ("effect", self.effect.value(after)),
        ])
    }

    fn text(&self, before: &PluginFolder, after: &PluginFolder) -> String {
        let side = |read: &PluginFolder| {
            format!("{} {} {}", read.manifest.name, read.manifest.version, paint(DIM, &read.digest))
        };
        let mut out = format!("{}\n{}\n", side(before), side(after));
        if before.digest == after.digest {
            out.push_str("the same\n");
            return out;
        }
        out.push_str(&identity_lines((&before.manifest, &before.digest), (&after.manifest, &after.digest)));
        out.push_str(&format!("{}\n{}", paint(BOLD, "asks for"), change_lines(&self.asked)));
        out.push_str(&format!("{}\n", paint(BOLD, "imports")));
        if self.more.is_empty() && self.fewer.is_empty() {
            out.push_str("  the same\n");
        }
        self.more.iter().for_each(|one| out.push_str(&format!("  + {}\n", one_line(one))));
        self.fewer.iter().for_each(|one| out.push_str(&format!("  - {}\n", one_line(one))));
        out.push_str(&self.effect.lines(after));
        out
    }
}

/// What two plugins say of themselves, where it is not the same.
pub(super) fn identity_lines(old: (&Manifest, &Str), new: (&Manifest, &Str)) -> String {
    let all = [
        ("version", &old.0.version, &new.0.version),
        ("digest", old.1, new.1),
        ("for", &old.0.description, &new.0.description),
    ];
    let other = all.into_iter().filter(|(_, old, new)| old != new);
    let line = |(name, old, new): (&str, &Str, &Str)| {
        format!("  {name}: {} instead of {}\n", one_line(new), one_line(old))
    };
    let lines: String = other.map(line).collect();
    if lines.is_empty() { lines } else { format!("{}\n{lines}", paint(BOLD, "is another")) }
}

pub(super) fn change_lines(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "  the same\n".into();
    }
    let line = |change: &Change| {
        let (mark, colour) = if change.wider { ("+", RED) } else { ("-", GREEN) };
        let what = paint(colour, &format!("{mark} {}", one_line(&change.what)));
        match change.reason.is_empty() {
            true => format!("  {what}\n"),
            false => format!("  {what} {}\n", paint(DIM, &one_line(&change.reason))),
        }
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
