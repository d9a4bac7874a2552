//! What is different between two contents of one file, line by line.

use crate::terminal::{BOLD, DIM, GREEN, RED, clean, paint};
use ringmail_engine::core::value::Value;

/// Lines of both that are held against each other, at most; above that, all of the one is gone and all of the other is new.
const PAIRS_MAX: usize = 4_000_000;
/// Lines shown around a change.
const AROUND: usize = 2;

pub(super) struct FileChange {
    path: String,
    word: &'static str,
    lines: Vec<(char, String)>,
}

pub(super) fn of(path: &str, from: Option<&Vec<u8>>, to: Option<&Vec<u8>>) -> FileChange {
    let text = |bytes: Option<&Vec<u8>>| {
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    let word = match (from, to) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    FileChange { path: path.into(), word, lines: lines(&text(from), &text(to)) }
}

impl FileChange {
    pub(super) fn text(&self) -> String {
        let mut out = format!("{} {}\n", paint(BOLD, &clean(&self.path)), self.word);
        let near = |at: usize| {
            let around = at.saturating_sub(AROUND)..=at + AROUND;
            self.lines.iter().enumerate().any(|(at, (sign, _))| *sign != ' ' && around.contains(&at))
        };
        let mut skipped = false;
        for (at, (sign, line)) in self.lines.iter().enumerate() {
            if *sign == ' ' && !near(at) {
                skipped = true;
                continue;
            }
            if std::mem::take(&mut skipped) {
                out.push_str(&format!("{}\n", paint(DIM, "  ...")));
            }
            let line = format!("{sign} {}", clean(line));
            out.push_str(&match sign {
                '+' => paint(GREEN, &line),
                '-' => paint(RED, &line),
                _ => line,
            });
            out.push('\n');
        }
        out
    }

    pub(super) fn to_value(&self) -> Value {
        let changed = self.lines.iter().filter(|(sign, _)| *sign != ' ');
        let line = |(sign, line): &(char, String)| Value::from(format!("{sign}{line}"));
        Value::map([
            ("path", Value::from(self.path.as_str())),
            ("change", Value::from(self.word)),
            ("lines", Value::list(changed.map(line))),
        ])
    }
}

/// Every line of both, with `-` before those that are gone and `+` before those that are new.
fn lines(from: &str, to: &str) -> Vec<(char, String)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    let head = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let rest = old.len().min(new.len()) - head;
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let (gone, come) = (middle(&old, head, tail), middle(&new, head, tail));
    let same = |part: &[&str]| part.iter().map(|line| (' ', line.to_string())).collect::<Vec<_>>();
    let mut out = same(old.get(..head).unwrap_or_default());
    out.extend(between(gone, come));
    out.extend(same(old.get(old.len() - tail..).unwrap_or_default()));
    out
}

fn middle<'l, 'a>(lines: &'l [&'a str], head: usize, tail: usize) -> &'l [&'a str] {
    lines.get(head..lines.len() - tail).unwrap_or_default()
}

/// The longest common lines stay; ties go to what stands first.
fn between(old: &[&str], new: &[&str]) -> Vec<(char, String)> {
    let all =
        |sign: char, part: &[&str]| part.iter().map(|line| (sign, line.to_string())).collect::<Vec<_>>();
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        return [all('-', old), all('+', new)].concat();
    }
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    let at = |longest: &[u32], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let best = match one == other {
                true => at(&longest, i + 1, j + 1) + 1,
                false => at(&longest, i + 1, j).max(at(&longest, i, j + 1)),
            };
            if let Some(slot) = longest.get_mut(i * width + j) {
                *slot = best;
            }
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while let (Some(one), Some(other)) = (old.get(i), new.get(j)) {
        if one == other {
            out.push((' ', one.to_string()));
            (i, j) = (i + 1, j + 1);
        } else if at(&longest, i + 1, j) >= at(&longest, i, j + 1) {
            out.push(('-', one.to_string()));
            i += 1;
        } else {
            out.push(('+', other.to_string()));
            j += 1;
        }
    }
    out.extend(all('-', old.get(i..).unwrap_or_default()));
    out.extend(all('+', new.get(j..).unwrap_or_default()));
    out
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn check(from: &str, to: &str, expected: &str) {
        let shown: String =
            lines(from, to).into_iter().map(|(sign, line)| format!("{sign}{line};")).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn lines_that_stay_are_found() {
        check("a\nb\nc\n", "a\nb\nc\n", " a; b; c;");
        check("a\nb\nc\n", "a\nx\nc\nd\n", " a;-b;+x; c;+d;");
        check("", "a\n", "+a;");
        check("a\n", "", "-a;");
        check("a\nb\na\nb\n", "b\na\n", "-a; b; a;-b;");
        check("a\na\n", "a\n", " a;-a;");
    }
}
