//! How fast logs are looked through for what nobody is to see: lines as servers and runs write them, with twenty secrets known.
//!
//!     cargo run --release -p ringmail-bench --example redaction

#![allow(clippy::print_stdout, reason = "a program that prints what it measured")]

use ringmail_core::redact::Redactor;
use ringmail_core::value::Str;
use std::hint::black_box;
use std::time::Instant;

const LINES: &[&str] = &[
    "2026-11-22T15:18:30.123Z INFO pay.send: status=200 took=15ms run=01a203f5fe5a0f27f84d4acdad6883a0 bytes=5123",
    "127.0.0.1 - ada [22/Nov/2026:15:18:30 +0000] \"GET /chains/pay?x=1 HTTP/1.1\" 200 5123 \"-\" \"curl/8.4.0\"",
    "{\"at_ms\":1795362782810,\"link\":\"pay.send\",\"stage\":\"admitted\",\"chain\":\"pay\",\"who\":\"3f9c\",\"tags\":[\"pii\"]}",
    "kernel: [12345.678901] eth0: link is up at 1000 Mbps, full duplex, flow control rx/tx",
    "the chain `pay` was loaded from chains/pay.yaml; 12 links, 3 with an effect; nothing was refused",
    "{\"level\":\"warn\",\"msg\":\"retrying after \\\"connection reset\\\"\",\"attempt\":2,\"host\":\"api.example.com\",\"pause_ms\":200}",
];
const BYTES: usize = 16 << 20;
const ROUNDS: usize = 8;

fn main() {
    let mut text = String::with_capacity(BYTES + 256);
    while text.len() < BYTES {
        for line in LINES {
            text.push_str(line);
            text.push('\n');
        }
    }
    let values: Vec<(Str, String)> = (0..20_u64)
        .map(|at| {
            let value = format!("{:016x}{:016x}", at.wrapping_mul(0x9e37_79b9_7f4a_7c15), !at);
            (Str::from(format!("s{at}")), value)
        })
        .collect();
    let redactor = Redactor::new(values.iter().map(|(name, value)| (name, value.as_str())));
    let lines: Vec<&str> = text.lines().collect();
    type Way = fn(&Redactor, &str) -> usize;
    let ways: [(&str, Way); 3] = [
        ("what was judged: secrets, names, credentials", |redactor, text| redactor.judged(text).len()),
        ("what was not: every detector besides", |redactor, text| redactor.unjudged(text).len()),
        ("results: values of secrets alone", |redactor, text| redactor.without_known(text).len()),
    ];
    for (name, way) in ways {
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let bytes: usize = lines.iter().map(|line| way(black_box(&redactor), black_box(line))).sum();
            black_box(bytes);
            best = best.min(begun.elapsed().as_secs_f64());
        }
        println!("{:>8.0} MB/s  {name}", text.len() as f64 / 1e6 / best);
    }
}
