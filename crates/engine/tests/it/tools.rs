//! Tools of guests: chains, each call of one a call like any other.

use crate::guest::Guest;
use crate::plugins::{CHAIN, Given};
use crate::setup::{PERMIT_ALL, shown, stages};
use ringmail_engine::core::doc::Source;

pub const TOOLS: &str = r#"(import "ringmail:plugin/tools@0.1.0" "call" (func $tool (param i32 i32 i32 i32 i32)))
  (import "ringmail:plugin/tools@0.1.0" "list" (func $list (param i32)))"#;
/// Calls the tool its input names, up to the comma, with what follows, and answers with what it answers.
pub const CALL: &str = r#"(local $at i32)
  (loop $l (if (i32.ne (i32.load8_u (i32.add (local.get $p) (local.get $at))) (i32.const 44))
    (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $l))))
  (call $tool (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $at) (i32.const 1))
    (i32.add (i32.add (local.get $p) (local.get $at)) (i32.const 1))
    (i32.sub (i32.sub (local.get $n) (local.get $at)) (i32.const 2)) (i32.const 200))
  (if (result i32) (i32.load8_u (i32.const 200))
    (then (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212))))
    (else (call $ok (i32.load (i32.const 204)) (i32.load (i32.const 208)))))"#;
const ASKS: &str = "[[tool]]\nname = \"double\"\nreason = \"r\"\n[[tool]]\nname = \"note\"\nreason = \"r\"\n";
const DOUBLE: &str = "chain: double\ndescription: twice\ninput: {type: integer}\noutput: ${input * 2}";
const NOTE: &str = "chain: note\nlinks:\n  say: {kind: log, with: {message: 'n${input}'}}\noutput: done";
const LOGS: &str = "[[grant]]\nto = \"note.say\"\nreason = \"r\"\nlog = {}";

fn given(grants: &'static str) -> Given<'static> {
    let guest = Guest { imports: TOOLS, call: CALL, ..Guest::default() };
    Given { guest, asks: ASKS, grants, project: LOGS, ..Given::default() }
}

const BOTH: &str = "tool = [\"double\", \"note\"]";

#[tokio::test]
async fn a_tool_is_a_chain_and_its_call_a_call() {
    let report = given(BOTH).bench().run(&[CHAIN, DOUBLE, NOTE], "\"double,21\"").await;
    assert_eq!(shown(&report), "42");
    assert_eq!(
        stages(&report),
        "t:entered p:admitted tool_double:admitted double:entered tool_double:released p:released t:answered"
    );
    let wrong = given(BOTH).bench().run(&[CHAIN, DOUBLE, NOTE], "\"double,true\"").await;
    assert!(shown(&wrong).contains("native"), "{}", shown(&wrong));
    let broken = given(BOTH).bench().run(&[CHAIN, DOUBLE, NOTE], "\"double,{\"").await;
    assert!(shown(&broken).contains("the input is not JSON"), "{}", shown(&broken));
}

#[tokio::test]
async fn a_guest_is_told_of_the_tools_it_has() {
    // Answers with the length of the list and its first name.
    let call = "(call $list (i32.const 200)) (i32.store8 (i32.const 64) (i32.const 34))
      (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.load (i32.const 204))))
      (memory.copy (i32.const 66) (i32.load (i32.load (i32.const 200))) (i32.load offset=4 (i32.load (i32.const 200))))
      (i32.store8 (i32.add (i32.const 66) (i32.load offset=4 (i32.load (i32.const 200)))) (i32.const 34))
      (call $ok (i32.const 64) (i32.add (i32.const 3) (i32.load offset=4 (i32.load (i32.const 200)))))";
    let guest = Guest { imports: TOOLS, call, ..Guest::default() };
    let one = Given { guest, asks: ASKS, grants: "tool = [\"double\"]", project: LOGS, ..Given::default() };
    assert_eq!(shown(&one.bench().run(&[CHAIN, DOUBLE, NOTE], "1").await), "\"1double\"");
}

#[tokio::test]
async fn attack_27_a_tool_that_was_not_granted_is_a_refusal_on_the_trail() {
    let only = given("tool = [\"double\"]");
    let report = only.bench().run(&[CHAIN, DOUBLE, NOTE], "\"note,1\"").await;
    assert_eq!(shown(&report), "`t.p` failed: native: it was not granted");
    let trail = format!("{:?}", report.trail);
    assert!(trail.contains("nothing grants it the tool `note`"), "{trail}");
    assert!(trail.contains("add it to `[plugin.p]`"), "{trail}");
    assert!(stages(&report).contains("tool_note:refused"), "{}", stages(&report));
    // What a guest says it wants is its own words, and no record holds them.
    let other = only.bench().run(&[CHAIN, DOUBLE, NOTE], "\"card 4111,1\"").await;
    let trail = format!("{:?}", other.trail);
    assert!(trail.contains("a tool that does not exist") && !trail.contains("4111"), "{trail}");
}

#[tokio::test]
async fn attack_27_a_tool_gets_nothing_that_may_not_flow_there() {
    let quiet = CHAIN.replace("output: ${p}", "output: 1");
    let tagged = format!("{quiet}\ninput: {{type: string, x-ringmail-label: [pii]}}");
    let bench = given(BOTH).bench();
    let report = bench.run(&[&tagged, DOUBLE, NOTE], "\"note,1\"").await;
    let trail = format!("{:?}", report.trail);
    assert!(trail.contains("carries `pii`, which `log` may not see"), "{trail}");
    assert!(bench.log.0.lock().unwrap().is_empty());
    // Without the tag the same call goes through.
    assert_eq!(shown(&bench.run(&[&quiet, DOUBLE, NOTE], "\"note,1\"").await), "1");
    assert_eq!(bench.log.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_policy_decides_on_tools() {
    let policy = format!(
        "{PERMIT_ALL}\n@id(\"no\")\nforbid (principal == Ringmail::Principal::\"alice\", action == Ringmail::Action::\"run\", resource == Ringmail::Chain::\"note\");"
    );
    let bench = Given { policy: &policy, ..given(BOTH) }.bench();
    let report = bench.run(&[CHAIN, DOUBLE, NOTE], "\"note,1\"").await;
    assert!(format!("{:?}", report.trail).contains("PolicyForbids"), "{:?}", report.trail);
}

#[tokio::test]
async fn tools_that_cannot_be_are_problems() {
    let bench = given(BOTH).bench();
    let unknown = bench.problems(CHAIN);
    assert!(unknown.contains("there is no chain `double`"), "{unknown}");
    let near = [CHAIN, &DOUBLE.replace("double", "doubl"), NOTE].map(|text| Source::new("c.yaml", text));
    let near = bench.engine.check(&near).problems.to_string();
    assert!(near.contains("did you mean `doubl`?"), "{near}");
    let back = "chain: double\nlinks:\n  t: {kind: chain, chain: t}\noutput: 1";
    let circle = [CHAIN, back, NOTE].map(|text| Source::new("c.yaml", text));
    let circle = bench.engine.check(&circle).problems.to_string();
    assert!(circle.contains("chains call each other in a circle: t -> double -> t"), "{circle}");
    // A plugin that no chain calls is looked at, too.
    let alone = bench.engine.check(&[Source::new("n.yaml", NOTE)]);
    let mut problems = alone.problems;
    bench.engine.check_grants(&alone.plans, &mut problems);
    let problems = problems.to_string();
    assert!(problems.contains("`double` is granted as a tool, and there is no such chain"), "{problems}");
}
