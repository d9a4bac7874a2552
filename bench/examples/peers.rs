//! A chain of 10 steps that hand their value on, here and in dynamiq, and the ratio: `peers [RUNS]`.
//! Goal: a step well under a microsecond with gates, labels and trail on. See `bench/peers/README.md`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop")]

use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::{Chain, Engine, Value};
use std::process::{Command, Stdio};
use std::time::Instant;

const STEPS: usize = 10;
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python");
const DYNAMIQ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/dynamiq.py");

fn main() {
    let runs = std::env::args().nth(1).map_or(10_000, |runs| runs.parse().unwrap());
    let ours = ours(runs);
    println!("ringmail: {ours:.3} us a step");
    let theirs = dynamiq();
    let name = theirs.get("peer").and_then(Value::as_str).unwrap();
    for (figure, meaning) in
        [("us_a_step", "as it is"), ("us_a_step_without_sleep", "without its sleep of 1 ms")]
    {
        let us = number(theirs.get(figure).unwrap());
        println!("{name}, {meaning}: {us:.3} us a step, {:.0} times ours", us / ours);
    }
}

/// The median of microseconds a step.
fn ours(runs: usize) -> f64 {
    const WARM_UP: usize = 100;
    let builder = (0..STEPS).fold(Chain::builder("same"), |builder, at| {
        builder.link(&format!("l{at}"), async |ctx| Ok(ctx.value().clone()))
    });
    let chain = builder.build(&Engine::builder().build().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |_| {
        let started = Instant::now();
        let output = runtime.block_on(chain.run(Value::Int(1))).unwrap();
        let took = started.elapsed();
        assert_eq!(output.value(), &Value::Int(1));
        took
    };
    let mut times: Vec<_> = (0..runs + WARM_UP).map(run).skip(WARM_UP).collect();
    times.sort();
    times.get(times.len() / 2).unwrap().as_secs_f64() * 1e6 / STEPS as f64
}

/// The line of JSON the other side prints.
fn dynamiq() -> Value {
    let output = Command::new(PYTHON).args(["-W", "ignore", DYNAMIQ]).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{PYTHON}: {error}; see bench/peers/README.md")).unwrap();
    assert!(output.status.success(), "dynamiq.py failed");
    parse(output.stdout.trim_ascii(), &JsonLimits::default()).unwrap()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Float(float) => *float,
        Value::Int(int) => *int as f64,
        _ => f64::NAN,
    }
}
