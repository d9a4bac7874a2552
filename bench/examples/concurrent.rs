//! 10,000 runs at the same time of a chain of three links with a pause in the middle.
//! Goal: at most 8 KB of memory a run. `concurrent` measures a `wait` link and a native link that sleeps, for 10 ms and
//! for 1 s, each in a process of its own; `concurrent KIND PAUSE_MS [RUNS]` is one of them. After a short pause the
//! first runs end before the last begin, so memory is divided by the runs that were there at once.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop")]

use ringmail_engine::{Chain, Engine, Failure, Value};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const RUNS: usize = 10_000;
const GOAL_BYTES: usize = 8 << 10;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [] => all(),
        [kind, pause_ms, runs @ ..] => {
            let runs = runs.first().map_or(RUNS, |runs| runs.parse().unwrap());
            measure(kind, pause_ms.parse().unwrap(), runs);
        }
        _ => println!("concurrent [wait|sleep PAUSE_MS [RUNS]]"),
    }
}

fn all() {
    for kind in ["wait", "sleep"] {
        for pause_ms in ["10", "1000"] {
            let own = std::env::current_exe().unwrap();
            assert!(Command::new(own).args([kind, pause_ms]).status().unwrap().success());
        }
    }
}

/// How many runs stand between their first link and their last.
#[derive(Default)]
struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
}

fn chain(kind: &str, pause_ms: u64, at_once: &Arc<AtOnce>) -> Chain {
    let (first, last) = (at_once.clone(), at_once.clone());
    let builder = Chain::builder("concurrent").link("first", move |ctx| {
        first.most.fetch_max(first.now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        std::future::ready(Ok::<Value, Failure>(ctx.value().clone()))
    });
    let builder = if kind == "wait" {
        let with = Value::map([("for", Value::from(format!("{pause_ms}ms")))]);
        builder.step("pause", "wait", Value::map([("with", with)])).after(&["first"])
    } else {
        builder.link("pause", move |ctx| async move {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            Ok(ctx.value().clone())
        })
    };
    let builder = builder.link("last", move |ctx| {
        last.now.fetch_sub(1, Ordering::Relaxed);
        std::future::ready(Ok::<Value, Failure>(ctx.value().clone()))
    });
    builder.build(&Engine::builder().build().unwrap()).unwrap()
}

fn measure(kind: &str, pause_ms: u64, runs: usize) {
    let at_once = Arc::new(AtOnce::default());
    let chain = chain(kind, pause_ms, &at_once);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        chain.run(Value::Int(1)).await.unwrap();
        let before = memory_bytes("VmRSS:");
        let started = Instant::now();
        let mut flight = JoinSet::new();
        for _ in 0..runs {
            let chain = chain.clone();
            flight.spawn(async move { chain.run(Value::Int(1)).await });
        }
        while let Some(ended) = flight.join_next().await {
            ended.unwrap().unwrap();
        }
        let took_ms = started.elapsed().as_millis();
        let grown = memory_bytes("VmHWM:").saturating_sub(before);
        let most = at_once.most.load(Ordering::Relaxed);
        println!(
            "{kind} {pause_ms} ms: {runs} runs in {took_ms} ms, {most} at once, {} bytes each (goal {GOAL_BYTES})",
            grown / most.max(1)
        );
    });
}

/// A figure of this process in `/proc/self/status`.
fn memory_bytes(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
