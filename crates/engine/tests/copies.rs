//! A large text passes through a chain without being copied. A binary of its own, because it counts every byte that
//! the process allocates.
#![allow(clippy::unwrap_used, reason = "a test that finds something unexpected should stop")]

use ringmail_engine::core::doc::Source;
use ringmail_engine::core::value::Str;
use ringmail_engine::{Chain, Engine, Principal, Value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::fmt::Write;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LINKS: usize = 10;
const TEXT_BYTES: usize = 1 << 20;
const MORE_BYTES_MAX: usize = 64 << 10;

/// Bytes allocated between start and end of a run.
fn allocated(chain: &Chain, text: &Str) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let input = Value::map([("text", Value::Str(text.clone()))]);
    let request = chain.request(input).unwrap().principal(Principal::host());
    let region = Region::new(ALLOCATOR);
    let report = runtime.block_on(request.run());
    let bytes = region.change().bytes_allocated;
    let out = report.result.unwrap().value().get("text").cloned();
    assert_eq!(out, Some(Value::Str(text.clone())));
    bytes
}

fn built(engine: &Engine) -> Chain {
    let chain = (0..LINKS).fold(Chain::builder("built"), |chain, at| {
        chain.link(&format!("l{at}"), async |ctx| Ok(ctx.value().clone()))
    });
    chain.build(engine).unwrap()
}

fn loaded(engine: &Engine) -> Chain {
    let mut text = String::from("chain: loaded\nlinks:\n");
    for at in 0..LINKS {
        let from = if at == 0 { "input".to_string() } else { format!("l{}", at - 1) };
        writeln!(text, "  l{at}: {{kind: native, call: same, with: {{text: '${{{from}.text}}'}}}}").unwrap();
    }
    writeln!(text, "output: {{text: '${{l{}.text}}'}}", LINKS - 1).unwrap();
    engine.load(&[Source::new("loaded.yaml", text)]).unwrap().remove(0)
}

/// One test alone: another one at the same time would be counted too.
#[test]
fn a_large_text_costs_a_run_no_more_than_an_empty_one() {
    let engine = Engine::builder().build().unwrap();
    let (large, empty): (Str, Str) = ("x".repeat(TEXT_BYTES).into(), "".into());
    for chain in [built(&engine), loaded(&engine)] {
        // The first run fills what the engine remembers.
        allocated(&chain, &empty);
        let (for_empty, for_large) = (allocated(&chain, &empty), allocated(&chain, &large));
        let more = for_large.saturating_sub(for_empty);
        assert!(for_empty > 0, "nothing was counted");
        assert!(more < MORE_BYTES_MAX, "`{}`: {more} bytes more for a large text", chain.name());
    }
}
