//! What holding a script to its budget costs, against the same script on a bare interpreter.
#![allow(clippy::unwrap_used, reason = "a measurement that fails should stop")]

use divan::Bencher;
use ringmail_core::value::Value;
use ringmail_host::{CallLimits, Metered, Script};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: Metered<mimalloc::MiMalloc> = Metered(mimalloc::MiMalloc);

fn main() {
    divan::main();
}

const SHORT: &str = "fn main(text) { text.len() }";
const LOOP: &str = "fn main(text) { let sum = 0; for at in 0..1000 { sum += at * 2; } sum }";

/// A kilobyte.
fn input() -> String {
    "0123-wort ".repeat(100)
}

fn bare(bencher: Bencher<'_, '_>, source: &str) {
    let engine = rhai::Engine::new();
    let ast = engine.compile(source).unwrap();
    let options = || rhai::CallFnOptions::new().eval_ast(false);
    let input = input();
    bencher.bench_local(|| {
        let args = (rhai::ImmutableString::from(input.as_str()),);
        let mut scope = rhai::Scope::new();
        engine.call_fn_with_options::<i64>(options(), &mut scope, &ast, "main", args).unwrap()
    });
}

fn confined(bencher: Bencher<'_, '_>, source: &str) {
    let script = Arc::new(Script::compile(source, "main").unwrap());
    let (limits, input) = (CallLimits::default(), Value::from(input()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // An engine is in its runtime already when it calls; a short script has ended when it is first looked at.
    let _inside = runtime.enter();
    bencher.bench_local(|| {
        let mut call = pin!(script.call(&input, &limits));
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => ended.result.unwrap(),
            // Others had the processor meanwhile.
            Poll::Pending => runtime.block_on(call).result.unwrap(),
        }
    });
}

#[divan::bench]
fn bare_short(bencher: Bencher<'_, '_>) {
    bare(bencher, SHORT);
}

#[divan::bench]
fn confined_short(bencher: Bencher<'_, '_>) {
    confined(bencher, SHORT);
}

#[divan::bench]
fn bare_loop(bencher: Bencher<'_, '_>) {
    bare(bencher, LOOP);
}

#[divan::bench]
fn confined_loop(bencher: Bencher<'_, '_>) {
    confined(bencher, LOOP);
}

#[divan::bench]
fn compiled(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| Script::compile(LOOP, "main").unwrap());
}
