//! `ringmail config versions`, `diff` and `rollback`: what was served, and the way back to it. They work where the files of the
//! project no longer load, which is when they are needed.

use super::super::Common;
use super::changes;
use crate::exit::{Exit, Fault};
use crate::layers;
use crate::place::{PROJECT_FILE, Place, read_all};
use crate::rollback::put_back;
use crate::terminal::{BOLD, DIM, Format, clean, paint, print, print_json, say, time};
use crate::versions::{Occasion, Version, Versions};
use anyhow::Context;
use ringmail_engine::core::config::PRODUCTION;
use ringmail_engine::core::project::DATA_FOLDER;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Clock, SystemClock};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Listing {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
pub(super) struct Difference {
    /// A version, by the start of its id, or `latest`, or `previous`
    #[arg(default_value = "latest")]
    from: String,
    /// Another version; by default the files as they are now
    to: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
pub(super) struct Back {
    /// The version, by the start of its id, or `previous`: the one that was served before the latest
    version: String,
    /// Set aside what the files hold and no version does: it is kept as a version of its own
    #[arg(long)]
    discard: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

type Files = BTreeMap<String, Vec<u8>>;

/// The folder of a project, its versions, and its files as they are now.
struct Now {
    root: PathBuf,
    versions: Versions,
    files: Files,
}

impl Now {
    fn open(common: &Common) -> Result<Now, Fault> {
        let root = Place::root_of(common.project.as_deref())?;
        crate::rollback::finish(&root)?;
        // Where the settings do not load, things are where they are by default.
        let config = layers::config(&root).ok();
        let folder = |key: &str, standard: &str| {
            let written = config.as_ref().and_then(|config| config.node.get("project")?.get(key)?.text());
            written.unwrap_or(standard).to_string()
        };
        let versions = Versions::open(&root.join(folder("data", DATA_FOLDER)))?;
        let mut files = Files::new();
        let mut add = |path: PathBuf| -> Result<(), Fault> {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            files.insert(name, bytes);
            Ok(())
        };
        // A layer that is gone is what somebody may want back.
        for path in layers::files(&root).unwrap_or_else(|_| vec![root.join(PROJECT_FILE)]) {
            add(path)?;
        }
        for (key, standard, endings) in
            [("policies", "policies", &["cedar"][..]), ("chains", "chains", &["yaml", "yml"])]
        {
            for source in read_all(&root.join(folder(key, standard)), endings)? {
                add(PathBuf::from(&source.name))?;
            }
        }
        Ok(Now { root, versions, files })
    }
}

pub(super) fn list(args: &Listing, common: &Common) -> Result<Exit, Fault> {
    let now = Now::open(common)?;
    let all = &now.versions.all;
    match args.format {
        Format::Json => print_json(&Value::list(all.iter().map(Version::to_value)))?,
        Format::Text if all.is_empty() => {
            say("no versions yet; one is kept whenever `ringmail serve` takes a configuration")
        }
        Format::Text => {
            let mut out = String::new();
            for (at, version) in all.iter().enumerate() {
                let before = at.checked_sub(1).and_then(|at| all.get(at));
                out.push_str(&line(version, before));
            }
            print(&out)?;
        }
    }
    Ok(Exit::Done)
}

fn line(version: &Version, before: Option<&Version>) -> String {
    const SHOWN_MAX: usize = 4;
    let environment = match &*version.environment {
        PRODUCTION => String::new(),
        other => format!(" ({other})"),
    };
    let changed = version.changed(before);
    let mut shown: Vec<String> =
        changed.iter().take(SHOWN_MAX).map(|(sign, path)| format!("{sign}{path}")).collect();
    if before.is_none() {
        shown = vec![format!("{} files", version.files.len())];
    } else if changed.len() > SHOWN_MAX {
        shown.push(format!("and {} more", changed.len() - SHOWN_MAX));
    }
    format!(
        "{}  {}  {} by {}{environment}  {}\n",
        paint(BOLD, &version.id),
        time(version.at_ms),
        version.how,
        clean(&version.by),
        paint(DIM, &clean(&shown.join(" ")))
    )
}

pub(super) fn diff(args: &Difference, common: &Common) -> Result<Exit, Fault> {
    let now = Now::open(common)?;
    let files = |name: &str| now.versions.files(now.versions.find(name)?);
    let from = files(&args.from)?;
    let to = args.to.as_deref().map(files).transpose()?.unwrap_or_else(|| now.files.clone());
    let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let differing = paths.into_iter().filter(|path| from.get(*path) != to.get(*path));
    let changed = differing.map(|path| changes::of(path, from.get(path), to.get(path)));
    let changed: Vec<changes::FileChange> = changed.collect();
    match args.format {
        Format::Json => print_json(&Value::list(changed.iter().map(changes::FileChange::to_value)))?,
        Format::Text if changed.is_empty() => say("no difference"),
        Format::Text => print(&changed.iter().map(changes::FileChange::text).collect::<String>())?,
    }
    Ok(Exit::Done)
}

pub(super) fn rollback(args: &Back, common: &Common) -> Result<Exit, Fault> {
    let mut now = Now::open(common)?;
    let version = now.versions.find(&args.version)?.clone();
    let environment = layers::environment()?;
    if version.environment != environment {
        let message = format!("{} is of the environment `{}`", version.id, version.environment);
        return Err(
            Fault::user(message).hint(format!("say that it is meant: --environment {}", version.environment))
        );
    }
    let target = now.versions.files(&version)?;
    let put: Files =
        target.iter().filter(|(path, bytes)| now.files.get(*path) != Some(*bytes)).map(owned).collect();
    let take: Vec<String> = now.files.keys().filter(|path| !target.contains_key(*path)).cloned().collect();
    let touched = put.keys().chain(&take);
    let lost: Vec<&String> = touched
        .filter(|path| now.files.get(*path).is_some_and(|bytes| !now.versions.knows(path, bytes)))
        .collect();
    if !lost.is_empty() && !args.discard {
        let names = lost.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        return Err(Fault::user(format!("no version holds what is in {names} now"))
            .hint("see it: ringmail config diff")
            .hint("keep it as a version and go back: --discard"));
    }
    let aside = match lost.is_empty() {
        true => None,
        false => {
            let by = user();
            let at_ms = SystemClock.now_ms();
            let occasion = Occasion { by: &by, how: "set aside", environment: &environment, at_ms };
            now.versions.keep(&now.files, &occasion)?
        }
    };
    put_back(&now.root, &put, &take)?;
    match args.format {
        Format::Json => print_json(&Value::map([
            ("version", Value::from(version.id.as_str())),
            ("put", Value::list(put.keys().map(|path| Value::from(path.as_str())))),
            ("taken", Value::list(take.iter().map(|path| Value::from(path.as_str())))),
            ("set_aside", aside.map_or(Value::Null, Value::from)),
        ]))?,
        Format::Text => {
            let mut out = String::new();
            put.keys().for_each(|path| out.push_str(&format!("put back {}\n", clean(path))));
            take.iter().for_each(|path| out.push_str(&format!("took out {}\n", clean(path))));
            if out.is_empty() {
                say("nothing to do: the files are what they were");
            } else {
                print(&out)?;
            }
            aside.iter().for_each(|id| say(&format!("what was there is kept as {id}")));
            say("a server that runs takes it with: ringmail reload");
        }
    }
    Ok(Exit::Done)
}

fn owned((path, bytes): (&String, &Vec<u8>)) -> (String, Vec<u8>) {
    (path.clone(), bytes.clone())
}

/// Whoever runs this, as far as the shell says it.
pub(crate) fn user() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| ringmail_engine::variable(name).ok())
        .unwrap_or_else(|| "somebody".into())
}
