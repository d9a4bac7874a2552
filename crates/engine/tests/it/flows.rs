//! Where labels let data go, and where not.

use crate::server::{json_answer, serve};
use crate::setup::{PERMIT_ALL, alice, bench, bench_with, shown, stages};
use ringmail_engine::core::refusal::Layer;
use ringmail_engine::{Principal, RunError};

/// A project with one address that may be posted to by every link of chain `t`.
fn project(address: &str, more: &str) -> String {
    format!(
        "[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{{ address = \"{address}\", methods = [\"GET\", \"POST\"], {more} }}]\nlog = {{ clearance = [\"pii\"] }}\n"
    )
}

fn pay(url: &str, body: &str) -> String {
    format!("kind: http\n    with: {{method: POST, url: '{url}', body: {body}}}")
}

#[tokio::test]
async fn attack_38_untrusted_data_cannot_choose_the_recipient_of_a_payment() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url(""), ""), PERMIT_ALL);
    let link = pay(&server.url("/pay"), "{iban: '${input.iban}', amount: 5}");
    let chain = format!("chain: t\nlinks:\n  pay:\n    {link}\noutput: 1");
    let report = bench.run(&[&chain], r#"{"iban": "DE1"}"#).await;
    let Err(RunError::Refused(refusal)) = &report.result else { panic!("{}", shown(&report)) };
    assert_eq!(refusal.rule.id(), "untrusted-argument");
    assert_eq!(refusal.rule.layer(), Layer::Flow);
    assert_eq!(refusal.path.as_deref(), Some("body.iban"));
    assert_eq!(refusal.origins, ["input".into()]);
    assert_eq!(refusal.sink.as_deref(), Some(server.url("").as_str()));
    let spot = refusal.spot.as_ref().unwrap();
    assert_eq!(spot.source.text.get(spot.span.start..spot.span.end), Some("'${input.iban}'"));
    assert!(refusal.changes[0].contains("endorse"), "{:?}", refusal.changes);
    assert!(server.requests().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_grant_may_name_the_arguments_that_matter_but_never_frees_the_address() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url(""), "trusted = [\"body.iban\"]"), PERMIT_ALL);
    let chain = |link: String| format!("chain: t\nlinks:\n  pay:\n    {link}\noutput: 1");
    let note = chain(pay(&server.url("/pay"), "{iban: DE1, note: '${input.note}'}"));
    assert_eq!(shown(&bench.run(&[&note], r#"{"note": "thanks"}"#).await), "1");
    let path = chain(pay(&server.url("/${input.note}"), "{iban: DE1}"));
    assert!(
        shown(&bench.run(&[&path], r#"{"note": "x"}"#).await)
            .starts_with("refused untrusted-argument: `url`")
    );
    let read = format!(
        "chain: t\nlinks:\n  get: {{kind: http, with: {{url: '{}'}}}}\noutput: 1",
        server.url("/${input.note}")
    );
    assert_eq!(shown(&bench.run(&[&read], r#"{"note": "x"}"#).await), "1");
}

#[tokio::test]
async fn attack_38_a_branch_on_untrusted_data_performs_no_effect() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url(""), ""), PERMIT_ALL);
    let link = pay(&server.url("/pay"), "{iban: DE1}");
    let direct = format!("chain: t\nlinks:\n  pay:\n    {link}\n    when: input.pay\noutput: 1");
    let refused = shown(&bench.run(&[&direct], r#"{"pay": true}"#).await);
    assert_eq!(
        refused,
        "refused untrusted-decision: untrusted data decides whether this happens, from `input`"
    );
    let edge = format!(
        "chain: t\nlinks:\n  a: {{kind: native, call: same, with: {{v: '${{input.pay}}'}}, edges: [{{if: a.v, to: pay}}]}}\n  pay:\n    {link}\noutput: 1"
    );
    assert!(shown(&bench.run(&[&edge], r#"{"pay": true}"#).await).starts_with("refused untrusted-decision"));
    let past = format!(
        "chain: t\nlinks:\n  a: {{kind: native, call: same, with: {{v: '${{input.pay}}'}}, edges: [{{if: a.v, to: b}}]}}\n  b: {{kind: native, call: same, with: 1}}\n  pay:\n    {link}\n    after: [a]\noutput: 1"
    );
    assert!(
        shown(&bench.run(&[&past], r#"{"pay": false}"#).await).starts_with("refused untrusted-decision"),
        "the edge not taken decides too"
    );
    let length = format!(
        "chain: t\nlinks:\n  all:\n    kind: each\n    over: input.items\n    do:\n      links:\n        pay:\n          {}\n      output: 1\noutput: 1",
        link.replace("\n    ", "\n          ")
    );
    assert!(
        shown(&bench.run(&[&length], r#"{"items": [1]}"#).await).starts_with("refused untrusted-decision"),
        "so does the length of a list"
    );
    let choice = format!(
        "chain: t\nlinks:\n  c:\n    kind: choice\n    cases: [{{when: input.pay, value: 1}}]\n    otherwise:\n      do:\n        links:\n          pay:\n            {}\n        output: 1\noutput: 1",
        link.replace("\n    ", "\n            ")
    );
    assert!(
        shown(&bench.run(&[&choice], r#"{"pay": false}"#).await).starts_with("refused untrusted-decision"),
        "and a case that does not hold"
    );
    let error = format!(
        "chain: t\nlinks:\n  a: {{kind: native, call: json_parse, with: {{text: '${{input.text}}'}}, edges: [{{on: error, to: pay}}]}}\n  pay:\n    {link}\noutput: 1"
    );
    assert!(
        shown(&bench.run(&[&error], r#"{"text": "["}"#).await).starts_with("refused untrusted-decision"),
        "and a failure that input provokes"
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_vouched_input_is_trusted_and_only_then() {
    let server = serve(|_| json_answer("{}")).await;
    let vouch = format!(
        "{PERMIT_ALL}\npermit (principal in Ringmail::Role::\"clerk\", action == Ringmail::Action::\"vouch\", resource == Ringmail::Chain::\"t\");"
    );
    let bench = bench(&project(&server.url(""), ""), &vouch);
    let link = pay(&server.url("/pay"), "{iban: '${input.iban}'}");
    let chain = format!("chain: t\nlinks:\n  pay:\n    {link}\noutput: 1");
    let clerk = Principal { roles: vec!["clerk".into()], ..alice() };
    assert_eq!(shown(&bench.run_as(&[&chain], r#"{"iban": "DE1"}"#, clerk).await), "1");
    assert!(
        shown(&bench.run(&[&chain], r#"{"iban": "DE1"}"#).await).starts_with("refused untrusted-argument")
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_the_outside_answers_is_untrusted_whoever_asked() {
    let server = serve(|_| json_answer(r#"{"iban": "DE666"}"#)).await;
    let vouch = format!("{PERMIT_ALL}\npermit (principal, action == Ringmail::Action::\"vouch\", resource);");
    let bench = bench(&project(&server.url(""), ""), &vouch);
    let link = pay(&server.url("/pay"), "{iban: '${ask.body.iban}'}");
    let chain = format!(
        "chain: t\nlinks:\n  ask: {{kind: http, with: {{url: '{}'}}}}\n  pay:\n    {link}\noutput: 1",
        server.url("/who")
    );
    let report = bench.engine.check(&[ringmail_engine::core::doc::Source::new("c.yaml", chain)]);
    let problems = report.problems.to_string();
    assert!(
        problems.contains("`body.iban` must be trusted for")
            && problems.contains("and never is, from `t.ask`"),
        "{problems}"
    );
}

#[tokio::test]
async fn an_extract_lets_a_closed_range_through_and_nothing_else() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url(""), ""), PERMIT_ALL);
    let link = pay(&server.url("/pay"), "{amount: '${amount}'}");
    let chain = format!(
        "chain: t\nlinks:\n  amount: {{kind: extract, as: int, min: 1, max: 100, with: {{from: '${{input.amount}}'}}}}\n  pay:\n    {link}\noutput: 1"
    );
    assert_eq!(shown(&bench.run(&[&chain], r#"{"amount": "42"}"#).await), "1");
    assert_eq!(
        shown(&bench.run(&[&chain], r#"{"amount": "4200"}"#).await),
        "`t.amount` failed: range: the value is not a whole number from 1 to 100"
    );
    let id = "chain: t\nlinks:\n  id: {kind: extract, as: id, with: {from: '${input.id}', among: ['c1', 'c2']}}\noutput: ${id}";
    assert_eq!(shown(&bench.run(&[id], r#"{"id": "c2"}"#).await), "\"c2\"");
    let untrusted = "chain: t\nlinks:\n  id: {kind: extract, as: id, with: {from: '${input.id}', among: '${input.list}'}}\noutput: ${id}";
    let refused = shown(&bench.run(&[untrusted], r#"{"id": "x", "list": ["x"]}"#).await);
    assert!(refused.starts_with("refused untrusted-argument: `among`"), "{refused}");
    // A decision on untrusted data stays untrusted, however closed the range of what is extracted.
    let link = pay(&server.url("/pay"), "{amount: '${amount}'}");
    let chain = format!(
        "chain: t\nlinks:\n  amount: {{kind: extract, as: int, min: 1, max: 9, when: input.go, with: {{from: '5'}}}}\n  pay:\n    {link}\noutput: 1"
    );
    assert!(shown(&bench.run(&[&chain], r#"{"go": true}"#).await).contains("untrusted"));
}

const ENDORSES: &str = "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);\n@id(\"finance-endorses\")\npermit (principal in Ringmail::Role::\"finance\", action == Ringmail::Action::\"endorse\", resource == Ringmail::Link::\"t.confirm\");";

#[tokio::test]
async fn an_endorsement_by_a_principal_who_may_goes_through() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url(""), ""), ENDORSES);
    let link = pay(&server.url("/pay"), "'${confirm}'");
    let confirm = |more: &str| {
        format!(
            "chain: t\nlinks:\n  confirm: {{kind: endorse, reason: seen, scope: value.amount <= 500, {more} with: {{value: '${{input}}'}}}}\n  pay:\n    {link}\noutput: 1"
        )
    };
    let finance = || Principal { roles: vec!["finance".into()], ..alice() };
    let input = r#"{"iban": "DE1", "amount": 5}"#;
    let report = bench.run_as(&[&confirm("")], input, finance()).await;
    assert_eq!(shown(&report), "1");
    assert!(stages(&report).contains("confirm:intended confirm:endorsed"), "{}", stages(&report));
    assert_eq!(
        shown(&bench.run(&[&confirm("")], input).await),
        "refused policy-silent: no policy permits `alice` to `endorse` it"
    );
    let passed = bench.run(&[&confirm("required: false,")], input).await;
    let Err(RunError::Refused(refusal)) = &passed.result else { panic!("{}", shown(&passed)) };
    assert_eq!(refusal.rule.id(), "untrusted-argument");
    assert_eq!(refusal.changes[0], "run as a principal whom policy permits to endorse at `t.confirm`");
    let large = bench.run_as(&[&confirm("")], r#"{"iban": "DE1", "amount": 501}"#, finance()).await;
    assert_eq!(shown(&large), "refused out-of-scope: the value is not within `scope`");
    assert!(
        bench.problems(&confirm("expires: 2020-01-01,")).contains("the right to endorse here has expired")
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_endorsement_is_signed_into_the_record_before_it_counts() {
    let bench = bench("", ENDORSES);
    let chain = "chain: t\nlinks:\n  confirm: {kind: endorse, reason: seen it, expires: 2999-01-01, with: {value: '${input}'}}\noutput: ${confirm}";
    let finance = Principal { roles: vec!["finance".into()], ..alice() };
    bench.run_as(&[chain], "[1]", finance).await;
    let records = bench.record();
    let intent = records
        .lines()
        .map(crate::setup::json)
        .find(|line| line.get("stage") == Some(&"intent".into()))
        .unwrap();
    let act = intent.get("act").unwrap();
    let signed = ringmail_engine::SignedAct {
        act: act.get("record").unwrap().clone(),
        public_key: act.get("public_key").unwrap().as_str().unwrap().into(),
        signature: act.get("signature").unwrap().as_str().unwrap().into(),
    };
    assert!(signed.verify(&bench.engine.public_key()));
    assert_eq!(signed.act.get("principal"), Some(&"alice".into()));
    assert_eq!(signed.act.get("reason"), Some(&"seen it".into()));
    assert_eq!(signed.act.get("expires_ms"), Some(&ringmail_engine::Value::Int(32_472_144_000_000)));
}

#[tokio::test]
async fn a_tag_goes_only_where_it_is_cleared_and_a_declassification_drops_it() {
    let bench = bench(&project("https://example.com", ""), PERMIT_ALL);
    let schema = "input: {type: object, properties: {card: {type: string, x-ringmail-label: [pii]}, key: {type: string, x-ringmail-label: [inner]}, id: {type: string}}}";
    let chain = |log: &str| {
        format!("chain: t\n{schema}\nlinks:\n  say: {{kind: log, with: {{message: '{log}'}}}}\noutput: 1")
    };
    let input = r#"{"card": "4111", "key": "k", "id": "7"}"#;
    assert_eq!(shown(&bench.run(&[&chain("order ${input.id}")], input).await), "1");
    assert_eq!(shown(&bench.run(&[&chain("card ${input.card}")], input).await), "1");
    let problems = bench.problems(&chain("key ${input.key}"));
    assert!(
        problems.contains("`message` carries `inner`, which `log` may not see, from `input`"),
        "{problems}"
    );
    // What an optional member brings is known only when the data is there.
    let whole = chain("all ${json(input)}");
    assert_eq!(shown(&bench.run(&[&whole], r#"{"id": "7"}"#).await), "1");
    assert!(
        shown(&bench.run(&[&whole], input).await)
            .starts_with("refused clearance: `message` carries `pii`, `inner`")
            || shown(&bench.run(&[&whole], input).await).contains("inner")
    );
    let dropped = format!(
        "chain: t\n{schema}\nlinks:\n  ok: {{kind: endorse, reason: r, with: {{value: '${{input.key}}'}}}}\n  drop: {{kind: declassify, drop: [inner], reason: r, with: {{value: '${{ok}}'}}}}\n  say: {{kind: log, with: {{message: '${{drop}}'}}}}\noutput: 1"
    );
    assert_eq!(shown(&bench.run(&[&dropped], input).await), "1");
    let chosen = format!(
        "chain: t\n{schema}\nlinks:\n  drop: {{kind: declassify, drop: [inner], reason: r, with: {{value: '${{input.key}}'}}}}\n  say: {{kind: log, with: {{message: '${{drop}}'}}}}\noutput: 1"
    );
    assert!(shown(&bench.run(&[&chosen], input).await).starts_with("refused untrusted-declassify"));
    assert_eq!(bench.log.0.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn the_caller_is_a_sink_too() {
    let chain = "chain: t\ninput: {type: object, properties: {card: {type: string, x-ringmail-label: [pii]}}}\nlinks: {}\noutput: {yours: '${input.card}'}";
    let input = r#"{"card": "4111"}"#;
    assert!(
        bench("", PERMIT_ALL)
            .problems(chain)
            .contains("`yours` carries `pii`, which `the caller` may not see, from `input`")
    );
    let whole = chain.replace("{yours: '${input.card}'}", "'${input}'");
    assert_eq!(
        shown(&bench("", PERMIT_ALL).run(&[&whole], input).await),
        "refused clearance: `card` carries `pii`, which `the caller` may not see, from `input`"
    );
    assert_eq!(shown(&bench("", PERMIT_ALL).run(&[&whole], "{}").await), "{}");
    let cleared = "[[grant]]\nto = \"t\"\nreason = \"their own\"\nrespond = { clearance = [\"pii\"] }\n";
    assert_eq!(shown(&bench(cleared, PERMIT_ALL).run(&[chain], input).await), r#"{"yours":"4111"}"#);
}

#[tokio::test]
async fn labels_survive_chains_bodies_and_handles() {
    let bench = bench(&project("https://example.com", ""), PERMIT_ALL);
    let outer = "chain: t\ninput: {type: object, properties: {key: {type: string, x-ringmail-label: [inner]}}, required: [key]}\nlinks:\n  sub: {kind: chain, chain: u, with: {k: '${input.key}'}}\n  all: {kind: each, over: '[1]', do: {links: {}, output: '${sub.k}'}}\n  rep: {kind: repeat, start: '${all}', until: 'true', at_most: 1, do: {links: {}, output: '${state[0]}'}}\n  h: {kind: native, call: same, with: {handle: '${handle(rep)}'}}\n  say: {kind: log, with: {message: 'a ${open}', level: info}}\n  open: {kind: native, call: same, with: '${open(h.handle)}'}\noutput: 1";
    let inner = "chain: u\nlinks: {}\noutput: {k: '${input.k}', plain: 1}";
    let report = bench.run(&[outer, inner], r#"{"key": "s3cret"}"#).await;
    let Err(RunError::Refused(refusal)) = &report.result else { panic!("{}", shown(&report)) };
    assert_eq!((refusal.rule.id(), &*refusal.link), ("clearance", "t.say"));
    assert!(refusal.message.contains("inner"));
    let handle = report.trail.iter().any(|event| format!("{event:?}").contains("s3cret"));
    assert!(!handle, "the trail holds no data");
}

#[tokio::test]
async fn attack_39_a_history_rule_refuses_what_each_call_alone_may() {
    let server = serve(|_| json_answer("{}")).await;
    let policy = format!(
        "{PERMIT_ALL}\n@id(\"no-send-after-pii\")\nforbid (principal, action == Ringmail::Action::\"call\", resource) when {{ context.consequential && context.read.contains(\"pii\") }};\n@id(\"at-most-two\")\nforbid (principal, action == Ringmail::Action::\"call\", resource == Ringmail::Link::\"t.send\") when {{ context.counts.hasTag(\"t.send\") && context.counts.getTag(\"t.send\") >= 2 }};"
    );
    let bench = bench(&project(&server.url(""), ""), &policy);
    let schema = "input: {type: object, properties: {card: {type: string, x-ringmail-label: [pii]}}}";
    let send = pay(&server.url("/send"), "{text: hello}");
    let chain = format!("chain: t\n{schema}\nlinks:\n  send:\n    {send}\noutput: 1");
    assert_eq!(shown(&bench.run(&[&chain], "{}").await), "1");
    let report = bench.run(&[&chain], r#"{"card": "4111"}"#).await;
    let Err(RunError::Refused(refusal)) = &report.result else { panic!("{}", shown(&report)) };
    assert_eq!(refusal.rule.id(), "policy-forbids");
    assert_eq!(refusal.policies, ["no-send-after-pii".into()]);
    let spot = refusal.spot.as_ref().unwrap();
    assert!(spot.source.text[spot.span.start..spot.span.end].starts_with("@id(\"no-send-after-pii\")"));
    let thrice = "chain: t\nlinks:\n  all: {kind: each, over: '[1, 2, 3]', do: {links: {x: {kind: chain, chain: s}}, output: 1}}\noutput: 1".to_string();
    let one = "chain: s\nlinks:\n  send: {kind: native, call: same, with: 1}\noutput: 1".to_string();
    assert_eq!(shown(&bench.run(&[&thrice, &one], "{}").await), "1", "another chain's link is another link");
    let chain =
        bench.engine.load(&[ringmail_engine::core::doc::Source::new("t.yaml", chain)]).unwrap().remove(0);
    let request = || chain.request(crate::setup::json("{}")).unwrap().principal(alice());
    let first = request().run().await;
    let second = request().after(&first).run().await;
    let third = request().after(&second).run().await;
    assert_eq!((shown(&first), shown(&second)), ("1".to_string(), "1".to_string()));
    assert!(shown(&third).starts_with("refused policy-forbids: `at-most-two`"), "{}", shown(&third));
}

/// Policies were asked for calls with a way out only: a `forbid` that named any other link changed nothing, and nobody
/// was told.
#[tokio::test]
async fn a_forbid_stops_a_call_that_needs_no_permit() {
    let chain = "chain: t\nlinks:\n  a: {kind: native, call: same, with: {v: '${input.v}'}}\noutput: ${a.v}";
    let run = |forbid: &str| {
        let permit = "permit (principal, action == Ringmail::Action::\"run\", resource);";
        let bench = bench("", &format!("{permit}\n@id(\"no\")\n{forbid}"));
        async move { shown(&bench.run(&[chain], r#"{"v": "x"}"#).await) }
    };
    let call = "forbid (principal, action == Ringmail::Action::\"call\", resource";
    for forbid in [
        &format!("{call} == Ringmail::Link::\"t.a\") when {{ context.steps == 0 }};"),
        &format!("{call}) when {{ context.untrusted }};"),
        &format!("{call}) when {{ context.args.hasTag(\"v\") && context.args.getTag(\"v\") == \"x\" }};"),
        "forbid (principal == Ringmail::Principal::\"alice\", action in [Ringmail::Action::\"call\"], resource is Ringmail::Link);",
        "forbid (principal, action, resource == Ringmail::Link::\"t.a\") unless { context.consequential };",
    ] {
        let refused = run(forbid).await;
        assert!(
            refused.starts_with("refused policy-forbids: `no` forbids `alice` to `call` it"),
            "{forbid}: {refused}"
        );
    }
    // A call that nobody may make is known before anything runs.
    let all =
        format!("permit (principal, action, resource);\n@id(\"no\")\n{call} == Ringmail::Link::\"t.a\");");
    assert!(bench("", &all).problems(chain).contains("`no` forbids everyone to call `t.a`"));
    // What does not fit leaves it alone, and so does a permit that would fail.
    for other in [
        &format!("{call} == Ringmail::Link::\"t.other\");"),
        &format!("{call}) when {{ context.consequential }};"),
        &format!("{call}) when {{ !context.sinks.isEmpty() }};"),
        "permit (principal, action == Ringmail::Action::\"call\", resource) when { context.steps - 9223372036854775807 - 9 < 0 };",
    ] {
        assert_eq!(run(other).await, "\"x\"", "{other}");
    }
    let failing = run(&format!("{call}) when {{ context.steps - 9223372036854775807 - 9 < 0 }};")).await;
    assert!(failing.starts_with("refused policy-failed"), "{failing}");
}

#[tokio::test]
async fn policies_see_arguments_and_a_failing_one_denies() {
    let server = serve(|_| json_answer("{}")).await;
    let limit = "permit (principal, action == Ringmail::Action::\"run\", resource);\n@id(\"small\")\npermit (principal, action == Ringmail::Action::\"call\", resource) when { context.numbers.hasTag(\"body.amount\") && context.numbers.getTag(\"body.amount\") <= 100 && context.args.hasTag(\"body.to\") && context.args.getTag(\"body.to\") like \"DE*\" };";
    let bench_ = bench(&project(&server.url(""), ""), limit);
    let chain = |amount: i64, to: &str| {
        format!(
            "chain: t\nlinks:\n  pay:\n    {}\noutput: 1",
            pay(&server.url("/"), &format!("{{amount: {amount}, to: {to}}}"))
        )
    };
    assert_eq!(shown(&bench_.run(&[&chain(100, "DE1")], "{}").await), "1");
    assert!(shown(&bench_.run(&[&chain(101, "DE1")], "{}").await).starts_with("refused policy-silent"));
    assert!(shown(&bench_.run(&[&chain(1, "FR1")], "{}").await).starts_with("refused policy-silent"));
    // Cedar skips a policy that fails; a failing forbid must not let a call pass.
    let overflow = format!(
        "{PERMIT_ALL}\n@id(\"overflows\")\nforbid (principal, action == Ringmail::Action::\"call\", resource) when {{ context.steps - 9223372036854775807 - 9 < 0 }};"
    );
    let refused =
        shown(&bench(&project(&server.url(""), ""), &overflow).run(&[&chain(1, "DE1")], "{}").await);
    assert!(refused.starts_with("refused policy-f"), "{refused}");
}

#[tokio::test]
async fn attack_38_a_secret_goes_to_its_own_host_only_and_never_enters_a_link() {
    let (bank, evil) = (serve(|_| json_answer(r#"{"ok": true}"#)).await, serve(|_| json_answer("{}")).await);
    let project = format!(
        "[secret.bank]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{bank}\"]\n[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{{ address = \"{bank}\", methods = [\"GET\", \"POST\"] }}, {{ address = \"{evil}\", methods = [\"GET\", \"POST\"] }}]\nlog = {{}}\n",
        bank = bank.url(""),
        evil = evil.url("")
    );
    let bench = bench_with(&project, PERMIT_ALL, |builder| builder.secret("bank", "hunter2-hunter2"));
    let call = |url: String| {
        format!(
            "kind: http\n    with: {{url: '{url}', headers: {{authorization: 'Bearer ${{secrets.bank}}'}}}}"
        )
    };
    let good = format!(
        "chain: t\nlinks:\n  ask:\n    {}\n  say: {{kind: log, with: {{message: 'ok ${{ask.body.ok}}'}}}}\noutput: ${{ask.body}}",
        call(bank.url("/x"))
    );
    assert_eq!(shown(&bench.run(&[&good], "{}").await), r#"{"ok":true}"#);
    assert!(bank.requests()[0].contains("authorization: Bearer hunter2-hunter2\r\n"));
    let stolen = format!("chain: t\nlinks:\n  leak:\n    {}\noutput: 1", call(evil.url("/x")));
    assert!(
        bench.problems(&stolen).contains("`headers.authorization` carries `secret:bank`"),
        "{}",
        bench.problems(&stolen)
    );
    let logged = "chain: t\nlinks:\n  say: {kind: log, with: {message: '${secrets.bank}'}}\noutput: 1";
    assert!(bench.problems(logged).contains("carries `secret:bank`"));
    let seen =
        "chain: t\nlinks:\n  a: {kind: native, call: same, with: {v: '${secrets.bank}'}}\noutput: ${a.v}";
    assert!(bench.problems(seen).contains("the output carries `secret:bank`"), "{}", bench.problems(seen));
    let inner =
        "chain: inner\nlinks:\n  a: {kind: native, call: same, with: {v: '${secrets.bank}'}}\noutput: ${a.v}";
    let outer =
        "chain: t\nlinks:\n  a: {kind: chain, chain: inner, when: input.go}\noutput: '${done(a) ? a : 0}'";
    assert!(shown(&bench.run(&[outer, inner], r#"{"go": true}"#).await).starts_with("refused clearance"));
    assert_eq!(shown(&bench.run(&[outer, inner], r#"{"go": false}"#).await), "0");
    let query = format!(
        "chain: t\nlinks:\n  ask: {{kind: http, with: {{url: '{}', query: {{key: '${{secrets.bank}}'}}}}}}\noutput: 1",
        bank.url("/x")
    );
    assert_eq!(
        shown(&bench.run(&[&query], "{}").await),
        "refused clearance: a secret would stand in the URL"
    );
    let unknown =
        "chain: t\nlinks:\n  a: {kind: native, call: same, with: {v: '${secrets.bnak}'}}\noutput: 1";
    assert!(bench.problems(unknown).contains("no member `bnak` here; did you mean `bank`?"));
    assert!(evil.requests().is_empty());
}

#[tokio::test]
async fn an_answer_that_repeats_a_secret_carries_its_tag() {
    let echo = serve(|request| {
        let header = request.lines().find(|line| line.starts_with("x-key")).unwrap_or_default().to_string();
        json_answer(&format!("{{\"you_sent\": \"{}\"}}", header.trim()))
    })
    .await;
    let project = format!(
        "[secret.key]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{0}\"]\n[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{{ address = \"{0}\" }}]\nlog = {{}}\n",
        echo.url("")
    );
    let bench = bench_with(&project, PERMIT_ALL, |builder| builder.secret("key", "hunter2-hunter2"));
    let chain = format!(
        "chain: t\nlinks:\n  ask: {{kind: http, with: {{url: '{}', headers: {{x-key: '${{secrets.key}}'}}}}}}\n  say: {{kind: log, with: {{message: '${{ask.body.you_sent}}'}}}}\noutput: 1",
        echo.url("/")
    );
    let refused = shown(&bench.run(&[&chain], "{}").await);
    assert!(refused.starts_with("refused clearance: `message` carries `secret:key`"), "{refused}");
}
