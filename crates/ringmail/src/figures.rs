//! What the guests of a run used: plugins, scripts and programs.

use crate::progress::{duration, size};
use crate::terminal::{BOLD, DIM, clean, paint};
use ringmail_engine::Engine;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::{Str, Value};

/// Guests of one kind that were called, by name.
type Group = (&'static str, Vec<(Str, Value)>);

fn groups(engine: &Engine) -> Vec<Group> {
    let called = |calls: u64, name: Str, figures: Value| (calls > 0).then_some((name, figures));
    let plugins = engine.plugin_figures();
    let plugins = plugins.into_iter().filter_map(|(name, own)| called(own.calls, name, own.to_value()));
    let scripts = engine.script_figures();
    let scripts = scripts.into_iter().filter_map(|(name, own)| called(own.calls, name, own.to_value()));
    let python = [("whole", engine.python_figures()), ("fast", engine.fast_python_figures())];
    let python = python.into_iter().filter_map(|(name, own)| {
        let own = own?;
        called(own.calls, name.into(), own.to_value())
    });
    let all: [Group; 3] =
        [("plugins", plugins.collect()), ("scripts", scripts.collect()), ("python", python.collect())];
    all.into_iter().filter(|(_, guests)| !guests.is_empty()).collect()
}

/// For machines: the guests of each kind.
pub(crate) fn members(engine: &Engine) -> Vec<(&'static str, Value)> {
    groups(engine).into_iter().map(|(kind, guests)| (kind, Value::map(guests))).collect()
}

/// For people: a line for each guest.
pub(crate) fn lines(engine: &Engine) -> String {
    let mut out = String::new();
    for (kind, guests) in groups(engine) {
        out.push_str(&format!("{}\n", paint(BOLD, kind)));
        for (name, figures) in guests {
            out.push_str(&format!("  {} {}\n", clean(&name), paint(DIM, &clean(&words(&figures)))));
        }
    }
    out
}

fn words(figures: &Value) -> String {
    let count = |key: &str| match figures.get(key) {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    };
    let mut words = vec![match count("calls") {
        1 => "1 call".to_string(),
        calls => format!("{calls} calls"),
    }];
    let named = |key: &str| {
        let map = figures.get(key).and_then(Value::as_map);
        let all = map.into_iter().flat_map(|map| map.iter());
        all.map(|(name, count)| format!("{name} {}", to_string(count))).collect::<Vec<_>>().join(", ")
    };
    let failures = named("failures");
    if !failures.is_empty() {
        words.push(format!("failed: {failures}"));
    }
    for (key, name) in [("cpu_us", "of a processor"), ("queued_us", "in a queue")] {
        if count(key) > 0 {
            words.push(format!("{} {name}", duration(count(key))));
        }
    }
    words.push(format!("{} of memory", size(count("memory_peak"))));
    words.push(format!("{} of fuel", count("fuel")));
    for (key, name) in [("asks", "calls of the host"), ("pauses", "pauses")] {
        if count(key) > 0 {
            words.push(format!("{} {name}", count(key)));
        }
    }
    for key in ["hosts", "files"] {
        let names = named(key);
        if !names.is_empty() {
            words.push(format!("{key}: {names}"));
        }
    }
    words.join(" · ")
}
