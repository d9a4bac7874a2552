//! Documents name what exists: files that are linked, tests that hold invariants, dependencies that are used.

use super::File;
use std::path::Path;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const ARCHITECTURE_LINES_MAX: usize = 300;
const DEPENDENCIES: &str = "docs/dependencies.md";

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut out = links(files);
    out.extend(invariants(files));
    out.extend(dependencies(files));
    out
}

fn find<'f>(files: &'f [File], path: &str) -> &'f str {
    files.iter().find(|file| file.path == path).map_or("", |file| &file.text)
}

fn links(files: &[File]) -> Vec<String> {
    let mut out = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for part in file.text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or_default();
            let outside = target.contains("://") || target.is_empty();
            if !outside && !folder.join(target).exists() {
                out.push(format!("{}: links `{target}`, which does not exist", file.path));
            }
        }
    }
    out
}

/// Each numbered invariant names a test as `` `test: name` ``, and a test of that name exists.
fn invariants(files: &[File]) -> Vec<String> {
    let text = find(files, ARCHITECTURE);
    let mut out = Vec::new();
    if text.lines().count() > ARCHITECTURE_LINES_MAX {
        out.push(format!("{ARCHITECTURE}: more than {ARCHITECTURE_LINES_MAX} lines"));
    }
    let Some((_, section)) = text.split_once("\n## Invariants") else {
        out.push(format!("{ARCHITECTURE}: has no section `Invariants`"));
        return out;
    };
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut numbered: Vec<String> = Vec::new();
    for line in section.lines() {
        match line.split_once(". ") {
            Some((number, _)) if number.parse::<u32>().is_ok() => numbered.push(line.to_string()),
            _ => {
                if let Some(last) = numbered.last_mut() {
                    last.push_str(line);
                }
            }
        }
    }
    let known = |name: &str| {
        let function = format!("fn {name}(");
        files.iter().any(|file| file.path.ends_with(".rs") && file.text.contains(&function))
            || files.iter().any(|file| file.path.ends_with(&format!("/seal/{name}.rs")))
    };
    for invariant in numbered {
        let tests: Vec<&str> =
            invariant.split("`test: ").skip(1).filter_map(|rest| rest.split('`').next()).collect();
        let number = invariant.split('.').next().unwrap_or_default();
        if tests.is_empty() {
            out.push(format!("{ARCHITECTURE}: invariant {number} names no test"));
        }
        for test in tests.iter().filter(|test| !known(test)) {
            out.push(format!(
                "{ARCHITECTURE}: invariant {number} names the test `{test}`, which does not exist"
            ));
        }
    }
    out
}

fn dependencies(files: &[File]) -> Vec<String> {
    let (manifest, page) = (find(files, "Cargo.toml"), find(files, DEPENDENCIES));
    let section = manifest.split_once("[workspace.dependencies]").map_or("", |(_, rest)| rest);
    let section = section.split("\n[").next().unwrap_or_default();
    let names =
        section.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    let mut out = Vec::new();
    for (name, _) in names.filter(|(name, _)| !name.starts_with("ringmail-")) {
        if !page.contains(&format!("| `{name}` |")) {
            out.push(format!("{DEPENDENCIES}: gives no reason for `{name}`"));
        }
        let used = files.iter().any(|file| file.path.ends_with("/Cargo.toml") && uses(&file.text, name));
        if !used {
            out.push(format!("Cargo.toml: no crate uses `{name}`"));
        }
    }
    out
}

fn uses(manifest: &str, name: &str) -> bool {
    manifest.lines().any(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(".workspace") || rest.starts_with(" = {"))
    })
}
