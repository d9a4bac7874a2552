//! Scripts: any text is a script or a list of problems, and a script ends within its budget whatever it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::value::Value;
use ringmail_host::{CallLimits, Metered, Script, ScriptError};
use std::alloc::System;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Metered<System> = Metered(System);

fuzz_target!(|text: &str| {
    let started = Instant::now();
    let script = match Script::compile(text, "main") {
        Ok(script) => Arc::new(script),
        Err(ScriptError::Faults(faults)) => {
            assert!(!faults.is_empty());
            return;
        }
        Err(other) => panic!("{other}"),
    };
    assert!(started.elapsed() < Duration::from_secs(2), "it takes long to compile");
    let limits = CallLimits {
        memory_bytes_max: 4 << 20,
        time_max: Duration::from_millis(50),
        fuel_max: 1_000_000,
        output_bytes_max: 1 << 16,
        asks_max: 0,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let input = Value::map([("name", Value::from("Ada")), ("list", Value::list([1, 2].map(Value::Int)))]);
    let started = Instant::now();
    let ended = runtime.block_on(script.call(&input, &limits));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", ended.result);
    // What one step takes comes on top.
    assert!(ended.figures.memory_bytes_peak <= 16 << 20, "{:?}", ended.figures);
});
