//! `ringmail plugin install`: a package comes in if its publisher is believed and it is not older than what was here.
//! It may do nothing until somebody grants it something.

use super::advisories;
use super::diff::{change_lines, changes_value};
use super::grant::{held, store_fault};
use super::registries::{How, Registries};
use super::sign::{read, vouch};
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{BOLD, DIM, Format, one_line, paint, print, print_json};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Change, LOCK_FILE, Locked, Package, PluginNeed, Rollback, changes};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::packages::{Arrival, PackageStore, StoreError};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Packages, or plugins of a registry: NAME or NAME@RANGE; without any, what the lock names is brought back
    what: Vec<String>,
    /// The registry to ask; by default the one that is said to have a plugin, or that it came from before
    #[arg(long, value_name = "REGISTRY")]
    from: Option<String>,
    /// Ask no other machine
    #[arg(long)]
    offline: bool,
    /// Take one that is older than what was here already
    #[arg(long)]
    dangerous_downgrade: bool,
    #[command(flatten)]
    advisories: advisories::Source,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Where a package came from that was a file.
const FILE: &str = "file";

pub(super) fn run(args: &Args, common: &Common) -> Result<Exit, Fault> {
    let (place, mut store) = held(common)?;
    let (from, offline, older_too) = (args.from.as_deref(), args.offline, args.dangerous_downgrade);
    let registries = Registries::new(&place, How { from, offline, older_too, writes: false })?;
    if args.what.is_empty() {
        return registries.restore(&mut store);
    }
    let (files, names): (Vec<&String>, Vec<&String>) =
        args.what.iter().partition(|what| what.ends_with(".tar") || Path::new(what).is_file());
    let mut arrivals: Vec<Arrival> =
        files.into_iter().map(|file| of_file(Path::new(file), &place)).collect::<Result<_, _>>()?;
    let mut wanted: Vec<PluginNeed> = names.into_iter().map(|name| need(name)).collect::<Result<_, _>>()?;
    for arrival in &arrivals {
        let needs = arrival.vouched.package().manifest.needs.iter().map(|needed| &needed.need);
        wanted.extend(needs.filter(|need| !is_met(need, &arrivals, &store)).cloned());
    }
    if !wanted.is_empty() {
        arrivals.extend(registries.meet(&wanted, &mut store)?);
    }
    let before: Vec<Option<Package>> =
        arrivals.iter().map(|arrival| earlier(&store, &arrival.vouched.package().manifest.name)).collect();
    let coming = arrivals.iter().map(|arrival| arrival.vouched.package());
    let known = args.advisories.let_in(&place, advisories::arriving(coming))?;
    let installed = take(&place, &mut store, &arrivals, args.dangerous_downgrade)?;
    let told: Vec<(&Locked, Option<Vec<Change>>)> = installed
        .iter()
        .zip(arrivals.iter().zip(&before))
        .map(|(locked, (arrival, before))| {
            let new = &arrival.vouched.package().manifest;
            (locked, before.as_ref().map(|before| changes(&before.manifest, new)))
        })
        .collect();
    match args.format {
        Format::Json => print_json(&Value::list(told.iter().map(|(locked, changes)| {
            Value::map([
                ("plugin", Value::Str(locked.name.clone())),
                ("version", Value::Str(locked.version.clone())),
                ("publisher", Value::Str(locked.publisher.clone())),
                ("source", Value::from(locked.source.as_str())),
                ("digest", Value::Str(locked.digest.clone())),
                ("package", Value::Str(locked.package.clone())),
                ("granted", Value::Bool(is_granted(&place, locked))),
                ("changes", changes.as_deref().map_or(Value::Null, changes_value)),
                ("advisories", advisories::value(&known, Some(&locked.name))),
            ])
        })))?,
        Format::Text if told.is_empty() => print("all of it is here already\n")?,
        Format::Text => {
            let told = told.iter().map(|(locked, changes)| text(&place, locked, changes.as_deref()));
            print(&[told.collect::<String>(), advisories::lines(&known)].concat())?;
        }
    }
    Ok(Exit::Done)
}

/// `NAME` or `NAME@RANGE`.
fn need(text: &str) -> Result<PluginNeed, Fault> {
    let (plugin, range) = text.split_once('@').unwrap_or((text, "*"));
    PluginNeed::new(plugin, range).map_err(|why| {
        Fault::user(why).hint("name a package, `NAME.tar`, or a plugin of a registry, `NAME` or `NAME@^1.2`")
    })
}

fn is_met(need: &PluginNeed, arrivals: &[Arrival], store: &PackageStore) -> bool {
    let arriving = arrivals.iter().map(|arrival| &arrival.vouched.package().manifest);
    let mut arriving = arriving.filter(|manifest| manifest.name == need.plugin);
    arriving.any(|manifest| need.takes(&manifest.version))
        || store.lock().newest(&need.plugin).is_some_and(|locked| need.takes(&locked.version))
}

fn of_file(path: &Path, place: &Place) -> Result<Arrival, Fault> {
    let (package, archive) = read(path)?;
    let vouched = vouch(&place.project.publishers, package)?;
    Ok(Arrival { vouched, archive, source: FILE.into() })
}

/// The newest that was here before.
fn earlier(store: &PackageStore, plugin: &str) -> Option<Package> {
    let archive = store.archive(store.lock().newest(plugin)?).ok()?;
    Package::read(&archive, &mut TagTable::default()).ok()
}

fn take(
    place: &Place,
    store: &mut PackageStore,
    arrivals: &[Arrival],
    older_too: bool,
) -> Result<Vec<Locked>, Fault> {
    let settings = place.project.plugins.iter();
    let granted: BTreeMap<Str, Str> =
        settings.map(|setting| (setting.name.clone(), setting.digest.clone())).collect();
    store.install(arrivals, &granted, older_too).map_err(|error| match error {
        StoreError::Rollback(rollback) => {
            let hint = match &rollback {
                Rollback::Version { .. } | Rollback::Issued { .. } => {
                    "an old version may have holes that the newer one mended; if it must be: --dangerous-downgrade"
                        .to_string()
                }
                Rollback::Publisher { plugin, .. } | Rollback::Source { plugin, .. } => {
                    format!("if that is meant: ringmail plugin remove {plugin}, and install it anew")
                }
            };
            Fault::user(rollback.to_string()).hint(hint)
        }
        other => store_fault(other),
    })
}

fn is_granted(place: &Place, locked: &Locked) -> bool {
    place.project.plugins.iter().any(|setting| setting.name == locked.name && setting.digest == locked.digest)
}

fn text(place: &Place, locked: &Locked, changes: Option<&[Change]>) -> String {
    let head = format!("{} {}", paint(BOLD, &locked.name), locked.version);
    let from = format!("published by {}, from {}", locked.publisher, one_line(&locked.source));
    let mut out = format!("{head} {}\n  digest     {}\n", paint(DIM, &from), locked.digest);
    if let Some(changes) = changes {
        out.push_str(&format!("{}\n{}", paint(BOLD, "different from the one before"), change_lines(changes)));
    }
    let name = &locked.name;
    let next = match is_granted(place, locked) {
        true => format!("it may do what it might; {LOCK_FILE} has it\n"),
        false => format!(
            "it may do nothing yet\n\nNext:\n  ringmail plugin inspect {name}\n  ringmail plugin grant {name} --reason \"...\"\n"
        ),
    };
    out.push_str(&next);
    out
}
