//! Passes that may fail without being the end: what is known inside decides what comes after, whichever way they end.
//! Found by a second attacker, who went round what the first one had made us close.

use crate::server::{Server, answer, json_answer, serve};
use crate::setup::{Bench, PERMIT_ALL, bench, shown};

const INPUT: &str = "input: {type: object, properties: {ssn: {type: string, x-ringmail-label: [pii]}, cmd: {type: string}, items: {}}}";
const GIVEN: &str = r#"{"ssn": "123", "cmd": "pay", "items": []}"#;

/// A server with a customer's data, and a bench in which `t` and `u` may read it, log and pay.
async fn desk(label: &str) -> (Server, Bench) {
    let server = serve(|_| json_answer(r#"{"ssn": "123", "n": 5}"#)).await;
    let net = format!(
        "net = [{{ address = \"{}\", methods = [\"GET\", \"POST\"], label = [{label}] }}]",
        server.url("")
    );
    let grant = |to: &str| format!("[[grant]]\nto = \"{to}\"\nreason = \"test\"\n{net}\nlog = {{}}\n");
    let bench = bench(&format!("{}{}", grant("t"), grant("u")), PERMIT_ALL);
    (server, bench)
}

/// Runs `t` with `u`, or says why they do not load.
async fn run(bench: &Bench, chains: &[&str], input: &str) -> String {
    let sources: Vec<_> = chains
        .iter()
        .enumerate()
        .map(|(at, text)| ringmail_engine::core::doc::Source::new(format!("{at}.yaml"), *text))
        .collect();
    match bench.engine.load(&sources) {
        Err(problems) => format!("never: {problems}"),
        Ok(chains) => {
            let request = chains[0].request(crate::setup::json(input)).unwrap();
            shown(&request.principal(crate::setup::alice()).run().await)
        }
    }
}

/// Nothing may have been said, and nothing paid.
fn silent(server: &Server, bench: &Bench, ended: &str) {
    let paid = server.requests().iter().any(|request| request.starts_with("POST"));
    let said = bench.log.0.lock().unwrap().iter().map(|line| line.message.to_string()).collect::<Vec<_>>();
    assert!(!paid && said.is_empty(), "{ended}: {said:?}");
}

fn pay(server: &Server, more: &str) -> String {
    format!(
        "{{kind: http, {more} with: {{method: POST, url: '{}', body: {{amount: 5}}}}}}",
        server.url("/pay")
    )
}

#[tokio::test]
async fn attack_38_what_a_body_checks_decides_what_comes_after_it_in_there() {
    let (server, bench) = desk("").await;
    let guess = format!(
        "chain: t\n{INPUT}\nlinks:\n  e: {{kind: each, over: '[\"111\", \"123\"]', do: {{output: 1, links: {{c: {{kind: choice, fallback: 0, cases: [{{when: 'true', do: {{output: 1, links: {{v: {{kind: validate, schema: {{const: true}}, with: {{value: '${{input.ssn == item}}'}}}}, say: {{kind: log, after: [v], with: {{message: 'ssn is ${{item}}'}}}}}}}}}}]}}}}}}}}\noutput: 1"
    );
    silent(&server, &bench, &run(&bench, &[&guess], GIVEN).await);
    let sibling = format!(
        "chain: t\n{INPUT}\nlinks:\n  c: {{kind: choice, fallback: 0, cases: [{{when: 'true', do: {{output: 1, links: {{v: {{kind: validate, schema: {{const: true}}, with: {{value: '${{input.ssn == \"999\"}}'}}}}, w: {{kind: wait, with: {{for: 5ms}}}}, say: {{kind: log, after: [w], with: {{message: it was not}}}}}}}}}}]}}\noutput: 1"
    );
    silent(&server, &bench, &run(&bench, &[&sibling], GIVEN).await);
    silent(&server, &bench, &run(&bench, &[&sibling.replace("999", "123")], GIVEN).await);
    let outer = format!(
        "chain: t\n{INPUT}\nlinks:\n  call: {{kind: chain, chain: u, with: {{cmd: '${{input.cmd}}'}}, fallback: none}}\noutput: 1"
    );
    let inner = format!(
        "chain: u\nlinks:\n  v: {{kind: validate, schema: {{const: pay}}, with: {{value: '${{input.cmd}}'}}}}\n  pay: {}\noutput: 1",
        pay(&server, "after: [v],")
    );
    silent(&server, &bench, &run(&bench, &[&outer, &inner], GIVEN).await);
    let again =
        outer.replace("fallback: none", "retry: {attempts: 3, on: [invalid], backoff: 1ms}, fallback: 0");
    let first = format!(
        "chain: u\nlinks:\n  pay: {}\n  v: {{kind: validate, after: [pay], schema: {{const: other}}, with: {{value: '${{input.cmd}}'}}}}\noutput: 1",
        pay(&server, "")
    );
    let ended = run(&bench, &[&again, &first], GIVEN).await;
    let paid = server.requests().iter().filter(|request| request.starts_with("POST")).count();
    assert!(paid <= 1, "{ended}: paid {paid} times");
}

#[tokio::test]
async fn attack_38_that_a_pass_came_to_its_end_tells_of_all_in_it() {
    let (server, bench) = desk("\"pii\"").await;
    let inner = format!(
        "chain: u\nlinks:\n  get: {{kind: http, with: {{url: '{}'}}}}\n  v: {{kind: validate, schema: {{const: '123'}}, with: {{value: '${{get.body.ssn}}'}}}}\noutput: 1",
        server.url("/")
    );
    let tail = format!(
        "  say: {{kind: log, AFTER with: {{message: it is}}}}\n  pay: {}\noutput: 1",
        pay(&server, "AFTER")
    );
    for (call, after) in [
        ("{kind: chain, chain: u, edges: [{on: error, to: no}]}", "after: [call],"),
        (
            "{kind: each, over: '[1]', do: {output: 1, links: {x: {kind: chain, chain: u}}}, edges: [{on: error, to: no}]}",
            "after: [call],",
        ),
        ("{kind: chain, chain: u, fallback: 0, edges: [{if: 'false', to: no}]}", "when: call == 1,"),
        ("{kind: chain, chain: u, timeout: 20s, edges: [{on: error, to: no}]}", "when: done(call),"),
    ] {
        let outer = format!(
            "chain: t\nlinks:\n  call: {call}\n  no: {{kind: native, call: same, with: 1}}\n{}",
            tail.replace("AFTER", after)
        );
        silent(&server, &bench, &run(&bench, &[&outer, &inner], "{}").await);
    }
    let value = format!(
        "chain: t\n{INPUT}\nlinks:\n  v: {{kind: validate, schema: {{type: object, properties: {{ssn: {{pattern: '^1'}}, k: {{}}}}}}, with: {{value: {{ssn: '${{input.ssn}}', k: 7}}}}, fallback: {{ssn: x, k: 8}}}}\n{}",
        tail.replace("AFTER", "when: v.k == 7,")
    );
    silent(&server, &bench, &run(&bench, &[&value], GIVEN).await);
}

#[tokio::test]
async fn attack_38_how_a_pass_fails_tells_of_what_decided_it() {
    let (server, bench) = desk("\"pii\"").await;
    let outer = "chain: t\nlinks:\n  call: {kind: chain, chain: u, timeout: 60ms, edges: [{on: error, to: say}]}\n  say: {kind: log, with: {message: it is not}}\noutput: 1";
    let get = format!("get: {{kind: http, with: {{url: '{}'}}}}", server.url("/"));
    for inner in [
        format!(
            "{get}\n  f: {{kind: native, call: json_parse, after: [get], with: {{text: '['}}, edges: [{{on: error, if: get.body.ssn == '999', to: ok}}]}}\n  ok: {{kind: native, call: same, with: 1}}"
        ),
        format!(
            "{get}\n  f: {{kind: native, call: json_parse, after: [get], with: {{text: '['}}, edges: [{{on: error, to: ok}}]}}\n  ok: {{kind: native, call: same, when: get.body.ssn == '999', with: 1}}"
        ),
        format!("{get}\n  w: {{kind: wait, when: get.body.n == 5, with: {{for: 20s}}}}"),
    ] {
        let inner = format!("chain: u\nlinks:\n  {inner}\noutput: 1");
        silent(&server, &bench, &run(&bench, &[outer, &inner], "{}").await);
    }
}

/// Only what the last host was asked counted for the lines and the address that followed.
#[tokio::test]
async fn attack_03_a_redirect_carries_all_that_led_to_it() {
    let last = serve(|_| answer(200, "", b"ssn 123\n")).await;
    let onward = last.url("/got?leak=123");
    let first = serve(move |_| answer(303, &format!("location: {onward}\r\n"), b"")).await;
    let project = |first_more: &str, last_more: &str| {
        format!(
            "[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{{ address = \"{}\", methods = [\"GET\", \"POST\"], trusted = [], {first_more} }}, {{ address = \"{}\" {last_more} }}]\n",
            first.url(""),
            last.url("")
        )
    };
    let post = format!(
        "chain: t\n{INPUT}\nlinks:\n  a: {{kind: http, with: {{method: POST, url: '{}', body: '${{json(input)}}'}}}}\noutput: 1",
        first.url("/")
    );
    let cleared = bench(&project("clearance = [\"pii\"]", ""), PERMIT_ALL);
    assert!(shown(&cleared.run(&[&post], GIVEN).await).starts_with("refused clearance"));
    let query = format!(
        "chain: t\n{INPUT}\nlinks:\n  a: {{kind: http, with: {{url: '{}', query: {{all: '${{json(input)}}'}}}}}}\noutput: 1",
        first.url("/")
    );
    assert!(shown(&cleared.run(&[&query], GIVEN).await).starts_with("refused clearance"));
    let labelled = bench(&project("label = [\"pii\"]", ""), PERMIT_ALL);
    let get =
        format!("chain: t\nlinks:\n  a: {{kind: http, with: {{url: '{}'}}}}\noutput: 1", first.url("/"));
    assert!(shown(&labelled.run(&[&get], "{}").await).starts_with("refused clearance"));
    assert!(last.requests().is_empty());

    let lines = bench(&project("", ", label = [\"pii\"]"), PERMIT_ALL);
    let chain = format!(
        "chain: t\nstream: a\nlinks:\n  a: {{kind: http, with: {{url: '{}', as: lines}}}}\noutput: 1",
        first.url("/")
    );
    let chain =
        lines.engine.load(&[ringmail_engine::core::doc::Source::new("t.yaml", chain)]).unwrap().remove(0);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let request = chain.request(crate::setup::json("{}")).unwrap().principal(crate::setup::alice());
    let report = request.pieces(sender).run().await;
    assert!(shown(&report).starts_with("refused clearance"), "{}", shown(&report));
    assert!(receiver.recv().await.is_none());
}

/// On one origin the server may choose the path, and not let somebody else choose it.
#[tokio::test]
async fn attack_03_untrusted_data_chooses_no_address_by_way_of_a_redirect() {
    let server = serve(|request| {
        let next = request.split("next=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        match request.contains("/login") {
            true => answer(307, &format!("location: /{next}\r\n"), b""),
            false => json_answer("{}"),
        }
    })
    .await;
    let project = format!(
        "[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{{ address = \"{}\", methods = [\"POST\"], trusted = [\"body\"] }}]\n",
        server.url("")
    );
    let bench = bench(&project, PERMIT_ALL);
    let chain = |next: &str| {
        format!(
            "chain: t\n{INPUT}\nlinks:\n  a: {{kind: http, with: {{method: POST, url: '{}', query: {{next: '{next}'}}, body: {{amount: 5}}}}}}\noutput: 1",
            server.url("/login")
        )
    };
    let ended = shown(&bench.run(&[&chain("${input.cmd}")], GIVEN).await);
    assert!(ended.starts_with("refused untrusted-argument: `url`"), "{ended}");
    assert!(server.requests().iter().all(|request| request.contains("/login")));
    assert_eq!(shown(&bench.run(&[&chain("pay")], GIVEN).await), "1");
}

#[tokio::test]
async fn attack_38_a_key_that_was_used_tells_nothing_to_other_labels() {
    let (server, bench) = desk("").await;
    let inner =
        "chain: u\nlinks:\n  x: {kind: native, call: same, with: '${input}', idempotency_key: k}\noutput: 1";
    let outer = format!(
        "chain: t\n{INPUT}\nlinks:\n  a: {{kind: chain, chain: u, with: {{v: '${{input.ssn}}'}}}}\n  b: {{kind: chain, chain: u, after: [a], with: {{v: '999'}}, edges: [{{on: error, to: no}}]}}\n  no: {{kind: log, with: {{message: it is not 999}}}}\noutput: 1"
    );
    silent(&server, &bench, &run(&bench, &[&outer, inner], GIVEN).await);
}

#[tokio::test]
async fn what_a_budget_or_policy_has_left_tells_of_what_was_read() {
    let (server, bench) = desk("").await;
    let bytes = format!(
        "chain: t\n{INPUT}\nlimits: {{bytes: 40KiB}}\nlinks:\n  big: {{kind: native, call: same, when: input.ssn == '123', with: '{}'}}\n  probe: {{kind: native, call: same, with: '{}', edges: [{{on: refused, to: say}}]}}\n  say: {{kind: log, with: {{message: it is}}}}\noutput: 1",
        "x".repeat(30_000),
        "x".repeat(20_000)
    );
    silent(&server, &bench, &run(&bench, &[&bytes], GIVEN).await);
}

#[tokio::test]
async fn an_empty_list_is_as_untrusted_as_a_full_one() {
    let (server, bench) = desk("").await;
    let chain = format!(
        "chain: t\n{INPUT}\nlinks:\n  e: {{kind: each, over: input.items, do: {{links: {{}}, output: 1}}}}\n  pay: {{kind: http, with: {{method: POST, url: '{}', body: {{n: '${{size(e)}}'}}}}}}\noutput: 1",
        server.url("/pay")
    );
    silent(&server, &bench, &run(&bench, &[&chain], GIVEN).await);
}

/// Sizes were added up until they were small again.
#[tokio::test]
async fn attack_32_a_state_that_doubles_is_cut_at_the_limit() {
    let chain = "chain: t\nlinks:\n  r: {kind: repeat, start: [1], until: 'index == 64', at_most: 200, do: {links: {}, output: '${index < 62 ? [state, state] : [state]}'}}\noutput: 1";
    let ended = shown(&bench("", PERMIT_ALL).run(&[chain], "1").await);
    assert!(ended.contains("too-large"), "{ended}");
}

/// The address of a redirect was named in the refusal, secret and all.
#[tokio::test]
async fn attack_40_a_secret_in_a_redirect_is_on_no_record() {
    let server = serve(|_| answer(302, "location: http://hunter2hunter2.example.com/\r\n", b"")).await;
    let project = format!(
        "[secret.key]\nfrom = \"env:NOT_READ\"\nbound_to = [\"{0}\"]\n[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{{ address = \"{0}\" }}]\n",
        server.url("")
    );
    let bench =
        crate::setup::bench_with(&project, PERMIT_ALL, |builder| builder.secret("key", "hunter2hunter2"));
    let chain = format!(
        "chain: t\nlinks:\n  a: {{kind: http, with: {{url: '{}', headers: {{x-key: '${{secrets.key}}'}}}}}}\noutput: 1",
        server.url("/")
    );
    let report = bench.run(&[&chain], "{}").await;
    assert!(shown(&report).starts_with("refused clearance"), "{}", shown(&report));
    let record = bench.record();
    assert!(!record.contains("hunter2"), "{record}");
}

/// Items and rounds of one link told each other nothing, and what fails takes those after it along.
#[tokio::test]
async fn attack_38_items_and_rounds_tell_each_other() {
    let (server, bench) = desk("").await;
    let item = |inner: &str| {
        format!(
            "chain: t\n{INPUT}\nlinks:\n  e: {{kind: each, over: '[\"111\", \"123\"]', as: guess, do: {{output: 1, links: {{c: {inner}}}}}}}\noutput: 1"
        )
    };
    let links = "links: {v: {kind: validate, when: AT == 0, schema: {const: true}, with: {value: '${input.ssn == guess}'}}, say: {kind: log, when: AT == 1, with: {message: 'ssn is ${guess}'}}}";
    let each = format!(
        "{{kind: each, over: '[0, 1]', fallback: 0, do: {{output: 1, {}}}}}",
        links.replace("AT", "item")
    );
    silent(&server, &bench, &run(&bench, &[&item(&each)], GIVEN).await);
    let repeat = format!(
        "{{kind: repeat, until: index == 1, at_most: 3, fallback: 0, do: {{output: 1, {}}}}}",
        links.replace("AT", "index")
    );
    silent(&server, &bench, &run(&bench, &[&item(&repeat)], GIVEN).await);
    let range = "{kind: choice, fallback: 0, cases: [{when: 'true', do: {output: 1, links: {x: {kind: extract, as: bool, with: {from: '${input.ssn == guess ? \"true\" : \"no\"}'}}, w: {kind: wait, with: {for: 5ms}}, say: {kind: log, after: [w], with: {message: 'ssn is ${guess}'}}}}}]}";
    silent(&server, &bench, &run(&bench, &[&item(range)], GIVEN).await);
}

/// What a pass within a pass knows, those beside it know too.
#[tokio::test]
async fn attack_38_an_inner_pass_tells_those_beside_it() {
    let (server, bench) = desk("\"pii\"").await;
    let inner = format!(
        "chain: u\nlinks:\n  g: {{kind: http, with: {{url: '{}'}}}}\n  v: {{kind: validate, schema: {{const: true}}, with: {{value: '${{g.body.ssn == input.guess}}'}}}}\noutput: 1",
        server.url("/")
    );
    let outer = format!(
        "chain: t\nlinks:\n  c: {{kind: choice, fallback: 0, cases: [{{when: 'true', do: {{output: 1, links: {{k: {{kind: chain, chain: u, with: {{guess: '123'}}}}, w: {{kind: wait, with: {{for: 200ms}}}}, say: {{kind: log, after: [w], with: {{message: it is}}}}, pay: {}}}}}}}]}}\noutput: 1",
        pay(&server, "after: [w],")
    );
    silent(&server, &bench, &run(&bench, &[&outer, &inner], "{}").await);
}

/// Only the whole list was weighed, once it was there.
#[tokio::test]
async fn attack_31_results_of_items_count_while_they_are_made() {
    let chain = "chain: t\nlimits: {bytes: 1MiB}\nlinks:\n  e: {kind: each, over: '[1,2,3,4,5,6,7,8,9]', do: {output: {line: '${item}: ${input}'}, links: {}}}\noutput: '${size(e)}'";
    let report = bench("", PERMIT_ALL).run(&[chain], &format!("\"{}\"", "x".repeat(200_000))).await;
    assert!(shown(&report).starts_with("refused byte-budget"), "{}", shown(&report));
    let items = report.trail.iter().filter(|event| event.link.ends_with(".e")).count();
    assert!(items > 0);
}

/// Messages repeated arguments, and went to the record and to whoever asked.
#[tokio::test]
async fn attack_40_no_message_repeats_what_is_restricted() {
    let schema =
        "input: {type: object, properties: {ssn: {type: string, x-ringmail-label: [pii]}}, required: [ssn]}";
    let project = "[[grant]]\nto = \"t\"\nreason = \"test\"\nnet = [{ address = \"https://a.test\", clearance = [\"pii\"], trusted = [] }]\n";
    for link in [
        "{kind: native, call: same, with: {v: '${\"\".substring(int(input.ssn))}'}}",
        "{kind: http, with: {url: 'https://${input.ssn}.example.com/'}}",
        "{kind: http, with: {url: 'ssn ${input.ssn} /'}}",
        "{kind: http, with: {url: 'https://a.test/', query: '${{input.ssn: {\"a\": 1}}}'}}",
        "{kind: http, with: {url: 'https://a.test/', headers: '${{\"x\" + input.ssn: \"a\\n\"}}'}}",
        "{kind: wait, with: {for: 'x${input.ssn}'}}",
        "{kind: validate, schema: {type: object, additionalProperties: {type: string}}, with: {value: '${{input.ssn: 5}}'}}",
    ] {
        let bench = bench(project, PERMIT_ALL);
        let chain = format!("chain: t\n{schema}\nlinks:\n  a: {link}\noutput: 1");
        let source = ringmail_engine::core::doc::Source::new("t.yaml", chain);
        let Ok(chains) = bench.engine.load(&[source]) else { continue };
        let request = chains[0].request(crate::setup::json(r#"{"ssn": "123456789"}"#)).unwrap();
        let report = request.principal(crate::setup::alice()).run().await;
        let record = bench.record();
        let told = shown(&report);
        assert!(!told.contains("123456789") && !record.contains("123456789"), "{link}: {told}\n{record}");
        assert!(report.result.is_err(), "{link}: {told}");
    }
}
