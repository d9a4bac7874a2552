//! The conformance suite of MCP from npm, both of its lines: against `examples/mcp-everything`, against a gateway before it, and
//! with the built binary as the client.

use crate::Outcome;
use crate::shell::{cargo, output, root, run, say};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const STABLE: &str = "0.1.16";
const NEXT: &str = "0.2.0-alpha.12";
/// The stable line needs 22.
const NODE_MIN: u32 = 22;
const NODE: &str = "22.23.3";
const URL: &str = "http://127.0.0.1:8653/mcp";
const GATEWAY_URL: &str = "http://127.0.0.1:8655/mcp";
/// What the suite starts as a client.
const CLIENT: &str = "python3 xtask/conformance/client.py";
const GATEWAY: &str = "xtask/conformance/gateway";
const BINARY: &str = "target/debug/ringmail";
const EXAMPLE: &str = "examples/mcp-everything";
/// Scenarios of an extension, which no revision requires and no suite of them runs.
const TASKS: &[&str] = &[
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
];

/// A process that ends with the task.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

pub(crate) fn run_all() -> Outcome {
    let (node, packages) = installed()?;
    cargo(&["build", "--workspace", "--locked"])?;
    let _steps = start("python3", &["examples/serve.py", "mcp-everything"], false)?;
    until_there("127.0.0.1:8600")?;
    let _server = start(BINARY, &["serve", "-C", EXAMPLE, "--format", "json"], true)?;
    let mut failed = judged(&node, &packages, URL, "")?;
    failed.extend(judged_tasks(&node, &packages)?);
    let gateway = gateway(&packages)?;
    let _gateway = start(BINARY, &["serve", "-C", &gateway, "--format", "json"], true)?;
    failed.extend(judged(&node, &packages, GATEWAY_URL, "gateway-")?);
    failed.extend(judged_client(&node, &packages)?);
    if failed.is_empty() { Ok(()) } else { Err(format!("not as expected: {}", failed.join(", "))) }
}

/// A copy of the gateway's project, with what the server behind it offers now pinned.
fn gateway(packages: &Path) -> Result<String, String> {
    let folder = packages.join("gateway");
    // What an earlier run left is in nobody's way.
    let _none = std::fs::remove_dir_all(&folder);
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder.join("policies")).map_err(wrong)?;
    for file in ["ringmail.toml", "policies/main.cedar"] {
        std::fs::copy(Path::new(GATEWAY).join(file), folder.join(file)).map_err(wrong)?;
    }
    let shown = folder.display().to_string();
    run(BINARY, &["tool", "pin", "everything", "-C", &shown])?;
    Ok(shown)
}

/// What both lines of the suite say of a server; gives those that are not as expected.
fn judged(node: &Path, packages: &Path, url: &str, which: &str) -> Result<Vec<String>, String> {
    let stable = format!("{which}stable line {STABLE}");
    let next = format!("{which}requirements of 2026-07-28, suite {NEXT}");
    let server = ["server", "--url", url];
    let mut failed: Vec<String> =
        line(node, packages, "stable", (&stable, &format!("{which}stable")), &server)?.into_iter().collect();
    let more = [&server[..], &["--requirements", "2026-07-28"]].concat();
    failed.extend(line(node, packages, "next", (&next, &format!("{which}2026-07-28")), &more)?);
    Ok(failed)
}

/// What the next line says of a server's tasks.
fn judged_tasks(node: &Path, packages: &Path) -> Result<Vec<String>, String> {
    let mut failed = Vec::new();
    for scenario in TASKS {
        let name = format!("{scenario}, suite {NEXT}");
        let more =
            ["server", "--url", URL, "--scenario", scenario, "--force", "--spec-version", "2026-07-28"];
        failed.extend(line(node, packages, "next", (&name, "tasks"), &more)?);
    }
    Ok(failed)
}

/// What both say of the client.
fn judged_client(node: &Path, packages: &Path) -> Result<Vec<String>, String> {
    let stable = format!("client, stable line {STABLE}");
    let next = format!("client, requirements of 2026-07-28, suite {NEXT}");
    let client = ["client", "--command", CLIENT];
    let all = [&client[..], &["--suite", "all"]].concat();
    let mut failed: Vec<String> =
        line(node, packages, "stable", (&stable, "client-stable"), &all)?.into_iter().collect();
    let required = [&client[..], &["--requirements", "2026-07-28"]].concat();
    failed.extend(line(node, packages, "next", (&next, "client-2026-07-28"), &required)?);
    Ok(failed)
}

/// Runs one line of the suite; gives its name if it is not as expected.
fn line(
    node: &Path,
    packages: &Path,
    package: &str,
    (name, baseline): (&str, &str),
    more: &[&str],
) -> Result<Option<String>, String> {
    let script = packages.join(format!("node_modules/{package}/dist/index.js"));
    let baseline = format!("xtask/conformance/{baseline}.yml");
    let told = Command::new(node).arg(script).args(more).args(["--expected-failures", &baseline]).output();
    let told = told.map_err(|error| format!("cannot run `{}`: {error}", node.display()))?;
    let text = String::from_utf8_lossy(&told.stdout);
    say(name);
    let summary = ["=== SUMMARY ===", "=== SUITE SUMMARY ==="].iter().find_map(|mark| text.split_once(mark));
    println!("{}", summary.map_or(&*text, |(_, summary)| summary).trim());
    Ok((!told.status.success()).then(|| name.to_string()))
}

/// A Node that is new enough, and the folder with both lines of the suite.
fn installed() -> Result<(PathBuf, PathBuf), String> {
    let folder = root().join("target/tools/conformance");
    let line = |name: &str, version: &str| format!("{name}@npm:@modelcontextprotocol/conformance@{version}");
    let mut wanted = vec![line("stable", STABLE), line("next", NEXT)];
    let major = output("node", &["--version"]).ok().and_then(|version| {
        version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok())
    });
    let new_enough = major.is_some_and(|major| major >= NODE_MIN);
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let package = format!("node-{system}-{machine}");
    if !new_enough {
        wanted.push(format!("{package}@{NODE}"));
    }
    let stamp = folder.join("installed");
    let known = std::fs::read_to_string(&stamp).unwrap_or_default();
    if known != wanted.join("\n") {
        say("installing the conformance suite");
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let prefix = folder.display().to_string();
        let mut args: Vec<&str> =
            vec!["install", "--prefix", &prefix, "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"];
        args.extend(wanted.iter().map(String::as_str));
        run("npm", &args)?;
        std::fs::write(&stamp, wanted.join("\n")).map_err(|error| format!("{}: {error}", stamp.display()))?;
    }
    let node =
        if new_enough { "node".into() } else { folder.join(format!("node_modules/{package}/bin/node")) };
    Ok((node, folder))
}

/// Waits until somebody listens.
pub(crate) fn until_there(address: &str) -> Outcome {
    for _ in 0..200 {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("nobody listens on {address}"))
}

/// Starts a process; one that says where it listens is waited for.
pub(crate) fn start(program: &str, args: &[&str], says: bool) -> Result<Running, String> {
    let child = Command::new(program).args(args).stdout(Stdio::piped()).spawn();
    let mut running = Running(child.map_err(|error| format!("cannot run `{program}`: {error}"))?);
    let mut told = running.0.stdout.take().map(BufReader::new);
    if let (true, Some(told)) = (says, &mut told) {
        let mut line = String::new();
        let read = told.read_line(&mut line).map_err(|error| format!("`{program}`: {error}"))?;
        if read == 0 {
            return Err(format!("`{program}` does not serve"));
        }
    }
    // Whoever says more must not wait for us to listen.
    std::thread::spawn(move || told.map(|told| told.lines().count()));
    Ok(running)
}
