//! Judges from outside. Schemathesis from PyPI: it calls what examples serve, as their OpenAPI documents say and as they do not, and holds every answer
//! against the document. Proofbundle, from there too: it verifies what `audit prove` writes.

use crate::Outcome;
use crate::conformance::start;
use crate::shell::{cargo, output, root, run, say};
use std::path::PathBuf;
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

/// All of them, or `browser` or `proofs` alone.
pub(crate) fn run_all(args: &[String]) -> Outcome {
    cargo(&["build", "--workspace", "--locked"])?;
    let only = args.first().map(String::as_str);
    if only == Some("browser") {
        return crate::browser::judge();
    }
    let judge = |name: &str| installed().map(|folder| folder.join(name).display().to_string());
    if only == Some("proofs") {
        return proofs(&judge("proofbundle")?);
    }
    let (judge, verifier) = (judge("schemathesis")?, judge("proofbundle")?);
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
    let others = [("a browser", crate::browser::judge()), ("proofs", proofs(&verifier))];
    for (name, ended) in others {
        if let Err(why) = ended {
            println!("{why}");
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not as their documents say: {}", failed.join(", "))) }
}

/// A proof verifies with the record that it is of, and with no other.
fn proofs(verifier: &str) -> Outcome {
    say("proofs of records");
    let folder = root().join("target/tmp/proofs");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    // What an earlier run left is no part of this one.
    let _none = std::fs::remove_dir_all(&folder);
    let (project, ringmail) = (folder.display().to_string(), "target/debug/ringmail");
    output(ringmail, &["init", &project])?;
    for _ in 0..5 {
        output(ringmail, &["-C", &project, "run", "greet", "--input", "{\"name\": \"Ada\"}"])?;
    }
    let key = output(ringmail, &["-C", &project, "audit", "key"])?;
    let at = |name: &str| folder.join(name).display().to_string();
    let (proof, record) = (at("record.tlog-proof"), at("record"));
    let proved = output(ringmail, &["-C", &project, "audit", "prove", "3", "--out", &record])?;
    std::fs::write(&proof, proved).map_err(failed)?;
    let text = std::fs::read_to_string(&record).map_err(failed)?;
    let verified = |text: &str| {
        std::fs::write(&record, text).map_err(failed)?;
        run(verifier, &["verify-proof", &proof, "--payload-file", &record, "--log-vkey", key.trim()])
    };
    verified(text.trim_end())?;
    match verified(&text.trim_end().replace("run", "rum")) {
        Ok(()) => Err("a record that was changed is proved, too".into()),
        Err(_) => Ok(()),
    }
}

/// The folder of the judges' programs, in an environment of their own.
fn installed() -> Result<PathBuf, String> {
    let folder = root().join("target/tools/judges");
    let path = |name: &str| folder.join(name).display().to_string();
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).unwrap_or_default() != WANTED {
        say("installing the judges");
        run("python3", &["-m", "venv", &folder.display().to_string()])?;
        run(&path("bin/pip"), &["install", "--quiet", "-r", "xtask/judges/requirements.txt"])?;
        std::fs::write(&stamp, WANTED).map_err(|error| format!("{}: {error}", stamp.display()))?;
    }
    Ok(folder.join("bin"))
}
