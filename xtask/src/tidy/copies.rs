//! Files that say the same: measured by the share of lines that stand in both in the same order of three.

use super::{File, product, sources};
use std::collections::HashSet;

/// More than this share of the smaller file, in percent, is a copy.
const SHARE_MAX: usize = 40;
const LINES_MIN: usize = 30;

pub(super) fn check(files: &[File]) -> Vec<String> {
    let threes: Vec<(&str, HashSet<String>)> =
        sources(files).map(|file| (file.path.as_str(), three_lines(product(&file.text)))).collect();
    let mut out = Vec::new();
    for (at, (one, mine)) in threes.iter().enumerate() {
        for (two, theirs) in threes.iter().skip(at + 1) {
            let least = mine.len().min(theirs.len());
            let shared = mine.intersection(theirs).count();
            if least >= LINES_MIN && shared * 100 > SHARE_MAX * least {
                out.push(format!("{one} and {two}: {} percent are the same", shared * 100 / least));
            }
        }
    }
    out
}

/// Every three lines that follow each other, spaces and short lines aside.
fn three_lines(text: &str) -> HashSet<String> {
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| line.len() > 3 && !line.starts_with("use ")).collect();
    lines.windows(3).map(|three| three.join("\n")).collect()
}
