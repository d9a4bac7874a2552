//! Components: any bytes are a guest or a reason why not, and a guest ends within its limits whatever it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_host::{CAPABILITIES, CallLimits, Confined, Granted, NoDesk, Walls, surface};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

static WALLS: LazyLock<Arc<Walls>> = LazyLock::new(|| Walls::new().unwrap());
static ALL: LazyLock<Vec<&str>> =
    LazyLock::new(|| CAPABILITIES.iter().map(|capability| capability.name).collect());

fuzz_target!(|bytes: &[u8]| {
    let granted = Granted { capabilities: &ALL, ..Granted::default() };
    let loaded = Confined::load(&WALLS, bytes, granted);
    assert!(loaded.is_err() || surface(&WALLS, bytes).is_ok());
    let Ok(confined) = loaded else { return };
    let limits = CallLimits {
        memory_bytes_max: 4 << 20,
        time_max: Duration::from_millis(100),
        fuel_max: 10_000_000,
        output_bytes_max: 1 << 16,
        asks_max: 10,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = Instant::now();
    let ended = runtime.block_on(confined.call("[1]", &limits, NoDesk));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", ended.result);
    assert!(ended.figures.memory_bytes_peak <= limits.memory_bytes_max);
    assert!(ended.result.is_err() || ended.result.is_ok_and(|text| text.len() <= limits.output_bytes_max));
});
