//! Judges from outside. Schemathesis from PyPI: it calls what examples serve, as their OpenAPI documents say and as they do not, and holds every answer
//! against the document.

use crate::Outcome;
use crate::conformance::start;
use crate::shell::{cargo, output, root, run, say};
use std::process::Command;

const WANTED: &str = include_str!("../judges/requirements.txt");
const EXAMPLES_MAX: &str = "20";
const SEED: &str = "1";

/// An example with a listener, and how it is judged.
struct Judged {
    name: &'static str,
    url: &'static str,
    /// Who calls; nobody needs a name where anybody may.
    caller: Option<&'static str>,
    more: &'static [&'static str],
}

const JUDGED: &[Judged] = &[
    Judged {
        name: "receipts",
        url: "http://127.0.0.1:8654",
        caller: Some("clerk"),
        // It takes any text for a PDF, since `contentMediaType` asserts nothing elsewhere.
        more: &["--exclude-checks", "positive_data_acceptance"],
    },
    Judged {
        name: "mcp-everything",
        url: "http://127.0.0.1:8653",
        caller: None,
        // One is there to fail, and a chain that takes anything takes no number that would have to be rounded.
        more: &[
            "--exclude-path",
            "/chains/test_error_handling",
            "--exclude-checks",
            "positive_data_acceptance",
        ],
    },
    Judged {
        name: "mcp-everything",
        url: "http://127.0.0.1:8653",
        caller: None,
        more: &["--include-path-regex", "/chains/(json_schema|template_data|test_prompt_with)"],
    },
];

/// All of them, or the browser alone.
pub(crate) fn run_all(args: &[String]) -> Outcome {
    if args.first().is_some_and(|only| only == "browser") {
        cargo(&["build", "--workspace", "--locked"])?;
        return crate::browser::judge();
    }
    let judge = installed()?;
    cargo(&["build", "--workspace", "--locked"])?;
    let _steps = start("python3", &["examples/serve.py", "mcp-everything"], false)?;
    crate::conformance::until_there("127.0.0.1:8600")?;
    let mut failed = Vec::new();
    for judged in JUDGED {
        say(judged.name);
        let folder = format!("examples/{}", judged.name);
        let ringmail = "target/debug/ringmail";
        let key = match judged.caller {
            Some(name) => Some(output(ringmail, &["-C", &folder, "key", "create", name])?),
            None => None,
        };
        let _server = start(ringmail, &["serve", "-C", &folder, "--format", "json"], true)?;
        let document = format!("{}/openapi.json", judged.url);
        let mut command = Command::new(&judge);
        command.args(["run", &document, "--max-examples", EXAMPLES_MAX, "--seed", SEED, "--no-color"]);
        // It keeps what it found where it is started.
        command.args(judged.more).current_dir(root().join("target/tools/judges"));
        if let Some(key) = &key {
            command.args(["--header", &format!("Authorization: Bearer {}", key.trim())]);
        }
        let ended = command.status().map_err(|error| format!("cannot run `{judge}`: {error}"))?;
        if !ended.success() {
            failed.push(judged.name);
        }
    }
    if let Err(why) = crate::browser::judge() {
        println!("{why}");
        failed.push("a browser");
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not as their documents say: {}", failed.join(", "))) }
}

/// The judge, in an environment of its own.
fn installed() -> Result<String, String> {
    let folder = root().join("target/tools/judges");
    let path = |name: &str| folder.join(name).display().to_string();
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).unwrap_or_default() != WANTED {
        say("installing the judges");
        run("python3", &["-m", "venv", &folder.display().to_string()])?;
        run(&path("bin/pip"), &["install", "--quiet", "-r", "xtask/judges/requirements.txt"])?;
        std::fs::write(&stamp, WANTED).map_err(|error| format!("{}: {error}", stamp.display()))?;
    }
    Ok(path("bin/schemathesis"))
}
