//! What a plugin keeps has no way out, so nobody's leave is needed to read or change it; a policy may forbid it all the
//! same, as any call without a way out. Called for each thing that a plugin asks of what it keeps.

use super::refuse::Refuser;
use super::{Authority, Moment, TAGS};
use crate::label::{Label, Labeled};
use crate::policy::{Action, Facts, Resource, Ruling};
use crate::refusal::Refusal;
use crate::run::Run;
use crate::value::{Str, Value};

/// The kind that policies know it by, and the last part of its name.
pub const KV: &str = "kv";

/// One thing that a plugin asks of what it keeps.
#[derive(Clone, Copy, Debug)]
pub struct KvAsk<'a> {
    pub plugin: &'a str,
    /// The plugin's link, and the chain it is in.
    pub link: &'a Str,
    pub chain: &'a str,
    /// `get`, `set`, `delete` or `keys`.
    pub op: &'static str,
    /// Of `keys` what they begin with.
    pub key: &'a str,
    /// Of what is written.
    pub bytes: usize,
    /// All that the plugin was told.
    pub told: Label,
}

/// Whether no policy forbids this.
pub fn keep(ask: KvAsk<'_>, run: &Run, authority: &Authority, moment: Moment) -> Result<(), Box<Refusal>> {
    let name: Str = format!("{}.{KV}", ask.link).into();
    let bytes = i64::try_from(ask.bytes).unwrap_or(i64::MAX);
    let args = Value::map([
        ("op", Value::from(ask.op)),
        ("key", Value::from(ask.key)),
        ("bytes", Value::Int(bytes)),
    ]);
    let sink = format!("{KV}:{}", ask.plugin);
    let resource = Resource { name: &name, chain: ask.chain, kind: Some(KV) };
    let ruling = match authority.tags.read() {
        Ok(tags) => {
            let facts = Facts {
                args: &Labeled { value: args, labels: ask.told.into() },
                decision: ask.told,
                sinks: std::slice::from_ref(&sink),
                // It changes nothing but the plugin's own memory.
                consequential: false,
                run,
                elapsed_ms: moment.at_us / 1000,
                tags: &tags,
            };
            authority.policies.veto(&run.principal, resource, &facts)
        }
        Err(_) => Some(Ruling::failed(TAGS)),
    };
    let Some(ruling) = ruling else { return Ok(()) };
    let spot = ruling.policies.first().and_then(|id| authority.policies.spot(id));
    let refuser = Refuser { link: &name, power: ask.link, sink, spot: None };
    let refusal = refuser.policy(&ruling, &run.principal, Action::Call, &name, spot);
    // Policies look at what it was told, and at history.
    Err(Box::new(refusal.labelled(ask.told.join(run.spent()))))
}
