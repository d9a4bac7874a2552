//! Plugins from registries: which registry is asked for which plugin, which versions go together, and the packages
//! themselves.

use super::grant::store_fault;
use super::sign::vouch;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{clean, print};
use ringmail_engine::Audit;
use ringmail_engine::core::doc::suggest;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::package::{IndexDistrust, Locked, Offer, Package, PluginNeed, resolve, sha256};
use ringmail_engine::core::project::RegistrySetting;
use ringmail_engine::core::value::Str;
use ringmail_engine::packages::{
    Arrival, Credentials, Listed, Offers, PackageStore, ProjectFolders, Pushed, Registry, RegistryAccess,
    RegistryError,
};
use ringmail_engine::{Clock, SystemClock};
use std::collections::BTreeMap;

/// Plugins that one installation may lead to.
const PLUGINS_MAX: usize = 200;

/// The registries of a project, asked on one runtime.
pub(super) struct Registries<'p> {
    place: &'p Place,
    asked: How<'p>,
    audit: Audit,
    runtime: tokio::runtime::Runtime,
}

/// How they are asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How<'a> {
    /// The registry that was named.
    pub(super) from: Option<&'a str>,
    pub(super) offline: bool,
    /// Whether something older than what was seen does.
    pub(super) older_too: bool,
    pub(super) writes: bool,
}

impl<'p> Registries<'p> {
    pub(super) fn new(place: &'p Place, asked: How<'p>) -> Result<Registries<'p>, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Fault::user(format!("there is no runtime: {error}")))?;
        Ok(Registries { place, asked, audit: place.audit()?, runtime })
    }

    /// The registry to ask for a plugin.
    pub(super) fn of(&self, store: &PackageStore, plugin: &str) -> Result<&'p RegistrySetting, Fault> {
        let all = &self.place.project.registries;
        let named = |name: &str| all.iter().find(|registry| &*registry.name == name);
        let pinned = all.iter().find(|registry| registry.plugins.iter().any(|known| &**known == plugin));
        match (pinned, self.asked.from) {
            (Some(pinned), Some(from)) if from != &*pinned.name => {
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

    pub(super) fn open(
        &self,
        setting: &'p RegistrySetting,
        store: &PackageStore,
    ) -> Result<Registry<'p>, Fault> {
        let project = &self.place.project;
        let secret = setting.secret.as_ref();
        let secret = secret.and_then(|name| project.secrets.iter().find(|secret| secret.name == *name));
        let reader = self.place.secret_reader()?;
        let credentials = secret.map(|secret| {
            reader.read(secret).map(|value| Credentials {
                user: setting.user.clone(),
                secret: value,
                bound_to: secret.bound_to.clone(),
            })
        });
        let credentials = credentials.transpose().map_err(|error| Fault::user(error.to_string()))?;
        let access = RegistryAccess {
            around: ProjectFolders {
                root: &self.place.root,
                audit: &self.audit,
                roots: &project.extra_roots,
            },
            credentials,
            offline: self.asked.offline,
            writes: self.asked.writes,
            seen: store.lock().seen(&setting.name).cloned(),
            older_too: self.asked.older_too,
            now_ms: SystemClock.now_ms(),
        };
        Registry::new(setting, access).map_err(registry_fault)
    }

    /// What a registry has of a plugin. That its index was seen is remembered, whatever comes of it.
    pub(super) fn offers(
        &self,
        registry: &Registry<'_>,
        plugin: &str,
        store: &mut PackageStore,
    ) -> Result<Vec<Listed>, Fault> {
        let Offers { listed, seen } =
            self.runtime.block_on(registry.offers(plugin)).map_err(registry_fault)?;
        seen.map_or(Ok(()), |seen| store.saw(seen)).map_err(store_fault)?;
        Ok(listed)
    }

    pub(super) fn push(
        &self,
        registry: &Registry<'_>,
        package: &Package,
        archive: &[u8],
    ) -> Result<Pushed, Fault> {
        self.runtime.block_on(registry.push(package, archive)).map_err(registry_fault)
    }

    /// The packages that meet these needs, and what those need in turn.
    pub(super) fn meet(
        &self,
        wanted: &[PluginNeed],
        store: &mut PackageStore,
    ) -> Result<Vec<Arrival>, Fault> {
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
            let registry = self.open(setting, store)?;
            let mut listed = self.offers(&registry, &plugin, store)?;
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
    pub(super) fn restore(&self, store: &mut PackageStore) -> Result<Exit, Fault> {
        let mut back = 0;
        for locked in &store.lock().all().to_vec() {
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
            let registry = self.open(setting, store)?;
            let listed = self.offers(&registry, name, store)?;
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
    let hint = match &error {
        RegistryError::Index { why: IndexDistrust::Older { .. } | IndexDistrust::Twice(_), .. } => {
            Some("if the registry was begun anew, and you know why: --dangerous-downgrade")
        }
        RegistryError::Index { why: IndexDistrust::Unsigned | IndexDistrust::Stale(_), .. } => Some(
            "whoever keeps the registry signs it anew: ringmail plugin index FOLDER --registry NAME --key FILE",
        ),
        _ => None,
    };
    let message = clean(&error.to_string()).into_owned();
    match hint {
        Some(hint) => Fault::user(message).hint(hint),
        None => Fault::user(message),
    }
}
