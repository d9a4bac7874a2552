//! Policies: a naive second evaluator asks Cedar about all policies with all facts, and the sliced, remembering one
//! must answer the same.

use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet,
    Request, RestrictedExpression as Expr,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use ringmail_core::doc::Source;
use ringmail_core::label::{Label, Labeled, Labels, TagTable, Tags};
use ringmail_core::policy::{Action, Facts, Policies, Principal, Resource, Ruling};
use ringmail_core::run::{Limits, Run};
use ringmail_core::trail::Stage;
use ringmail_core::value::{Str, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal == Ringmail::Principal::\"alice\"",
    "principal == Ringmail::Principal::\"bob\"",
    "principal in Ringmail::Role::\"staff\"",
    "principal in Ringmail::Role::\"finance\"",
    "principal in Ringmail::Tenant::\"acme\"",
    "principal in Ringmail::Principal::\"bob\"",
    "principal is Ringmail::Principal",
    "principal is Ringmail::Principal in Ringmail::Role::\"staff\"",
];

/// Actions with resources they can have.
const TARGETS: &[(&[&str], &[&str])] = &[
    (
        &[
            "action == Ringmail::Action::\"run\"",
            "action == Ringmail::Action::\"vouch\"",
            "action in [Ringmail::Action::\"run\", Ringmail::Action::\"vouch\"]",
        ],
        &[
            "resource",
            "resource == Ringmail::Chain::\"t\"",
            "resource in Ringmail::Chain::\"u\"",
            "resource is Ringmail::Chain",
        ],
    ),
    (
        &[
            "action == Ringmail::Action::\"call\"",
            "action == Ringmail::Action::\"declassify\"",
            "action in [Ringmail::Action::\"call\", Ringmail::Action::\"endorse\"]",
        ],
        &[
            "resource",
            "resource == Ringmail::Link::\"t.a\"",
            "resource == Ringmail::Link::\"u.b\"",
            "resource in Ringmail::Chain::\"t\"",
            "resource in Ringmail::Link::\"t.b\"",
            "resource is Ringmail::Link",
            "resource is Ringmail::Link in Ringmail::Chain::\"u\"",
        ],
    ),
    (
        &["action", "action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"]"],
        &["resource", "resource in Ringmail::Chain::\"t\"", "resource == Ringmail::Link::\"t.a\""],
    ),
];

/// Conditions on every fact, two of which fail where a number is too large. The first [`REMEMBERED`] read only facts
/// that an answer is remembered by.
const CONDITIONS: &[&str] = &[
    "context.untrusted",
    "context.untrusted_decision",
    "context.consequential",
    "context.tags.contains(\"pii\")",
    "context.read.contains(\"pii\")",
    "context.read.containsAny([\"inner\", \"pii\"])",
    "principal.name == \"alice\"",
    "principal.authenticated == \"local\"",
    "principal in Ringmail::Role::\"finance\"",
    "resource.name like \"t*\"",
    "context.steps < 2",
    "context.steps * 9223372036854775807 > 5",
    "context.elapsed_ms < 500",
    "if context.untrusted then context.steps == 0 else context.consequential",
    "context.origins.contains(\"input\")",
    "context.called.contains(\"t.a\")",
    "context.sinks.contains(\"log\")",
    "context.untrusted_args.contains(\"to\")",
    "context.args.hasTag(\"to\") && context.args.getTag(\"to\") like \"DE*\"",
    "context.args.hasTag(\"list.0\") && context.args.getTag(\"list.0\") == \"true\"",
    "context.numbers.hasTag(\"amount\") && context.numbers.getTag(\"amount\") <= 100",
    "context.numbers.hasTag(\"amount\") && context.numbers.getTag(\"amount\") * 9223372036854775807 > 0",
    "context.counts.hasTag(\"t.a\") && context.counts.getTag(\"t.a\") >= 2",
    "context has sinks",
    "(if principal.name == \"alice\" then context else context).untrusted",
    "resource is Ringmail::Link && resource.kind == \"http\"",
];

const REMEMBERED: usize = 14;

fn policy(conditions: Vec<&'static str>) -> impl Strategy<Value = String> {
    let target = select(TARGETS).prop_flat_map(|(actions, resources)| (select(actions), select(resources)));
    let conditions = proptest::collection::vec((any::<bool>(), select(conditions)), 0..3);
    (prop::bool::weighted(0.75), select(PRINCIPALS), target, conditions).prop_map(
        |(permits, principal, (action, resource), mut conditions)| {
            if !permits && conditions.is_empty() {
                conditions.push((true, "context.untrusted"));
            }
            let effect = if permits { "permit" } else { "forbid" };
            let conditions: Vec<String> = conditions
                .iter()
                .map(|(when, condition)| {
                    format!("{} {{ {condition} }}", if *when { "when" } else { "unless" })
                })
                .collect();
            format!("{effect} ({principal}, {action}, {resource}) {};\n", conditions.join(" "))
        },
    )
}

#[derive(Clone, Debug)]
struct Question {
    subject: &'static str,
    roles: Vec<&'static str>,
    tenant: Option<&'static str>,
    authenticated: &'static str,
    action: Action,
    chain: &'static str,
    link: &'static str,
    kind: &'static str,
    args: Vec<Arg>,
    untrusted_decision: bool,
    sinks: Vec<String>,
    consequential: bool,
    session: u64,
    calls: Vec<&'static str>,
    steps: u64,
    read: Vec<&'static str>,
    elapsed_ms: u64,
}

#[derive(Clone, Debug)]
struct Arg {
    name: &'static str,
    value: Value,
    untrusted: bool,
    restricted: bool,
}

/// Questions of one principal about one resource, so that answers are remembered; only the facts differ.
fn questions() -> impl Strategy<Value = Vec<Question>> {
    let who = (
        select(vec!["alice", "bob", "host"]),
        subsequence(vec!["staff", "finance"], 0..=2),
        prop::option::of(select(vec!["acme", "other"])),
        select(vec!["local", "host"]),
    );
    let actions = vec![Action::Run, Action::Vouch, Action::Call, Action::Endorse, Action::Declassify];
    let what = (select(actions), select(vec!["t", "u"]), select(vec![("a", "http"), ("b", "native")]));
    let facts = (
        args(),
        any::<bool>(),
        subsequence(vec!["log".to_string(), "mount:inbox".to_string()], 0..=2),
        any::<bool>(),
        0..3_u64,
        proptest::collection::vec(select(vec!["t.a", "u.b"]), 0..3),
        0..4_u64,
        subsequence(vec!["pii", "inner"], 0..=2),
        prop_oneof![Just(0_u64), Just(499), Just(500)],
    );
    (who, what, proptest::collection::vec(facts, 6)).prop_map(|(who, what, facts)| {
        let question = |facts: (_, _, _, _, _, _, _, _, _)| Question {
            subject: who.0,
            roles: who.1.clone(),
            tenant: who.2,
            authenticated: who.3,
            action: what.0,
            chain: what.1,
            link: what.2.0,
            kind: what.2.1,
            args: facts.0,
            untrusted_decision: facts.1,
            sinks: facts.2,
            consequential: facts.3,
            session: facts.4,
            calls: facts.5,
            steps: facts.6,
            read: facts.7,
            elapsed_ms: facts.8,
        };
        facts.into_iter().map(question).collect()
    })
}

fn args() -> impl Strategy<Value = Vec<Arg>> {
    let value =
        |name: &'static str, values: Vec<Value>| {
            (select(values), any::<bool>(), any::<bool>())
                .prop_map(move |(value, untrusted, restricted)| Arg { name, value, untrusted, restricted })
        };
    let to = value("to", vec!["DE1".into(), "FR1".into(), Value::Int(3), Value::Null]);
    let amount = value("amount", vec![Value::Int(1), Value::Int(101), Value::Float(3.0)]);
    let list =
        value("list", vec![Value::list([Value::Bool(true)]), Value::list([Value::list([Value::Int(1)])])]);
    (prop::option::of(to), prop::option::of(amount), prop::option::of(list))
        .prop_map(|(to, amount, list)| [to, amount, list].into_iter().flatten().collect())
}

impl Question {
    fn is_about_chain(&self) -> bool {
        matches!(self.action, Action::Run | Action::Vouch)
    }

    fn link_name(&self) -> String {
        format!("{}.{}", self.chain, self.link)
    }
}

/// The answer of the real evaluator.
fn real(policies: &Policies, question: &Question) -> Arc<Ruling> {
    ask(question, |principal, resource, facts| policies.decide(principal, question.action, resource, facts))
}

/// What the real evaluator has against a call that needs no leave.
fn veto(policies: &Policies, question: &Question) -> Option<Arc<Ruling>> {
    ask(question, |principal, resource, facts| policies.veto(principal, resource, facts))
}

fn ask<T>(question: &Question, ask: impl FnOnce(&Principal, Resource<'_>, &Facts<'_>) -> T) -> T {
    let mut tags = TagTable::default();
    let (pii, inner) = (tags.intern("pii").unwrap(), tags.intern("inner").unwrap());
    let principal = Principal {
        subject: question.subject.into(),
        roles: question.roles.iter().map(|role| Str::from(*role)).collect(),
        tenant: question.tenant.map(Str::from),
        authenticated: question.authenticated.into(),
    };
    let mut run = Run::new("r".into(), principal.clone(), Limits::default(), 0, 1);
    let (input, get) = (run.origins.intern(&"input".into()), run.origins.intern(&"t.get".into()));
    if question.session > 0 {
        run.session = BTreeMap::from([("t.a".into(), question.session)]);
        run.session_done = BTreeSet::from(["t.a".into()]);
    }
    for call in &question.calls {
        run.record(0, &(*call).into(), Stage::Admitted { attempt: 1 });
        run.record(0, &(*call).into(), Stage::Released);
    }
    for _ in 0..question.steps {
        run.spend_step(&"t.a".into()).unwrap();
    }
    run.read =
        question.read.iter().fold(Tags::NONE, |all, tag| all.with(if *tag == "pii" { pii } else { inner }));
    let labels = question.args.iter().map(|arg| {
        let origins = if arg.untrusted { input } else { Label::BOTTOM.origins };
        let tags = if arg.restricted { pii } else { Tags::NONE };
        (
            Str::from(arg.name),
            Labels::from(Label { untrusted: arg.untrusted, tags, origins, ..Label::BOTTOM }),
        )
    });
    let value = Value::map(question.args.iter().map(|arg| (arg.name, arg.value.clone())));
    let args = Labeled::new(value, Labels::keys(Label::BOTTOM, labels));
    let decided = Label { untrusted: true, origins: get, ..Label::BOTTOM };
    let facts = Facts {
        args: &args,
        decision: if question.untrusted_decision { decided } else { Label::BOTTOM },
        sinks: &question.sinks,
        consequential: question.consequential,
        run: &run,
        elapsed_ms: question.elapsed_ms,
        tags: &tags,
    };
    let (chain, link): (Str, Str) = (question.chain.into(), question.link_name().into());
    let resource = if question.is_about_chain() {
        Resource { name: &chain, chain: &chain, kind: None }
    } else {
        Resource { name: &link, chain: &chain, kind: Some(question.kind) }
    };
    ask(&principal, resource, &facts)
}

fn uid(kind: &str, id: &str) -> EntityUid {
    let kind: EntityTypeName = format!("Ringmail::{kind}").parse().unwrap();
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

fn text(text: &str) -> Expr {
    Expr::new_string(text.to_string())
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Expr {
    Expr::new_set(texts.into_iter().map(text))
}

/// The answer of all policies with all facts; one that fails denies.
fn naive(set: &PolicySet, question: &Question) -> Ruling {
    let (principal, chain) = (uid("Principal", question.subject), uid("Chain", question.chain));
    let mut parents: HashSet<EntityUid> = question.roles.iter().map(|role| uid("Role", role)).collect();
    parents.extend(question.tenant.map(|tenant| uid("Tenant", tenant)));
    let named = |name: &str| ("name".to_string(), text(name));
    let who =
        HashMap::from([named(question.subject), ("authenticated".to_string(), text(question.authenticated))]);
    let link = HashMap::from([named(&question.link_name()), ("kind".to_string(), text(question.kind))]);
    let mut entities: Vec<Entity> =
        parents.iter().map(|parent| Entity::new_no_attrs(parent.clone(), HashSet::new())).collect();
    entities.push(Entity::new(principal.clone(), who, parents).unwrap());
    entities
        .push(Entity::new(chain.clone(), HashMap::from([named(question.chain)]), HashSet::new()).unwrap());
    let link_uid = uid("Link", &question.link_name());
    entities.push(Entity::new(link_uid.clone(), link, HashSet::from([chain.clone()])).unwrap());
    let facts = naive_facts(question, &mut entities);
    let request = Request::new(
        principal,
        uid("Action", question.action.name()),
        if question.is_about_chain() { chain } else { link_uid },
        Context::from_pairs(facts).unwrap(),
        None,
    );
    let entities = Entities::from_entities(entities, None).unwrap();
    let response = Authorizer::new().is_authorized(&request.unwrap(), set, &entities);
    // Cedar numbers policies from 0, files from 1.
    let name =
        |id: &str| Str::from(format!("p-{}", id.trim_start_matches("policy").parse::<u32>().unwrap() + 1));
    let failed: BTreeSet<Str> = response
        .diagnostics()
        .errors()
        .map(|cedar_policy::AuthorizationError::PolicyEvaluationError(error)| {
            name(error.policy_id().as_ref())
        })
        .collect();
    let policies: BTreeSet<Str> = response.diagnostics().reason().map(|id| name(id.as_ref())).collect();
    Ruling {
        allowed: response.decision() == Decision::Allow && failed.is_empty(),
        policies: policies.into_iter().collect(),
        failed: failed.into_iter().collect(),
    }
}

fn naive_facts(question: &Question, entities: &mut Vec<Entity>) -> Vec<(String, Expr)> {
    let untrusted: Vec<&str> = question.args.iter().filter(|arg| arg.untrusted).map(|arg| arg.name).collect();
    let mut origins = Vec::new();
    origins.extend((!untrusted.is_empty()).then_some("input"));
    origins.extend(question.untrusted_decision.then_some("t.get"));
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    if question.session > 0 {
        counts.insert("t.a", i64::try_from(question.session).unwrap());
    }
    for call in &question.calls {
        *counts.entry(call).or_default() += 1;
    }
    let (mut args, mut numbers) = (Vec::new(), Vec::new());
    for arg in &question.args {
        match (&arg.value, arg.name) {
            (Value::Str(leaf), name) => args.push((name.to_string(), text(leaf))),
            // A float without a fraction is the whole number it looks like.
            (Value::Float(_), name) => numbers.push((name.to_string(), Expr::new_long(3))),
            (Value::Int(int), name) => numbers.push((name.to_string(), Expr::new_long(*int))),
            (Value::List(list), name) => match list.get(0) {
                Some(Value::Bool(truth)) => args.push((format!("{name}.0"), text(&truth.to_string()))),
                _ => numbers.push((format!("{name}.0.0"), Expr::new_long(1))),
            },
            _ => {}
        }
    }
    let mut tagged = |kind: &str, id: &str, tags: Vec<(String, Expr)>| {
        let uid = uid(kind, id);
        entities.push(Entity::new_with_tags(uid.clone(), [], [], tags).unwrap());
        Expr::new_entity_uid(uid)
    };
    let count_tags = counts.iter().map(|(link, count)| (link.to_string(), Expr::new_long(*count)));
    let number = |number: u64| Expr::new_long(i64::try_from(number).unwrap());
    let facts = [
        ("untrusted", Expr::new_bool(!untrusted.is_empty())),
        ("untrusted_args", texts(untrusted)),
        ("untrusted_decision", Expr::new_bool(question.untrusted_decision)),
        ("tags", texts(question.args.iter().any(|arg| arg.restricted).then_some("pii"))),
        ("origins", texts(origins)),
        ("sinks", texts(question.sinks.iter().map(String::as_str))),
        ("consequential", Expr::new_bool(question.consequential)),
        ("args", tagged("Texts", "args", args)),
        ("numbers", tagged("Numbers", "numbers", numbers)),
        ("called", texts(counts.keys().copied())),
        ("counts", tagged("Numbers", "counts", count_tags.collect())),
        ("read", texts(question.read.iter().copied())),
        ("signals", texts([])),
        ("steps", number(question.steps)),
        ("elapsed_ms", number(question.elapsed_ms)),
    ];
    facts.into_iter().map(|(fact, value)| (fact.to_string(), value)).collect()
}

#[test]
fn the_sliced_evaluator_agrees_with_a_naive_one() {
    const SETS: usize = 32;
    let mut runner = TestRunner::new(Config::with_cases(256));
    // Loading is slow, so cases share sets. Every second one reads a single fact that no answer is remembered by.
    let sets: Vec<(String, Policies, PolicySet, PolicySet)> = (0..SETS)
        .map(|at| {
            let (remembered, asked) = CONDITIONS.split_at(REMEMBERED);
            let one = || remembered.iter().chain(asked.get(at / 2)).copied().collect();
            let conditions = if at % 2 == 0 { CONDITIONS.to_vec() } else { one() };
            let policies = proptest::collection::vec(policy(conditions), 10..=40);
            let text = policies.new_tree(&mut runner).unwrap().current().concat();
            let policies = Policies::load(&[Source::new("p.cedar", text.as_str())]);
            let policies = policies.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
            let set: PolicySet = text.parse().unwrap();
            let forbids = set.policies().filter(|policy| policy.effect() == Effect::Forbid).cloned();
            let forbids = PolicySet::from_policies(forbids).unwrap();
            (text, policies, set, forbids)
        })
        .collect();
    let (allowed, denied, failed, vetoed) = (Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0));
    let cases = (0..SETS, questions());
    let checked = runner.run(&cases, |(at, questions)| {
        let (text, policies, set, forbids) = &sets[at];
        let naive: Vec<Ruling> = questions.iter().map(|question| naive(set, question)).collect();
        // A second round: what was remembered must answer like what was worked out.
        for (question, naive) in questions.iter().zip(&naive).chain(questions.iter().zip(&naive)) {
            let real = real(policies, question);
            prop_assert_eq!(real.allowed, naive.allowed, "{:?}\n{:?}\n{:?}\n{}", question, real, naive, text);
            // Where no permit can match, the real one says no without asking the rest.
            if !(real.policies.is_empty() && real.failed.is_empty()) {
                prop_assert_eq!(&*real, naive, "{:?}\n{}", question, text);
            }
            let count = if real.allowed { &allowed } else { &denied };
            count.set(count.get() + 1);
            failed.set(failed.get() + usize::from(!real.failed.is_empty()));
        }
        for question in questions.iter().filter(|question| question.action == Action::Call) {
            let naive = self::naive(forbids, question);
            let against = !(naive.policies.is_empty() && naive.failed.is_empty());
            prop_assert_eq!(
                veto(policies, question),
                against.then(|| Arc::new(naive)),
                "{:?}\n{}",
                question,
                text
            );
            vetoed.set(vetoed.get() + usize::from(against));
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    let counts = (allowed.get(), denied.get(), failed.get(), vetoed.get());
    assert!(
        counts.0 > 100 && counts.1 > 100 && counts.2 > 0 && counts.3 > 10,
        "the cases show too little: {counts:?}"
    );
}

/// Cedar itself would skip the forbid that fails and allow.
#[test]
fn a_forbid_that_fails_denies() {
    let text = "permit (principal, action, resource);\nforbid (principal, action, resource) when { context.steps * 9223372036854775807 > 5 };";
    let policies = Policies::load(&[Source::new("p.cedar", text)]).unwrap();
    let asked = |steps| Question {
        subject: "alice",
        roles: Vec::new(),
        tenant: None,
        authenticated: "local",
        action: Action::Call,
        chain: "t",
        link: "a",
        kind: "http",
        args: Vec::new(),
        untrusted_decision: false,
        sinks: Vec::new(),
        consequential: false,
        session: 0,
        calls: Vec::new(),
        steps,
        read: Vec::new(),
        elapsed_ms: 0,
    };
    assert_eq!(real(&policies, &asked(0)).policies, ["p-1".into()]);
    assert!(real(&policies, &asked(0)).allowed);
    let failed = real(&policies, &asked(2));
    assert_eq!((failed.allowed, &failed.failed[..]), (false, &["p-2".into()][..]));
}
