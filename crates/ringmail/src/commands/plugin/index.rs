//! `ringmail plugin index` and `push`: what a folder of packages has, for whoever installs from it, under a signature if
//! those who ask want one; and a package on its way there.

use super::grant::held;
use super::registries::{How, Registries};
use super::sign::{key_fault, read};
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::terminal::{clean, print};
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::core::package::{Statement, index_number, sha256, version_of};
use ringmail_engine::core::plugin::Needed;
use ringmail_engine::core::project::RegistryPlace;
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::packages::{
    INDEX_FILE, PublisherKey, Pushed, SIGNATURE, SIGNED_BYTES_MAX, read_bounded, write_whole,
};
use ringmail_engine::{Clock, SystemClock};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder
    folder: PathBuf,
    /// Sign it with this private key, as `keygen` made it; those who name its public key take no other index
    #[arg(long, value_name = "FILE", requires = "registry")]
    key: Option<PathBuf>,
    /// The registry's name, as those call it who install from it
    #[arg(long, value_name = "NAME", requires = "key")]
    registry: Option<String>,
    /// The number to sign it with; by default one more than the last
    #[arg(long, value_name = "N", requires = "key")]
    number: Option<u64>,
}

#[derive(clap::Args)]
pub(super) struct PushArgs {
    /// The package, signed
    package: PathBuf,
    /// The registry of the project; by default the one that its plugin comes from
    #[arg(long, value_name = "REGISTRY")]
    to: Option<String>,
    /// The private key that the index of a folder is signed with, where it is
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// What an index is signed with.
struct Signs<'a> {
    key: PublisherKey,
    registry: &'a str,
    number: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Fault> {
    let key = args.key.as_deref().map(PublisherKey::open).transpose().map_err(|error| key_fault(&error))?;
    let signs = key.zip(args.registry.as_deref());
    let signs = signs.map(|(key, registry)| Signs { key, registry, number: args.number });
    let told = write(&args.folder, signs)?;
    print(&told)?;
    Ok(Exit::Done)
}

pub(super) fn push(args: &PushArgs, common: &Common) -> Result<Exit, Fault> {
    let (place, store) = held(common)?;
    let (package, archive) = read(&args.package)?;
    if package.signed.is_none() {
        return Err(unsigned(&args.package));
    }
    let how = How { from: args.to.as_deref(), writes: true, ..How::default() };
    let registries = Registries::new(&place, how)?;
    let setting = registries.of(&store, &package.manifest.name)?;
    let key = args.key.as_deref().map(PublisherKey::open).transpose().map_err(|error| key_fault(&error))?;
    let folder = match &setting.place {
        RegistryPlace::Folder(folder) => Some(place.root.join(folder)),
        _ => None,
    };
    if folder.is_some() && key.is_none() && setting.signers.is_some() {
        return Err(Fault::user(format!("the index of `{}` is signed", setting.name))
            .hint("name the private key it is signed with: --key FILE"));
    }
    let pushed = registries.push(&registries.open(setting, &store)?, &package, &archive)?;
    let (name, version) = (&package.manifest.name, &package.manifest.version);
    let mut told = match pushed {
        Pushed::New => format!("pushed {name} {version} to {}\n", setting.name),
        Pushed::Already => format!("{name} {version} was in {} already\n", setting.name),
    };
    if let Some(folder) = folder {
        let signs = key.map(|key| Signs { key, registry: &setting.name, number: None });
        told.push_str(&write(&folder, signs)?);
    }
    print(&told)?;
    Ok(Exit::Done)
}

fn unsigned(path: &Path) -> Fault {
    Fault::user(format!("`{}` is not signed", path.display()))
        .hint("its publisher signs it: ringmail plugin sign")
}

/// Writes the index of a folder; gives what is to be said of it.
fn write(folder: &Path, signs: Option<Signs<'_>>) -> Result<String, Fault> {
    let (path, beside) = (folder.join(INDEX_FILE), folder.join(format!("{INDEX_FILE}{SIGNATURE}")));
    let before = std::fs::symlink_metadata(&beside).is_ok();
    let number = match &signs {
        None if before => {
            return Err(Fault::user(format!("the index of `{}` is signed", folder.display()))
                .hint("sign the new one, too: --registry NAME --key FILE"));
        }
        Some(Signs { number: None, .. }) if before => {
            let known = read_bounded(&beside, SIGNED_BYTES_MAX).and_then(|bytes| index_number(&bytes));
            known
                .map_err(|why| Fault::user(why).hint("say with which number it goes on: --number N"))?
                .saturating_add(1)
        }
        signs => signs.as_ref().and_then(|signs| signs.number).unwrap_or(1),
    };
    let (count, text) = listing(folder)?;
    let fault = |path: &Path| {
        let path = path.display().to_string();
        move |error| Fault::user(format!("cannot write `{path}`: {error}"))
    };
    let signed = signs.map(|signs| {
        let issued_ms = SystemClock.now_ms();
        let statement = Statement::index(signs.registry, number, issued_ms, text.as_bytes());
        statement.map(|statement| signs.key.sign(statement)).map_err(Fault::user)
    });
    let signed = signed.transpose()?;
    write_whole(&path, text.as_bytes()).map_err(fault(&path))?;
    let mut told = format!("{count} packages in {}", clean(&path.display().to_string()));
    if let Some(signed) = signed {
        write_whole(&beside, signed.text().as_bytes()).map_err(fault(&beside))?;
        told.push_str(&format!(", signed with number {number}"));
    }
    Ok(told + "\n")
}

/// How many packages there are, and the text that lists them.
fn listing(folder: &Path) -> Result<(usize, String), Fault> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Fault::user(format!("cannot read `{}`: {error}", folder.display())))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "tar"));
    files.sort();
    let mut listed: Vec<((Str, Str), Value)> = Vec::new();
    for path in files {
        let (package, archive) = read(&path)?;
        let manifest = &package.manifest;
        let (name, file) = ((manifest.name.clone(), manifest.version.clone()), path.file_name());
        if package.signed.is_none() {
            return Err(unsigned(&path));
        }
        if listed.iter().any(|(known, _)| *known == name) {
            return Err(Fault::user(format!("`{}` is {} {} once more", path.display(), name.0, name.1)));
        }
        let needs = manifest.needs.iter().map(|Needed { need, .. }| {
            let range = Value::from(need.range.to_string());
            Value::map([("plugin", Value::Str(need.plugin.clone())), ("version", range)])
        });
        let item = Value::map([
            ("plugin", Value::Str(name.0.clone())),
            ("version", Value::Str(name.1.clone())),
            ("file", Value::from(file.unwrap_or_default().to_string_lossy().into_owned())),
            ("sha256", Value::from(sha256(&archive))),
            ("needs", Value::list(needs)),
        ]);
        listed.push((name, item));
    }
    listed.sort_by_key(|((name, version), _)| (name.clone(), version_of(version)));
    let count = listed.len();
    let all = Value::map([("packages", Value::list(listed.into_iter().map(|(_, item)| item)))]);
    Ok((count, format!("{}\n", to_pretty(&all))))
}
