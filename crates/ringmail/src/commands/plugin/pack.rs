//! `ringmail plugin pack`: a folder becomes a package, the same bytes each time. It is not yet signed.

use crate::exit::{Exit, Fault};
use crate::terminal::{clean, print};
use ringmail_engine::PLUGIN_FILE;
use ringmail_engine::core::doc::{Node, Source, toml};
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Component, Package, PackageError, sbom};
use ringmail_engine::packages::{read_bounded, write_whole};
use ringmail_engine::{PluginFolder, producers};
use std::path::{Path, PathBuf};

const FILE_BYTES_MAX: u64 = 16 << 20;
const MODULE: &str = "plugin.wasm";

/// What may name the parts of a plugin, in its folder, and how it is read.
type Reads = fn(&str) -> Option<Vec<(String, String)>>;
const NAMED_IN: &[(&str, Reads)] =
    &[("Cargo.lock", cargo), ("package-lock.json", npm), ("requirements.txt", python)];

pub(super) fn run(folder: &Path, output: Option<PathBuf>) -> Result<Exit, Fault> {
    let read = PluginFolder::read(folder, &mut TagTable::default())?;
    if read.manifest.module != MODULE {
        return Err(package_fault(&PackageError::Module(read.manifest.module.clone()))
            .hint("rename the component and drop `module` from plugin.toml"));
    }
    let bytes = |name: &str| read_bounded(&folder.join(name), FILE_BYTES_MAX).map_err(Fault::user);
    let manifest = bytes(PLUGIN_FILE)?;
    let mut components = Vec::new();
    for (file, reads) in NAMED_IN.iter().filter(|(file, _)| folder.join(file).is_file()) {
        let text = String::from_utf8_lossy(&bytes(file)?).into_owned();
        let named = reads(&text).ok_or_else(|| {
            Fault::user(format!(
                "cannot read `{}`, which names the plugin's parts",
                folder.join(file).display()
            ))
        })?;
        let named_by = (*file).to_string();
        components.extend(named.into_iter().map(|(name, version)| Component {
            name,
            version,
            named_by: named_by.clone(),
        }));
    }
    components.extend(producers(&read.module).into_iter().map(|(name, version)| Component {
        name,
        version,
        named_by: MODULE.into(),
    }));
    let parts = components.len();
    let bill = sbom(&read.manifest, &read.module, components);
    let package = Package::new(manifest, read.module, bill, None, &mut TagTable::default());
    let package = package.map_err(|error| package_fault(&error))?;
    let path = output.unwrap_or_else(|| {
        PathBuf::from(format!("{}-{}.tar", package.manifest.name, package.manifest.version))
    });
    let archive = package.bytes();
    write_whole(&path, &archive)
        .map_err(|error| Fault::user(format!("cannot write `{}`: {error}", path.display())))?;
    print(&format!(
        "packed {} {} into {}\n  digest     {}\n  parts      {parts} named in its SBOM\n\nNext:\n  ringmail plugin sign {} --publisher NAME --key FILE\n",
        package.manifest.name,
        package.manifest.version,
        clean(&path.display().to_string()),
        package.digest(),
        clean(&path.display().to_string()),
    ))?;
    Ok(Exit::Done)
}

pub(super) fn package_fault(error: &PackageError) -> Fault {
    Fault::user(format!("this is no package: {error}"))
}

fn cargo(text: &str) -> Option<Vec<(String, String)>> {
    let node = toml::parse(&Source::new("Cargo.lock", text)).ok()?;
    let of = |package: &Node, key: &str| package.get(key).and_then(Node::text).map(String::from);
    let packages = node.get("package")?.items().iter();
    packages.map(|package| Some((of(package, "name")?, of(package, "version")?))).collect()
}

fn npm(text: &str) -> Option<Vec<(String, String)>> {
    let limits = JsonLimits { bytes_max: text.len(), ..JsonLimits::default() };
    let read = parse(text.as_bytes(), &limits).ok()?;
    let packages = read.get("packages")?.as_map()?;
    // The one without a path is the plugin itself.
    let named = packages.iter().filter_map(|(path, package)| {
        let name = path.rsplit_once("node_modules/")?.1.to_string();
        Some((name, package.get("version")?.as_str()?.to_string()))
    });
    Some(named.collect())
}

fn python(text: &str) -> Option<Vec<(String, String)>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let named = lines.filter(|line| !line.is_empty() && !line.starts_with('-')).map(|line| {
        let line = line.split(';').next().unwrap_or_default().trim();
        match line.split_once("==") {
            Some((name, version)) => (name.trim().to_string(), version.trim().to_string()),
            None => {
                let end = line.find(|c: char| "<>=~![ ".contains(c)).unwrap_or(line.len());
                (line.get(..end).unwrap_or(line).to_string(), String::new())
            }
        }
    });
    Some(named.collect())
}
