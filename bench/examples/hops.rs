//! Runs a chain of native links again and again, for profilers: `hops LINKS RUNS`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for whoever profiles")]

use ringmail_engine::{Chain, Engine, Value};
use std::time::Instant;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().unwrap());
    let (links, runs) = (args.next().unwrap_or(10), args.next().unwrap_or(10_000));
    let mut builder = Chain::builder("hops");
    for at in 0..links {
        builder = builder.link(&format!("l{at}"), async |ctx| Ok(ctx.value().clone()));
    }
    let chain = builder.build(&Engine::builder().build().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..100 {
            chain.run(Value::Int(1)).await.unwrap();
        }
        let started = Instant::now();
        for _ in 0..runs {
            chain.run(Value::Int(1)).await.unwrap();
        }
        let each = started.elapsed().as_nanos() / (runs * links.max(1)) as u128;
        println!("{each} ns a link, the run's own cost included");
    });
}
