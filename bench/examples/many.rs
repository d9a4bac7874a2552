//! A host with many plugins: `many [PLUGINS]`. Each is a module of its own, of 100 kB. Loads all of them twice, the second
//! time from the cache. Goals: at most 1 ms each from the cache, and nothing is compiled twice.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails should stop")]

use ringmail_host::{CallLimits, Confined, Granted, ModuleCache, NoDesk, Walls};
use std::path::Path;
use std::time::Instant;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MODULE: &[u8] = include_bytes!("../../examples/masked-log/plugins/mask/plugin.wasm");
const MODULE_BYTES: usize = 100 << 10;

fn main() {
    let plugins = std::env::args().nth(1).map_or(1_000, |plugins| plugins.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("ringmail-many-{}", std::process::id()));
    let cache = ModuleCache::new(folder.clone(), &[7; 32], true);
    let modules: Vec<Vec<u8>> = (0..plugins).map(module).collect();
    let walls = Walls::new().unwrap();
    let load = || -> Vec<Confined> {
        let granted = || Granted { cache: Some(&cache), ..Granted::default() };
        modules.iter().map(|module| Confined::load(&walls, module, granted()).unwrap()).collect()
    };
    let began = Instant::now();
    drop(load());
    println!("{:9.3} ms a plugin, compiled", ms(began) / plugins as f64);
    let written = entries(&folder);
    let (before, began) = (resident_kb(), Instant::now());
    let all = load();
    println!("{:9.3} ms a plugin, from the cache", ms(began) / plugins as f64);
    println!("{:9.1} kB of memory a plugin, idle", (resident_kb() - before) / plugins as f64);
    assert!(written == entries(&folder), "something was compiled again");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    for confined in &all {
        runtime.block_on(confined.call("\"x\"", &CallLimits::default(), NoDesk)).result.unwrap();
    }
    println!("{:9.3} ms for the first call of each", ms(began) / plugins as f64);
    println!("{:9.1} kB of memory a plugin, once called", (resident_kb() - before) / plugins as f64);
    std::fs::remove_dir_all(folder).unwrap();
}

/// The same component with a section that nothing reads, of other content each time.
fn module(number: usize) -> Vec<u8> {
    let mut content = format!("\u{1}x{number}").into_bytes();
    content.resize(MODULE_BYTES.saturating_sub(MODULE.len()).max(64), b'.');
    let mut module = [MODULE, &[0]].concat();
    let mut size = content.len();
    while size >= 128 {
        module.push((size % 128) as u8 | 128);
        size /= 128;
    }
    module.push(size as u8);
    [module, content].concat()
}

/// Name and age of each entry: a module that is compiled is written anew.
fn entries(folder: &Path) -> Vec<(std::ffi::OsString, std::time::SystemTime)> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut out: Vec<_> =
        entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap())).collect();
    out.sort();
    out
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn resident_kb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
