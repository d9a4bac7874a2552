//! What the documents show is tried as it stands there.

use crate::setup::Place;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The blocks of a language, in order.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_string()).collect()
}

const PERMIT: &str =
    "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);";

#[test]
fn the_chain_of_the_readme_can_run_and_its_careless_sister_never() {
    let place = Place::empty();
    let chain = blocks("README.md", "yaml").remove(0);
    place.write("ringmail.toml", &blocks("README.md", "toml")[0]);
    place.write("policies/main.cedar", &blocks("README.md", "cedar")[0]);
    place.write("chains/order.yaml", &chain);
    let checked = place.run(&["check"]);
    insta::assert_snapshot!(checked.shown());
    place.write("chains/order.yaml", &chain.replace("queue: '${queue}'", "queue: '${mail.body.topic}'"));
    let checked = place.run(&["check"]);
    insta::assert_snapshot!(checked.shown());
}

#[test]
fn the_project_of_the_guide_is_one() {
    let place = Place::empty();
    place.write("chains/report.yaml", &blocks("docs/guide.md", "yaml")[0]);
    let refunds = "chain: refunds\nlinks:\n  pay: {kind: http, with: {method: POST, url: 'https://bank.example.com/pay', headers: {authorization: '${secrets.bank}'}}}\n";
    place.write("chains/refunds.yaml", refunds);
    let orders = "\n[[grant]]\nto = \"report.orders\"\nreason = \"reads orders\"\nnet = [{ address = \"https://orders.example.com\", clearance = [\"pii\"] }]\n[[grant]]\nto = \"report\"\nreason = \"totals\"\nrespond = { clearance = [\"pii\"] }\n";
    // Layers lie over a project, and are none.
    let said = blocks("docs/guide.md", "toml");
    let said: Vec<String> = said.into_iter().filter(|text| !text.contains("[layer]")).collect();
    place.write("ringmail.toml", &format!("{}\n{}{orders}", said[0], said[1]));
    place.write("policies/main.cedar", &format!("{PERMIT}\n{}", blocks("docs/guide.md", "cedar")[0]));
    std::fs::create_dir(place.path().join("inbox")).unwrap();
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, 0, "{}", checked.shown());
}

#[test]
fn the_link_kind_of_the_architecture_page_builds_and_runs() {
    let blocks = blocks("ARCHITECTURE.md", "rust");
    let (file, line) = (&blocks[0], &blocks[1]);
    let workspace = tempfile::tempdir().unwrap();
    let at = |path: &str| workspace.path().join(path);
    for name in ["crates/core", "crates/host", "crates/store", "crates/engine"] {
        copy(&root().join(name).join("src"), &at(name).join("src"));
        let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        std::fs::write(at(name).join("Cargo.toml"), manifest.split("[dev-dependencies]").next().unwrap())
            .unwrap();
    }
    copy(&root().join("sdk/wit"), &at("sdk/wit"));
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest = manifest.lines().filter(|line| !line.starts_with("default-members")).map(|line| {
        if line.starts_with("members") {
            "members = [\"crates/core\", \"crates/host\", \"crates/store\", \"crates/engine\"]"
        } else {
            line
        }
    });
    std::fs::write(at("Cargo.toml"), manifest.collect::<Vec<_>>().join("\n")).unwrap();
    std::fs::copy(root().join("Cargo.lock"), at("Cargo.lock")).unwrap();

    std::fs::write(at("crates/engine/src/kinds/reverse.rs"), file).unwrap();
    let list = at("crates/engine/src/kinds/mod.rs");
    let kinds = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, kinds.replace("kinds! {\n", &format!("kinds! {{\n{line}"))).unwrap();
    std::fs::create_dir(at("crates/engine/examples")).unwrap();
    std::fs::write(at("crates/engine/examples/try.rs"), TRY).unwrap();

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--offline", "-p", "ringmail-engine", "--example", "try"]);
    let output = cargo.current_dir(workspace.path()).env("CARGO_TARGET_DIR", target()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out.trim(), "\"liamgnir\" untrusted · from input", "{err}");
}

/// Runs a chain with the new kind, and tells what came out with which label.
const TRY: &str = r#"
use ringmail_engine::core::{doc::Source, json::to_string};
fn main() {
    let chain = "chain: t\nlinks:\n  back: {kind: reverse, with: {text: '${input}'}}\noutput: ${back}";
    let engine = ringmail_engine::Engine::builder().build().unwrap();
    let chain = engine.load(&[Source::new("t.yaml", chain)]).unwrap().remove(0);
    let wrong = "chain: u\nlinks:\n  back: {kind: reverse, with: {txet: a}}";
    assert!(engine.load(&[Source::new("u.yaml", wrong)]).unwrap_err().to_string().contains("did you mean `text`?"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(chain.request("ringmail").unwrap().run());
    let labels = report.labels().remove(0).1;
    println!("{} {labels}", to_string(report.result.unwrap().value()));
}
"#;

/// Where cargo builds already, so that the crates it has built need not be built again.
fn target() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_ringmail"));
    binary.ancestors().nth(2).unwrap().to_path_buf()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
