//! Every Rust file is part of its crate: named by a `mod` line or by the macro that registers its unit.

use super::File;

/// Folders whose files are units, with the macro that registers them and where it stands.
const REGISTERED: &[(&str, &str)] = &[
    ("crates/core/src/detect/", "detectors! {\n    "),
    ("crates/engine/src/kinds/", "kinds! {"),
    ("crates/engine/src/secrets/", "providers! {\n    "),
    ("crates/host/src/capability/", "capabilities! {"),
    ("crates/review/src/rules/", "rules! {\n    "),
    ("crates/ringmail/src/commands/", "commands! {"),
    ("crates/ringmail/src/selftest/", "groups! {\n    "),
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let rust = || files.iter().filter(|file| file.path.ends_with(".rs"));
    let mut out = Vec::new();
    for file in rust().filter(|file| is_module(&file.path)) {
        let (folder, name) = split(&file.path);
        let parents = [format!("{folder}mod.rs"), format!("{folder}lib.rs"), format!("{folder}main.rs")];
        let beside = format!("{}.rs", folder.trim_end_matches('/'));
        let parent = rust().find(|other| parents.contains(&other.path) || other.path == beside);
        let Some(parent) = parent else {
            out.push(format!("{}: nothing in its folder could name it", file.path));
            continue;
        };
        let named = parent.text.lines().any(|line| {
            let line = line.trim();
            line.split_whitespace().last() == Some(&format!("{name};")) && line.contains("mod ")
        });
        let registered = REGISTERED.iter().any(|(units, list)| {
            let lines = parent.text.split_once(list).and_then(|(_, rest)| rest.split_once('}'));
            folder == *units
                && lines.is_some_and(|(lines, _)| {
                    lines.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
                })
        });
        if !named && !registered {
            out.push(format!("{}: `{}` does not register it", file.path, parent.path));
        }
    }
    out
}

fn is_module(path: &str) -> bool {
    let inside = path.contains("/src/") || path.contains("/tests/it/");
    inside && !["mod.rs", "lib.rs", "main.rs"].iter().any(|root| path.ends_with(&format!("/{root}")))
}

/// The folder a module belongs to and its name.
fn split(path: &str) -> (String, String) {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    (format!("{folder}/"), file.trim_end_matches(".rs").to_string())
}
