//! `ringmail plugin grant`, `revoke` and `remove`: what a project lets a plugin be and do, written into `ringmail.toml`.
//! Each grant is given anew, for one digest: nothing is taken over from the one before.

use super::diff::{change_lines, changes_value, identity_lines};
use crate::commands::Common;
use crate::edit::{Pairs, plugin_table, toml_value};
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{BOLD, Format, one_line, paint, print, print_json};
use ringmail_engine::core::doc::suggest;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{LOCK_FILE, changes};
use ringmail_engine::core::plugin::{Asked, Manifest, PluginPlace};
use ringmail_engine::core::value::{Map, Str, Value};
use ringmail_engine::packages::{PackageStore, StoreError};
use ringmail_engine::{PLUGIN_FILE, PluginFolder};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a grant is for and how far it goes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// An installed plugin, or the folder of its `plugin.toml`
    plugin: String,
    /// Why it may; stands with the grant
    #[arg(long)]
    reason: String,
    /// Who approved it
    #[arg(long, value_name = "NAME")]
    approved_by: Option<String>,
    /// From when on it no longer holds, such as 2027-01-31
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
    /// Grant these capabilities and no others; by default all it asks for
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    only: Option<Vec<String>>,
    /// Value of a setting it asks for
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn store_fault(error: StoreError) -> Fault {
    match error {
        StoreError::Problems(problems) => problems.into(),
        other => Fault::user(other.to_string()),
    }
}

/// The project with its packages, held.
pub(super) fn held(common: &Common) -> Result<(Place, PackageStore), Fault> {
    let place = Place::project_in(common.project.as_deref())?;
    let store = PackageStore::open(&place.root, &place.data()).map_err(store_fault)?;
    // Whoever held it before may have changed it.
    let place = Place::open(common.project.as_deref(), Path::new("."))?;
    Ok((place, store))
}

/// What a manifest asks for beyond the standard, among what may be granted alone.
const LIMITS: &str = "limits";

/// A plugin that can be granted something.
struct Candidate {
    manifest: Manifest,
    digest: Str,
    place: PluginPlace,
}

fn candidate(place: &Place, store: &PackageStore, named: &str) -> Result<Candidate, Fault> {
    let folder = PathBuf::from(named);
    if folder.join(PLUGIN_FILE).is_file() {
        let read = PluginFolder::read(&folder, &mut TagTable::default())?;
        let from_root = from(&place.root, &folder);
        let place = PluginPlace::Folder(from_root);
        return Ok(Candidate { manifest: read.manifest, digest: read.digest, place });
    }
    let Some(locked) = store.lock().newest(named) else {
        let fault = Fault::user(format!("no plugin `{}` is installed", one_line(named)));
        return Err(match suggest(named, store.lock().all().iter().map(|one| &*one.name)) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => {
                fault.hint("install it with `ringmail plugin install`, or name the folder of its plugin.toml")
            }
        });
    };
    let archive = store.archive(locked).map_err(store_fault)?;
    let vouched = locked.open(&archive, &place.project.publishers, &mut TagTable::default());
    let vouched = vouched.map_err(|why| Fault::user(format!("`{named}` is not believed: {why}")))?;
    let package = vouched.into_package();
    let digest = package.digest();
    let place = PluginPlace::Installed(locked.publisher.clone());
    Ok(Candidate { manifest: package.manifest, digest, place })
}

/// A folder as the project's own folder sees it.
fn from(root: &Path, folder: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (root, folder) = (whole(root), whole(folder));
    folder.strip_prefix(&root).unwrap_or(&folder).display().to_string()
}

pub(super) fn run(args: &Args, common: &Common) -> Result<Exit, Fault> {
    let (place, store) = held(common)?;
    let found = candidate(&place, &store, &args.plugin)?;
    let name = found.manifest.name.clone();
    let before = before(&place, &store, &found);
    let differences = before.as_ref().map(|(old, _)| changes(old, &found.manifest));
    let new = (&found.manifest, &found.digest);
    let identity = before.as_ref().map_or(String::new(), |(old, digest)| identity_lines((old, digest), new));
    let (table, granted, left) = table(&found, args)?;
    plugin_table(&place.root, &name, Some(table))?;
    match args.format {
        Format::Json => print_json(&Value::map([
            ("plugin", Value::Str(name)),
            ("version", Value::Str(found.manifest.version.clone())),
            ("digest", Value::Str(found.digest.clone())),
            ("granted", Value::list(granted.iter().map(|one| Value::from(one.as_str())))),
            ("not_granted", Value::list(left.iter().map(|one| Value::from(one.as_str())))),
            ("changes", differences.as_deref().map_or(Value::Null, changes_value)),
        ]))?,
        Format::Text => {
            let mut out = format!("{} {} may\n", paint(BOLD, &name), found.manifest.version);
            if granted.is_empty() {
                out.push_str("  do nothing: it sees its arguments and gives an output\n");
            }
            granted.iter().for_each(|one| out.push_str(&format!("  ✓ {}\n", one_line(one))));
            left.iter().for_each(|one| out.push_str(&format!("  · {} was not granted\n", one_line(one))));
            if let Some(differences) = &differences {
                out.push_str(&format!("{}\n", paint(BOLD, "different from what was granted before")));
                out.push_str(&identity);
                out.push_str(&change_lines(differences));
            }
            print(&out)?;
        }
    }
    Ok(Exit::Done)
}

/// The one that was granted before, if another was.
fn before(place: &Place, store: &PackageStore, new: &Candidate) -> Option<(Manifest, Str)> {
    let old = place.project.plugins.iter().find(|setting| setting.name == new.manifest.name)?;
    if old.digest == new.digest {
        return None;
    }
    let archive = store.archive(store.lock().pinned(&old.name, &old.digest)?).ok()?;
    let package = ringmail_engine::core::package::Package::read(&archive, &mut TagTable::default()).ok()?;
    Some((package.manifest, old.digest.clone()))
}

/// The table of a grant, with what it gives and what it leaves out.
fn table(found: &Candidate, args: &Args) -> Result<(Pairs, Vec<String>, Vec<String>), Fault> {
    let asks = &found.manifest.asks;
    if let Some(only) = &args.only
        && let Some(unasked) = only
            .iter()
            .find(|only| *only != LIMITS && !asks.iter().any(|ask| ask.what.capability() == only.as_str()))
    {
        return Err(Fault::user(format!(
            "`{}` does not ask for `{}`",
            found.manifest.name,
            one_line(unasked)
        ))
        .hint(format!("what it asks for: ringmail plugin inspect {}", args.plugin)));
    }
    let env = settings(found, &args.env)?;
    let mut table: Pairs = vec![match &found.place {
        PluginPlace::Folder(path) => ("path", Value::from(path.as_str())),
        PluginPlace::Installed(publisher) => ("publisher", Value::Str(publisher.clone())),
    }];
    table.push(("digest", Value::Str(found.digest.clone())));
    table.push(("reason", Value::from(args.reason.as_str())));
    let given = [("approved_by", &args.approved_by), ("expires", &args.expires)];
    table.extend(
        given.into_iter().filter_map(|(key, given)| Some((key, Value::from(given.as_ref()?.as_str())))),
    );
    let mut lists: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    let (mut granted, mut left) = (Vec::new(), Vec::new());
    for ask in asks {
        let capability = ask.what.capability();
        let words = format!("{capability} {}", ask.what.words()).trim_end().to_string();
        let chosen = args.only.as_ref().is_none_or(|only| only.iter().any(|only| only == capability));
        let item = chosen.then(|| granted_item(&ask.what, &env)).flatten();
        match item {
            Some(Granted::Whole(item)) => table.push((capability, item)),
            Some(Granted::One(one)) => lists.entry(capability).or_default().push(one),
            None => {
                left.push(words);
                continue;
            }
        }
        granted.push(words);
    }
    let limits = super::limits_written(&found.manifest);
    if !limits.is_empty() {
        let words = limits.iter().map(|(name, value)| format!("limit {name} {}", toml_value(value)));
        if args.only.as_ref().is_none_or(|only| only.iter().any(|only| only == LIMITS)) {
            granted.extend(words);
            table.push((LIMITS, Value::map(limits)));
        } else {
            left.extend(words);
        }
    }
    table.extend(lists.into_iter().map(|(capability, list)| (capability, Value::list(list))));
    Ok((table, granted, left))
}

fn settings(found: &Candidate, given: &[String]) -> Result<Vec<(String, String)>, Fault> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Fault::user(format!("`{}` is not a setting", one_line(text))).hint("write `--env NAME=VALUE`")
        })?;
        let asked = found.manifest.asks.iter();
        let mut asked = asked.filter(|ask| matches!(&ask.what, Asked::Env(known) if **known == *name));
        if asked.next().is_none() {
            let message =
                format!("`{}` does not ask for the setting `{}`", found.manifest.name, one_line(name));
            return Err(Fault::user(message));
        }
        Ok((name.to_string(), value.to_string()))
    };
    given.iter().map(pair).collect()
}

enum Granted {
    Whole(Value),
    One(Value),
}

fn granted_item(asked: &Asked, env: &[(String, String)]) -> Option<Granted> {
    Some(match asked {
        Asked::Net(pattern, methods) => Granted::One(Value::map([
            ("address", Value::from(pattern.as_str())),
            ("methods", Value::list(methods.iter().map(|method| Value::Str(method.clone())))),
        ])),
        Asked::Fs(mount, access) => Granted::One(Value::map([
            ("mount", Value::Str(mount.clone())),
            ("access", Value::from(access.name())),
        ])),
        Asked::Secret(name) | Asked::Tool(name) => Granted::One(Value::Str(name.clone())),
        Asked::Env(name) => {
            let (_, value) = env.iter().find(|(known, _)| *known == **name)?;
            Granted::One(Value::map([
                ("name", Value::Str(name.clone())),
                ("value", Value::from(value.as_str())),
            ]))
        }
        Asked::Log | Asked::Kv => Granted::Whole(Value::Map(Map::new(Vec::new()))),
        Asked::Clock | Asked::Random => Granted::Whole(Value::Bool(true)),
    })
}

pub(super) fn revoke(name: &str, common: &Common) -> Result<Exit, Fault> {
    let (place, _store) = held(common)?;
    if !plugin_table(&place.root, name, None)? {
        return Err(Fault::user(format!("`{}` was granted nothing", one_line(name)))
            .hint("`ringmail plugin list` names those that were"));
    }
    print(&format!(
        "{} may do nothing any more, and what runs now stops within a second\n  give it back with `ringmail plugin grant {name}`\n",
        one_line(name)
    ))?;
    Ok(Exit::Done)
}

pub(super) fn remove(name: &str, common: &Common) -> Result<Exit, Fault> {
    let (place, mut store) = held(common)?;
    let installed = store.lock().newest(name).is_some();
    // In this order whoever is stopped in between has a package without grants, and not grants without a package.
    let granted = plugin_table(&place.root, name, None)?;
    if !granted && !installed {
        return Err(Fault::user(format!("the project has no plugin `{}`", one_line(name))));
    }
    if installed {
        store.remove(name).map_err(store_fault)?;
    }
    let out_of = if installed { format!("ringmail.toml and {LOCK_FILE}") } else { "ringmail.toml".into() };
    print(&format!("removed {} from {out_of}\n", one_line(name)))?;
    Ok(Exit::Done)
}
