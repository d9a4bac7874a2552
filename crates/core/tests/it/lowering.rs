//! What `release` may lower and what stays: the decision to call, an act nobody was allowed, what a link was handed.

use crate::setup::{Bench, PERMIT_ALL, at, ready};
use ringmail_core::chain::walk::Walk;
use ringmail_core::gate::{self, Left, Unchecked};
use ringmail_core::label::{Label, Labeled};
use ringmail_core::run::Limits;
use ringmail_core::value::Value;

const ACTS: &str = "permit (principal, action in [Ringmail::Action::\"endorse\", Ringmail::Action::\"declassify\"], resource);";
const VOUCH: &str = "permit (principal, action == Ringmail::Action::\"vouch\", resource);";

/// The only link of a chain, released with what it returned.
fn released(policy: &str, chain: &str, returned: impl FnOnce(&Bench) -> Unchecked) -> Labeled {
    let bench = Bench::new(policy, Vec::new(), Limits::default());
    let plan = bench.plan(chain);
    let mut walk = bench.walk(&plan, Value::Bool(true));
    let mut admitted = bench.admit(&plan, ready(&mut walk), at(0)).unwrap();
    let unchecked = returned(&bench);
    let released =
        gate::release(&plan, admitted.due(), unchecked, &mut bench.facts(), &bench.authority, at(0)).unwrap();
    released.labeled().clone()
}

fn untrusted(link: &str) -> bool {
    let policy = format!("{PERMIT_ALL}\n{ACTS}");
    let extracts = link.contains("extract");
    released(&policy, &format!("chain: t\nlinks: {{a: {link}}}\noutput: 1"), |_| {
        if extracts { Unchecked::new(Value::Bool(true)) } else { Unchecked::same() }
    })
    .labels
    .all()
    .untrusted
}

#[test]
fn extracting_and_endorsing_raise_the_data_and_not_the_decision() {
    assert!(!untrusted("{kind: extract, as: bool, with: {from: '${input}'}}"));
    assert!(untrusted("{kind: extract, as: bool, when: input, with: {from: true}}"));
    assert!(!untrusted("{kind: endorse, reason: r, with: {value: '${input}'}}"));
    assert!(untrusted("{kind: endorse, reason: r, when: input, with: {value: 1}}"));
}

#[test]
fn an_act_that_nobody_may_lowers_nothing() {
    let lowered = |policy: &str, link: &str| {
        let chain = format!(
            "chain: t\ninput: {{type: boolean, x-ringmail-label: [pii]}}\nlinks: {{a: {link}}}\noutput: 1"
        );
        let label = released(policy, &chain, |_| Unchecked::same()).labels.all();
        (label.untrusted, label.tags.is_empty())
    };
    let endorse = "{kind: endorse, reason: r, required: false, with: {value: '${input}'}}";
    assert_eq!(lowered(PERMIT_ALL, endorse), (true, false));
    assert_eq!(lowered(&format!("{PERMIT_ALL}\n{ACTS}"), endorse), (false, false));
    let drop = "{kind: declassify, drop: [pii], reason: r, required: false, with: {value: '${input}'}}";
    assert_eq!(lowered(&format!("{PERMIT_ALL}\n{VOUCH}"), drop), (false, false));
    assert_eq!(lowered(&format!("{PERMIT_ALL}\n{VOUCH}\n{ACTS}"), drop), (false, true));
}

/// A chain that answers the same whatever it is given, with nothing known of its answer.
fn constant(bench: &Bench) -> Left {
    let plan = bench.plan("chain: u\nlinks: {}\noutput: 1");
    let input = Labeled::new(Value::Null, Label::BOTTOM);
    let entered =
        gate::enter_inner(&plan, input, Label::BOTTOM, 1, &mut bench.facts(), &bench.authority, at(0));
    let left = gate::leave(&Walk::begin(entered.unwrap(), bench.run.clone(), &Labeled::default())).unwrap();
    assert!(left.labeled().labels.is_bottom());
    left
}

#[test]
fn what_comes_out_of_chains_and_bodies_carries_what_the_link_was_handed() {
    let link = "chain: t\nlinks: {a: {kind: step, with: '${input}'}}\noutput: 1";
    let one = released(PERMIT_ALL, link, |bench| Unchecked::one(constant(bench)));
    assert!(one.labels.own().untrusted);
    let many = released(PERMIT_ALL, link, |bench| Unchecked::many(vec![constant(bench)], Label::BOTTOM));
    assert!(many.labels.own().untrusted);
}
