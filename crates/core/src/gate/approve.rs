//! The gate of those who say yes: whether enough persons, whom policy permits, said yes to exactly what a call carries. Whoever
//! asked for the run is none of several.

use super::admit::digest;
use super::judge::caller_fault;
use super::{Admitted, Authority, Moment};
use crate::chain::{Consent, Detail, Link, Plan};
use crate::label::{Label, Labeled, TagTable};
use crate::policy::{Action, Facts, Principal, Resource};
use crate::question::Question;
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

/// A call that waits for persons, and what it is judged by.
struct Waits<'w> {
    plan: &'w Plan,
    link: &'w Link,
    people: usize,
    args: Labeled,
    decision: Label,
    run: &'w Run,
    authority: &'w Authority,
    moment: Moment,
}

impl<'w> Waits<'w> {
    fn of(
        plan: &'w Plan,
        admitted: &Admitted,
        run: &'w Run,
        authority: &'w Authority,
        moment: Moment,
    ) -> Option<Waits<'w>> {
        let link = plan.link(admitted.position())?;
        let Detail::Approve(Consent { people, .. }) = &link.detail else { return None };
        let args = Labeled { value: admitted.args().clone(), labels: admitted.labels().clone() };
        let (people, decision) = (*people, admitted.decision());
        Some(Waits { plan, link, people, args, decision, run, authority, moment })
    }

    fn facts<'f>(&'f self, tags: &'f TagTable) -> Facts<'f> {
        Facts {
            args: &self.args,
            decision: self.decision,
            sinks: &[],
            consequential: false,
            run: self.run,
            elapsed_ms: self.moment.at_us / 1000,
            tags,
        }
    }

    fn resource(&self) -> Resource<'_> {
        let (link, plan) = (self.link, self.plan);
        Resource { name: &link.full, chain: plan.chain(), kind: Some(link.kind.name) }
    }

    /// Whether policy lets somebody say yes.
    fn may(&self, principal: &Principal) -> bool {
        let Ok(tags) = self.authority.tags.read() else { return false };
        let policies = &self.authority.policies;
        policies.decide(principal, Action::Approve, self.resource(), &self.facts(&tags)).allowed
    }

    /// Whether somebody is one of those whose yes is one of several, as whoever the run is for is not.
    fn counts(&self, principal: &Principal) -> bool {
        let own = (&principal.subject, &principal.tenant)
            == (&self.run.principal.subject, &self.run.principal.tenant);
        self.people == 1 || !own
    }
}

/// What policy is asked of whoever might say yes, for those who show a question to persons: who may not say yes is not
/// shown it either.
pub fn consent(
    plan: &Plan,
    admitted: &Admitted,
    run: &Run,
    authority: &Authority,
    moment: Moment,
) -> Option<Question> {
    let waits = Waits::of(plan, admitted, run, authority, moment)?;
    let tags = authority.tags.read().ok()?;
    Some(Question::of(&run.principal, Action::Approve, &waits.resource(), &waits.facts(&tags)))
}

/// Whether the caller itself may be asked: its yes would count, and it may see what it would say it to.
pub fn may_ask_caller(
    plan: &Plan,
    admitted: &Admitted,
    run: &Run,
    authority: &Authority,
    moment: Moment,
) -> bool {
    let Some(waits) = Waits::of(plan, admitted, run, authority, moment) else { return false };
    let seen = caller_fault(&waits.args.labels, waits.decision, run, authority, moment).is_none();
    seen && waits.counts(&run.principal) && waits.may(&run.principal)
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
    let waits = Waits::of(plan, admitted, run, authority, moment);
    let (Some(waits), Some((_, value_digest))) = (waits, question(admitted)) else { return Tally::Open(0) };
    let mut yes: Vec<(&Str, &Option<Str>)> = Vec::new();
    for one in said.iter().filter(|one| one.value_digest == value_digest && waits.may(&one.principal)) {
        if !one.yes {
            return Tally::Declined(one.principal.subject.clone());
        }
        let who = (&one.principal.subject, &one.principal.tenant);
        if !yes.contains(&who) && waits.counts(&one.principal) {
            yes.push(who);
        }
    }
    if yes.len() >= waits.people {
        Tally::Approved(Approved { value_digest })
    } else {
        Tally::Open(yes.len())
    }
}
