//! Plugins from registries: which registry is asked for which plugin, which versions go together, and the packages
//! themselves. Also the index of a folder that is to be a registry.

use super::grant::store_fault;
use super::install::Args;
use super::sign::{read, vouch};
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{clean, print};
use ringmail_engine::core::doc::suggest;
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{Locked, Offer, Package, PluginNeed, resolve, sha256, version_of};
use ringmail_engine::core::plugin::Needed;
use ringmail_engine::core::project::RegistrySetting;
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::packages::{
    Arrival, INDEX_FILE, Listed, PackageStore, Registry, RegistryError, write_whole,
};
use ringmail_engine::read_secret;
use std::collections::BTreeMap;
use std::path::Path;

/// Plugins that one installation may lead to.
const PLUGINS_MAX: usize = 200;

/// The registries of a project, asked on one runtime.
pub(super) struct Registries<'p> {
    place: &'p Place,
    args: &'p Args,
    runtime: tokio::runtime::Runtime,
}

impl<'p> Registries<'p> {
    pub(super) fn new(place: &'p Place, args: &'p Args) -> Result<Registries<'p>, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Fault::user(format!("there is no runtime: {error}")))?;
        Ok(Registries { place, args, runtime })
    }

    /// The registry to ask for a plugin.
    fn of(&self, store: &PackageStore, plugin: &str) -> Result<&'p RegistrySetting, Fault> {
        let all = &self.place.project.registries;
        let named = |name: &str| all.iter().find(|registry| &*registry.name == name);
        let pinned = all.iter().find(|registry| registry.plugins.iter().any(|known| &**known == plugin));
        match (pinned, &self.args.from) {
            (Some(pinned), Some(from)) if *from != *pinned.name => {
                let message = format!("`{plugin}` comes from `{}` and from nowhere else", pinned.name);
                return Err(Fault::user(message));
            }
            (Some(pinned), _) => return Ok(pinned),
            (None, Some(from)) => {
                return named(from).ok_or_else(|| {
                    let fault = Fault::user(format!("there is no registry `{}`", clean(from)));
                    match suggest(from, all.iter().map(|registry| &*registry.name)) {
                        Some(near) => fault.hint(format!("did you mean `{near}`?")),
                        None => {
                            fault.hint("add it to ringmail.toml:\n[registry.NAME]\nurl = \"https://...\"")
                        }
                    }
                });
            }
            (None, None) => {}
        }
        if let Some(known) = store.lock().newest(plugin).and_then(|locked| named(&locked.source)) {
            return Ok(known);
        }
        let mut open = all.iter().filter(|registry| registry.plugins.is_empty());
        match (open.next(), open.next()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(two)) => {
                Err(Fault::user(format!("`{plugin}` may come from `{}` or from `{}`", one.name, two.name))
                    .hint("say which with --from, or for good with `plugins` of one of them"))
            }
            (None, _) => Err(Fault::user(format!("no registry of the project has `{plugin}`"))
                .hint("add one to ringmail.toml:\n[registry.NAME]\nurl = \"https://...\"")),
        }
    }

    fn open(&self, setting: &'p RegistrySetting) -> Result<Registry<'p>, Fault> {
        let project = &self.place.project;
        let secret = setting.secret.as_ref();
        let secret = secret.and_then(|name| project.secrets.iter().find(|secret| secret.name == *name));
        let token = secret.map(|secret| read_secret(&secret.from, &self.place.root)).transpose();
        let token = token.map_err(|error| Fault::user(error.to_string()))?;
        let roots = &project.extra_roots;
        Registry::new(
            setting,
            (&self.place.root, &self.place.records()),
            roots,
            token.as_deref(),
            self.args.offline,
        )
        .map_err(registry_fault)
    }

    /// The packages that meet these needs, and what those need in turn.
    pub(super) fn meet(&self, wanted: &[PluginNeed], store: &PackageStore) -> Result<Vec<Arrival>, Fault> {
        let mut asked: BTreeMap<Str, (Registry<'p>, &'p RegistrySetting, Vec<Listed>)> = BTreeMap::new();
        let mut open: Vec<Str> = wanted.iter().map(|need| need.plugin.clone()).collect();
        while let Some(plugin) = open.pop() {
            if asked.contains_key(&plugin) {
                continue;
            }
            if asked.len() >= PLUGINS_MAX {
                return Err(Fault::user(format!("this leads to more than {PLUGINS_MAX} plugins")));
            }
            let setting = self.of(store, &plugin)?;
            let registry = self.open(setting)?;
            let mut listed = self.runtime.block_on(registry.offers(&plugin)).map_err(registry_fault)?;
            // What others need stays at the version that is here, as long as that does.
            if let Some(known) = store.lock().newest(&plugin)
                && !wanted.iter().any(|need| need.plugin == plugin)
            {
                listed.sort_by_key(|listed| listed.package != known.package);
            }
            open.extend(listed.iter().flat_map(|one| one.offer.needs.iter().map(|need| need.plugin.clone())));
            asked.insert(plugin, (registry, setting, listed));
        }
        let offers: Vec<Offer> =
            asked.values().flat_map(|(.., listed)| listed.iter().map(|one| one.offer.clone())).collect();
        let chosen = resolve(wanted, &offers).map_err(|why| Fault::user(why.to_string()))?;
        let mut out = Vec::new();
        for (plugin, version) in chosen {
            let Some((registry, setting, listed)) = asked.get(&plugin) else { continue };
            let Some(one) = listed.iter().find(|one| one.offer.version == version) else { continue };
            let here = |locked: &Locked| locked.package == one.package && store.archive(locked).is_ok();
            if !store.lock().newest(&plugin).is_some_and(here) {
                out.push(self.fetch(registry, setting, one)?);
            }
        }
        Ok(out)
    }

    fn fetch(
        &self,
        registry: &Registry<'_>,
        setting: &RegistrySetting,
        one: &Listed,
    ) -> Result<Arrival, Fault> {
        let archive = self.runtime.block_on(registry.fetch(one)).map_err(registry_fault)?;
        let package = Package::read(&archive, &mut TagTable::default());
        let package = package.map_err(|error| super::pack::package_fault(&error))?;
        let manifest = &package.manifest;
        let said = Offer {
            plugin: manifest.name.clone(),
            version: manifest.version.clone(),
            needs: manifest.needs.iter().map(|needed| needed.need.clone()).collect(),
        };
        if said != one.offer {
            let message = format!(
                "the registry `{}` lists `{}` as something else than it is",
                setting.name, one.offer.plugin
            );
            return Err(Fault::user(message));
        }
        let vouched = vouch(&self.place.project.publishers, package)?;
        Ok(Arrival { vouched, archive, source: setting.name.to_string() })
    }

    /// Brings back what the lock names and is not here.
    pub(super) fn restore(&self, store: &PackageStore) -> Result<Exit, Fault> {
        let mut back = 0;
        for locked in store.lock().all() {
            if store.archive(locked).is_ok_and(|archive| *sha256(&archive) == *locked.package) {
                continue;
            }
            let (name, version) = (&locked.name, &locked.version);
            let setting = self.place.project.registries.iter().find(|one| *one.name == *locked.source);
            let setting = setting.ok_or_else(|| {
                Fault::user(format!(
                    "{name} {version} came from `{}`, which is no registry",
                    clean(&locked.source)
                ))
                .hint("install its package from a file: ringmail plugin install FILE")
            })?;
            let registry = self.open(setting)?;
            let listed = self.runtime.block_on(registry.offers(name)).map_err(registry_fault)?;
            let one = listed.iter().find(|one| one.package == locked.package).ok_or_else(|| {
                Fault::user(format!("`{}` no longer has {name} {version} as the lock names it", setting.name))
            })?;
            let archive = self.runtime.block_on(registry.fetch(one)).map_err(registry_fault)?;
            if store.restore(locked, &archive).map_err(store_fault)? {
                back += 1;
            }
        }
        print(&format!("{back} brought back, {} in the lock\n", store.lock().all().len()))?;
        Ok(Exit::Done)
    }
}

fn registry_fault(error: RegistryError) -> Fault {
    Fault::user(clean(&error.to_string()).into_owned())
}

/// `ringmail plugin index`: what a folder of packages has, for whoever installs from it.
pub(super) fn index(folder: &Path) -> Result<Exit, Fault> {
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
            return Err(Fault::user(format!("`{}` is not signed", path.display()))
                .hint("its publisher signs it: ringmail plugin sign"));
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
    let path = folder.join(INDEX_FILE);
    write_whole(&path, format!("{}\n", to_pretty(&all)).as_bytes())
        .map_err(|error| Fault::user(format!("cannot write `{}`: {error}", path.display())))?;
    print(&format!("{count} packages in {}\n", clean(&path.display().to_string())))?;
    Ok(Exit::Done)
}
