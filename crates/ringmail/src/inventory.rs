//! What policies of a project may name: its chains and links, and whoever its files, keys and tokens tell of.

use crate::exit::Fault;
use crate::place::Place;
use ringmail_engine::core::chain::{Detail, Plan};
use ringmail_engine::core::gate::KV;
use ringmail_engine::core::label::Tags;
use ringmail_engine::core::policy::Inventory;
use ringmail_engine::core::value::Str;
use ringmail_engine::{Checked, Engine, KINDS};
use ringmail_server::{KEYS_FILE, KeyStore, TOKENS_FILE, TokenStore};

/// Collects the names; chains that do not load are not among them.
pub(crate) fn inventory(place: &Place, engine: &Engine, checked: &Checked) -> Result<Inventory, Fault> {
    let mut all = Inventory { host: engine.name().into(), ..Inventory::default() };
    for plan in &checked.plans {
        all.chains.insert(plan.name.clone());
        links(plan, &mut all);
    }
    all.kinds.extend(KINDS.iter().map(|kind| kind.name).chain([KV]));
    if let Ok(tags) = engine.authority().tags.read() {
        all.tags.extend(tags.names(Tags::ALL));
    }
    let project = &place.project;
    all.sinks.insert("log".into());
    all.sinks.extend(project.mounts.iter().map(|(name, _)| Str::from(format!("mount:{name}"))));
    all.sinks.extend(project.commands.iter().map(|command| Str::from(format!("command:{}", command.name))));
    all.sinks.extend(project.plugins.iter().map(|plugin| Str::from(format!("{KV}:{}", plugin.name))));
    for (server, upstream) in engine.upstreams() {
        let tools = upstream.cards.keys().map(|tool| Str::from(format!("tool:{server}/{tool}")));
        all.sinks.extend(tools.chain([format!("tool:{server}").into()]));
    }
    for principal in &project.principals {
        all.subjects.insert(principal.subject.clone());
        all.roles.extend(principal.roles.iter().cloned());
        all.tenants.extend(principal.tenant.clone());
    }
    all.subjects.extend(["host".into(), "anonymous".into()]);
    all.subjects
        .extend(project.server.webhooks.iter().map(|hook| Str::from(format!("webhook:{}", hook.name))));
    for issuer in &project.server.issuers {
        let (roles, tenants) = issuer.gives();
        all.issuers.insert(issuer.name.clone());
        all.roles.extend(roles.iter().cloned());
        all.tenants.extend(tenants.cloned());
    }
    given(place, &mut all)?;
    Ok(all)
}

/// Whom keys and tokens were given to.
fn given(place: &Place, all: &mut Inventory) -> Result<(), Fault> {
    let unread = |error| Fault::from(anyhow::Error::new(error));
    for key in KeyStore::open(&place.data().join(KEYS_FILE)).map_err(unread)?.all() {
        all.subjects.insert(key.subject.clone());
        all.roles.extend(key.roles.iter().cloned());
        all.tenants.extend(key.tenant.clone());
    }
    let unread = |error| Fault::from(anyhow::Error::new(error));
    for family in TokenStore::open(&place.data().join(TOKENS_FILE)).map_err(unread)?.all() {
        all.subjects.insert(family.subject);
        all.roles.extend(family.roles);
        all.tenants.extend(family.tenant);
    }
    Ok(())
}

fn links(plan: &Plan, all: &mut Inventory) {
    for link in &plan.links {
        all.links.insert(link.full.clone(), link.kind.name);
        match &link.detail {
            Detail::Plugin { plugin, .. } if plugin.powers.kv.is_some() => {
                all.links.insert(format!("{}.{KV}", link.full).into(), KV);
            }
            Detail::Native { effect: Some(effect), .. } => {
                all.sinks.insert(format!("effect:{effect}").into());
            }
            _ => {}
        }
    }
    plan.bodies().into_iter().for_each(|(_, body)| links(body, all));
}
