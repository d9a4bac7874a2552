//! Rust, with the toolchain that is there. What comes out is a core module: it imports what the plugin uses of its world and
//! nothing else.

use super::{Language, MODULE, WIT};
use crate::exit::Fault;
use crate::toolchain::module;
use anyhow::Context as _;
use std::path::Path;

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
    let module = module(folder, TARGET, &[], "plugins in rust need Rust 1.85 or later: https://rustup.rs")?;
    let shown = || format!("cannot copy `{}`", module.display());
    std::fs::copy(&module, folder.join(MODULE)).with_context(shown)?;
    Ok(())
}
