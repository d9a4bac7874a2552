//! Calls of a plugin a second, on one thread and on two: `guests [SECONDS]`. Each thread has a runtime of its own, and all
//! stand behind the same walls. Goal: two threads give at least 1.6 times what one gives.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop")]

use ringmail_host::{CallLimits, Confined, Granted, NoDesk, Walls};
use std::time::{Duration, Instant};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MODULE: &[u8] = include_bytes!("../../examples/masked-log/plugins/mask/plugin.wasm");

fn main() {
    let seconds = std::env::args().nth(1).map_or(2, |seconds| seconds.parse().unwrap());
    let confined = Confined::load(&Walls::new().unwrap(), MODULE, Granted::default()).unwrap();
    let input = format!("\"{}\"", "0123-wort ".repeat(100));
    let run = |threads: usize| -> u64 {
        let end = Instant::now() + Duration::from_secs(seconds);
        let calls: u64 = std::thread::scope(|scope| {
            let work = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let (limits, mut calls) = (CallLimits::default(), 0);
                while Instant::now() < end {
                    runtime.block_on(confined.call(&input, &limits, NoDesk)).result.unwrap();
                    calls += 1;
                }
                calls
            };
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        calls / seconds
    };
    run(2);
    for _ in 0..3 {
        let (one, two) = (run(1), run(2));
        println!("{one} calls a second on one thread, {two} on two: {:.2} times", two as f64 / one as f64);
    }
}
