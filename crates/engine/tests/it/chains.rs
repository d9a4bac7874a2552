//! What chain files mean.

use crate::setup::{Bench, PERMIT_ALL, bench, shown, stages};

fn plain() -> Bench {
    bench("", PERMIT_ALL)
}

/// Runs a chain whose text is the links and output alone.
async fn check(links: &str, input: &str, expected: &str) {
    let report = plain().run(&[&format!("chain: t\n{links}")], input).await;
    assert_eq!(shown(&report), expected, "{}\n{links}", stages(&report));
}

#[tokio::test]
async fn references_make_the_graph_whatever_the_order() {
    let links = "
links:
  c: {kind: native, call: same, with: {sum: '${a.v + b.v}'}}
  b: {kind: native, call: same, with: {v: '${a.v * 10}'}}
  a: {kind: native, call: same, with: {v: '${input.n}'}}
output: ${c.sum}";
    check(links, r#"{"n": 2}"#, "22").await;
}

#[tokio::test]
async fn when_skips_a_link_and_all_that_needs_it() {
    let links = "
links:
  a: {kind: native, call: same, when: input.go, with: {v: 1}}
  b: {kind: native, call: same, with: {v: '${a.v}'}}
  c: {kind: native, call: same, after: [b], with: {v: 1}}
output: ${[done(a), done(b), done(c)]}";
    check(links, r#"{"go": true}"#, "[true,true,true]").await;
    check(links, r#"{"go": false}"#, "[false,false,false]").await;
}

#[tokio::test]
async fn an_output_that_reads_what_did_not_run_is_a_failure() {
    let links = "
links:
  a: {kind: native, call: same, when: input.go, with: {v: 1}}
output: ${a.v}";
    check(
        links,
        r#"{"go": false}"#,
        "`t` failed: expression: `output` at 5:11: this link did not run; test it with `done(...)` first",
    )
    .await;
}

const EDGES: &str = "
links:
  first:
    kind: native
    call: same
    with: {n: '${input.n}'}
    edges:
      - if: first.n > 100
        to: huge
      - if: first.n > 10
        to: large
  next: {kind: native, call: same, with: {v: '${first.n}'}}
  large: {kind: native, call: same, with: {v: '${first.n}'}}
  huge: {kind: native, call: same, with: {v: '${first.n}'}}
  other: {kind: native, call: same, with: {v: 0}}
output: ${[done(next), done(large), done(huge), done(other)]}";

#[tokio::test]
async fn the_first_edge_that_fits_is_taken_and_leads_away_from_the_default_path() {
    check(EDGES, r#"{"n": 1}"#, "[true,false,false,true]").await;
    check(EDGES, r#"{"n": 50}"#, "[false,true,false,true]").await;
    check(EDGES, r#"{"n": 500}"#, "[false,false,true,true]").await;
}

const HANDLED: &str = "
links:
  parse:
    kind: native
    call: json_parse
    with: {text: '${input.text}'}
    edges:
      - {on: error, if: error.kind == 'invalid', to: mend}
  use: {kind: native, call: same, with: {v: '${parse}'}}
  mend: {kind: native, call: same, with: {from: '${error.link}', kind: '${error.kind}'}, when: input.mends}
output: '${done(use) ? use.v : mend}'";

#[tokio::test]
async fn an_error_edge_handles_a_failure_and_a_handler_that_does_not_run_fails_closed() {
    check(HANDLED, r#"{"text": "[1]", "mends": true}"#, "[1]").await;
    check(HANDLED, r#"{"text": "[1", "mends": true}"#, r#"{"from":"t.parse","kind":"invalid"}"#).await;
    check(
        HANDLED,
        r#"{"text": "[1", "mends": false}"#,
        "`t.parse` failed: native: its handler `t.mend` did not run",
    )
    .await;
}

#[tokio::test]
async fn a_failing_handler_ends_the_run() {
    let links = "
links:
  a: {kind: native, call: json_parse, with: {text: '['}, edges: [{on: error, to: b}]}
  b: {kind: native, call: json_parse, with: {text: '${error.message}'}}
output: 1";
    check(links, "{}", "`t.b` failed: invalid: expected `true` at line 1, column 1").await;
}

#[tokio::test]
async fn an_edge_can_lead_to_a_chain() {
    let main = "
chain: main
links:
  a: {kind: native, call: same, with: {v: '${input.n}'}, edges: [{if: a.v > 1, chain: other, with: {n: '${a.v}'}}]}
output: '${done(a_edge_1) ? a_edge_1 : 0}'";
    let other = "chain: other\nlinks: {}\noutput: ${input.n * 100}";
    let bench = plain();
    assert_eq!(shown(&bench.run(&[main, other], r#"{"n": 5}"#).await), "500");
    assert_eq!(shown(&bench.run(&[main, other], r#"{"n": 1}"#).await), "0");
}

#[tokio::test]
async fn each_keeps_order_sees_around_it_and_is_bounded() {
    let links = "
links:
  factor: {kind: native, call: same, with: {v: 10}}
  all:
    kind: each
    over: input.items
    parallel: 3
    at_most: 4
    do:
      links:
        pause: {kind: wait, with: {for: '${item.pause}'}}
        twice: {kind: native, call: same, after: [pause], with: {v: '${item.n * factor.v + index}'}}
      output: ${twice.v}
output: ${all}";
    let input =
        r#"{"items": [{"n": 1, "pause": "20ms"}, {"n": 2, "pause": "0ms"}, {"n": 3, "pause": "5ms"}]}"#;
    check(links, input, "[10,21,32]").await;
    check(links, r#"{"items": []}"#, "[]").await;
    let five = r#"{"items": [1, 2, 3, 4, 5]}"#;
    check(links, five, "`t.all` failed: too-large: 5 items are more than `at_most` 4").await;
    check(links, r#"{"items": 5}"#, "`t.all` failed: invalid: `over` must be a list, not int").await;
}

#[tokio::test]
async fn repeat_goes_on_until_its_condition_or_its_bound() {
    let links = "
links:
  up:
    kind: repeat
    start: '${input.n}'
    until: state >= 100
    at_most: 5
    do: {links: {}, output: '${state * 3}'}
output: ${up}";
    check(links, r#"{"n": 2}"#, "162").await;
    check(links, r#"{"n": 0}"#, "`t.up` failed: rounds: `until` did not hold after 5 rounds").await;
}

#[tokio::test]
async fn choice_takes_the_first_case_that_holds() {
    let links = "
links:
  kind:
    kind: choice
    cases:
      - {when: input.n < 0, value: negative}
      - when: input.n < 10
        do: {links: {a: {kind: native, call: same, with: {v: small}}}, output: '${a.v}'}
    otherwise: {value: large}
output: ${kind}";
    check(links, r#"{"n": -1}"#, "\"negative\"").await;
    check(links, r#"{"n": 1}"#, "\"small\"").await;
    check(links, r#"{"n": 11}"#, "\"large\"").await;
    let links = "links: {k: {kind: choice, cases: [{when: input.n < 0, value: 1}]}}\noutput: ${k}";
    check(links, r#"{"n": 1}"#, "`t.k` failed: no-case: no case holds, and there is no `otherwise`").await;
}

#[tokio::test]
async fn attack_31_a_chain_that_calls_itself_is_bounded() {
    let bench = plain();
    let endless = "chain: c\nlinks: {again: {kind: chain, chain: c, with: '${input}'}}\noutput: 1";
    assert!(
        bench.problems(endless).contains("chains call each other in a circle: c -> c"),
        "{}",
        bench.problems(endless)
    );
    let bounded = "
chain: c
links:
  again: {kind: chain, chain: c, depth: 3, when: input.n > 0, with: {n: '${input.n - 1}'}}
output: '${done(again) ? again + 1 : 0}'";
    assert_eq!(shown(&bench.run(&[bounded], r#"{"n": 2}"#).await), "2");
    let too_deep = shown(&bench.run(&[bounded], r#"{"n": 9}"#).await);
    assert_eq!(too_deep, "refused depth-budget: this link stands within itself more than 3 deep");
    let deeper = bounded
        .replace("depth: 3", "depth: 60")
        .replace("chain: c\nlinks", "chain: c\nlimits: {depth: 4}\nlinks");
    let too_deep = shown(&bench.run(&[&deeper], r#"{"n": 50}"#).await);
    assert_eq!(too_deep, "refused depth-budget: chains are nested 4 deep, which is the limit");
}

#[tokio::test]
async fn attack_31_steps_time_and_bytes_end_a_run() {
    let steps = "
limits: {steps: 20}
links:
  all: {kind: each, over: input.items, do: {links: {}, output: '${item}'}}
output: ${all}";
    let items = format!("{{\"items\": [{}]}}", vec!["1"; 30].join(","));
    check(steps, &items, "refused step-budget: the run has made 20 steps, which is its limit").await;
    let retries = "
limits: {steps: 10}
links:
  a: {kind: native, call: json_parse, with: {text: x}, retry: {attempts: 100, backoff: 0ms, on: [invalid]}}
output: 1";
    check(retries, "{}", "refused step-budget: the run has made 10 steps, which is its limit").await;
    let time = "limits: {time: 50ms}\nlinks: {w: {kind: wait, with: {for: 60s}}}\noutput: 1";
    check(time, "{}", "refused time-budget: the run has lasted 50 ms, which is its limit").await;
    let bytes = "
limits: {bytes: 4KiB}
links:
  grow: {kind: repeat, start: 'aaaaaaaaaaaaaaaa', until: size(state) > 1000000, at_most: 100, do: {links: {x: {kind: native, call: same, with: {v: '${state}${state}'}}}, output: '${x.v}'}}
output: ${grow}";
    check(bytes, "{}", "refused byte-budget: the run holds more than 4096 bytes, which is its limit").await;
}

#[tokio::test]
async fn attack_30_reserved_names_never_reach_the_context() {
    let bench = plain();
    for name in ["input", "run", "secrets", "error", "exception", "__proto__"] {
        let problems =
            bench.problems(&format!("chain: c\nlinks:\n  {name}: {{kind: native, call: same}}\noutput: 1"));
        assert!(!problems.is_empty(), "{name}");
    }
    let links = "
links:
  a: {kind: native, call: same, with: {v: 1}}
output: ${a.v}";
    check(links, r#"{"a": {"v": 666}, "exception": 1, "error": 2, "__proto__": {"v": 3}}"#, "1").await;
}

#[tokio::test]
async fn retries_fall_back_and_say_so() {
    let links = "
links:
  a:
    kind: native
    call: json_parse
    with: {text: '${input.text}'}
    retry: {attempts: 3, backoff: 1ms, on: [invalid]}
    fallback: {broken: true}
output: ${a}";
    let bench = plain();
    let report = bench.run(&[&format!("chain: t\n{links}")], r#"{"text": "["}"#).await;
    assert_eq!(shown(&report), r#"{"broken":true}"#);
    assert_eq!(
        stages(&report),
        "t:entered a:admitted a:failed(invalid) a:retrying a:admitted a:failed(invalid) a:retrying a:admitted a:failed(invalid) a:fell-back t:answered"
    );
    check(links, r#"{"text": "[]"}"#, "[]").await;
}

#[tokio::test]
async fn problems_are_named_all_at_once_with_their_places() {
    let problems = plain().problems(
        "chain: c
links:
  a: {kind: ntive, with: {v: 1}}
  b: {kind: native, call: smae, timeout: 5}
  c: {kind: native, call: same, after: [bb], with: '${a.v + input}'}
  d: {kind: wait, with: {fro: 5s}}
  e: {kind: extract, as: int, with: {from: '${nope}'}}
output: ${zz}",
    );
    for expected in [
        "c.yaml:3:13: link `a` has the unknown kind `ntive` (did you mean `native`?)",
        "c.yaml:4:27: there is no native function `smae` (did you mean `same`?)",
        "c.yaml:4:42: `timeout` must be a duration such as `5s`, not a whole number",
        "c.yaml:5:41: there is no link `bb` (did you mean `b`?)",
        "c.yaml:6:26: unknown key `fro` in `with` of link `d` (did you mean `for`?)",
        "an `int` needs `min` and `max`, in this order",
        "c.yaml:7:47: unknown name `nope`",
        "c.yaml:8:11: unknown name `zz`",
    ] {
        assert!(problems.contains(expected), "{expected}\nin\n{problems}");
    }
}

#[tokio::test]
async fn graphs_that_cannot_work_are_refused() {
    let bench = plain();
    let circle = "chain: c\nlinks:\n  a: {kind: native, call: same, with: '${b}'}\n  b: {kind: native, call: same, with: '${a}'}\noutput: 1";
    assert!(
        bench.problems(circle).contains("links wait for each other in a circle: "),
        "{}",
        bench.problems(circle)
    );
    assert!(bench.problems(circle).contains("put them into a `repeat`"));
    let back = "chain: c\nlinks:\n  a: {kind: native, call: same, with: 1}\n  b: {kind: native, call: same, with: '${a}', edges: [{to: a}]}\noutput: 1";
    assert!(bench.problems(back).contains("in a circle"), "{}", bench.problems(back));
    let own = "chain: c\nlinks:\n  a: {kind: native, call: same, with: '${a}'}\noutput: 1";
    assert!(bench.problems(own).contains("in a circle"), "{}", bench.problems(own));
    let dead = "chain: c\nlinks:\n  a: {kind: native, call: same, with: 1, edges: [{to: b}, {to: d}]}\n  b: {kind: native, call: same, with: 1}\n  d: {kind: native, call: same, with: 1}\noutput: 1";
    assert!(bench.problems(dead).contains("the edge to `d` is never taken"), "{}", bench.problems(dead));
    let types = "chain: c\ninput: {type: object, properties: {n: {type: integer}}}\nlinks:\n  a: {kind: native, call: same, with: {v: \"${input.n + 'x'}\"}}\n  e: {kind: each, over: input.n, do: {links: {}, output: 1}}\noutput: ${input.m}";
    let problems = bench.problems(types);
    for expected in [
        "`+` does not take int or float and string",
        "`over` must be a list, and this is int or float",
        "no member `m` here; did you mean `n`?",
    ] {
        assert!(problems.contains(expected), "{expected}\nin\n{problems}");
    }
    let chain = "chain: c\nlinks: {x: {kind: chain, chain: nope}}\noutput: 1";
    assert!(bench.problems(chain).contains("there is no chain `nope`"));
}
