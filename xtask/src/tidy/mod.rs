//! The house rules that no other tool checks: one file each, one line here. Each looks at the files git knows and
//! says everything that is wrong at once.

mod copies;
mod docs;
mod edges;
mod names;
mod places;
mod sizes;
mod units;

use crate::shell::output;

/// A source file with its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

type Rule = fn(&[File]) -> Vec<String>;

const RULES: &[(&str, Rule)] = &[
    ("crates depend only on what the design lets them", edges::check),
    ("files and public surface stay small", sizes::check),
    ("every unit's file is registered", units::check),
    ("a public name stands for one thing", names::check),
    ("no file is a copy of another", copies::check),
    ("no place of one machine is named", places::check),
    ("documents name what exists", docs::check),
];

/// Files that git knows or would, by ending.
pub(crate) fn files(ending: &str) -> Result<Vec<String>, String> {
    let pattern = format!("*.{ending}");
    let known = output("git", &["ls-files", "--cached", "--others", "--exclude-standard", "--", &pattern])?;
    Ok(known.lines().filter(|path| std::path::Path::new(path).exists()).map(String::from).collect())
}

fn read_all() -> Result<Vec<File>, String> {
    let mut out = Vec::new();
    for ending in ["rs", "toml", "md", "yaml", "json", "py", "cedar", "svg", "txt"] {
        for path in files(ending)? {
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
            out.push(File { path, text });
        }
    }
    Ok(out)
}

pub(crate) fn run() -> Result<(), String> {
    let files = read_all()?;
    let mut broken = 0;
    for (rule, check) in RULES {
        for fault in check(&files) {
            println!("{fault}\n  rule: {rule}");
            broken += 1;
        }
    }
    if broken > 0 { Err(format!("{broken} places break the house rules")) } else { Ok(()) }
}

/// Rust files of the product, tests of their own folder left out.
fn sources(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| {
        file.path.starts_with("crates/") && file.path.contains("/src/") && file.path.ends_with(".rs")
    })
}

/// The part of a file that is not its tests.
fn product(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod tests {").map_or(text, |(before, _)| before)
}
