//! One noun, one thing: no two public types of the product share a name, and none is called after nothing.

use super::{File, product, sources};

/// Words that name no thing.
const EMPTY: &[&str] = &["Manager", "Helper", "Util", "Utils", "Service", "Base"];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut known: Vec<(&str, &str)> = Vec::new();
    let mut out = Vec::new();
    for file in sources(files) {
        for line in product(&file.text).lines() {
            let Some(name) = public_type(line) else { continue };
            if EMPTY.iter().any(|word| name.ends_with(word)) {
                out.push(format!("{}: `{name}` says nothing about what it is", file.path));
            }
            match known.iter().find(|(other, _)| *other == name) {
                Some((_, first)) => {
                    out.push(format!("{}: `{name}` is the name of another thing in {first}", file.path))
                }
                None => known.push((name, &file.path)),
            }
        }
    }
    out
}

/// The type that a line makes public.
fn public_type(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|word| rest.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}
