//! Runs of Python programs, each in a fresh instance, gates, labels and trail on: `python PROJECT [SECONDS]`, where
//! `ringmail python setup` ran in the project. Goal: a small program takes at most 3 ms at the median.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement that fails should stop"
)]

use ringmail_core::doc::Source;
use ringmail_core::json::{JsonLimits, parse};
use ringmail_engine::{Engine, HostKey};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROGRAMS: &[(&str, &str)] = &[
    ("small", "result = input['a'] + 1"),
    ("map", "result = {k: {'n': len(v), 'upper': v.upper()} for k, v in words.items() if v.startswith('w')}"),
    (
        "modules",
        "import re, json, datetime, statistics\n      result = [re.findall('[0-9]+', words['w1']), str(datetime.date(2026, 1, 2)), statistics.mean([1, 2])]",
    ),
    ("loop", "total = 0\n      for n in range(1000): total += n * n % 7\n      result = total"),
];

fn main() {
    let folder: PathBuf = std::env::args().nth(1).unwrap().into();
    let seconds = std::env::args().nth(2).map_or(2, |seconds| seconds.parse().unwrap());
    let data = folder.join(".ringmail");
    let project =
        Source::new("ringmail.toml", std::fs::read_to_string(folder.join("ringmail.toml")).unwrap());
    let began = Instant::now();
    let engine = Engine::builder()
        .project(project, &folder)
        .key(HostKey::open(&data.join("host.key")).unwrap())
        .module_cache(data.join("modules"), true)
        .build()
        .unwrap();
    println!("{:8.1} ms to load the engine with the interpreter", began.elapsed().as_secs_f64() * 1e3);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let words: String = (0..20).map(|n| format!(",\"w{n}\": \"word-{n}-{}\"", "x".repeat(40))).collect();
    let input =
        parse(format!("{{\"a\": 1, \"words\": {{\"w\": \"w\"{words}}}}}").as_bytes(), &JsonLimits::default())
            .unwrap();
    for (name, code) in PROGRAMS {
        let chain = format!(
            "chain: {name}\nlinks:\n  p:\n    kind: python\n    code: |\n      {code}\n    with: '${{input}}'\noutput: ${{p}}"
        );
        let chain = engine.load(&[Source::new("c.yaml", chain)]).unwrap().remove(0);
        let mut times = Vec::new();
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let began = Instant::now();
            runtime.block_on(chain.request(input.clone()).unwrap().run()).result.unwrap();
            times.push(began.elapsed());
        }
        times.sort();
        let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e3;
        println!("{:8.2} ms p50, {:.2} ms p99 over {} runs: {name}", at(50), at(99), times.len());
    }
}
