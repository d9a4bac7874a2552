//! What starting a confined process costs: `children [CALLS]`. From the call to its end, with all walls that this kernel
//! gives, and beside it the same program started without any.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop")]

use ringmail_host::{ChildSpec, KernelWalls, Wall, run_child};
use std::time::{Duration, Instant};

fn main() {
    let calls: usize = std::env::args().nth(1).map_or(500, |calls| calls.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let program = std::fs::canonicalize("/bin/true").unwrap();
    let all = KernelWalls::of_this_host();
    let fewer = std::sync::Arc::new(all.without(Wall::MemoryGroup));
    let fewest = std::sync::Arc::new(fewer.without(Wall::Namespaces));
    let confined = |walls: &std::sync::Arc<KernelWalls>| {
        let spec = ChildSpec { unconfined: true, ..ChildSpec::new(&program) };
        runtime.block_on(run_child(spec, b"", walls.clone())).unwrap();
    };
    shown("no walls", calls, || {
        std::process::Command::new(&program).output().unwrap();
    });
    shown("no namespaces, no cgroups", calls, || confined(&fewest));
    shown("no cgroups", calls, || confined(&fewer));
    shown("all walls", calls, || confined(&all));
}

fn shown(name: &str, calls: usize, call: impl Fn()) {
    call();
    let mut times: Vec<Duration> = (0..calls)
        .map(|_| {
            let started = Instant::now();
            call();
            started.elapsed()
        })
        .collect();
    times.sort();
    let at = |part: usize| times.get(calls * part / 100).copied().unwrap_or_default().as_micros();
    println!("{name:<28} p50 {:>6} us   p99 {:>6} us", at(50), at(99));
}
