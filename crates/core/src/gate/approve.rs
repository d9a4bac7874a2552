//! The gate of those who say yes: whether enough persons, whom policy permits, said yes to exactly what a call carries. Whoever
//! asked for the run is none of several.

use super::admit::digest;
use super::{Admitted, Authority, Moment};
use crate::chain::{Consent, Detail, Plan};
use crate::label::Labeled;
use crate::policy::{Action, Facts, Principal, Resource};
use crate::run::Run;
use crate::value::{Str, parse_path};

/// Evidence that enough persons said yes, and to what.
#[derive(Debug)]
pub struct Approved {
    value_digest: String,
}

impl Approved {
    /// Whether it is these arguments that they said yes to.
    pub(super) fn is_for(&self, args: &Labeled) -> bool {
        asked(args).is_some_and(|value| digest(&value.value) == self.value_digest)
    }
}

fn asked(args: &Labeled) -> Option<Labeled> {
    args.at(&parse_path("value"))
}

/// What somebody said to what was asked.
#[derive(Clone, Debug)]
pub struct Said {
    pub principal: Principal,
    pub yes: bool,
    /// SHA-256 of what it was said to, in canonical form.
    pub value_digest: String,
}

/// How it stands.
#[derive(Debug)]
pub enum Tally {
    Approved(Approved),
    /// Somebody who may say yes said no.
    Declined(Str),
    /// How many said yes.
    Open(usize),
}

/// What a call asks persons about, and its digest.
pub fn question(admitted: &Admitted) -> Option<(Labeled, String)> {
    let args = Labeled { value: admitted.args().clone(), labels: admitted.labels().clone() };
    let value = asked(&args)?;
    let digest = digest(&value.value);
    Some((value, digest))
}

/// Counts what was said.
pub fn approve(
    plan: &Plan,
    admitted: &Admitted,
    said: &[Said],
    run: &Run,
    authority: &Authority,
    moment: Moment,
) -> Tally {
    let (Some(link), Some((_, value_digest))) = (plan.link(admitted.position()), question(admitted)) else {
        return Tally::Open(0);
    };
    let Detail::Approve(Consent { people, .. }) = &link.detail else { return Tally::Open(0) };
    let Ok(tags) = authority.tags.read() else { return Tally::Open(0) };
    let args = Labeled { value: admitted.args().clone(), labels: admitted.labels().clone() };
    let facts = Facts {
        args: &args,
        decision: admitted.decision(),
        sinks: &[],
        consequential: false,
        run,
        elapsed_ms: moment.at_us / 1000,
        tags: &tags,
    };
    let resource = Resource { name: &link.full, chain: plan.chain(), kind: Some(link.kind.name) };
    let may = |principal: &Principal| {
        authority.policies.decide(principal, Action::Approve, resource, &facts).allowed
    };
    let mut yes: Vec<(&Str, &Option<Str>)> = Vec::new();
    for one in said.iter().filter(|one| one.value_digest == value_digest && may(&one.principal)) {
        if !one.yes {
            return Tally::Declined(one.principal.subject.clone());
        }
        let who = (&one.principal.subject, &one.principal.tenant);
        let own = who == (&run.principal.subject, &run.principal.tenant);
        if !(yes.contains(&who) || own && *people > 1) {
            yes.push(who);
        }
    }
    if yes.len() >= *people { Tally::Approved(Approved { value_digest }) } else { Tally::Open(yes.len()) }
}
