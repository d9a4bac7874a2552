//! What confinement costs: a fresh instance for each call, against the same component on bare wasmtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that fails should stop")]

use divan::Bencher;
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::plugin::digest;
use ringmail_engine::{Chain, Engine, Value};
use ringmail_host::{CallLimits, Confined, Granted, NoDesk, Walls};
use std::path::Path;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

const MODULE: &[u8] = include_bytes!("../../examples/masked-log/plugins/mask/plugin.wasm");

/// A kilobyte of JSON.
fn input() -> String {
    let text: String = (0..100).map(|at| format!("{at:04}-wort ")).collect();
    format!("\"{text}\"")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Bare wasmtime, as fast as it gets: a pool that keeps pages, nothing counted, no limits.
#[divan::bench]
fn bare_fresh(bencher: Bencher<'_, '_>) {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(512 << 10).table_keep_resident(512 << 10).pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.concurrency_support(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = wasmtime::Engine::new(&config).unwrap();
    let component = Component::from_binary(&engine, MODULE).unwrap();
    let pre: InstancePre<()> = Linker::new(&engine).instantiate_pre(&component).unwrap();
    let input = input();
    bencher.bench_local(|| {
        let mut store = Store::new(&engine, ());
        let instance = pre.instantiate(&mut store).unwrap();
        let call = instance.get_typed_func::<(&str,), (Result<String, String>,)>(&mut store, "call").unwrap();
        call.call(&mut store, (&input,)).unwrap().0.unwrap()
    });
}

/// The same behind the walls: fuel, epochs, meter, deadline.
#[divan::bench]
fn confined_fresh(bencher: Bencher<'_, '_>) {
    let confined = Confined::load(&Walls::new().unwrap(), MODULE, Granted::default()).unwrap();
    let (limits, input, runtime) = (CallLimits::default(), input(), runtime());
    bencher.bench_local(|| runtime.block_on(confined.call(&input, &limits, NoDesk)).result.unwrap());
}

fn chain(links: &str) -> Chain {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/masked-log");
    let manifest = std::fs::read(folder.join("plugins/mask/plugin.toml")).unwrap();
    let pin = digest(&manifest, MODULE);
    let project =
        format!("[plugin.mask]\npath = \"plugins/mask\"\ndigest = \"{pin}\"\nreason = \"measures\"\n");
    let engine = Engine::builder().project(Source::new("ringmail.toml", project), &folder).build().unwrap();
    let chain = format!("chain: t\nlinks:\n{links}output: ${{p}}\n");
    engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0)
}

/// A run of one plugin link: JSON, gates, labels and trail besides. Less [`run_of_one_native`] it is a call's cost.
#[divan::bench]
fn run_of_one_plugin(bencher: Bencher<'_, '_>) {
    let chain = chain("  p: {kind: plugin, plugin: mask, with: '${input}'}\n");
    let (input, runtime) = (Value::from(input().trim_matches('"')), runtime());
    bencher.bench_local(|| runtime.block_on(chain.run(input.clone())).unwrap());
}

#[divan::bench]
fn run_of_one_native(bencher: Bencher<'_, '_>) {
    let chain = chain("  p: {kind: native, call: same, with: '${input}'}\n");
    let (input, runtime) = (Value::from(input().trim_matches('"')), runtime());
    bencher.bench_local(|| runtime.block_on(chain.run(input.clone())).unwrap());
}

/// What loading a plugin costs: nearly all of it is compiling.
#[divan::bench]
fn compiled_and_linked(bencher: Bencher<'_, '_>) {
    let walls = Walls::new().unwrap();
    bencher.bench_local(|| Confined::load(&walls, MODULE, Granted::default()).unwrap());
}
