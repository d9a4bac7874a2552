//! `ringmail policy` as reviewers have it: policies held against the project, tested, and asked.

use crate::setup::Place;
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::value::Value;

const PROJECT: &str = r#"
[project]
name = "desk"

[run]
as = "bot"

[[principal]]
name = "bot"
roles = ["clerk"]
tenant = "acme"

[mount.outbox]
path = "outbox"

[[grant]]
to = "pay.note"
reason = "keeps a note of each payment"
fs = [{ mount = "outbox", access = "write", trusted = ["path"] }]
"#;

const CHAIN: &str = r"
chain: pay
input:
  type: object
  properties: {iban: {type: string, x-ringmail-label: [pii]}, cents: {type: integer}}
links:
  look: {kind: native, call: same, with: {text: '${input.iban}'}}
  note:
    kind: file
    after: [look]
    with: {op: write, path: 'outbox:note.txt', content: paid}
output: done
";

const POLICIES: &str = r#"@id("clerks")
permit (
  principal in Ringmail::Role::"clerk",
  action in [Ringmail::Action::"run", Ringmail::Action::"call"],
  resource
);

@id("look-first")
forbid (principal, action == Ringmail::Action::"call", resource == Ringmail::Link::"pay.note")
unless { context.called.contains("pay.look") };

@id("auditors")
permit (principal in Ringmail::Role::"clerk", action == Ringmail::Action::"vouch", resource)
when { principal.authenticated == "mtls" };
"#;

fn desk() -> Place {
    let place = Place::empty();
    place.write("ringmail.toml", PROJECT);
    place.write("chains/pay.yaml", CHAIN);
    place.write("policies/main.cedar", POLICIES);
    std::fs::create_dir(place.path().join("outbox")).unwrap();
    place
}

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn check_says_what_each_policy_can_match() {
    let ended = desk().run(&["policy", "check"]);
    insta::assert_snapshot!(ended.shown(), @r"
    --- out
    clerks      policies/main.cedar:1   permits on 3 chains and links
    look-first  policies/main.cedar:8   forbids on 1 chain or link, under conditions
    auditors    policies/main.cedar:12  permits on 1 chain or link, under conditions
    --- exit 0
    ");
}

/// A forbid with a slip in it forbids nothing, and nothing else would ever say so.
#[test]
fn names_that_stand_for_nothing_are_found_with_their_places() {
    let place = desk();
    let slips = r#"
@id("role") forbid (principal in Ringmail::Role::"clrek", action, resource);
@id("chain") forbid (principal, action, resource in Ringmail::Chain::"pya");
@id("link") forbid (principal, action, resource == Ringmail::Link::"pay.note2");
@id("host") permit (principal, action == Ringmail::Action::"control", resource == Ringmail::Host::"dusk");
@id("tag") forbid (principal, action, resource) when { context.read.contains("pij") };
@id("called") forbid (principal, action, resource) unless { context.called.containsAny(["pay.lok", "pay.look"]) };
@id("counts") forbid (principal, action, resource) when { context.counts.hasTag("pay.nota") };
@id("sink") forbid (principal, action, resource) when { context.sinks.contains("mount:outbx") };
@id("tool") forbid (principal, action, resource) when { context.sinks.contains("tool:filez/read") };
@id("kind") forbid (principal, action, resource) when { resource is Ringmail::Link && resource.kind == "htpp" };
@id("proof") forbid (principal, action, resource) when { principal.authenticated == "mtl" };
@id("signal") forbid (principal, action, resource) when { context.signals.contains("injektion") };
@id("hook") permit (principal == Ringmail::Principal::"webhook:shop", action, resource);
@id("issuer") permit (principal == Ringmail::Principal::"corp|ada", action, resource);
@id("never") permit (principal, action == Ringmail::Action::"run", resource == Ringmail::Link::"pay.note");
@id("false") permit (principal, action, resource) when { principal in resource };
"#;
    place.write("policies/slips.cedar", slips);
    let ended = place.run(&["policy", "check"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    holds(
        &ended.err,
        &[
            "`chain` can never match: there is no chain `pya`",
            "did you mean `pay`?",
            "`link` can never match: there is no link `pay.note2`",
            "did you mean `pay.note`?",
            "there is no host `dusk`",
            "there is no tag `pij`",
            "there is no link `pay.lok`",
            "there is no link `pay.nota`",
            "there is no sink `mount:outbx`",
            "there is no sink `tool:filez/read`",
            "there is no kind of links `htpp`",
            "there is no proof `mtl`",
            "there is no signal `injektion`",
            "there is no webhook `shop`",
            "there is no issuer `corp`",
            "`never`",
            "`false`",
            "policies/slips.cedar:3:63",
        ],
    );
    // Roles may come with keys and tokens, so a word of warning is all, unless more is asked for.
    holds(
        &ended.err,
        &["warning: `role` may never match: nobody here has the role `clrek`", "did you mean `clerk`?"],
    );
    place.write("policies/slips.cedar", slips.lines().nth(1).unwrap());
    assert_eq!(place.run(&["policy", "check"]).code, 0);
    let strict = place.run(&["policy", "check", "--strict", "--format", "json"]);
    assert_eq!(strict.code, 1);
    let found = json(&strict.out);
    let problem = &found.get("problems").unwrap().as_list().unwrap().get(0).unwrap().clone();
    assert_eq!(problem.get("file").and_then(Value::as_str), Some("policies/slips.cedar"));
    assert_eq!(problem.get("column"), Some(&Value::Int(44)));
    place.run(&["key", "create", "ada", "--role", "clrek"]);
    assert_eq!(place.run(&["policy", "check", "--strict"]).code, 0, "a key has the role");
}

#[test]
fn check_of_the_whole_project_knows_them_too() {
    let place = desk();
    assert_eq!(place.run(&["check"]).code, 0, "{}", place.run(&["check"]).shown());
    place.write("policies/more.cedar", "forbid (principal, action, resource in Ringmail::Chain::\"pya\");");
    let ended = place.run(&["check"]);
    assert_eq!(ended.code, 1);
    holds(&ended.err, &["there is no chain `pya`"]);
}

#[test]
fn all_that_is_wrong_with_policies_is_told_at_once() {
    let place = desk();
    place.write("policies/a.cedar", "permit (principal, action, resource) when { context.argz == 1 };\npermit (principal, action == Ringmail::Action::\"rum\", resource);");
    place.write("policies/b.cedar", "permit (principal, action, resource) whem { true };");
    let ended = place.run(&["policy", "check"]);
    assert_eq!(ended.code, 1);
    holds(&ended.err, &["argz", "`args`", "rum", "policies/a.cedar:1:45", "policies/b.cedar:1:38"]);
}

const TESTS: &str = r"
tests:
  - case: a clerk pays after looking
    as: bot
    on: pay.note
    history: {called: [pay.look]}
    expect: allow
    by: clerks
  - case: a clerk does not pay unseen
    as: bot
    on: pay.note
    expect: deny
    by: look-first
    rule: policy-forbids
  - case: a stranger runs nothing
    as: {name: stranger, roles: [visitor], tenant: globex, proof: key}
    on: pay
    args: {iban: DE1}
    labels: [{untrusted: true, tags: [pii], from: [input]}]
    expect: deny
    rule: policy-silent
  - case: looking has no way out
    as: {name: stranger}
    on: pay.look
    expect: allow
  - case: nobody steers
    as: bot
    args: {order: reload}
    expect: deny
";

#[test]
fn cases_hold_or_say_who_decided() {
    let place = desk();
    let none = place.run(&["policy", "test"]);
    assert_eq!(none.code, 1);
    holds(&none.err, &["there are no tests of policies", "policies/main.test.yaml"]);
    place.write("policies/main.test.yaml", TESTS);
    let ended = place.run(&["policy", "test"]);
    insta::assert_snapshot!(ended.shown(), @r"
    --- out
    ✓ a clerk pays after looking by clerks
    ✓ a clerk does not pay unseen by look-first
    ✓ a stranger runs nothing
    ✓ looking has no way out
    ✓ nobody steers
    5 of 5 cases hold
    --- err
    no case was decided by `auditors` (policies/main.cedar:12)
    --- exit 0
    ");
    let wrong = TESTS
        .replace("history: {called: [pay.look]}\n    expect: allow", "expect: allow")
        .replace("rule: policy-silent", "rule: policy-failed")
        .replace("by: look-first", "by: clerks");
    place.write("policies/main.test.yaml", &wrong);
    let ended = place.run(&["policy", "test"]);
    assert_eq!(ended.code, 1);
    holds(
        &ended.err,
        &[
            "a clerk pays after looking: expected it to be allowed, and it is denied by `look-first`",
            "`look-first` stands in policies/main.cedar:8",
            "it would be allowed if `pay.look` had ended well before",
            "policies/main.test.yaml:3",
            "expected `clerks` to decide, and it was `look-first`",
            "expected it to be denied as `policy-failed`, and it is as `policy-silent`",
        ],
    );
    let data = json(&place.run(&["policy", "test", "--format", "json"]).out);
    let cases = data.get("cases").unwrap().as_list().unwrap();
    assert_eq!(cases.get(0).unwrap().get("holds"), Some(&Value::Bool(false)));
    assert_eq!(data.get("undecided").unwrap().as_list().unwrap().len(), 2);
}

/// What a case does not say is what a run has: its sinks, that input is untrusted, that what ended well was called.
#[test]
fn a_case_is_asked_as_a_run_asks() {
    let place = desk();
    let facts = r#"@id("all") permit (principal, action, resource);
@id("run") forbid (principal, action == Ringmail::Action::"run", resource) unless { context.untrusted && context.origins.contains("input") };
@id("sinks") forbid (principal, action == Ringmail::Action::"call", resource)
unless { context.sinks.contains("mount:outbox") && context.consequential };
@id("counted") forbid (principal, action == Ringmail::Action::"call", resource)
unless { context.counts.hasTag("pay.look") && context.counts.getTag("pay.look") == 1 };
@id("told") forbid (principal, action == Ringmail::Action::"endorse", resource)
unless { context.untrusted_args.contains("body.iban") && !context.untrusted_args.contains("body.cents")
  && context.tags.contains("pii") && context.numbers.hasTag("body.cents") && context.numbers.getTag("body.cents") == 5 && context.untrusted_decision
  && context.signals.contains("injection") && context.steps == 7 && context.elapsed_ms == 5000
  && context.read.contains("pii") && principal in Ringmail::Tenant::"acme" && context.counts.hasTag("pay.note") && context.counts.getTag("pay.note") == 3 };
"#;
    place.write("policies/main.cedar", facts);
    let tests = r"
tests:
  - {case: input, as: bot, on: pay, expect: allow}
  - {case: reach, as: bot, on: pay.note, history: {called: [pay.look]}, expect: allow}
  - {case: other sinks, as: bot, on: pay.note, sinks: [log], history: {called: [pay.look]}, expect: deny, by: sinks}
  - {case: harmless, as: bot, on: pay.note, consequential: false, history: {called: [pay.look]}, expect: deny, by: sinks}
  - case: told
    as: bot
    action: endorse
    on: pay.look
    args: {body: {iban: DE1, cents: 5}}
    labels: [{at: body.iban, untrusted: true, tags: [pii], from: [input]}]
    decision: {untrusted: true, from: [input]}
    history:
      read: [pii]
      signals: [injection]
      steps: 7
      elapsed: 5s
      counts: [{link: pay.note, times: 3}]
    expect: allow
";
    place.write("policies/t.test.yaml", tests);
    let ended = place.run(&["policy", "test"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    // Each fact that is taken away is missed.
    for part in [
        ", tags: [pii]",
        "{at: body.iban, untrusted: true,",
        "    decision: {untrusted: true, from: [input]}\n",
        "      read: [pii]\n",
        "      signals: [injection]\n",
        "      steps: 7\n",
        "      elapsed: 5s\n",
        "      counts: [{link: pay.note, times: 3}]\n",
        ", cents: 5",
    ] {
        let less = tests.replacen(part, if part.starts_with('{') { "{" } else { "" }, 1);
        assert_ne!(less, tests);
        place.write("policies/t.test.yaml", &less);
        assert_eq!(place.run(&["policy", "test"]).code, 1, "without {part}");
    }
}

#[test]
fn the_answer_is_that_of_a_run() {
    let place = desk();
    let run = |place: &Place| place.run(&["run", "pay", "--input", "{\"iban\": \"DE1\", \"cents\": 5}"]);
    assert_eq!(run(&place).code, 0, "{}", run(&place).shown());
    assert_eq!(place.run(&["policy", "explain", "pay.note", "--called", "pay.look"]).code, 0);
    place.write("chains/pay.yaml", &CHAIN.replace("    after: [look]\n", "").replace("look:", "last:"));
    place.write("policies/main.cedar", &POLICIES.replace("pay.look", "pay.last"));
    place.write(
        "chains/pay.yaml",
        &CHAIN.replace("    after: [look]\n", "").replace(
            "  look: {kind: native, call: same,",
            "  last: {kind: native, call: same, after: [note],",
        ),
    );
    let refused = run(&place);
    assert_eq!(refused.code, 20, "{}", refused.shown());
    let asked = place.run(&["policy", "explain", "pay.note"]);
    assert_eq!(asked.code, 20);
    for told in [&refused.err, &asked.out] {
        holds(
            told,
            &["refused[policy-forbids]: `pay.note` refused: `look-first` forbids `bot` to `call` it"],
        );
    }
}

#[test]
fn what_is_wrong_with_cases_is_told_at_once() {
    let place = desk();
    let tests = r"
tests:
  - {case: a, as: bott, on: pya, expect: allow}
  - {case: a, as: bot, on: pay.nota, expect: allow}
  - {case: b, as: bot, on: pay, by: clerkz, rule: policy-silent, expect: allow}
  - {case: c, as: bot, action: run, expect: allow}
  - {case: d, as: bot, on: pay, args: {x: 1}, labels: [{at: y, tags: [pij]}], expect: deny}
  - {case: e, as: bot, on: pay, history: {called: [pay.lok], signals: [injektion], counts: [{link: pay.nota, times: 1}]}, expect: deny}
  - {case: f, as: bot, on: pay, action: control, expect: deny}
";
    place.write("policies/t.test.yaml", tests);
    let ended = place.run(&["policy", "test"]);
    assert_eq!(ended.code, 1);
    holds(
        &ended.err,
        &[
            "there is no principal `bott`",
            "there is no chain `pya`",
            "there is no link `pay.nota`",
            "there is no policy `clerkz`",
            "`rule` says why it is denied",
            "`run` needs `on`",
            "there is nothing there in `args`",
            "there is no tag `pij`",
            "there is no link `pay.lok`",
            "there is no signal `injektion`",
            "`control` is about the host",
            "did you mean `clerks`?",
        ],
    );
    place.write(
        "policies/t.test.yaml",
        "tests:\n  - {case: a, as: {nam: x}, on: pay, expcet: allow, expect: maybe}\n",
    );
    let ended = place.run(&["policy", "test"]);
    holds(
        &ended.err,
        &["unknown key `nam`", "did you mean `name`?", "unknown key `expcet`", "`expect` must be one of"],
    );
}

#[test]
fn explain_names_the_policy_or_what_would_have_to_change() {
    let place = desk();
    let allowed = place.run(&["policy", "explain", "--as", "bot", "pay"]);
    assert_eq!(allowed.code, 0);
    holds(&allowed.out, &["bot may run pay, by `clerks` policies/main.cedar:1", "bot may not call pay.note"]);
    let denied = place.run(&["policy", "explain", "--as", "eve", "--role", "clrek", "pay"]);
    assert_eq!(denied.code, 20);
    holds(
        &denied.out,
        &[
            "no policy permits `eve` to `run` it",
            "it would be allowed if `eve` had the role `clerk`, which `clerks` permits",
        ],
    );
    holds(&denied.err, &["nobody here has the role `clrek`; did you mean `clerk`?"]);
    let vouch = ["policy", "explain", "--as", "bot", "--action", "vouch", "pay"];
    assert_eq!(place.run(&vouch).code, 20);
    assert_eq!(place.run(&[&vouch[..], &["--proof", "mtls"]].concat()).code, 0);
    let data = json(&place.run(&["policy", "explain", "pay.note", "--format", "json"]).out);
    let first = data.as_list().unwrap().get(0).unwrap();
    assert_eq!(first.get("allowed"), Some(&Value::Bool(false)));
    assert_eq!(first.get("rule").and_then(Value::as_str), Some("policy-forbids"));
    let policy = first.get("policies").unwrap().as_list().unwrap().get(0).unwrap();
    assert_eq!(policy.get("line"), Some(&Value::Int(8)));
    let near = place.run(&["policy", "explain", "pay.nota"]);
    assert_eq!(near.code, 1);
    holds(&near.err, &["did you mean `pay.note`?"]);
}
