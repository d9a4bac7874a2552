//! The gates, asked directly: budgets at their edges, tenants, layers in their order, what is recorded.

use crate::setup::{Bench, PERMIT_ALL, act_grant, at, ready};
use ringmail_core::chain::walk::{Outcome, Stop, Walk};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Blocked, Unchecked};
use ringmail_core::grant::{Flow, Grant, Trusted};
use ringmail_core::label::{Label, Labeled, Tenant};
use ringmail_core::refusal::{Layer, Rule};
use ringmail_core::run::Limits;
use ringmail_core::value::Value;

const TWO: &str =
    "chain: t\nlinks:\n  a: {kind: step, with: '${input}'}\n  b: {kind: step, with: '${a}'}\noutput: ${b}";
const ACTS: &str = "chain: t\nlinks:\n  a: {kind: act, with: {to: '${input}'}}\noutput: 1";

fn plain(limits: Limits) -> Bench {
    Bench::new(PERMIT_ALL, Vec::new(), limits)
}

fn rule(blocked: Blocked) -> Rule {
    match blocked {
        Blocked::Refused(refusal) => refusal.rule,
        Blocked::Failed(failure) => panic!("{failure}"),
    }
}

#[test]
fn the_last_step_is_admitted_and_the_next_refused() {
    let bench = plain(Limits { steps_max: 1, ..Limits::default() });
    let plan = bench.plan(TWO);
    let mut walk = bench.walk(&plan, Value::Int(1));
    bench.hop(&mut walk, Value::Int(1)).unwrap();
    assert_eq!(rule(bench.hop(&mut walk, Value::Int(1)).unwrap_err()), Rule::StepBudget);
    assert_eq!(bench.refused().rule, Rule::StepBudget);
    assert_eq!(bench.facts().steps(), 1, "what is refused is not counted");
    assert_eq!(bench.facts().spend_step(&"t.b".into()).unwrap_err().rule, Rule::StepBudget);
}

#[test]
fn a_round_of_a_link_is_a_step() {
    let bench = plain(Limits { steps_max: 2, ..Limits::default() });
    let mut facts = bench.facts();
    assert!(facts.spend_step(&"t.a".into()).is_ok());
    assert!(facts.spend_step(&"t.a".into()).is_ok());
    assert_eq!(facts.spend_step(&"t.a".into()).unwrap_err().rule, Rule::StepBudget);
}

/// The engine also waits no longer than the run may last; code that never yields meets the gate alone.
#[test]
fn a_call_after_the_time_is_refused() {
    let bench = plain(Limits { time_ms_max: 10, ..Limits::default() });
    let plan = bench.plan(TWO);
    let first = ready(&mut bench.walk(&plan, Value::Int(1)));
    assert!(bench.admit(&plan, first.clone(), at(9_999)).is_ok());
    let refusal = bench.admit(&plan, first, at(10_000)).unwrap_err();
    assert_eq!((refusal.rule, refusal.rule.layer()), (Rule::TimeBudget, Layer::Budget));
}

#[test]
fn a_chain_too_deep_is_not_entered() {
    let bench = plain(Limits { depth_max: 3, ..Limits::default() });
    let plan = bench.plan(TWO);
    let enter = |depth| {
        let input = Labeled::new(Value::Int(1), Label::BOTTOM);
        gate::enter_inner(&plan, input, Label::BOTTOM, depth, &mut bench.facts(), &bench.authority, at(0))
    };
    assert!(enter(3).is_ok());
    assert_eq!(rule(enter(4).unwrap_err()), Rule::DepthBudget);
    assert_eq!(bench.stages(), ["entered", "refused"]);
}

#[test]
fn bytes_of_all_links_together_are_bounded() {
    let bench = plain(Limits { bytes_max: 1_000, ..Limits::default() });
    let plan = bench.plan(TWO);
    let mut walk = bench.walk(&plan, Value::Int(1));
    bench.hop(&mut walk, "x".repeat(600).into()).unwrap();
    assert_eq!(rule(bench.hop(&mut walk, "x".repeat(600).into()).unwrap_err()), Rule::ByteBudget);
}

#[test]
fn a_fallback_is_weighed_like_an_output() {
    let bench = plain(Limits { bytes_max: 1_000, ..Limits::default() });
    let plan = bench.plan(TWO);
    let fall_back = |size: usize| {
        let filled = Labeled::new(Value::from("x".repeat(size)), Label::BOTTOM);
        gate::fall_back(&plan, 0, filled, Label::BOTTOM, &mut bench.facts(), at(0))
    };
    assert!(fall_back(600).is_ok());
    assert_eq!(rule(fall_back(600).unwrap_err()), Rule::ByteBudget);
}

#[test]
fn a_fallback_carries_what_the_failure_was_decided_on() {
    let bench = plain(Limits::default());
    let plan = bench.plan(TWO);
    let failed = Label { untrusted: true, ..Label::BOTTOM };
    let filled = Labeled::new(Value::Int(0), Label::BOTTOM);
    let released = gate::fall_back(&plan, 0, filled, failed, &mut bench.facts(), at(0)).unwrap();
    assert!(released.labeled().labels.all().untrusted);
}

#[test]
fn one_output_is_bounded_in_size_and_depth() {
    let nested = |levels: usize| (0..levels).fold(Value::Int(1), |inner, _| Value::list([inner]));
    let check = |value: Value, passes: bool| {
        let bench = plain(Limits { bytes_max: u64::MAX, ..Limits::default() });
        let plan = bench.plan(TWO);
        match bench.hop(&mut bench.walk(&plan, Value::Int(1)), value) {
            Ok(_) => assert!(passes),
            Err(Blocked::Failed(failure)) => {
                assert_eq!((failure.kind, passes), (FailureKind::TooLarge, false));
            }
            Err(blocked) => panic!("{blocked:?}"),
        }
    };
    check(nested(128), true);
    check(nested(129), false);
    check("x".repeat((64 << 20) - 16).into(), true);
    check("x".repeat((64 << 20) - 15).into(), false);
}

#[test]
fn data_of_another_tenant_goes_nowhere() {
    let own = Tenant::number(1).unwrap();
    let outcome = |tenant: Tenant, as_decision: bool| {
        let bench = plain(Limits::default());
        let plan = bench.plan(TWO);
        let label = Label { tenant, ..Label::BOTTOM };
        let (data, decision) = if as_decision { (Label::BOTTOM, label) } else { (label, Label::BOTTOM) };
        let input = Labeled::new(Value::Int(1), data);
        let entered =
            gate::enter_inner(&plan, input, decision, 1, &mut bench.facts(), &bench.authority, at(0));
        let mut walk = Walk::begin(entered.unwrap(), bench.run.clone(), &Labeled::default());
        bench.admit(&plan, ready(&mut walk), at(0)).map_err(|refusal| refusal.rule).map(|_| ())
    };
    for as_decision in [false, true] {
        assert_eq!(outcome(own, as_decision), Ok(()));
        assert_eq!(outcome(Tenant::NONE, as_decision), Ok(()));
        assert_eq!(outcome(Tenant::number(2).unwrap(), as_decision), Err(Rule::ForeignTenant));
        assert_eq!(outcome(Tenant::MIXED, as_decision), Err(Rule::ForeignTenant));
    }
}

#[test]
fn the_caller_sees_no_other_tenant() {
    let bench = plain(Limits::default());
    let plan = bench.plan("chain: t\nlinks: {}\noutput: ${input}");
    let respond = |tenant: Option<Tenant>| {
        let left = gate::leave(&bench.walk(&plan, Value::Int(1))).unwrap();
        let left = tenant.map_or_else(
            || left.labeled().labels.all(),
            |tenant| Label { tenant, ..left.labeled().labels.all() },
        );
        gate::piece(&plan, Value::Int(1), left, &mut bench.facts(), &bench.authority, at(0))
            .map_err(|refusal| refusal.rule)
            .map(|answer| answer.value().clone())
    };
    assert_eq!(respond(None), Ok(Value::Int(1)));
    assert_eq!(respond(Tenant::number(2)), Err(Rule::ForeignTenant));
}

#[test]
fn a_label_joined_to_an_output_reaches_the_caller_s_gate() {
    let bench = plain(Limits::default());
    let plan = bench.plan("chain: t\nlinks: {}\noutput: ${input}");
    let tag = bench.authority.tags.write().unwrap().intern("pii").unwrap();
    let left = gate::leave(&bench.walk(&plan, Value::Int(1))).unwrap();
    let left = left.joined(Label { tags: tag, ..Label::BOTTOM });
    let refusal = gate::respond(&plan, left, &mut bench.facts(), &bench.authority, at(0)).unwrap_err();
    assert_eq!(refusal.rule, Rule::Clearance);
    assert_eq!(bench.stages(), ["entered", "refused"]);
}

/// Each layer only narrows: a call that all would refuse is refused by the first, and what mends one shows the next.
#[test]
fn layers_answer_in_their_order() {
    let forbid = format!("{PERMIT_ALL}\nforbid (principal, action == Ringmail::Action::\"call\", resource);");
    let asked = |policy: &str, grants: Vec<Grant>, limits: Limits| {
        let bench = Bench::new(policy, grants, limits);
        let plan = bench.plan(ACTS);
        let ready = ready(&mut bench.walk(&plan, Value::Int(1)));
        let answer = bench.admit(&plan, ready, at(0)).map_err(|refusal| refusal.rule);
        assert_eq!(bench.stages().last(), Some(if answer.is_ok() { &"admitted" } else { &"refused" }));
        answer.map(|admitted| (admitted.has_effect(), admitted.is_consequential(), admitted.sinks().concat()))
    };
    let none = Limits { steps_max: 0, ..Limits::default() };
    let free = || vec![act_grant(Flow { trusted: Trusted::Paths(Vec::new()), ..Flow::default() })];
    assert_eq!(asked(&forbid, Vec::new(), none), Err(Rule::StepBudget));
    assert_eq!(asked(&forbid, Vec::new(), Limits::default()), Err(Rule::NoGrant));
    assert_eq!(
        asked(&forbid, vec![act_grant(Flow::default())], Limits::default()),
        Err(Rule::UntrustedArgument)
    );
    assert_eq!(asked(&forbid, free(), Limits::default()), Err(Rule::PolicyForbids));
    assert_eq!(asked(PERMIT_ALL, free(), Limits::default()), Ok((true, true, "effect:act".into())));
    let expired = Grant { expires_ms: Some(0), ..free().remove(0) };
    assert_eq!(asked(PERMIT_ALL, vec![expired], Limits::default()), Err(Rule::GrantExpired));
    let elsewhere = Grant { to: "tt".into(), ..free().remove(0) };
    assert_eq!(asked(PERMIT_ALL, vec![elsewhere], Limits::default()), Err(Rule::NoGrant));
}

#[test]
fn an_admitted_call_holds_the_arguments_that_were_judged_and_its_permit_once() {
    let grant = act_grant(Flow { trusted: Trusted::Paths(Vec::new()), ..Flow::default() });
    let bench = Bench::new(PERMIT_ALL, vec![grant], Limits::default());
    let plan = bench.plan(ACTS);
    let ready = ready(&mut bench.walk(&plan, Value::from("here")));
    let mut admitted = bench.admit(&plan, ready, at(0)).unwrap();
    assert!(matches!(admitted.take_permit(), Some(gate::Permit::Effect)));
    assert!(admitted.take_permit().is_none());
    assert_eq!(admitted.into_args().get("to"), Some(&Value::from("here")));
}

#[test]
fn an_output_carries_the_labels_of_all_arguments_and_of_what_decided() {
    let text = "chain: t\nlinks:\n  a: {kind: step, with: 1, when: input > 0}\n  b: {kind: pass, with: {value: 1, other: '${input}'}}\n  c: {kind: source, with: 1}\n  d: {kind: step, with: 1, after: [a]}\noutput: 1";
    let bench = plain(Limits::default());
    let plan = bench.plan(text);
    let mut walk = bench.walk(&plan, Value::Int(1));
    let names = |labeled: Labeled| {
        let label = labeled.labels.all();
        (label.untrusted, bench.facts().origins.names(label.origins))
    };
    assert_eq!(names(bench.hop(&mut walk, Value::Int(1)).unwrap()), (true, vec!["input".into()]), "`when`");
    assert_eq!(
        names(bench.hop(&mut walk, Value::Int(1)).unwrap()),
        (true, vec!["input".into()]),
        "an argument"
    );
    assert_eq!(names(bench.hop(&mut walk, Value::Int(1)).unwrap()), (true, vec!["t.c".into()]), "a source");
    assert_eq!(names(bench.hop(&mut walk, Value::Int(1)).unwrap()), (true, vec!["input".into()]), "`after`");
}

#[test]
fn a_passed_argument_carries_the_labels_of_the_others() {
    let bench = plain(Limits::default());
    let plan = bench.plan(
        "chain: t\nlinks:\n  a: {kind: pass, with: {value: {x: '${input.x}', y: 1}, other: 1}}\n  b: {kind: pass, with: {value: 1, other: '${input}'}}\noutput: 1",
    );
    let mut walk = bench.walk(&plan, Value::map([("x", Value::Int(1))]));
    let pass = |walk: &mut Walk| {
        let ready = ready(walk);
        let mut admitted = bench.admit(&plan, ready, at(0)).unwrap();
        let released = gate::release(
            &plan,
            admitted.due(),
            Unchecked::same(),
            &mut bench.facts(),
            &bench.authority,
            at(0),
        )
        .unwrap();
        released.labeled().clone()
    };
    let kept = pass(&mut walk);
    assert_eq!(kept.value, Value::map([("x", Value::Int(1)), ("y", Value::Int(1))]));
    let part = |name: &str| kept.labels.at(&ringmail_core::value::parse_path(name)).all().untrusted;
    assert_eq!((part("x"), part("y")), (true, false), "each part keeps its own");
    assert!(pass(&mut walk).labels.own().untrusted);
}

#[test]
fn an_output_that_does_not_fit_is_not_released() {
    let bench = plain(Limits::default());
    let plan = bench.plan(
        "chain: t\nlinks:\n  a: {kind: step, with: 1, returns: {type: integer, x-ringmail-label: [pii]}}\nreturns: {type: string}\noutput: ${a}",
    );
    let mut walk = bench.walk(&plan, Value::Int(1));
    let blocked = bench.hop(&mut walk, "text".into()).unwrap_err();
    let Blocked::Failed(failure) = blocked else { panic!("{blocked:?}") };
    assert_eq!(failure.kind, FailureKind::Invalid);
    let mut walk = bench.walk(&plan, Value::Int(1));
    let labels = bench.hop(&mut walk, Value::Int(1)).unwrap().labels;
    let tag = bench.authority.tags.read().unwrap().find("pii").unwrap();
    assert_eq!(labels.all().tags, tag, "the schema's tag is on what was released");
    assert_eq!(bench.facts().read, tag, "and the run has read it");
    let Err(Stop::Failed { failure, .. }) = gate::leave(&walk) else { panic!("the output fits no schema") };
    assert_eq!(failure.kind, FailureKind::Invalid);
}

#[test]
fn what_a_link_finds_restricted_is_tagged() {
    let bench = plain(Limits::default());
    let plan = bench.plan(TWO);
    let tag = bench.authority.tags.write().unwrap().intern("secret:key").unwrap();
    let ready = ready(&mut bench.walk(&plan, Value::Int(1)));
    let mut admitted = bench.admit(&plan, ready, at(0)).unwrap();
    let found = Unchecked::tagged(Value::Int(1), tag);
    let released =
        gate::release(&plan, admitted.due(), found, &mut bench.facts(), &bench.authority, at(0)).unwrap();
    assert_eq!(released.labeled().labels.all().tags, tag);
}

#[test]
fn a_failure_that_an_edge_takes_taints_what_it_leads_to() {
    let bench = plain(Limits::default());
    let plan = bench.plan(
        "chain: t\nlinks:\n  a: {kind: step, with: 1, edges: [{on: error, to: b}]}\n  b: {kind: step, with: 1}\noutput: 1",
    );
    let mut walk = bench.walk(&plan, Value::Int(1));
    ready(&mut walk);
    let told = Label { untrusted: true, ..Label::BOTTOM };
    let failure = Box::new(Failure::new(FailureKind::Status, "500"));
    walk.settle(0, Outcome::Failed(failure, told)).unwrap();
    assert!(ready(&mut walk).label().untrusted);
}

#[test]
fn an_input_is_untrusted_until_its_principal_may_vouch() {
    let vouch = format!("{PERMIT_ALL}\npermit (principal, action == Ringmail::Action::\"vouch\", resource);");
    for (policy, untrusted) in [(PERMIT_ALL, true), (vouch.as_str(), false)] {
        let bench = Bench::new(policy, Vec::new(), Limits::default());
        let input = |text: &str| ready(&mut bench.walk(&bench.plan(text), Value::Int(1))).label().untrusted;
        assert_eq!(input(TWO), untrusted);
        let dirty = TWO.replace("links:", "input: {type: integer, x-ringmail-label: [untrusted]}\nlinks:");
        assert!(input(&dirty), "nobody vouches for what the schema calls untrusted");
    }
}

#[test]
fn a_chain_is_entered_by_policy_and_with_an_input_that_fits() {
    let closed = Bench::new(
        "permit (principal == Ringmail::Principal::\"bob\", action, resource);",
        Vec::new(),
        Limits::default(),
    );
    let plan = closed.plan("chain: t\ninput: {type: integer}\nlinks: {}\noutput: 1");
    let enter = |bench: &Bench, input: Value| {
        gate::enter(&plan, input, &mut bench.facts(), &bench.authority, at(0)).map(|_| ())
    };
    assert_eq!(rule(enter(&closed, Value::Int(1)).unwrap_err()), Rule::PolicySilent);
    let inner = Labeled::new(Value::Int(1), Label::BOTTOM);
    let inner =
        gate::enter_inner(&plan, inner, Label::BOTTOM, 1, &mut closed.facts(), &closed.authority, at(0));
    assert_eq!(rule(inner.unwrap_err()), Rule::PolicySilent, "a chain link asks for its principal");
    let open = plain(Limits::default());
    assert!(enter(&open, Value::Int(1)).is_ok());
    let Blocked::Failed(failure) = enter(&open, "one".into()).unwrap_err() else { panic!("a refusal") };
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert_eq!(closed.stages(), ["refused", "refused"]);
}

#[test]
fn whether_a_link_ran_tells_what_decided_it() {
    let text = "chain: t\nlinks:\n  a: {kind: step, with: 1, when: input}\n  b: {kind: step, with: {ran: '${done(a)}'}}\noutput: '${done(a)}'";
    let bench = plain(Limits::default());
    let plan = bench.plan(text);
    let mut walk = bench.walk(&plan, Value::Bool(true));
    bench.hop(&mut walk, Value::Int(1)).unwrap();
    let seen = walk.frame(1).fill(&plan.link(1).unwrap().with).unwrap();
    assert!(seen.labels.all().untrusted, "to a body or a fallback");
    bench.hop(&mut walk, Value::Int(1)).unwrap();
    let left = gate::leave(&walk).unwrap();
    assert_eq!(left.labeled().value, Value::Bool(true));
    assert!(left.labeled().labels.all().untrusted, "to the caller");
}

#[test]
fn an_inner_chain_answers_under_what_decided_that_it_ran() {
    let bench = plain(Limits::default());
    let plan = bench.plan("chain: u\nlinks: {}\noutput: 1");
    let decided = Label { untrusted: true, ..Label::BOTTOM };
    let input = Labeled::new(Value::Null, Label::BOTTOM);
    let entered = gate::enter_inner(&plan, input, decided, 1, &mut bench.facts(), &bench.authority, at(0));
    let walk = Walk::begin(entered.unwrap(), bench.run.clone(), &Labeled::default());
    assert!(gate::leave(&walk).unwrap().labeled().labels.all().untrusted);
}
