//! A call of a plugin in an instance of its own, in rounds that take turns: bare wasmtime, our walls, a run of a chain
//! with its gates, labels and trail, a worker process, and Extism: `plugins [ROUNDS]`. All do the same work, a kilobyte of
//! JSON in and out. Goals: at most 1.5 times bare wasmtime, and a tenth of Extism. See `bench/peers/README.md`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop")]

use ringmail_engine::core::doc::Source;
use ringmail_engine::core::plugin::digest;
use ringmail_engine::{Chain, Engine, Value};
use ringmail_host::{CallLimits, Confined, Granted, NoDesk, Walls, WorkerCommand, Workers, serve_as_worker};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Instant;
use tokio::runtime::Runtime;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MODULE: &[u8] = include_bytes!("../../examples/masked-log/plugins/mask/plugin.wasm");
const EXTISM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/extism");
const EXTISM_PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/extism.wat");
/// Of each, in a round.
const CALLS: usize = 2_000;

/// One way to call the plugin so many times: the median, in microseconds.
type Way<'w> = (&'static str, Box<dyn FnMut(usize) -> f64 + 'w>);

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return serve_as_worker();
    }
    let rounds: usize = std::env::args().nth(1).map_or(15, |rounds| rounds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut ways = ways(&runtime);
    let mut figures: Vec<Vec<f64>> = ways.iter().map(|_| Vec::new()).collect();
    for (_, call) in &mut ways {
        // The first calls warm up.
        call(CALLS);
    }
    for _ in 0..rounds {
        for ((_, call), figures) in ways.iter_mut().zip(&mut figures) {
            figures.push(call(CALLS));
        }
    }
    let [bare, ..] = figures.as_slice() else { return ExitCode::FAILURE };
    println!("{:<44}     us   times bare, the median of {rounds} rounds", "");
    for ((name, _), figures) in ways.iter().zip(&figures) {
        let ratios = figures.iter().zip(bare).map(|(one, bare)| one / bare).collect();
        println!("{name:<44} {:>6.1} {:>8.2}", median(figures.clone()), median(ratios));
    }
    ExitCode::SUCCESS
}

fn ways(runtime: &Runtime) -> Vec<Way<'_>> {
    let walls = Walls::new().unwrap();
    let here = Confined::load(&walls, MODULE, Granted::default()).unwrap();
    let program = WorkerCommand { program: std::env::current_exe().unwrap(), args: vec!["worker".into()] };
    let workers = Workers::new(program);
    let granted = Granted { workers: Some(&workers), ..Granted::default() };
    let there = Confined::load(&walls, MODULE, granted).unwrap();
    let confined = |confined: Confined| {
        let (limits, input) = (CallLimits::default(), input());
        move |calls| {
            let call = || runtime.block_on(confined.call(&input, &limits, NoDesk)).result.unwrap();
            timed(calls, call)
        }
    };
    let run = |links: &str| {
        let (chain, input) = (chain(links), Value::from(input().trim_matches('"')));
        move |calls| timed(calls, || runtime.block_on(chain.run(input.clone())).unwrap())
    };
    let mut ways: Vec<Way<'_>> = vec![
        ("bare wasmtime, tuned, without limits", Box::new(bare())),
        ("ours: walls, limits", Box::new(confined(here))),
        ("ours: a run of one plugin link", Box::new(run("kind: plugin, plugin: mask"))),
        ("ours: a run of one link that is no plugin", Box::new(run("kind: native, call: same"))),
        ("ours: in a worker process", Box::new(confined(there))),
    ];
    match Path::new(EXTISM).is_file() {
        true => {
            let mut extism = Extism::start();
            ways.push(("extism, a fresh instance", Box::new(move |calls| extism.calls(calls))));
        }
        false => println!("extism is not there: `cargo xtask bench-peers` brings it"),
    }
    ways
}

/// A kilobyte of JSON.
fn input() -> String {
    let text: String = (0..100).map(|at| format!("{at:04}-wort ")).collect();
    format!("\"{text}\"")
}

/// Bare wasmtime, as fast as it gets: a pool that keeps pages, nothing counted, no limits.
fn bare() -> impl FnMut(usize) -> f64 {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(512 << 10).table_keep_resident(512 << 10).pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.concurrency_support(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = wasmtime::Engine::new(&config).unwrap();
    let component = Component::from_binary(&engine, MODULE).unwrap();
    let pre: InstancePre<()> = Linker::new(&engine).instantiate_pre(&component).unwrap();
    let input = input();
    move |calls| {
        timed(calls, || {
            let mut store = Store::new(&engine, ());
            let instance = pre.instantiate(&mut store).unwrap();
            let call =
                instance.get_typed_func::<(&str,), (Result<String, String>,)>(&mut store, "call").unwrap();
            call.call(&mut store, (&input,)).unwrap().0.unwrap()
        })
    }
}

fn chain(link: &str) -> Chain {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/masked-log");
    let manifest = std::fs::read(folder.join("plugins/mask/plugin.toml")).unwrap();
    let pin = digest(&manifest, MODULE);
    let project =
        format!("[plugin.mask]\npath = \"plugins/mask\"\ndigest = \"{pin}\"\nreason = \"measures\"\n");
    let engine = Engine::builder().project(Source::new("ringmail.toml", project), &folder).build().unwrap();
    let chain = format!("chain: t\nlinks:\n  p: {{{link}, with: '${{input}}'}}\noutput: ${{p}}\n");
    engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0)
}

/// A process that calls the same plugin in Extism.
struct Extism {
    process: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Extism {
    fn start() -> Extism {
        let fuel = CallLimits::default().fuel_max.to_string();
        let mut process = Command::new(EXTISM)
            .args([EXTISM_PLUGIN, &fuel])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut asks, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        writeln!(asks, "{}", input()).unwrap();
        Extism { process, asks: Some(asks), answers: BufReader::new(answers) }
    }

    fn calls(&mut self, calls: usize) -> f64 {
        writeln!(self.asks.as_mut().unwrap(), "{calls} limited").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().parse::<f64>().unwrap() / 1e3
    }
}

impl Drop for Extism {
    fn drop(&mut self) {
        drop(self.asks.take());
        self.process.wait().unwrap();
    }
}

fn timed<T>(calls: usize, mut call: impl FnMut() -> T) -> f64 {
    let took = (0..calls).map(|_| {
        let started = Instant::now();
        drop(call());
        started.elapsed().as_secs_f64() * 1e6
    });
    median(took.collect())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
