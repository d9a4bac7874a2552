//! What the end of a link tells: that it failed, that it did not, and with which words. Found by an attacker who had
//! secrets and personal data leave through errors and branches.

use crate::server::{json_answer, serve};
use crate::setup::{Bench, PERMIT_ALL, bench, bench_with, shown};

const INPUT: &str =
    "input: {type: object, properties: {ssn: {type: string, x-ringmail-label: [pii]}, cmd: {type: string}}}";
const MAYBE: &str = r#"{"ssn": "123-45-6789", "cmd": "pay"}"#;

fn project(address: &str) -> String {
    format!(
        "[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{{ address = \"{address}\", methods = [\"GET\", \"POST\"] }}]\nlog = {{}}\n"
    )
}

async fn run(bench: &Bench, links: &str) -> String {
    shown(&bench.run(&[&format!("chain: t\n{INPUT}\nlinks:\n{links}\noutput: 1")], MAYBE).await)
}

/// The message of a failed expression held the key that was looked up, and its label held nothing.
#[tokio::test]
async fn attack_38_an_expression_that_fails_tells_nothing_and_carries_what_it_read() {
    let bench = bench(&project("https://example.com"), PERMIT_ALL);
    let chain = format!(
        "chain: t\n{INPUT}\nlinks:\n  b: {{kind: native, call: same, with: '${{{{\"x\": 1}}[json(input)]}}', edges: [{{on: error, to: l}}]}}\n  l: {{kind: log, with: {{message: '${{error.message}}'}}}}\noutput: 1"
    );
    let report = bench.run(&[&chain], MAYBE).await;
    assert!(
        shown(&report).starts_with("refused clearance: the decision to call carries `pii`")
            || shown(&report).starts_with("refused clearance: `message`"),
        "{}",
        shown(&report)
    );
    let unhandled =
        "chain: t\nlinks:\n  b: {kind: native, call: same, with: '${{\"x\": 1}[input.ssn]}'}\noutput: 1";
    let report = bench.run(&[unhandled], MAYBE).await;
    assert_eq!(shown(&report), "`t.b` failed: expression: `with` at 3:42: there is no such member");
    let record = bench.record();
    assert!(record.contains(&*report.run) && !record.contains("123-45"), "{record}");
}

/// An inner chain failed on what a server said, and the outer chain took the words for its own.
#[tokio::test]
async fn attack_38_what_fails_inside_carries_what_was_known_inside() {
    let server = serve(|_| json_answer(r#"{"text": "DE666"}"#)).await;
    let bench = bench(
        &format!(
            "{}[[grant]]\nto = \"u\"\nreason = \"test\"\nnet = [{{ address = \"{}\" }}]\n",
            project(&server.url("")),
            server.url("")
        ),
        PERMIT_ALL,
    );
    let inner = format!(
        "chain: u\nlinks:\n  get: {{kind: http, with: {{url: '{}'}}}}\n  pick: {{kind: native, call: json_parse, with: {{text: '${{get.body.text}}'}}}}\noutput: 1",
        server.url("/")
    );
    let pay = format!(
        "pay: {{kind: http, with: {{method: POST, url: '{}', body: {{to: '${{error.kind}}'}}}}}}",
        server.url("/pay")
    );
    for link in [
        "{kind: chain, chain: u, edges: [{on: error, to: pay}]}",
        "{kind: each, over: '[1]', do: {links: {x: {kind: chain, chain: u}}, output: 1}, edges: [{on: error, to: pay}]}",
        "{kind: choice, cases: [{when: input.cmd == 'x', value: 1}], edges: [{on: error, to: pay}]}",
    ] {
        let outer = format!("chain: t\nlinks:\n  call: {link}\n  {pay}\noutput: 1");
        let ended = shown(&bench.run(&[&outer, &inner], MAYBE).await);
        assert!(ended.starts_with("refused untrusted"), "{link}: {ended}");
    }
    let state = format!(
        "chain: t\nlinks:\n  call: {{kind: repeat, start: '${{input.cmd}}', until: \"state == 'x'\", at_most: 2, do: {{links: {{}}, output: '${{state}}'}}, fallback: 5}}\n  pay: {{kind: http, with: {{method: POST, url: '{}', body: {{n: '${{call}}'}}}}}}\noutput: 1",
        server.url("/pay")
    );
    assert!(shown(&bench.run(&[&state], MAYBE).await).starts_with("refused untrusted"));
    assert!(server.requests().iter().all(|request| !request.starts_with("POST")), "{:?}", server.requests());
}

/// Only the failing side of a check counted as decided by what was checked.
#[tokio::test]
async fn attack_38_that_a_watched_link_did_not_fail_is_a_decision_too() {
    let server = serve(|_| json_answer("{}")).await;
    let bench = bench(&project(&server.url("")), PERMIT_ALL);
    let pay = format!(
        "  pay: {{kind: http, after: [check], with: {{method: POST, url: '{}', body: {{iban: DE1}}}}}}",
        server.url("/pay")
    );
    let links = format!(
        "  check: {{kind: validate, schema: {{const: pay}}, with: {{value: '${{input.cmd}}'}}, edges: [{{on: error, to: no}}]}}\n  no: {{kind: native, call: same, with: 1}}\n{pay}"
    );
    assert!(run(&bench, &links).await.starts_with("refused untrusted-decision"));
    let bits = "  d: {kind: validate, schema: {type: object, properties: {ssn: {pattern: '^1'}, cmd: {}}}, with: {value: '${input}'}, edges: [{on: error, to: no}]}\n  no: {kind: native, call: same, with: 1}\n  say: {kind: log, after: [d], with: {message: the first digit is 1}}";
    assert!(run(&bench, bits).await.starts_with("refused clearance"));
    let done = "  d: {kind: validate, schema: {type: object, properties: {ssn: {pattern: '^1'}, cmd: {}}}, with: {value: '${input}'}, edges: [{on: error, to: no}]}\n  no: {kind: native, call: same, with: 1}\n  say: {kind: log, with: {message: 'first digit: ${done(d)}'}}";
    assert!(run(&bench, done).await.starts_with("refused clearance"));
    // What is handled nowhere ends the run, so what goes on was not decided by it.
    let plain = format!(
        "  check: {{kind: native, call: same, with: {{v: 1}}, edges: [{{on: error, to: no}}]}}\n  no: {{kind: native, call: same, with: 1}}\n{pay}"
    );
    assert_eq!(run(&bench, &plain).await, "1");
    assert_eq!(server.requests().len(), 1);
    assert!(bench.log.0.lock().unwrap().is_empty());
}

/// That a customer is not there is as much as their name.
#[tokio::test]
async fn a_source_that_fails_carries_the_tags_of_its_grant() {
    let server = serve(|_| crate::server::answer(404, "", b"")).await;
    let project = format!(
        "[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{{ address = \"{}\", label = [\"pii\"] }}]\nlog = {{}}\n",
        server.url("")
    );
    let bench = bench_with(&project, PERMIT_ALL, |builder| builder);
    let url = server.url("/customer");
    let chain = format!(
        "chain: t\nlinks:\n  a: {{kind: http, with: {{url: '{url}'}}, edges: [{{on: error, to: say}}]}}\n  say: {{kind: log, with: {{message: no such customer}}}}\noutput: 1"
    );
    let ended = shown(&bench.run(&[&chain], "{}").await);
    assert!(ended.starts_with("refused clearance"), "{ended}");
    let back = format!(
        "chain: t\nlinks:\n  a: {{kind: http, with: {{url: '{url}'}}, fallback: none}}\n  say: {{kind: log, with: {{message: '${{a}}'}}}}\noutput: 1"
    );
    assert!(
        bench.problems(&back).contains("may not see")
            || shown(&bench.run(&[&back], "{}").await).starts_with("refused clearance")
    );
}
