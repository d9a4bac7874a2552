//! The gate of those who steer a host: its own door, its own action, and nothing in common with calls. Whoever owns the
//! host may; anybody else needs a policy that says so.

use super::Authority;
use crate::label::{Label, Labeled};
use crate::policy::{Action, Facts, Principal, Resource};
use crate::run::{Limits, Run};
use crate::value::{Str, Value};

/// What a host can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Look,
    Reload,
    Drain,
    Grant,
    Revoke,
    Backup,
}

impl Order {
    pub fn name(self) -> &'static str {
        match self {
            Order::Look => "look",
            Order::Reload => "reload",
            Order::Drain => "drain",
            Order::Grant => "grant",
            Order::Revoke => "revoke",
            Order::Backup => "backup",
        }
    }
}

/// Who gives an order.
#[derive(Clone, Copy, Debug)]
pub enum Commander<'p> {
    /// The user this host runs as, or root: whoever could change its files anyway.
    Owner,
    Principal(&'p Principal),
}

/// Evidence that an order may be followed.
#[derive(Debug)]
pub struct Steered(Order);

impl Steered {
    pub fn order(&self) -> Order {
        self.0
    }
}

/// Lets an order through, or says why not.
pub fn steer(
    order: Order,
    commander: Commander<'_>,
    host: &Str,
    authority: &Authority,
    now_ms: u64,
) -> Result<Steered, String> {
    let Commander::Principal(principal) = commander else { return Ok(Steered(order)) };
    let Ok(tags) = authority.tags.read() else { return Err("the tags cannot be read".into()) };
    let run = Run::new("control".into(), principal.clone(), Limits::default(), now_ms, 0);
    let args = Labeled::new(Value::map([("order", Value::from(order.name()))]), Label::BOTTOM);
    let facts = Facts {
        args: &args,
        decision: Label::BOTTOM,
        sinks: &[],
        consequential: true,
        run: &run,
        elapsed_ms: 0,
        tags: &tags,
    };
    let resource = Resource { name: host, chain: host, kind: None };
    let ruling = authority.policies.decide(principal, Action::Control, resource, &facts);
    if ruling.allowed {
        return Ok(Steered(order));
    }
    let who = &principal.subject;
    Err(match (ruling.failed.first(), ruling.policies.first()) {
        (Some(failed), _) => format!("`{failed}` could not be evaluated"),
        (_, Some(policy)) => format!("the policy `{policy}` forbids `{who}` to control this host"),
        (None, None) => format!("no policy permits `{who}` to control this host"),
    })
}
