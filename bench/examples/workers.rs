//! What a process around a plugin costs, and what a crowd waits: `workers [CALLS]`. One call after the other in this
//! process and in a worker; then a thousand callers of one tenant beside ten of another, on two threads. Goals: at most
//! 100 us for the median call of a worker that was started before, and the slowest hundredth of the crowd waits at most
//! ten times as long as its median.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop")]

use ringmail_host::{
    CallLimits, Confined, Denied, Desk, Errand, Granted, Reply, Walls, WorkerCommand, Workers,
    serve_as_worker,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MODULE: &[u8] = include_bytes!("../../examples/masked-log/plugins/mask/plugin.wasm");
const CROWD: usize = 1_000;
const FEW: usize = 10;
const ROUNDS: usize = 20;

/// Calls for one party, and asks for nothing.
struct Party(&'static str);

impl Desk for Party {
    fn ask(&mut self, _: Errand) -> Reply<'_> {
        Box::pin(async { Err(Denied { refused: true, message: String::new() }) })
    }

    fn party(&self) -> String {
        self.0.into()
    }
}

fn main() -> std::process::ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return serve_as_worker();
    }
    let calls = std::env::args().nth(1).map_or(20_000, |calls| calls.parse().unwrap());
    let walls = Walls::new().unwrap();
    let command = WorkerCommand { program: std::env::current_exe().unwrap(), args: vec!["worker".into()] };
    let workers = Workers::new(command);
    workers.warm().unwrap();
    let here = Confined::load(&walls, MODULE, Granted::default()).unwrap();
    let granted = Granted { workers: Some(&workers), ..Granted::default() };
    let there = Confined::load(&walls, MODULE, granted).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for _ in 0..3 {
        for (place, confined) in [("in this process", &here), ("in a worker", &there)] {
            let mut took = runtime.block_on(one_after_the_other(confined, calls));
            println!("{place}: median {:?}, slowest hundredth {:?}", at(&mut took, 0.5), at(&mut took, 0.99));
        }
    }
    for (place, confined) in [("in this process", &here), ("in workers", &there)] {
        let (mut crowd, mut few) = runtime.block_on(together(confined));
        let (half, slow) = (at(&mut crowd, 0.5), at(&mut crowd, 0.99));
        println!(
            "{CROWD} callers {place}: median {half:?}, slowest hundredth {slow:?}: {:.1} times; {FEW} of another tenant: median {:?}",
            slow.as_secs_f64() / half.as_secs_f64(),
            at(&mut few, 0.5)
        );
    }
    std::process::ExitCode::SUCCESS
}

fn input() -> String {
    format!("\"{}\"", "0123-wort ".repeat(100))
}

async fn one_after_the_other(confined: &Confined, calls: usize) -> Vec<Duration> {
    let (confined, input, limits) = (confined.clone(), input(), CallLimits::default());
    let work = async move {
        let mut took = Vec::with_capacity(calls);
        for _ in 0..calls {
            let started = Instant::now();
            confined.call(&input, &limits, Party("one")).await.result.unwrap();
            took.push(started.elapsed());
        }
        took
    };
    tokio::spawn(work).await.unwrap()
}

/// What each call of the crowd took, and what each of the few.
async fn together(confined: &Confined) -> (Vec<Duration>, Vec<Duration>) {
    let (confined, input) = (Arc::new(confined.clone()), Arc::new(input()));
    let limits = CallLimits { time_max: Duration::from_secs(60), ..CallLimits::default() };
    let caller = |party: &'static str| {
        let (confined, input) = (confined.clone(), input.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            for _ in 0..ROUNDS {
                let started = Instant::now();
                confined.call(&input, &limits, Party(party)).await.result.unwrap();
                took.push(started.elapsed());
            }
            took
        })
    };
    let crowd: Vec<_> = (0..CROWD).map(|_| caller("crowd")).collect();
    let few: Vec<_> = (0..FEW).map(|_| caller("few")).collect();
    (all(crowd).await, all(few).await)
}

async fn all(tasks: Vec<tokio::task::JoinHandle<Vec<Duration>>>) -> Vec<Duration> {
    let mut out = Vec::new();
    for task in tasks {
        out.extend(task.await.unwrap());
    }
    out
}

fn at(took: &mut [Duration], part: f64) -> Duration {
    took.sort_unstable();
    took.get(((took.len() - 1) as f64 * part) as usize).copied().unwrap()
}
