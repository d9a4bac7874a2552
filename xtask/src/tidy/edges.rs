//! Which crate may use which: the arrows of the design, and no other.

use super::File;

const ARROWS: &[(&str, &[&str])] = &[
    ("crates/core", &[]),
    ("crates/review", &["ringmail-core"]),
    ("crates/host", &["ringmail-core"]),
    ("crates/store", &["ringmail-core"]),
    // Shares nothing with what writes the log.
    ("crates/verify", &[]),
    ("crates/engine", &["ringmail-core", "ringmail-host", "ringmail-store"]),
    ("crates/server", &["ringmail-core", "ringmail-engine"]),
    (
        "crates/ringmail",
        &["ringmail-core", "ringmail-engine", "ringmail-review", "ringmail-server", "ringmail-verify"],
    ),
    ("bench", &["ringmail-core", "ringmail-host", "ringmail-engine", "ringmail-server", "ringmail-verify"]),
    ("xtask", &[]),
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut out = Vec::new();
    // Fuzzing has a workspace of its own, and so has each guest.
    let apart = |path: &str| ["fuzz/", "examples/", "sdk/"].iter().any(|folder| path.starts_with(folder));
    for file in files.iter().filter(|file| file.path.ends_with("/Cargo.toml") && !apart(&file.path)) {
        let folder = file.path.trim_end_matches("/Cargo.toml");
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == folder) else {
            out.push(format!("{}: a crate that the design does not know", file.path));
            continue;
        };
        let used = file.text.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        for name in used.filter(|name| name.starts_with("ringmail-")) {
            if !allowed.contains(&name) {
                out.push(format!("{}: must not depend on `{name}`", file.path));
            }
        }
    }
    out
}
