//! Who may use a secret, as far as the project says: links whose grants reach an address it is bound to, and what names it.

use ringmail_engine::core::address::{Pattern, Target};
use ringmail_engine::core::project::{Project, SecretSetting};

/// Names of links and chains, and of what else of a project is given the secret.
pub(super) fn who_may(project: &Project, secret: &SecretSetting) -> Vec<String> {
    let name = &secret.name;
    let mut out: Vec<String> = Vec::new();
    let reaches = |address: &Pattern| secret.bound_to.iter().any(|bound| meets(bound, address));
    for grant in &project.grants {
        if grant.net.iter().any(|rule| reaches(&rule.address)) {
            out.push(grant.to.to_string());
        }
    }
    let mut named = |kind: &str, by: &str, has: bool| {
        if has {
            out.push(format!("{kind}.{by}"));
        }
    };
    for plugin in &project.plugins {
        named("plugin", &plugin.name, plugin.secrets.contains(name));
    }
    for provider in &project.providers {
        let session = provider.text("session") == Some(&**name);
        named("provider", &provider.name, provider.secret == *name || session);
    }
    for registry in &project.registries {
        named("registry", &registry.name, registry.secret.as_ref() == Some(name));
    }
    for hook in &project.server.webhooks {
        named("webhook", &hook.name, hook.secret == *name);
    }
    for upstream in &project.upstreams {
        named("upstream", &upstream.name, upstream.shows(name));
    }
    out.sort();
    out.dedup();
    out
}

/// Whether there is an address that both take, as far as two patterns can tell.
fn meets(one: &Pattern, other: &Pattern) -> bool {
    let takes = |pattern: &Pattern, address: &Pattern| {
        Target::parse(address.as_str()).is_ok_and(|target| pattern.takes(&target))
    };
    one.as_str() == other.as_str() || takes(one, other) || takes(other, one)
}
