//! `ringmail plugin keygen`, `sign` and `verify`: a publisher's key, its signature under a package, and whether a project
//! believes it.

use super::pack::package_fault;
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_json};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Distrust, Locked, PACKAGE_BYTES_MAX, Package, Publishers, Vouched};
use ringmail_engine::core::value::Value;
use ringmail_engine::packages::{KeyError, PublisherKey, read_bounded, write_whole};
use ringmail_engine::{Clock, SystemClock};
use std::path::Path;

pub(super) fn keygen(path: &Path) -> Result<Exit, Fault> {
    let key = PublisherKey::create(path).map_err(|error| key_fault(&error))?;
    print(&format!(
        "wrote the private key {}: not encrypted, readable by you alone; keep it out of version control\n\nWho trusts it adds to ringmail.toml:\n[publisher.NAME]\nkeys = [{{ public = \"{}\" }}]\nplugins = []\n",
        clean(&path.display().to_string()),
        key.public_hex()
    ))?;
    Ok(Exit::Done)
}

pub(in crate::commands) fn key_fault(error: &KeyError) -> Fault {
    let fault = Fault::user(error.to_string());
    match error {
        KeyError::Open(path) => fault.hint(format!("chmod 600 {path}")),
        KeyError::Malformed(_) => fault.hint("make one: ringmail plugin keygen FILE"),
        KeyError::Io { cause, .. } if cause.kind() == std::io::ErrorKind::AlreadyExists => {
            fault.hint("a key is never written over; choose another name")
        }
        _ => fault,
    }
}

pub(super) fn sign(path: &Path, publisher: &str, key: &Path) -> Result<Exit, Fault> {
    let (mut package, _) = read(path)?;
    let key = PublisherKey::open(key).map_err(|error| key_fault(&error))?;
    let statement = package.statement(publisher, SystemClock.now_ms()).map_err(Fault::user)?;
    package.signed = Some(key.sign(statement));
    write_whole(path, &package.bytes())
        .map_err(|error| Fault::user(format!("cannot write `{}`: {error}", path.display())))?;
    print(&format!(
        "signed {} {} as {}\n  key        {}\n",
        package.manifest.name,
        package.manifest.version,
        clean(publisher),
        key.public_hex()
    ))?;
    Ok(Exit::Done)
}

/// A package of a file, with the bytes of its archive. Nothing of it is believed.
pub(super) fn read(path: &Path) -> Result<(Package, Vec<u8>), Fault> {
    let archive = read_bounded(path, PACKAGE_BYTES_MAX as u64).map_err(Fault::user)?;
    let package = Package::read(&archive, &mut TagTable::default());
    Ok((package.map_err(|error| package_fault(&error))?, archive))
}

/// Believes a package that is about to come in.
pub(super) fn vouch(publishers: &Publishers, package: Package) -> Result<Vouched, Fault> {
    let name = package.manifest.name.clone();
    let said = package.signed.as_ref().map(|signed| {
        (signed.statement.get("publisher").to_string(), signed.key.map(|byte| format!("{byte:02x}")).concat())
    });
    publishers.package(package, Some(SystemClock.now_ms())).map_err(|distrust| {
        let fault = Fault::user(format!("`{name}` is not believed: {distrust}"));
        match (&distrust, said) {
            (Distrust::Unsigned, _) => fault.hint("its publisher signs it: ringmail plugin sign"),
            (Distrust::Unknown(publisher), Some((_, key))) => fault.hint(clean(&format!(
                "if you trust it, and know from elsewhere that the key is its, add to ringmail.toml:\n[publisher.{publisher}]\nkeys = [{{ public = \"{key}\" }}]\nplugins = [\"{name}\"]"
            ))),
            (Distrust::Plugin(publisher, plugin), _) => {
                fault.hint(format!("if it should, add `{plugin}` to `plugins` of [publisher.{publisher}]"))
            }
            (Distrust::Key(publisher), Some((_, key))) => {
                fault.hint(format!("it was signed with {key}; ask `{publisher}` for its keys"))
            }
            _ => fault,
        }
    })
}

pub(super) fn verify(path: &Path, common: &Common, format: Format) -> Result<Exit, Fault> {
    let place = Place::open(common.project.as_deref(), Path::new("."))?;
    let (package, archive) = read(path)?;
    let vouched = vouch(&place.project.publishers, package)?;
    let found = Locked::new(&vouched, &archive, "file");
    match format {
        Format::Json => print_json(&Value::map([
            ("plugin", Value::Str(found.name)),
            ("version", Value::Str(found.version)),
            ("publisher", Value::Str(found.publisher)),
            ("issued_ms", Value::Int(i64::try_from(found.issued_ms).unwrap_or(i64::MAX))),
            ("digest", Value::Str(found.digest)),
        ]))?,
        Format::Text => print(&format!(
            "{} {} is signed by {}, and the project believes it\n  digest     {}\n",
            found.name, found.version, found.publisher, found.digest
        ))?,
    }
    Ok(Exit::Done)
}
