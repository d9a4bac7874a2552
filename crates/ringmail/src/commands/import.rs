//! `ringmail import`: what other programs have of servers, as settings of a project. Nothing is changed: what it prints is
//! looked at and put into `ringmail.toml`. Values of variables and headers are named and never copied; a server with a token
//! among its arguments or in its address is left out.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::read;
use crate::terminal::{clean, print_data, say};
use ringmail_engine::core::address::Target;
use ringmail_engine::core::detect::{Detectors, Gives};
use ringmail_engine::core::doc::yaml;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::openapi::operations;
use ringmail_engine::core::value::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What programs are named by that fetch what they run: behind walls there is nothing to fetch from.
const FETCHING: &[&str] = &["npx", "bunx", "pnpx", "uvx", "pipx", "docker", "podman"];

/// Print settings for servers that another program knows; put them into `ringmail.toml` once you have looked at them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// The servers of MCP in a client's configuration: the `mcpServers` (or `servers`) of a JSON file
    Mcp { file: PathBuf },
    /// What an OpenAPI document describes: each operation is a tool
    Openapi {
        file: PathBuf,
        /// What the server is called here; by default as the file
        #[arg(long)]
        name: Option<String>,
        /// Where the server answers; by default the first that the document names
        #[arg(long)]
        url: Option<String>,
    },
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        match self.what {
            What::Mcp { file } => servers(&file),
            What::Openapi { file, name, url } => described(&file, name, url),
        }
    }
}

fn servers(file: &Path) -> Result<Exit, Fault> {
    let shown = file.display();
    let config = parse(read(file)?.text.as_bytes(), &JsonLimits::default())
        .map_err(|error| Fault::user(format!("`{shown}` is no JSON: {error}")))?;
    let servers = ["mcpServers", "servers"].iter().find_map(|key| config.get(key)?.as_map());
    let Some(servers) = servers else {
        let help = "a client's configuration has `{\"mcpServers\": {NAME: {\"command\": ...}}}`";
        return Err(Fault::user(format!("`{shown}` names no servers")).hint(help));
    };
    let mut taken = BTreeSet::new();
    for (name, entry) in servers.iter() {
        match import(&own_name(name, &mut taken), entry) {
            Ok(text) => print_data(&text)?,
            Err(why) => say(&format!("`{}` is left out: {why}", clean(name))),
        }
    }
    Ok(Exit::Done)
}

fn described(file: &Path, name: Option<String>, url: Option<String>) -> Result<Exit, Fault> {
    let shown = file.display();
    let document = yaml::parse(&read(file)?)?.to_value();
    let wrong = |why: String| Fault::user(format!("cannot use `{shown}`: {why}"));
    let found = operations(&document).map_err(wrong)?;
    let named = document.get("servers").and_then(|servers| servers.as_list()?.get(0)?.get("url")?.as_str());
    let Some(url) = url.or_else(|| named.map(String::from)) else {
        return Err(
            Fault::user(format!("`{shown}` does not say where its server is")).hint("add: --url https://...")
        );
    };
    let target = Target::parse(&url).map_err(|why| {
        Fault::user(format!("`{}` is no address: {why}", clean(&url))).hint("add: --url https://...")
    })?;
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("server");
    let name = own_name(&name.unwrap_or_else(|| stem.to_string()), &mut BTreeSet::new());
    for (operation, why) in &found.unusable {
        say(&format!("`{}` is left out: {why}", clean(operation)));
    }
    say(&format!(
        "{} operations of `{name}`; with these lines, `ringmail tool list {name}` shows them",
        found.usable.len()
    ));
    print_data(&format!(
        "[upstream.{name}]\nurl = {}\nopenapi = {}\n",
        quoted(target.as_str().trim_end_matches('/')),
        quoted(&shown.to_string())
    ))?;
    Ok(Exit::Done)
}

/// A name as projects have them, which no other server has.
fn own_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let mut plain: String = name.chars().map(plain).take(40).collect();
    if !plain.starts_with(|c: char| c.is_ascii_lowercase()) {
        plain.insert_str(0, "server_");
    }
    let mut own = plain.clone();
    let mut count = 1;
    while !taken.insert(own.clone()) {
        count += 1;
        own = format!("{plain}_{count}");
    }
    own
}

fn quoted(text: &str) -> String {
    to_string(&Value::from(text))
}

fn import(name: &str, entry: &Value) -> Result<String, String> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let args = entry.get("args").and_then(Value::as_list).into_iter().flat_map(|args| args.iter());
    let copied: Vec<&str> = args.filter_map(Value::as_str).chain(text("url")).collect();
    let secret = Detectors::standard(&mut TagTable::default()).find(&copied.join("\n"));
    if let Some(found) = secret.iter().find(|found| matches!(found.detector.gives, Gives::Tag(_))) {
        return Err(format!(
            "what it is started with or found at holds a secret (`{}`), which would stand in the project",
            found.detector.name
        ));
    }
    match (text("command"), text("url")) {
        (Some(command), None) => program(name, command, entry),
        (None, Some(url)) => address(name, url, entry),
        _ => Err("it has neither a `command` nor a `url`, or both".into()),
    }
}

fn program(name: &str, command: &str, entry: &Value) -> Result<String, String> {
    let args: Vec<&str> = match entry.get("args") {
        None => Vec::new(),
        Some(args) => {
            let list = args.as_list().ok_or("its `args` are no list")?;
            list.iter().map(Value::as_str).collect::<Option<_>>().ok_or("its `args` are not all texts")?
        }
    };
    let bare = Path::new(command).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if FETCHING.contains(&bare) {
        return Err(format!(
            "`{bare}` fetches what it runs, and behind walls there is no network; install the server, and name its program"
        ));
    }
    let program = found(command).ok_or("its program is not on this machine")?;
    let mut out = String::new();
    let mut mounts = Vec::new();
    // The process sees folders where they really are.
    let args: Vec<String> = args.into_iter().map(real).collect();
    for arg in args.iter().map(String::as_str).chain([command]) {
        let Some(folder) = needed(Path::new(arg)) else { continue };
        if mounts.iter().any(|(_, known)| folder.starts_with(known)) {
            continue;
        }
        let mount = format!("{name}_{}", mounts.len() + 1);
        if folder != Path::new(arg) {
            say(&format!("`{name}` will read all of `{}`, where `{arg}` is", folder.display()));
        }
        let _infallible =
            write!(out, "[mount.{mount}]\npath = {}\n\n", quoted(&folder.display().to_string()));
        mounts.push((mount, folder));
    }
    let listed = |items: Vec<String>| format!("[{}]", items.join(", "));
    let _infallible = writeln!(out, "[command.{name}]\nprogram = {}", quoted(&program.display().to_string()));
    if !args.is_empty() {
        let _infallible = writeln!(out, "args = {}", listed(args.iter().map(|arg| quoted(arg)).collect()));
    }
    if !mounts.is_empty() {
        let read = mounts.iter().map(|(mount, _)| format!("{{ mount = \"{mount}\", access = \"read\" }}"));
        let _infallible = writeln!(out, "mounts = {}", listed(read.collect()));
    }
    if bare == "node" || bare == "deno" || bare == "bun" {
        out.push_str("# Engines of JavaScript reserve far more addresses than memory.\nlimits = { memory = \"64GiB\", cpu = \"10m\" }\n");
    }
    for (variable, _) in entry.get("env").and_then(Value::as_map).into_iter().flat_map(|env| env.iter()) {
        say(&format!(
            "`{name}` wants the variable `{}`, which may be secret: add it to `[command.{name}]` as `env = [{{ name, value }}]` if it may see it",
            clean(variable)
        ));
    }
    let _infallible = write!(out, "\n[upstream.{name}]\ncommand = \"{name}\"\n");
    Ok(out)
}

fn real(arg: &str) -> String {
    let path = Path::new(arg).is_absolute().then(|| std::fs::canonicalize(arg).ok()).flatten();
    path.map_or_else(|| arg.to_string(), |path| path.display().to_string())
}

/// A program by its path, or on the path.
fn found(command: &str) -> Option<PathBuf> {
    if command.contains('/') {
        return std::fs::canonicalize(command).ok();
    }
    let path = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&path).map(|folder| folder.join(command));
    all.filter(|file| file.is_file()).find_map(|file| std::fs::canonicalize(file).ok())
}

/// The folder that a program needs to see for this argument; programs of the system are seen by all.
fn needed(arg: &Path) -> Option<PathBuf> {
    if !arg.is_absolute() || ["/usr", "/bin", "/lib"].iter().any(|system| arg.starts_with(system)) {
        return None;
    }
    let path = std::fs::canonicalize(arg).ok()?;
    // What is installed needs all that was installed beside it.
    let packages = path.ancestors().filter(|folder| folder.ends_with("node_modules")).last();
    match packages {
        Some(packages) => Some(packages.to_path_buf()),
        None if path.is_dir() => Some(path),
        None => path.parent().map(Path::to_path_buf),
    }
}

fn address(name: &str, url: &str, entry: &Value) -> Result<String, String> {
    if entry.get("type").and_then(Value::as_str) == Some("sse") {
        return Err("it speaks the transport of 2024, which is not spoken here".into());
    }
    let target = Target::parse(url)?;
    let mut out = format!("[upstream.{name}]\nurl = {}\n", quoted(target.as_str()));
    let (mut headers, mut secrets) = (Vec::new(), String::new());
    for (header, value) in entry.get("headers").and_then(Value::as_map).into_iter().flat_map(|map| map.iter())
    {
        let header = header.to_ascii_lowercase();
        let bearer = value.as_str().is_some_and(|value| value.to_ascii_lowercase().starts_with("bearer "));
        let (secret, what) = match header == "authorization" && bearer {
            true => {
                let _infallible = writeln!(out, "bearer = \"{name}_token\"");
                (format!("{name}_token"), "the token")
            }
            false => {
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                let secret = format!("{name}_{}", header.chars().map(plain).collect::<String>());
                headers.push(format!("{{ name = {}, secret = \"{secret}\" }}", quoted(&header)));
                (secret, "a header")
            }
        };
        let variable = secret.to_ascii_uppercase();
        let bound = quoted(&target.origin());
        let _infallible =
            write!(secrets, "\n[secret.{secret}]\nfrom = \"env:{variable}\"\nbound_to = [{bound}]\n");
        say(&format!("put {what} of `{name}` into the variable `{variable}`; it is not copied"));
    }
    if !headers.is_empty() {
        let _infallible = writeln!(out, "headers = [{}]", headers.join(", "));
    }
    out.push_str(&secrets);
    Ok(out)
}
