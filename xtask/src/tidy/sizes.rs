//! How long files are and how much of them is public.

use super::{File, product, sources};

const LINES_MAX: usize = 800;
const PUBLIC_PER_1000_LINES: usize = 40;
/// Short files are interfaces more often than not.
const LINES_MIN: usize = 150;

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut out = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let lines = product(&file.text).lines().count();
        if lines > LINES_MAX {
            out.push(format!("{}: {lines} lines, more than {LINES_MAX}", file.path));
        }
    }
    let mut crates: Vec<(&str, usize, usize)> = Vec::new();
    for file in sources(files) {
        let Some(name) = file.path.split('/').nth(1) else { continue };
        let text = product(&file.text);
        let public = text.lines().filter(|line| is_public_item(line)).count();
        let lines = text.lines().count();
        match crates.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, all_lines, all_public)) => {
                (*all_lines, *all_public) = (*all_lines + lines, *all_public + public)
            }
            None => crates.push((name, lines, public)),
        }
    }
    for (name, lines, public) in crates {
        if lines > LINES_MIN && public * 1000 > PUBLIC_PER_1000_LINES * lines {
            let each = public * 1000 / lines;
            out.push(format!(
                "crates/{name}: {each} public items per 1000 lines, more than {PUBLIC_PER_1000_LINES}"
            ));
        }
    }
    out
}

/// Fields belong to their type and do not count.
fn is_public_item(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("pub ") else { return false };
    let words = ["fn ", "const ", "static ", "struct ", "enum ", "trait ", "type ", "mod ", "use ", "async "];
    words.iter().any(|word| rest.starts_with(word))
}
