//! The spine's goals: what a hop, a gate, a label and a check cost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that fails should stop")]

use divan::Bencher;
use divan::counter::ItemsCount;
use ringmail_engine::core::doc::Source;
use ringmail_engine::middleware::Middleware;
use ringmail_engine::{Chain, Engine, Value};

fn main() {
    divan::main();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn native_chain(links: usize, middleware: usize) -> Chain {
    struct Nothing;
    impl Middleware for Nothing {}
    let mut builder = Chain::builder("hops");
    for at in 0..middleware {
        builder = builder.middleware(&format!("m{at}"), Nothing);
    }
    for at in 0..links {
        builder = builder.link(&format!("l{at}"), async |ctx| Ok(ctx.value().clone()));
    }
    builder.build(&Engine::builder().build().unwrap()).unwrap()
}

/// A whole run; divide by the links for the cost of a hop, after taking the empty chain's run off.
#[divan::bench(args = [0, 10, 100])]
fn native_hops(bencher: Bencher<'_, '_>, links: usize) {
    let (chain, runtime) = (native_chain(links, 0), runtime());
    bencher
        .counter(ItemsCount::new(links))
        .bench_local(|| runtime.block_on(chain.run(Value::Int(1))).unwrap());
}

#[divan::bench(args = [10, 100])]
fn native_hops_with_three_middleware(bencher: Bencher<'_, '_>, links: usize) {
    let (chain, runtime) = (native_chain(links, 3), runtime());
    bencher
        .counter(ItemsCount::new(links))
        .bench_local(|| runtime.block_on(chain.run(Value::Int(1))).unwrap());
}

#[divan::bench]
fn check_of_a_chain_with_1000_links(bencher: Bencher<'_, '_>) {
    let mut text =
        String::from("chain: large\nlinks:\n  l0: {kind: native, call: same, with: {v: '${input.v}'}}\n");
    for at in 1..1000 {
        text.push_str(&format!("  l{at}: {{kind: native, call: same, with: {{v: '${{l{}.v}}'}}}}\n", at - 1));
    }
    text.push_str("output: ${l999.v}\n");
    let source = Source::new("large.yaml", text);
    let engine = Engine::builder().build().unwrap();
    assert!(engine.check(&[source.clone()]).problems.is_empty());
    bencher.bench_local(|| engine.check(&[source.clone()]));
}
