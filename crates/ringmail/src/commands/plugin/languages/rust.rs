//! Rust, with the toolchain that is there. What comes out is a core module: it imports what the plugin uses of its world and
//! nothing else.

use super::{Language, MODULE, WIT};
use crate::exit::Fault;
use crate::toolchain::{failed, output};
use anyhow::Context as _;
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::value::Value;
use std::path::{Path, PathBuf};

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) const LANGUAGE: Language = Language {
    name: "rust",
    told_by: "Cargo.toml",
    files: &[
        &[
            ("Cargo.toml", include_str!("../../../templates/rust/cargo.toml")),
            ("src/lib.rs", include_str!("../../../templates/rust/lib.rs")),
            ("src/arena.rs", include_str!("../../../templates/rust/arena.rs")),
            (".gitignore", include_str!("../../../templates/rust/gitignore")),
        ],
        WIT,
    ],
    guide: &[("src/lib.rs", "what it does"), ("wit/world.wit", "what it imports")],
    build,
};

fn build(folder: &Path) -> Result<(), Fault> {
    let needs = "plugins in rust need Rust 1.85 or later: https://rustup.rs";
    let words =
        ["cargo", "build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"];
    let built = output(folder, &words, needs)?;
    if !built.status.success() {
        let fault = failed(&words, built.status);
        return Err(match lacks_target(folder) {
            true => fault.hint(format!("where `core` or `std` is not found: rustup target add {TARGET}")),
            false => fault,
        });
    }
    let Some(module) = module(&built.stdout) else {
        return Err(Fault::user("cargo built no module")
            .hint("Cargo.toml needs `crate-type = [\"cdylib\"]` under `[lib]`"));
    };
    let shown = || format!("cannot copy `{}`", module.display());
    std::fs::copy(&module, folder.join(MODULE)).with_context(shown)?;
    Ok(())
}

/// The module among what cargo says it built, wherever that is; the plugin's own comes last.
fn module(messages: &[u8]) -> Option<PathBuf> {
    let read = |line: &str| parse(line.as_bytes(), &JsonLimits::default()).ok();
    let messages = String::from_utf8_lossy(messages);
    let built = messages.lines().filter_map(read).flat_map(|message| {
        let files = message.get("filenames").and_then(Value::as_list);
        let files = files.into_iter().flat_map(|files| files.iter().filter_map(Value::as_str));
        files.filter(|file| file.ends_with(".wasm")).map(PathBuf::from).collect::<Vec<PathBuf>>()
    });
    built.last()
}

/// Whether no standard library for the target came with the toolchain.
fn lacks_target(folder: &Path) -> bool {
    let words = ["rustc", "--print", "target-libdir", "--target", TARGET];
    let asked = output(folder, &words, "").ok().filter(|asked| asked.status.success());
    let Some(asked) = asked else { return false };
    !Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir()
}
