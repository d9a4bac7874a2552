//! A review where no person looks on: SARIF as others read it, the action for GitHub, the hooks of pre-commit.

use crate::setup::Place;
use crate::toolchains::kept;
use ringmail_review::RULES;
use std::path::{Path, PathBuf};
use std::process::Command;

const SARIF: &str = "@microsoft/jest-sarif@1.0.0-beta.0";
const PYTHON: &[&str] = &["pre-commit==4.5.0", "check-jsonschema==0.36.0"];

fn done(command: &mut Command) -> String {
    let ended = command.output().unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{told}");
    told
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The schema that was published, and what holds a log against it.
fn judge() -> PathBuf {
    let (folder, _lock) = kept("sarif");
    let whole = folder.join("whole");
    if std::fs::read_to_string(&whole).unwrap_or_default() != SARIF {
        let args = ["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", SARIF];
        done(Command::new("npm").args(args).current_dir(&folder));
        std::fs::write(
            folder.join("judge.js"),
            "const Ajv = require('ajv');\n\
             const ajv = new Ajv({schemaId: 'id', allErrors: true, unknownFormats: ['uri', 'uri-reference', 'date-time']});\n\
             ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'));\n\
             const schema = require('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json');\n\
             const log = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));\n\
             const fits = ajv.compile(schema);\n\
             if (!fits(log)) { console.log(JSON.stringify(fits.errors.slice(0, 5), null, 1)); process.exit(1); }\n",
        )
        .unwrap();
        std::fs::write(whole, SARIF).unwrap();
    }
    folder
}

/// Every rule's bad example in a folder of its own.
fn all_that_is_bad() -> Place {
    let place = Place::empty();
    for rule in RULES {
        place.write(&format!("{}/{}", rule.id, rule.file), rule.bad);
    }
    place.write("broken/a file.py", "def (\n");
    place
}

#[test]
fn sarif_fits_the_schema_that_was_published() {
    let (place, judge) = (all_that_is_bad(), judge());
    let told = place.run(&["review", "--certainty", "low", "--tests", "--format", "sarif"]);
    assert_eq!(told.code, 14, "{}", told.err);
    let judged = |text: &str| {
        let log = place.write("log/found.sarif", text);
        let mut node = Command::new("node");
        node.arg("judge.js").arg(log).current_dir(&judge).output().unwrap()
    };
    let fits = judged(&told.out);
    assert!(fits.status.success(), "{}", String::from_utf8_lossy(&fits.stdout));
    let log: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    for part in ["codeFlows", "fixes"] {
        assert!(results.iter().any(|result| result.get(part).is_some()), "{part}");
    }
    // One that could not say no would be no judge.
    for (from, to) in
        [("\"2.1.0\"", "\"2.1.1\""), ("\"startLine\"", "\"startLin\""), ("\"warning\"", "\"bad\"")]
    {
        assert!(!judged(&told.out.replacen(from, to, 1)).status.success(), "{from}");
    }
}

fn python() -> PathBuf {
    let (folder, _lock) = kept("review-ci");
    let (stamp, wanted) = (folder.join("installed"), PYTHON.join(" "));
    if std::fs::read_to_string(&stamp).unwrap_or_default() != wanted {
        done(Command::new("python3").args(["-m", "venv", "--clear", "venv"]).current_dir(&folder));
        done(Command::new(folder.join("venv/bin/pip")).args(["install", "--quiet"]).args(PYTHON));
        std::fs::write(stamp, wanted).unwrap();
    }
    folder.join("venv/bin")
}

/// The folder of the binary first among those where programs are looked for.
fn path(more: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_ringmail")).parent().unwrap();
    format!("{}:{}:{}", binary.display(), more.display(), std::env::var("PATH").unwrap())
}

fn git(folder: &Path, args: &[&str]) {
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    done(Command::new("git").args(who).args(args).current_dir(folder));
}

#[test]
fn the_action_writes_sarif_and_annotations_and_fails_by_the_worst() {
    let (root, bin) = (root(), python());
    let schema = ["--builtin-schema", "vendor.github-actions"];
    done(Command::new(bin.join("check-jsonschema")).args(schema).arg(root.join("action.yml")));
    let text = std::fs::read_to_string(root.join("action.yml")).unwrap();
    let run = text.rsplit("      run: |\n").next().unwrap();
    let script: String =
        run.lines().map(|line| format!("{}\n", line.strip_prefix("        ").unwrap_or(line))).collect();
    let place = Place::empty();
    place.write("src/bad one.py", "eval(x)\n");
    place.write("src/fine.py", "x = 1\n");
    place.write("action.sh", &script);
    let act = |paths: &str, baseline: &str| {
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "action.sh"]).current_dir(place.path());
        let inputs =
            [("SEVERITY", "medium"), ("CERTAINTY", "medium"), ("DIFF", ""), ("SARIF", "found.sarif")];
        bash.envs(inputs).env("PATHS", paths).env("BASELINE", baseline).env("PATH", path(Path::new("")));
        place.write("output", "");
        let ended = bash.env("GITHUB_OUTPUT", place.path().join("output")).output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stdout).unwrap(), place.read("output"))
    };
    let (code, lines, output) = act("src/bad one.py\nsrc/fine.py\n", "");
    assert_eq!((code, output.as_str()), (14, "sarif=found.sarif\nworst=14\n"));
    assert!(lines.starts_with("::error file=src/bad one.py,line=1,"), "{lines}");
    assert!(place.read("found.sarif").contains("src/bad%20one.py"));
    let (code, lines, output) = act("src/fine.py", "");
    assert_eq!((code, lines.as_str(), output.as_str()), (0, "", "sarif=found.sarif\nworst=0\n"));
    // What an input says is an argument and nothing else.
    let (code, _, _) = act("$(touch made)\n; touch made", "");
    assert!(code == 1 && !place.path().join("made").exists());
    let written = place.run(&["review", "--write-baseline", "known.json"]);
    assert_eq!(written.code, 0);
    assert_eq!(act("src/bad one.py", "known.json").0, 0);
}

#[test]
fn the_hooks_stop_a_commit_with_findings_on_its_lines() {
    let (root, bin) = (root(), python());
    let hooks = root.join(".pre-commit-hooks.yaml");
    done(Command::new(bin.join("pre-commit")).arg("validate-manifest").arg(&hooks));
    // A repository of hooks, as this one is.
    let from = Place::empty();
    from.write(".pre-commit-hooks.yaml", &std::fs::read_to_string(hooks).unwrap());
    git(from.path(), &["init", "-q"]);
    git(from.path(), &["add", "."]);
    git(from.path(), &["commit", "-q", "-m", "hooks"]);
    let place = Place::empty();
    place.write("old.py", "import pickle\n\n\ndef load(row):\n    return pickle.loads(row)\n");
    git(place.path(), &["init", "-q"]);
    git(place.path(), &["add", "."]);
    git(place.path(), &["commit", "-q", "-m", "first"]);
    let tried = || {
        git(place.path(), &["add", "."]);
        let args = ["try-repo", from.path().to_str().unwrap(), "ringmail-review", "--all-files"];
        let mut command = Command::new(bin.join("pre-commit"));
        command.args(args).current_dir(place.path()).env("PATH", path(&bin));
        let ended = command.env("PRE_COMMIT_HOME", from.path().join("home")).output().unwrap();
        (ended.status.success(), String::from_utf8_lossy(&ended.stdout).into_owned())
    };
    place.write("new.py", "x = 1\n");
    let (well, told) = tried();
    assert!(well, "{told}");
    place.write("new.py", "x = 1\neval(y)\n");
    let (well, told) = tried();
    assert!(!well && told.contains("dynamic-execution") && !told.contains("old.py"), "{told}");
}
