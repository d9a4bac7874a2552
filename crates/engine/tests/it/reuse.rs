//! Caches, idempotency keys, concurrency limits.

use crate::server::{answer, json_answer, serve, serve_slowly};
use crate::setup::{PERMIT_ALL, alice, bench, json, shown};
use ringmail_engine::core::doc::Source;
use ringmail_engine::{Chain, Engine, Failure, FailureKind, Principal, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A chain with a link that counts how often it really runs.
fn counting(settings: &[(&str, Value)]) -> (Chain, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let inner = count.clone();
    let mut builder = Chain::builder("t").link("a", move |ctx| {
        let inner = inner.clone();
        async move {
            if ctx.get("fail") == Some(&Value::Bool(true)) {
                return Err(Failure::new(FailureKind::Native, "asked to"));
            }
            Ok(i64::try_from(inner.fetch_add(1, Ordering::Relaxed)).unwrap_or_default())
        }
    });
    for (key, value) in settings {
        builder = builder.put(key, value.clone());
    }
    let permit = Source::new("p.cedar", PERMIT_ALL);
    (builder.build(&Engine::builder().policies(vec![permit]).build().unwrap()).unwrap(), count)
}

async fn run_as(chain: &Chain, input: &str, tenant: Option<&str>) -> String {
    let principal = Principal { tenant: tenant.map(Into::into), ..alice() };
    shown(&chain.request(json(input)).unwrap().principal(principal).run().await)
}

#[tokio::test]
async fn attack_38_a_cached_result_answers_the_same_arguments_of_the_same_tenant_only() {
    let ttl = Value::map([("ttl", Value::from("1h")), ("entries", Value::Int(2))]);
    let (chain, _) = counting(&[("cache", ttl)]);
    assert_eq!(run_as(&chain, r#"{"k": 1}"#, Some("acme")).await, "0");
    assert_eq!(run_as(&chain, r#"{"k": 1}"#, Some("acme")).await, "0");
    assert_eq!(run_as(&chain, r#"{"k": 2}"#, Some("acme")).await, "1");
    assert_eq!(run_as(&chain, r#"{"k": 1}"#, Some("other")).await, "2", "another tenant");
    assert_eq!(run_as(&chain, r#"{"k": 1}"#, Some("acme")).await, "3", "the oldest of three made room");
}

#[tokio::test(start_paused = true)]
async fn a_cached_result_ends_with_its_time() {
    let ttl = Value::map([("ttl", Value::from("1s"))]);
    let (chain, _) = counting(&[("cache", ttl)]);
    assert_eq!(run_as(&chain, "{}", None).await, "0");
    tokio::time::advance(std::time::Duration::from_millis(900)).await;
    assert_eq!(run_as(&chain, "{}", None).await, "0");
    tokio::time::advance(std::time::Duration::from_millis(200)).await;
    assert_eq!(run_as(&chain, "{}", None).await, "1");
}

#[tokio::test]
async fn a_key_has_its_effect_once_and_for_one_thing() {
    let (chain, count) = counting(&[("idempotency_key", Value::from("${input.key}"))]);
    assert_eq!(run_as(&chain, r#"{"key": "a", "n": 1}"#, Some("acme")).await, "0");
    assert_eq!(run_as(&chain, r#"{"key": "a", "n": 1}"#, Some("acme")).await, "0");
    assert_eq!(
        run_as(&chain, r#"{"key": "a", "n": 2}"#, Some("acme")).await,
        "`t.a` failed: conflict: the idempotency key was used with other arguments"
    );
    assert_eq!(run_as(&chain, r#"{"key": "a", "n": 1}"#, Some("other")).await, "1", "another tenant");
    assert_eq!(
        run_as(&chain, r#"{"key": ""}"#, None).await,
        "`t.a` failed: invalid: the idempotency key is empty"
    );
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert!(run_as(&chain, r#"{"key": "b", "fail": true}"#, None).await.contains("asked to"));
    assert_eq!(
        run_as(&chain, r#"{"key": "b", "fail": false}"#, None).await,
        "2",
        "a failed call frees its key"
    );
}

#[tokio::test]
async fn calls_with_one_key_at_the_same_time_are_one_call() {
    let server = serve_slowly(|_| vec![json_answer("1")], 20).await;
    let project = format!(
        "[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{{ address = \"{}\", methods = [\"POST\"] }}]\n",
        server.url("")
    );
    let bench = bench(&project, PERMIT_ALL);
    let text = format!(
        "chain: t\nlinks:\n  send: {{kind: http, idempotency_key: pay-7, with: {{method: POST, url: '{}'}}}}\noutput: ${{send.body}}",
        server.url("/")
    );
    let chain = bench.engine.load(&[Source::new("t.yaml", text)]).unwrap().remove(0);
    let runs = (0..8).map(|_| chain.request(json("{}")).unwrap().principal(alice()).run());
    for report in futures_util::future::join_all(runs).await {
        assert_eq!(shown(&report), "1");
    }
    assert_eq!(server.requests().len(), 1);
    let key = server.requests()[0]
        .lines()
        .find_map(|line| line.strip_prefix("idempotency-key: ").map(str::to_string))
        .unwrap();
    assert!(key.len() == 64 && !key.contains("pay-7"), "the other side can tell a repetition: {key}");
}

#[tokio::test]
async fn a_retry_goes_through_the_gate_again_and_succeeds() {
    let count = Arc::new(AtomicUsize::new(0));
    let inner = count.clone();
    let server = serve(move |_| {
        if inner.fetch_add(1, Ordering::Relaxed) < 2 { answer(503, "", b"") } else { json_answer("1") }
    })
    .await;
    let project =
        format!("[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{{ address = \"{}\" }}]\n", server.url(""));
    let policy = format!(
        "{PERMIT_ALL}\n@id(\"twice\")\nforbid (principal, action == Ringmail::Action::\"call\", resource) when {{ context.counts.hasTag(\"t.get\") && context.counts.getTag(\"t.get\") >= 2 }};"
    );
    let text = format!(
        "chain: t\nlinks:\n  get: {{kind: http, retry: {{attempts: 5, backoff: 1ms, jitter: false}}, with: {{url: '{}'}}}}\noutput: ${{get.body}}",
        server.url("/")
    );
    assert!(
        shown(&bench(&project, &policy).run(&[&text], "{}").await)
            .starts_with("refused policy-forbids: `twice`")
    );
    assert_eq!(server.requests().len(), 2);
    assert_eq!(shown(&bench(&project, PERMIT_ALL).run(&[&text], "{}").await), "1");
}

#[tokio::test(start_paused = true)]
async fn a_link_runs_no_more_at_once_than_it_may() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inner, peak) = (now.clone(), most.clone());
    let chain = Chain::builder("t")
        .link("a", move |_| {
            let (now, most) = (inner.clone(), peak.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(1)
            }
        })
        .put("concurrency", 3)
        .build(&Engine::builder().build().unwrap())
        .unwrap();
    let runs = (0..50).map(|_| chain.run(0));
    for result in futures_util::future::join_all(runs).await {
        result.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}
