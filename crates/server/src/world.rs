//! What is served at one time: an engine with its chains, and what the project says of doors. Exchanged whole; a
//! request lives in the world it came into.

use crate::caller::Caller;
use crate::identity::Subjected;
use crate::identity::jwt::Issuers;
use crate::mcp::list::{is_tool, shown_name};
use crate::mcp::search::{CALL, SEARCH, texts};
use crate::tls;
use foldhash::HashMap as FastMap;
use ringmail_core::listener::{ListenAt, ListenerSetting, ServerSetting, TlsSetting};
use ringmail_core::policy::{Action, Principal, Resource};
use ringmail_core::search::Index;
use ringmail_core::value::Str;
use ringmail_engine::{Chain, Engine};
use rustls::ServerConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What the door of those who steer is called among those that show certificates; no name of a listener has brackets.
pub(crate) const CONTROL: &str = "[control]";

/// Every door that shows a certificate, and whether it offers both versions of HTTP.
fn shown(setting: &ServerSetting) -> impl Iterator<Item = (Str, &TlsSetting, bool)> {
    let listeners = setting.listeners.iter().filter_map(|listener| {
        let http = matches!(listener.at, ListenAt::Http(_));
        Some((listener.name.clone(), listener.tls.as_ref()?, http))
    });
    listeners.chain(setting.control.iter().map(|control| (CONTROL.into(), &control.tls, false)))
}

/// What a project says, read anew.
pub struct Loaded {
    /// With its chains loaded.
    pub engine: Engine,
    pub setting: ServerSetting,
    /// The project's own, where paths begin.
    pub folder: PathBuf,
    /// Kept as long as the world lives: whoever looks after its grants.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What is served.
pub struct World {
    pub(crate) engine: Engine,
    pub(crate) setting: ServerSetting,
    pub(crate) folder: PathBuf,
    chains: BTreeMap<Str, Chain>,
    tls: RwLock<BTreeMap<Str, Arc<ServerConfig>>>,
    seen: RwLock<Seen>,
    /// Words of chains, in the order of their names; nobody may have searched yet.
    index: OnceLock<Index>,
    pub(crate) issuers: Issuers,
    /// Chains whose runs may wait for persons: nobody waits for those at the other end of a connection.
    pub(crate) asking: BTreeSet<Str>,
    /// Chains whose runs may wait for anything.
    pub(crate) waiting: BTreeSet<Str>,
    _keep: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("chains", &self.chains.keys()).finish_non_exhaustive()
    }
}

impl World {
    /// All of it, or every reason why not. What was fetched for the world before is used on.
    pub(crate) fn new(loaded: Loaded, before: Option<&World>) -> Result<World, Vec<String>> {
        let mut wrong = Vec::new();
        let mut configs = BTreeMap::new();
        let chains: BTreeMap<Str, Chain> =
            loaded.engine.chains().into_iter().map(|chain| (Str::from(chain.name()), chain)).collect();
        for (name, setting, http) in shown(&loaded.setting) {
            match tls::configure(setting, &loaded.folder, http) {
                Ok(config) => drop(configs.insert(name.clone(), config)),
                Err(why) if *name == *CONTROL => wrong.push(format!("`{CONTROL}`: {why}")),
                Err(why) => wrong.push(format!("listener `{name}`: {why}")),
            }
        }
        for listener in &loaded.setting.listeners {
            let unknown = listener.chains.iter().flatten().filter(|name| !chains.contains_key(*name));
            wrong.extend(
                unknown.map(|name| format!("listener `{}`: there is no chain `{name}`", listener.name)),
            );
        }
        for rate in &loaded.setting.rates {
            let unknown = rate.chains.iter().flatten().filter(|name| !chains.contains_key(*name));
            wrong.extend(
                unknown.map(|name| format!("a rate per {}: there is no chain `{name}`", rate.per.name())),
            );
        }
        let unknown = loaded.setting.webhooks.iter().filter(|hook| !chains.contains_key(&hook.chain));
        wrong.extend(
            unknown.map(|hook| format!("webhook `{}`: there is no chain `{}`", hook.name, hook.chain)),
        );
        let unknown = loaded.setting.schedules.iter().filter(|own| !chains.contains_key(&own.chain));
        wrong
            .extend(unknown.map(|own| format!("schedule `{}`: there is no chain `{}`", own.name, own.chain)));
        for issuer in &loaded.setting.issuers {
            let named = issuer.scopes.iter().flat_map(|scope| scope.chains.iter());
            let unknown = named.filter(|name| !chains.contains_key(*name));
            wrong.extend(unknown.map(|name| format!("issuer `{}`: there is no chain `{name}`", issuer.name)));
        }
        let tools: Vec<&Chain> = chains.values().filter(|chain| is_tool(&chain.plan().mcp.shown)).collect();
        if tools.len() > loaded.setting.limits.tools_max {
            let own = [SEARCH, CALL].into_iter();
            let taken = own.filter(|own| tools.iter().any(|chain| shown_name(chain) == *own));
            wrong.extend(taken.map(|own| {
                format!("there are more tools than `server.tools`, and one is called `{own}`, as the one that finds them")
            }));
        }
        let known = before.map(|before| &before.issuers);
        let issuers =
            Issuers::open(&loaded.setting.issuers, &loaded.engine, &loaded.folder, known, &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let named = |fits: fn(&Chain) -> bool| {
            chains.values().filter(|chain| fits(chain)).map(|chain| chain.plan().name.clone()).collect()
        };
        let (asking, waiting) = (named(Chain::asks_persons), named(Chain::may_wait));
        let Loaded { engine, setting, folder, keep } = loaded;
        Ok(World {
            engine,
            setting,
            folder,
            chains,
            tls: RwLock::new(configs),
            issuers,
            asking,
            waiting,
            seen: RwLock::default(),
            index: OnceLock::new(),
            _keep: keep,
        })
    }

    /// A subject that a connection proved.
    pub(crate) fn principal(&self, subject: &Subjected) -> Principal {
        self.named(&subject.name, subject.proof.name())
    }

    /// A subject with the roles and the tenant that the project gives it.
    pub(crate) fn named(&self, subject: &str, authenticated: &str) -> Principal {
        let known = self.engine.principal(subject);
        Principal {
            subject: subject.into(),
            roles: known.map(|known| known.roles.clone()).unwrap_or_default(),
            tenant: known.and_then(|known| known.tenant.clone()),
            authenticated: authenticated.into(),
        }
    }

    /// A principal that a token proved, with what the project gives it besides.
    pub(crate) fn with_roles(&self, mut principal: Principal) -> Principal {
        if let Some(known) = self.engine.principal(&principal.subject) {
            let more = known.roles.iter().filter(|role| !principal.roles.contains(role));
            let more: Vec<Str> = more.cloned().collect();
            principal.roles.extend(more);
            principal.tenant = principal.tenant.or_else(|| known.tenant.clone());
        }
        principal
    }

    pub(crate) fn listener(&self, name: &str) -> Option<&ListenerSetting> {
        self.setting.listeners.iter().find(|listener| &*listener.name == name)
    }

    pub(crate) fn tls(&self, listener: &str) -> Option<Arc<ServerConfig>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).get(listener).cloned()
    }

    /// Takes in certificates and keys as they are on disk now; where they do not fit, those before stay.
    pub(crate) fn reread_tls(&self) {
        for (name, setting, http) in shown(&self.setting) {
            if let Ok(config) = tls::configure(setting, &self.folder, http) {
                self.tls.write().unwrap_or_else(PoisonError::into_inner).insert(name, config);
            }
        }
    }

    /// The files that listeners show and believe.
    pub(crate) fn tls_files(&self) -> impl Iterator<Item = PathBuf> {
        let settings = shown(&self.setting);
        let files =
            settings.flat_map(|(_, tls, _)| [Some(&tls.certificate), Some(&tls.key), tls.clients.as_ref()]);
        files.flatten().map(|file| self.folder.join(file))
    }

    /// A chain that is served at a listener and that the caller's proof covers. Whether it may run is the gate's to say.
    pub(crate) fn chain_for(
        &self,
        name: &str,
        listener: &ListenerSetting,
        caller: &Caller,
    ) -> Option<&Chain> {
        self.served(name, listener).filter(|_| caller.covers(name))
    }

    pub(crate) fn served(&self, name: &str, listener: &ListenerSetting) -> Option<&Chain> {
        let chain = self.chains.get(name)?;
        let served =
            listener.chains.as_ref().is_none_or(|chains| chains.iter().any(|known| &**known == name));
        served.then_some(chain)
    }

    /// What a caller is shown: the chains it might ever run.
    pub(crate) fn chains_for<'w>(
        &'w self,
        listener: &'w ListenerSetting,
        caller: &'w Caller,
    ) -> impl Iterator<Item = &'w Chain> + 'w {
        let served = self.chains.keys().filter_map(|name| self.chain_for(name, listener, caller));
        served.filter(|chain| self.may_run(chain, caller.principal()))
    }

    /// Those of some chains in which the words stand, the best first.
    pub(crate) fn found<'w>(&'w self, query: &str, among: &[&'w Chain]) -> Vec<&'w Chain> {
        let index = self.index.get_or_init(|| {
            let mut index = Index::default();
            for chain in self.chains.values() {
                let texts = texts(chain);
                index.add(texts.iter().map(|(weight, text)| (*weight, text.as_str())));
            }
            index
        });
        let all: Vec<&Chain> = self.chains.values().collect();
        let among: BTreeSet<&str> = among.iter().map(|chain| chain.name()).collect();
        let may = |number: usize| all.get(number).is_some_and(|chain| among.contains(chain.name()));
        index.find(query, may).into_iter().filter_map(|number| all.get(number).copied()).collect()
    }

    /// Whether policy might ever let a principal run a chain. Asked at every call, so answers are kept.
    pub(crate) fn may_run(&self, chain: &Chain, principal: &Principal) -> bool {
        const PRINCIPALS_MAX: usize = 10_000;
        let name = &chain.plan().name;
        let known = |seen: &Seen| seen.get(principal).and_then(|chains| chains.get(name)).copied();
        if let Some(may) = known(&self.seen.read().unwrap_or_else(PoisonError::into_inner)) {
            return may;
        }
        let resource = Resource { name, chain: name, kind: None };
        let may = self.engine.authority().policies.may_ever(principal, Action::Run, resource);
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= PRINCIPALS_MAX {
            seen.clear();
        }
        seen.entry(principal.clone()).or_default().insert(name.clone(), may);
        may
    }
}

type Seen = FastMap<Principal, FastMap<Str, bool>>;
