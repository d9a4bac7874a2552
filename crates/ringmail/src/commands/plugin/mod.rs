//! `ringmail plugin`: plugins from their first line on, and what a project lets them do.

pub(super) mod advisories;
mod bench;
mod build;
mod diff;
mod grant;
mod index;
mod install;
mod languages;
mod list;
mod new;
mod pack;
mod registries;
mod sign;
mod test;

pub(super) use sign::key_fault;

use super::Common;
use super::inspect::{decided, powers};
use crate::edit::toml_value;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::progress::{duration, size};
use crate::terminal::{BOLD, DIM, Format, clean, one_line, paint, print, print_json};
use ringmail_engine::core::doc::suggest;
use ringmail_engine::core::grant::Grant;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::plugin::{Asked, Manifest, Needed, Plugin, Power, Use, power_of};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{Engine, HostKey, PluginFolder, Surface};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Start, build and test plugins; see what they ask for, and what they may
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Start a plugin: a folder that builds and passes its test as it is
    New {
        /// Folder of the new plugin
        folder: PathBuf,
        /// Language of the template: js, python, rust or c
        #[arg(long, value_name = "LANGUAGE", default_value = "js")]
        lang: String,
    },
    /// Build the component of a plugin with the toolchain of its language, installed in its folder if need be
    Build {
        /// The folder of its `plugin.toml`
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Call a plugin with the inputs of its `plugin.test.json`, behind the walls and with nobody to ask
    Test {
        /// The folder of its `plugin.toml`
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Measure what its calls cost, behind the walls and with nobody to ask
    Bench(bench::Args),
    /// Show what a plugin is and asks for, before it is in any project; runs nothing of it
    Inspect {
        /// The folder of its `plugin.toml`, a package, or an installed plugin
        plugin: String,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Pack a plugin's folder into one file: the same bytes each time, with a bill of its materials
    Pack {
        /// The folder of its `plugin.toml`
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// The package; by default NAME-VERSION.tar
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make the key that a publisher signs with
    Keygen {
        /// File of the private key; not encrypted, readable by its owner alone
        file: PathBuf,
    },
    /// Sign a package, as a publisher
    Sign {
        /// The package
        package: PathBuf,
        /// The publisher, as projects that trust it call it
        #[arg(long, value_name = "NAME")]
        publisher: String,
        /// The private key that `keygen` made
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Say whether the project believes the signature of a package
    Verify {
        /// The package
        package: PathBuf,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Write the index of a folder of packages, so that others can install from it
    Index(index::Args),
    /// Put a signed package into a registry of the project: a folder, or an OCI registry
    Push(index::PushArgs),
    /// Install a plugin whose publisher the project trusts; it may do nothing until it is granted something
    Install(install::Args),
    /// Let a plugin be used, with what it asks for; says what is different from what was granted before
    Grant(grant::Args),
    /// Take everything from a plugin that it was granted, also from what runs now
    Revoke {
        /// Its name
        plugin: String,
    },
    /// Remove a plugin with its grants from the project
    Remove {
        /// Its name
        plugin: String,
    },
    /// Show what is different between two versions of a plugin: what they ask for, import and may use
    Diff {
        /// The older: a folder, a package or an installed plugin
        old: String,
        /// The newer; by default the newest that is installed
        new: Option<String>,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// List the plugins of the project
    List(list::Args),
    /// Show what a plugin of the project asks for, what it was granted, and what it has
    Explain {
        /// Its name, as `[plugin.NAME]` of `ringmail.toml` has it
        plugin: String,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let project =
            || Place::open(common.project.as_deref(), Path::new(".")).and_then(|place| place.checker());
        match self.what {
            What::New { folder, lang } => new::run(&folder, &lang),
            What::Build { folder } => build::run(&folder),
            What::Test { folder } => test::run(&folder, common),
            What::Bench(args) => bench::run(&args, common),
            What::Inspect { plugin, format } => inspect(&plugin, common, format),
            What::Pack { folder, output } => pack::run(&folder, output),
            What::Keygen { file } => sign::keygen(&file),
            What::Sign { package, publisher, key } => sign::sign(&package, &publisher, &key),
            What::Verify { package, format } => sign::verify(&package, common, format),
            What::Index(args) => index::run(&args),
            What::Push(args) => index::push(&args, common),
            What::Install(args) => install::run(&args, common),
            What::Grant(args) => grant::run(&args, common),
            What::Revoke { plugin } => grant::revoke(&plugin, common),
            What::Remove { plugin } => grant::remove(&plugin, common),
            What::Diff { old, new, format } => diff::run(&old, new.as_deref(), common, format),
            What::List(args) => list::run(&args, common),
            What::Explain { plugin, format } => explain(&project()?, &plugin, format),
        }
    }
}

fn inspect(plugin: &str, common: &Common, format: Format) -> Result<Exit, Fault> {
    let path = Path::new(plugin);
    let (read, now) = found(plugin, common)?;
    let surface = read.surface().map_err(|why| Fault::user(format!("`{}`: {why}", read.manifest.module)))?;
    let manifest = &read.manifest;
    if format == Format::Json {
        let mut members = about(manifest, &read.digest);
        members.push(("bytes", Value::Int(i64::try_from(read.module.len()).unwrap_or(i64::MAX))));
        members.push(("imports", texts(&surface.imports)));
        members.push(("exports", texts(&surface.exports)));
        print_json(&Value::map(members))?;
        return Ok(Exit::Done);
    }
    let mut out = head(manifest);
    out.push_str(&format!(
        "  {:<10} {}, {}\n",
        "module",
        one_line(&manifest.module),
        size(read.module.len() as u64)
    ));
    out.push_str(&format!("  {:<10} {}\n", "digest", read.digest));
    out.push_str(&surface_lines(&surface));
    out.push_str(&format!("{}\n", paint(BOLD, "asks for")));
    out.push_str(&asks(manifest, |_| None));
    out.push_str(&limits_asked(manifest));
    out.push_str(&needs(manifest));
    if let Some(now) = now {
        out.push_str(&format!("{}\n  {} {}\n", paint(BOLD, "granted now is another"), now.0, now.1));
    }
    if path.is_dir() {
        let head = paint(BOLD, "to let a project have it, with all it asks for");
        out.push_str(&format!("{head}\n{}", table(path, &read)));
    }
    print(&out)?;
    Ok(Exit::Done)
}

/// Where the project around a plugin keeps compiled guests. One that cannot be read has no say in how a plugin is tried.
fn cache_around(common: &Common, folder: &Path) -> Result<Option<(HostKey, PathBuf)>, Fault> {
    match Place::open(common.project.as_deref(), folder) {
        Ok(place) => place.cache(),
        Err(fault) if common.project.is_some() => Err(fault),
        Err(_) => Ok(None),
    }
}

/// A plugin in a folder, a package, or the one among those installed that would be granted; with version and digest of
/// the one that is granted now, if that is another.
fn found(plugin: &str, common: &Common) -> Result<(PluginFolder, Option<(Str, Str)>), Fault> {
    let path = Path::new(plugin);
    match (path.is_dir(), path.is_file()) {
        (true, _) => Ok((PluginFolder::read(path, &mut TagTable::default())?, None)),
        (_, true) => Ok((PluginFolder::of(sign::read(path)?.0), None)),
        _ => {
            let (place, store) = grant::held(common)?;
            let now = diff::find(plugin, &place, &store)?;
            match store.lock().newest(plugin) {
                Some(newest) if newest.digest != now.digest => {
                    let newest = diff::of_archive(&store, newest)?;
                    Ok((newest, Some((now.manifest.version, now.digest))))
                }
                _ => Ok((now, None)),
            }
        }
    }
}

fn explain(engine: &Engine, name: &str, format: Format) -> Result<Exit, Fault> {
    let plugins = engine.plugins();
    let Some(plugin) = plugins.get(name) else {
        let fault = Fault::user(format!("the project has no plugin `{}`", one_line(name)));
        return Err(match suggest(name, plugins.keys().map(|known| &**known)) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint("`ringmail plugin list` names those it has"),
        });
    };
    if format == Format::Json {
        print_json(&Value::map(described(engine, plugin)))?;
        return Ok(Exit::Done);
    }
    let mut out = head(&plugin.manifest);
    out.push_str(&format!("  {:<10} {}\n", "digest", plugin.digest));
    out.push_str(&format!("{}\n", paint(BOLD, "asks for")));
    out.push_str(&asks(&plugin.manifest, |asked| Some(plugin.powers.gives(asked))));
    out.push_str(&needs(&plugin.manifest));
    out.push_str(&format!("{}\n", paint(BOLD, "was granted")));
    for grant in grants(engine, name) {
        out.push_str(&format!("  {}\n", paint(DIM, &one_line(&decided(&grant)))));
    }
    let granted: Vec<String> = grants(engine, name).iter().flat_map(|grant| granted(grant, plugin)).collect();
    if granted.is_empty() {
        out.push_str("  nothing: it sees its arguments and gives an output\n");
    }
    granted.iter().for_each(|power| out.push_str(&format!("  {}\n", one_line(power))));
    out.push_str(&format!(
        "{}\n",
        paint(BOLD, "in effect, once manifest, grant and ceiling are held against each other")
    ));
    out.push_str(&power_lines(&plugin.powers.in_effect));
    out.push_str(&format!("{}\n{}", paint(BOLD, "one call may use"), limits(plugin.powers.limits)));
    print(&out)?;
    Ok(Exit::Done)
}

fn head(manifest: &Manifest) -> String {
    let mut out = format!("{} {}\n", paint(BOLD, &manifest.name), manifest.version);
    let mut line = |name: &str, value: &str| out.push_str(&format!("  {name:<10} {}\n", one_line(value)));
    line("for", &manifest.description);
    line("input", &manifest.input.as_ref().map_or("anything".into(), |schema| schema.json().to_string()));
    line("returns", &manifest.returns.as_ref().map_or("anything".into(), |schema| schema.json().to_string()));
    out
}

fn surface_lines(surface: &Surface) -> String {
    let imports = if surface.imports.is_empty() { "nothing".into() } else { surface.imports.join(", ") };
    let exports = surface.exports.join(", ");
    format!("  {:<10} {}\n  {:<10} {}\n", "imports", one_line(&imports), "exports", one_line(&exports))
}

/// The plugins that it is of no use without.
fn needs(manifest: &Manifest) -> String {
    let line = |needed: &Needed| {
        format!("  {} {}\n", one_line(&needed.need.to_string()), paint(DIM, &one_line(&needed.reason)))
    };
    let lines: String = manifest.needs.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("{}\n{lines}", paint(BOLD, "needs")) }
}

/// The same, as the table of a grant has them.
fn limits_written(manifest: &Manifest) -> Vec<(&'static str, Value)> {
    manifest.limits.beyond_standard().into_iter().map(|(name, asked, _)| (name, asked)).collect()
}

/// The limits that a manifest asks for beyond what every plugin has.
fn limits_asked(manifest: &Manifest) -> String {
    let shown = |value: &Value| value.as_str().map_or_else(|| toml_value(value), String::from);
    let line = |(name, asked, standard): (&str, Value, Value)| {
        let than = format!("more than the {} that every plugin may use", shown(&standard));
        format!("  limit {name} {} {}\n", shown(&asked), paint(DIM, &than))
    };
    manifest.limits.beyond_standard().into_iter().map(line).collect()
}

/// What a manifest asks for, line by line; `has` says of each whether the plugin has it.
fn asks(manifest: &Manifest, has: impl Fn(&Asked) -> Option<bool>) -> String {
    if manifest.asks.is_empty() {
        return "  nothing: it sees its arguments and gives an output\n".into();
    }
    let line = |ask: &ringmail_engine::core::plugin::Ask| {
        let mark = match has(&ask.what) {
            Some(true) => "✓ ",
            Some(false) => "· ",
            None => "",
        };
        let what = format!("{} {}", ask.what.capability(), ask.what.words());
        format!("  {mark}{} {}\n", one_line(what.trim_end()), paint(DIM, &one_line(&ask.reason)))
    };
    manifest.asks.iter().map(line).collect()
}

fn power_lines(powers: &[Power]) -> String {
    if powers.is_empty() {
        return "  nothing beyond its arguments\n".into();
    }
    powers
        .iter()
        .map(|power| format!("  {} {}\n", one_line(&power.what), paint(DIM, &one_line(&power.reason))))
        .collect()
}

fn grants(engine: &Engine, plugin: &str) -> Vec<Arc<Grant>> {
    let to: Str = power_of(plugin).into();
    engine.authority().grants.all().iter().filter(|grant| grant.to == to).cloned().collect()
}

fn granted(grant: &Grant, plugin: &Plugin) -> Vec<String> {
    let secrets = plugin.powers.secrets.iter().map(|name| format!("secret {name}"));
    let env = plugin.powers.env.iter().map(|(name, value)| format!("env {name} = {value}"));
    let tools = plugin.powers.tools.iter().map(|name| format!("tool {name}"));
    let plain =
        ["kv", "clock", "random"].into_iter().filter(|name| plugin.powers.has(name)).map(String::from);
    powers(grant).into_iter().chain(secrets).chain(env).chain(tools).chain(plain).collect()
}

fn limits(limits: Use) -> String {
    let standard = ringmail_engine::plugin_limits(limits);
    let mut out = String::new();
    let mut line = |name: &str, value: String| out.push_str(&format!("  {name:<10} {value}\n"));
    line("memory", size(standard.memory_bytes_max as u64));
    line("time", duration(u64::try_from(standard.time_max.as_micros()).unwrap_or(u64::MAX)));
    line("fuel", standard.fuel_max.to_string());
    line("output", size(standard.output_bytes_max as u64));
    line("asks", standard.asks_max.to_string());
    out
}

/// The table that pins and grants, to be cut down by whoever reads it.
fn table(folder: &Path, read: &PluginFolder) -> String {
    let asks = |capability: &'static str| {
        let of = read.manifest.asks.iter().filter(move |ask| ask.what.capability() == capability);
        of.map(|ask| &ask.what)
    };
    let net = asks("net").filter_map(|asked| match asked {
        Asked::Net(pattern, methods) => {
            let methods = Value::list(methods.iter().map(|method| Value::Str(method.clone())));
            Some(format!(
                "  {{ address = {}, methods = {} }},\n",
                quoted(pattern.as_str()),
                toml_value(&methods)
            ))
        }
        _ => None,
    });
    let fs = asks("fs").filter_map(|asked| match asked {
        Asked::Fs(mount, access) => {
            Some(format!("  {{ mount = {}, access = {} }},\n", quoted(mount), quoted(access.name())))
        }
        _ => None,
    });
    let list =
        |name: &str, items: String| if items.is_empty() { items } else { format!("{name} = [\n{items}]\n") };
    let names = |capability| asks(capability).map(Asked::words).collect::<Vec<String>>();
    let env =
        asks("env").map(|asked| format!("  {{ name = {}, value = \"...\" }},\n", quoted(&asked.words())));
    let env: String = env.collect();
    let mut out =
        format!("[plugin.{}]\npath = {}\n", read.manifest.name, quoted(&folder.display().to_string()));
    out.push_str(&format!("digest = \"{}\"\nreason = \"...\"\n", read.digest));
    out.push_str(&list("net", net.collect()));
    out.push_str(&list("fs", fs.collect()));
    for (name, written) in
        [("log", "log = {}"), ("kv", "kv = {}"), ("clock", "clock = true"), ("random", "random = true")]
    {
        if asks(name).next().is_some() {
            out.push_str(&format!("{written}\n"));
        }
    }
    for (name, names) in [("secret", names("secret")), ("tool", names("tool"))] {
        if !names.is_empty() {
            out.push_str(&format!("{name} = {}\n", toml_value(&texts(&names))));
        }
    }
    out.push_str(&list("env", env));
    let limits: Vec<(&str, Value)> = limits_written(&read.manifest);
    if !limits.is_empty() {
        out.push_str(&format!("limits = {}\n", toml_value(&Value::map(limits))));
    }
    clean(&out).into_owned()
}

fn quoted(text: &str) -> String {
    toml_value(&Value::from(text))
}

fn texts(texts: &[String]) -> Value {
    Value::list(texts.iter().map(|text| Value::from(text.as_str())))
}

fn about(manifest: &Manifest, digest: &Str) -> Vec<(&'static str, Value)> {
    let asks = manifest.asks.iter().map(|ask| {
        Value::map([
            ("capability", Value::from(ask.what.capability())),
            ("what", Value::from(ask.what.words())),
            ("reason", Value::Str(ask.reason.clone())),
        ])
    });
    let needs = manifest.needs.iter().map(|Needed { need, reason }| {
        Value::map([
            ("plugin", Value::Str(need.plugin.clone())),
            ("version", Value::from(need.range.to_string())),
            ("reason", Value::Str(reason.clone())),
        ])
    });
    vec![
        ("plugin", Value::Str(manifest.name.clone())),
        ("version", Value::Str(manifest.version.clone())),
        ("description", Value::Str(manifest.description.clone())),
        ("digest", Value::Str(digest.clone())),
        ("asks", Value::list(asks)),
        ("needs", Value::list(needs)),
        ("limits", Value::map(limits_written(manifest))),
    ]
}

fn described(engine: &Engine, plugin: &Plugin) -> Vec<(&'static str, Value)> {
    let granted: Vec<String> =
        grants(engine, &plugin.manifest.name).iter().flat_map(|grant| granted(grant, plugin)).collect();
    let mut members = about(&plugin.manifest, &plugin.digest);
    let asks = plugin.manifest.asks.iter();
    members.push(("has", Value::list(asks.map(|ask| Value::Bool(plugin.powers.gives(&ask.what))))));
    members.push(("granted", texts(&granted)));
    let in_effect = plugin.powers.in_effect.iter();
    members.push(("in_effect", Value::list(in_effect.map(|power| Value::from(power.what.as_str())))));
    members.push(("may", Value::list(plugin.powers.capabilities.iter().map(|name| Value::from(*name)))));
    members
}
