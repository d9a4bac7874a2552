//! Middleware: order, masking, and that it changes nothing unless it is a guard.

use crate::setup::{PERMIT_ALL, alice, bench, bench_with, json, shown, stages};
use ringmail_engine::core::doc::Source;
use ringmail_engine::middleware::{CallView, End, Middleware};
use ringmail_engine::{Chain, Engine};
use std::sync::{Arc, Mutex};

#[derive(Clone)]
struct Noting {
    name: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
    fails: bool,
    guard: bool,
    panics: bool,
}

impl Noting {
    fn new(name: &'static str, seen: &Arc<Mutex<Vec<String>>>) -> Noting {
        Noting { name, seen: seen.clone(), fails: false, guard: false, panics: false }
    }
}

impl Middleware for Noting {
    fn before(&self, call: &CallView<'_>) -> Result<(), String> {
        let args = call.args().map_or(String::new(), |args| format!("{args:?}"));
        self.seen.lock().unwrap().push(format!("{} before {} {args}", self.name, call.link()));
        assert!(!self.panics, "a middleware that panics");
        if self.fails { Err("broken".into()) } else { Ok(()) }
    }

    fn after(&self, call: &CallView<'_>, end: &End<'_>) -> Result<(), String> {
        self.seen.lock().unwrap().push(format!("{} after {} {}", self.name, call.link(), end.id()));
        Ok(())
    }

    fn is_guard(&self) -> bool {
        self.guard
    }
}

#[tokio::test]
async fn runs_in_order_around_each_link_with_a_masked_view() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let bench = bench_with("", PERMIT_ALL, |builder| {
        builder
            .middleware("outer", Noting::new("outer", &seen))
            .middleware("inner", Noting::new("inner", &seen))
    });
    let chain = "chain: t\nmiddleware: [outer]\ninput: {type: object, properties: {card: {type: string, x-ringmail-label: [pii]}, id: {type: integer}}}\nlinks:\n  a: {kind: native, call: same, middleware: [inner], with: '${input}'}\n  b: {kind: native, call: json_parse, with: {text: '${string(input.id)}x'}}\noutput: 1";
    bench.run(&[chain], r#"{"card": "4111", "id": 7}"#).await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            r#"outer before t.a {"card":"[pii]","id":7}"#,
            r#"inner before t.a {"card":"[pii]","id":7}"#,
            "inner after t.a done",
            "outer after t.a done",
            r#"outer before t.b {"text":"7x"}"#,
            "outer after t.b invalid",
        ]
    );
    assert!(!seen.join("").contains("4111"));
}

#[tokio::test]
async fn a_broken_middleware_changes_nothing_and_a_guard_fails_the_call() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let chain = |middleware: Noting| {
        Chain::builder("t")
            .middleware("m", middleware)
            .link("a", async |_| Ok(1))
            .build(&Engine::builder().build().unwrap())
            .unwrap()
    };
    let failing = Noting { fails: true, ..Noting::new("m", &seen) };
    let panicking = Noting { panics: true, ..Noting::new("m", &seen) };
    for middleware in [failing.clone(), panicking.clone()] {
        let report = chain(middleware).request(0).unwrap().run().await;
        assert_eq!(shown(&report), "1");
        assert!(stages(&report).contains("a:middleware-failed"));
    }
    for middleware in [failing, panicking] {
        let report = chain(Noting { guard: true, ..middleware }).request(0).unwrap().run().await;
        assert!(shown(&report).starts_with("`t.a` failed: guard: m: "), "{}", shown(&report));
    }
}

#[tokio::test]
async fn timing_metrics_and_logging_count_what_happened() {
    let bench = bench("", PERMIT_ALL);
    let chain = "chain: t\nmiddleware: [timing, metrics, logging]\ninput: {type: object, properties: {text: {type: string, x-ringmail-label: [pii]}}}\nlinks:\n  a: {kind: native, call: json_parse, retry: {attempts: 2, backoff: 0ms, on: [invalid]}, with: {text: '${input.text}'}, fallback: 0}\noutput: 1";
    let chain = bench.engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0);
    for text in ["[1]", "["] {
        let input = json(&format!("{{\"text\": \"{text}\"}}"));
        chain.request(input).unwrap().principal(alice()).run().await;
    }
    let figures = bench.engine.figures().of("t.a").unwrap();
    assert_eq!((figures.timed, figures.ends["done"], figures.ends["invalid"]), (3, 1, 2));
    assert!(figures.longest_us <= figures.total_us);
    let log = bench.log.0.lock().unwrap();
    assert_eq!(log.len(), 6);
    assert_eq!(format!("{:?}", log[0].fields), r#"{"attempt":1}"#);
    assert_eq!(&*log[5].message, "native ended");
}
