//! What developers and CI run, besides cargo itself. Each task is a list of commands or a check over the files that
//! git knows; nothing here is shipped.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to whoever runs it")]

mod browser;
mod conformance;
mod judges;
mod review_score;
mod shell;
mod tidy;
mod tools;

use shell::{cargo, output, say};
use std::process::ExitCode;

type Outcome = Result<(), String>;
type Task = fn(&[String]) -> Outcome;

/// A task by name, with what it is for.
const TASKS: &[(&str, &str, Task)] = &[
    ("ci", "format, clippy, tidy, deny, then `test`", ci),
    ("test", "all tests, with what they need", test),
    ("tidy", "the house rules that no other tool checks", |_| tidy::run()),
    ("fmt", "format every Rust file; `--check` only looks", fmt),
    ("docs", "write the reference pages and schemas from the code", |_| docs()),
    ("escape", "the attacks of the threat list, and nothing else", |_| escape()),
    ("fuzz", "each fuzz target for some seconds; default 60", fuzz),
    ("conformance", "the conformance suite of MCP, on a server, a gateway and the client", |_| {
        conformance::run_all()
    }),
    ("kills", "servers killed in the middle of effects, again and again; default 2000 times", kills),
    (
        "judges",
        "schemathesis on what examples serve, a browser on who may call, and proofs before another verifier",
        judges::run_all,
    ),
    ("bench", "the benchmarks of `bench/`, in release", |_| cargo(&["bench", "-p", "ringmail-bench"])),
    (
        "review-score",
        "how often `ringmail review` is right on code of others; `--peers` times bandit, ruff and semgrep beside it",
        review_score::run_all,
    ),
    ("bench-peers", "ours beside its peers, in one run", |_| bench_peers()),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match args.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", &[][..]),
    };
    let Some((_, _, task)) = TASKS.iter().find(|(task, ..)| *task == name) else {
        println!("cargo xtask TASK\n");
        for (name, what, _) in TASKS {
            println!("  {name:<12} {what}");
        }
        return if matches!(name, "help" | "--help" | "-h") { ExitCode::SUCCESS } else { ExitCode::from(2) };
    };
    match std::env::set_current_dir(shell::root())
        .map_err(|error| error.to_string())
        .and_then(|()| task(rest))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn ci(_: &[String]) -> Outcome {
    say("format");
    fmt(&["--check".into()])?;
    say("clippy");
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    say("tidy");
    tidy::run()?;
    say("deny");
    let deny = tools::installed("cargo-deny", "0.20.2")?;
    shell::run(&deny, &["--all-features", "check", "licenses", "bans", "sources"])?;
    test(&[])
}

/// `cargo fmt` follows `mod` lines only; files that a macro registers are found here.
fn fmt(args: &[String]) -> Outcome {
    let mut command = vec!["--edition".to_string(), "2024".to_string()];
    command.extend(args.iter().cloned());
    command.extend(tidy::files("rs")?.into_iter().filter(|file| !file.contains("/tests/seal/")));
    shell::run("rustfmt", &command)
}

fn test(args: &[String]) -> Outcome {
    say("tests");
    let more: Vec<&str> = args.iter().map(String::as_str).collect();
    if output("cargo", &["nextest", "--version"]).is_ok() {
        let command = ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
        cargo(&[&command[..], &more].concat())?;
        say("examples in the documentation");
        cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"])
    } else {
        cargo(&[&["test", "--workspace", "--locked", "--no-fail-fast", "--quiet"][..], &more].concat())
    }
}

/// The harness that the tests run a few rounds of.
fn kills(args: &[String]) -> Outcome {
    let rounds = args.first().map_or("2000", String::as_str);
    let all = ["nextest", "run", "--workspace", "--no-capture", "-E", "test(/^kills::attack_42/)"];
    shell::run_with("cargo", &all, &[("RINGMAIL_KILLS", rounds)])
}

fn docs() -> Outcome {
    let written = [
        &["test", "-p", "ringmail-host", "--test", "it", "--quiet", "components_of_examples"][..],
        &["test", "-p", "ringmail", "--bins", "--quiet", "reference"],
    ];
    written.iter().try_for_each(|list| shell::run_with("cargo", list, &[("RINGMAIL_WRITE_DOCS", "1")]))
}

fn escape() -> Outcome {
    let list = if output("cargo", &["nextest", "--version"]).is_ok() {
        &["nextest", "run", "--workspace", "attack_"][..]
    } else {
        &["test", "--workspace", "attack_"][..]
    };
    cargo(list)?;
    say("on this host");
    cargo(&["run", "--quiet", "--", "selftest"])?;
    say("where walls are taken away");
    cargo(&["run", "--quiet", "--", "selftest", "--without-walls"])
}

fn fuzz(args: &[String]) -> Outcome {
    let seconds = args
        .first()
        .map_or(Ok(60), |text| text.parse::<u32>().map_err(|_| format!("`{text}` is no number")))?;
    let tool = tools::installed("cargo-fuzz", "0.13.2")?;
    let targets = output(&tool, &["fuzz", "list", "--fuzz-dir", "fuzz"])?;
    for target in targets.lines() {
        say(target);
        let time = format!("-max_total_time={seconds}");
        let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
        std::fs::create_dir_all(&corpus).map_err(|error| format!("{corpus}: {error}"))?;
        // The crate's own profile is optimised enough, and built in a fraction of the time of a release.
        let run = ["fuzz", "run", "--dev", "--fuzz-dir", "fuzz", "--sanitizer", "none"];
        let command = [&run[..], &[target, &corpus, &seeds, "--", &time, "-timeout=10"]].concat();
        shell::run(&tool, &command)?;
    }
    Ok(())
}

fn bench_peers() -> Outcome {
    shell::run("python3", &["-m", "venv", "bench/.venv"])?;
    shell::run("bench/.venv/bin/pip", &["install", "--quiet", "-r", "bench/peers/requirements.txt"])?;
    // Extism's own way in for a host that is not Python: the library that its package holds.
    let library =
        output("bench/.venv/bin/python", &["-c", "import extism_sys; print(extism_sys.__path__[0])"])?;
    let library = library.trim();
    let found = ["-L", library, "-l:libextism_sys.so", &format!("-Wl,-rpath,{library}")];
    let built = ["-O2", "bench/peers/extism.c", "-o", "bench/.venv/extism"];
    shell::run("cc", &[&built[..], &found].concat())?;
    for example in ["peers", "plugins"] {
        cargo(&["run", "--release", "-p", "ringmail-bench", "--example", example])?;
    }
    Ok(())
}
