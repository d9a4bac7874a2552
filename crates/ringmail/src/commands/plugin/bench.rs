//! `ringmail plugin bench`: what one call costs, behind the real walls and within the limits of the manifest. Beside it
//! stands a plugin that does nothing with the same input: what is left is the plugin's own. Nobody answers what it asks.

use super::test::{TESTS, cases};
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::input::From;
use crate::place::{Place, worker_command};
use crate::progress::size;
use crate::terminal::{BOLD, DIM, Format, clean, paint, print, print_json};
use anyhow::Context as _;
use ringmail_engine::core::doc::form::duration_ms;
use ringmail_engine::core::doc::{Source, toml};
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::plugin::{Manifest, PluginPlace};
use ringmail_engine::{AlonePlugin, Failure, PluginFolder, Timed, Value};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is called, how often, and where.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder of its `plugin.toml`, a package, or a plugin of the project
    #[arg(default_value = ".")]
    plugin: String,
    /// Call it with this, as JSON, instead of the inputs of its `plugin.test.json`
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// Call it with what is in this file
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    input_file: Option<PathBuf>,
    /// How often, with each input, after a first call that is told apart
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// How long at most, with each input
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration_ms)]
    time: u64,
    /// Where its instances run
    #[arg(long, value_enum, default_value = "instance")]
    isolation: Isolation,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Isolation {
    /// In this process
    Instance,
    /// In worker processes that can only compute
    Process,
}

/// Answers with its input.
const IDLE: &str = r#"(module
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 64))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 65536)))))))
    (local.get $at))
  (func (export "call") (param $text i32) (param $length i32) (result i32)
    (i32.store (i32.const 20) (local.get $text))
    (i32.store (i32.const 24) (local.get $length))
    (i32.const 16)))"#;
const IDLE_MANIFEST: &str = "plugin = \"idle\"\nversion = \"1.0.0\"\ndescription = \"does nothing\"\n";

const INPUT_CHARS_SHOWN: usize = 60;

/// One input, and what calls with it cost.
struct Case {
    input: Value,
    plugin: Cost,
    idle: Cost,
}

#[derive(Default)]
struct Cost {
    first: Duration,
    /// The calls after that, in order of length.
    took: Vec<Duration>,
    /// Why the first one that failed did.
    failure: Option<String>,
    fuel: u64,
    memory_bytes: usize,
}

pub(super) fn run(args: &Args, common: &Common) -> Result<Exit, Fault> {
    let folder = folder(&args.plugin, common)?;
    let read = match &folder {
        Some(folder) => PluginFolder::read(folder, &mut TagTable::default())?,
        None => super::found(&args.plugin, common)?.0,
    };
    let inputs = inputs(args, folder.as_deref())?;
    let workers = || (args.isolation == Isolation::Process).then(worker_command).flatten();
    let fault = |failure: Failure| Fault::user(failure.message);
    let around = folder.as_deref().unwrap_or(Path::new("."));
    let cache = super::cache_around(common, around)?;
    let cache = || cache.as_ref().map(|(key, folder)| (key, folder.clone()));
    let started = Instant::now();
    let plugin = read.alone(workers(), cache()).map_err(fault)?;
    let loaded = started.elapsed();
    let idle = idle()?;
    let idle = idle.alone(workers(), cache()).map_err(fault)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::user(format!("there is no runtime: {error}")))?;
    let both = |input: &Value| [&plugin, &idle].map(|one| runtime.block_on(measure(one, input, args)));
    let cases: Vec<Case> = inputs
        .into_iter()
        .map(|input| {
            let [plugin, idle] = both(&input);
            Case { input, plugin, idle }
        })
        .collect();
    match args.format {
        Format::Json => print_json(&value(&read, loaded, &cases))?,
        Format::Text => print(&text(&read, loaded, &cases))?,
    }
    Ok(Exit::Done)
}

/// The folder of a plugin that is in one.
fn folder(named: &str, common: &Common) -> Result<Option<PathBuf>, Fault> {
    let path = Path::new(named);
    if path.exists() {
        return Ok(path.is_dir().then(|| path.to_path_buf()));
    }
    let place = Place::open(common.project.as_deref(), Path::new("."))?;
    let setting = place.project.plugins.iter().find(|setting| &*setting.name == named);
    Ok(match setting.map(|setting| &setting.place) {
        Some(PluginPlace::Folder(folder)) => Some(place.root.join(folder)),
        _ => None,
    })
}

fn inputs(args: &Args, folder: Option<&Path>) -> Result<Vec<Value>, Fault> {
    let one = match (&args.input, &args.input_file, folder) {
        (Some(text), ..) => From::Argument(text),
        (_, Some(file), _) => From::File(file),
        (.., Some(folder)) if folder.join(TESTS).is_file() => {
            let cases = cases(folder)?;
            return Ok(cases.iter().map(|case| case.get("input").cloned().unwrap_or_default()).collect());
        }
        _ => {
            return Err(Fault::user(format!("nothing says what `{}` is to be called with", args.plugin))
                .hint("give it an input: --input JSON, or --input-file FILE"));
        }
    };
    Ok(vec![one.read()?])
}

fn idle() -> Result<PluginFolder, Fault> {
    let source = Source::new("plugin.toml", IDLE_MANIFEST);
    let manifest = toml::parse(&source)?;
    let manifest = Manifest::load(&manifest, &source, &mut TagTable::default())?;
    let module = wat::parse_str(IDLE).context("the plugin that does nothing")?;
    Ok(PluginFolder { manifest, module, digest: "".into(), signed: None })
}

async fn measure(plugin: &AlonePlugin<'_>, input: &Value, args: &Args) -> Cost {
    let mut cost = Cost::default();
    cost.count(plugin.timed(input).await);
    cost.first = std::mem::take(&mut cost.took).pop().unwrap_or_default();
    let (started, most) = (Instant::now(), Duration::from_millis(args.time));
    while cost.took.len() < args.count as usize && started.elapsed() < most {
        cost.count(plugin.timed(input).await);
    }
    cost.took.sort_unstable();
    cost
}

impl Cost {
    fn count(&mut self, call: Timed) {
        self.took.push(call.took);
        self.fuel = self.fuel.max(call.figures.fuel);
        self.memory_bytes = self.memory_bytes.max(call.figures.memory_bytes_peak);
        if let (Err(failure), None) = (call.result, &self.failure) {
            self.failure = Some(failure.to_string());
        }
    }

    /// The time that this share of the calls did not need.
    fn quantile(&self, hundredths: usize) -> Duration {
        let at = (self.took.len() * hundredths).div_ceil(100).max(1) - 1;
        self.took.get(at).copied().unwrap_or(self.first)
    }
}

fn value(read: &PluginFolder, loaded: Duration, cases: &[Case]) -> Value {
    let number = |number: u128| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let cost = |cost: &Cost| {
        Value::map([
            ("calls", number(cost.took.len() as u128)),
            ("first_ns", number(cost.first.as_nanos())),
            ("median_ns", number(cost.quantile(50).as_nanos())),
            ("p99_ns", number(cost.quantile(99).as_nanos())),
            ("fuel", number(u128::from(cost.fuel))),
            ("memory_peak", number(cost.memory_bytes as u128)),
            ("failure", cost.failure.as_deref().map_or(Value::Null, Value::from)),
        ])
    };
    let cases = cases.iter().map(|case| {
        let members =
            [("input", case.input.clone()), ("plugin", cost(&case.plugin)), ("idle", cost(&case.idle))];
        Value::map(members)
    });
    Value::map([
        ("plugin", Value::Str(read.manifest.name.clone())),
        ("version", Value::Str(read.manifest.version.clone())),
        ("bytes", number(read.module.len() as u128)),
        ("loaded_ns", number(loaded.as_nanos())),
        ("cases", Value::list(cases)),
    ])
}

fn text(read: &PluginFolder, loaded: Duration, cases: &[Case]) -> String {
    let manifest = &read.manifest;
    let mut out = format!(
        "{} {}  {}, compiled and linked in {}\n",
        paint(BOLD, &manifest.name),
        manifest.version,
        size(read.module.len() as u64),
        shown(loaded)
    );
    for case in cases {
        let input: String = to_string(&case.input).chars().take(INPUT_CHARS_SHOWN).collect();
        out.push_str(&format!("{}\n", clean(&input)));
        let head = format!(
            "  {:<14}{:>8}{:>11}{:>11}{:>11}{:>14}{:>12}",
            "", "calls", "first", "median", "p99", "fuel", "memory"
        );
        out.push_str(&format!("{}\n", paint(DIM, &head)));
        for (name, cost) in [("the plugin", &case.plugin), ("one that idles", &case.idle)] {
            out.push_str(&format!(
                "  {name:<14}{:>8}{:>11}{:>11}{:>11}{:>14}{:>12}\n",
                cost.took.len(),
                shown(cost.first),
                shown(cost.quantile(50)),
                shown(cost.quantile(99)),
                cost.fuel,
                format!("{} KiB", cost.memory_bytes.div_ceil(1024))
            ));
        }
        if let Some(failure) = &case.plugin.failure {
            out.push_str(&format!("  it failed: {}\n", clean(failure)));
        }
    }
    out
}

/// With one digit behind the point, in the unit that fits.
fn shown(time: Duration) -> String {
    let ns = time.as_nanos();
    let (unit, name) = match ns {
        0..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    format!("{}.{} {name}", ns / unit, ns % unit * 10 / unit)
}
