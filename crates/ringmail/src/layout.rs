//! The layout of a chain file: two spaces a level, no trailing space, at most one blank line, comments kept. Moves
//! lines and never changes data; whoever calls compares what both texts mean.

use ringmail_engine::core::doc::{Data, Node};
use std::ops::Range;

/// The text of a document laid out anew.
pub(crate) fn lay_out(text: &str, node: &Node) -> String {
    let lines = split(text);
    let mut inner = vec![Inner::No; lines.len()];
    mark(node, text, &lines, &mut inner);
    let mut layout = Layout::default();
    for (line, inner) in lines.iter().zip(&inner) {
        layout.line(text.get(line.clone()).unwrap_or_default(), *inner);
    }
    layout.end()
}

/// Whether two documents say the same, wherever it stands.
pub(crate) fn same(one: &Node, two: &Node) -> bool {
    match (&one.data, &two.data) {
        (Data::List(one), Data::List(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        (Data::Map(one), Data::Map(two)) => {
            let pairs = || one.iter().zip(two);
            one.len() == two.len() && pairs().all(|((a, one), (b, two))| a.name == b.name && same(one, two))
        }
        (one, two) => format!("{one:?}") == format!("{two:?}"),
    }
}

/// Whether a line goes on with what an earlier one began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inner {
    No,
    /// Of a list or map in brackets, or of a text in quotes or without.
    Flow,
    /// Of a block of text, where space at the end counts.
    Block,
}

fn split(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let line = |part: &str| {
        let start = at;
        at += part.len();
        start..start + part.trim_end_matches(['\n', '\r']).len()
    };
    text.split_inclusive('\n').map(line).collect()
}

fn mark(node: &Node, text: &str, lines: &[Range<usize>], inner: &mut [Inner]) {
    let opens = text.get(node.span.start..).and_then(|rest| rest.chars().next());
    match &node.data {
        Data::Map(entries) if opens != Some('{') => {
            entries.iter().for_each(|(_, node)| mark(node, text, lines, inner));
        }
        Data::List(items) if opens != Some('[') => {
            items.iter().for_each(|node| mark(node, text, lines, inner));
        }
        _ => {
            let line_of = |at: usize| lines.iter().rposition(|line| line.start <= at).unwrap_or(0);
            let first = line_of(node.span.start);
            let last = line_of(node.span.end.saturating_sub(1).max(node.span.start));
            let block = opens_block(text, lines, first, node.span.start);
            let from = if block { first } else { first + 1 };
            let kind = if block { Inner::Block } else { Inner::Flow };
            if let Some(lines) = inner.get_mut(from..=last.max(from)).filter(|_| last >= from) {
                lines.fill(kind);
            }
        }
    }
}

/// Whether the text that starts at `start` is a block below a `|` or `>`.
fn opens_block(text: &str, lines: &[Range<usize>], first: usize, start: usize) -> bool {
    let of = |line: &Range<usize>| text.get(line.clone()).unwrap_or_default();
    let leads = lines
        .get(first)
        .is_some_and(|line| text.get(line.start..start).is_some_and(|before| before.trim().is_empty()));
    let above = lines.iter().take(first).rev().map(of).find(|line| !line.trim().is_empty());
    let header = above.map(|line| line.split(" #").next().unwrap_or_default().trim_end());
    let header =
        header.map(|line| line.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-'));
    leads && header.is_some_and(|line| line.ends_with(['|', '>']))
}

/// A level of nesting: the column it has and the one it gets.
#[derive(Clone, Copy)]
struct Level {
    old: usize,
    new: usize,
    list: bool,
}

#[derive(Default)]
struct Layout {
    out: String,
    levels: Vec<Level>,
    /// Comments whose place depends on what follows, with their columns, and blank lines between.
    waiting: Vec<Option<(usize, String)>>,
    /// How far the last line moved.
    shift: isize,
}

impl Layout {
    fn line(&mut self, line: &str, inner: Inner) {
        let trimmed = line.trim();
        let column = line.len() - line.trim_start_matches(' ').len();
        match inner {
            Inner::Block | Inner::Flow if trimmed.is_empty() && !(inner == Inner::Block && column > 0) => {
                self.out.push('\n');
            }
            Inner::Block => {
                let moved = column.saturating_add_signed(self.shift);
                self.push(moved, line.trim_start_matches(' '));
            }
            Inner::Flow => {
                let moved = column.saturating_add_signed(self.shift);
                self.push(moved, trimmed);
            }
            Inner::No if trimmed.is_empty() => {
                let leads = self.out.is_empty() && self.waiting.is_empty();
                if !leads && !matches!(self.waiting.last(), Some(None)) {
                    self.waiting.push(None);
                }
            }
            Inner::No if trimmed.starts_with('#') => self.waiting.push(Some((column, trimmed.to_string()))),
            Inner::No if trimmed == "---" || trimmed == "..." => {
                self.comments(0);
                self.push(0, trimmed);
            }
            Inner::No => self.code(column, trimmed),
        }
    }

    fn code(&mut self, column: usize, trimmed: &str) {
        let before = self.levels.clone();
        let new = self.place(column, is_item(trimmed));
        let (mut at, mut rest, mut text) = (column, trimmed, String::new());
        while is_item(rest) {
            let content = rest.trim_start_matches('-').trim_start();
            // More than one dash is a text such as `--x`, and that is no item.
            at += rest.len() - content.len();
            rest = content;
            text.push_str(if rest.is_empty() { "-" } else { "- " });
            if !rest.is_empty() {
                self.place(at, is_item(rest));
            }
        }
        text.push_str(rest);
        let after = std::mem::replace(&mut self.levels, before);
        self.comments(new);
        self.levels = after;
        self.shift = isize::try_from(new).unwrap_or(0) - isize::try_from(column).unwrap_or(0);
        self.push(new, &text);
    }

    /// The new column of what stands at an old one.
    fn place(&mut self, old: usize, list: bool) -> usize {
        while self
            .levels
            .last()
            .is_some_and(|level| level.old > old || level.old == old && level.list && !list)
        {
            self.levels.pop();
        }
        match self.levels.last() {
            Some(level) if level.old == old && level.list == list => level.new,
            above => {
                let new = above.map_or(0, |level| level.new + 2);
                self.levels.push(Level { old, new, list });
                new
            }
        }
    }

    /// Comments go where their own level goes, or with what follows.
    fn comments(&mut self, next: usize) {
        for waiting in std::mem::take(&mut self.waiting) {
            match waiting {
                None => self.out.push('\n'),
                Some((column, text)) => {
                    let own = self.levels.iter().rev().find(|level| level.old == column);
                    self.push(own.map_or(next, |level| level.new), &text);
                }
            }
        }
    }

    fn push(&mut self, column: usize, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', column));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn end(mut self) -> String {
        while matches!(self.waiting.last(), Some(None)) {
            self.waiting.pop();
        }
        self.comments(0);
        self.out
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringmail_engine::core::doc::{Source, yaml};

    fn check(text: &str, expected: &str) {
        let parse = |text: &str| yaml::parse(&Source::new("c.yaml", text)).unwrap();
        let out = lay_out(text, &parse(text));
        assert_eq!(out, expected);
        assert!(same(&parse(text), &parse(&out)), "means something else");
        assert_eq!(lay_out(&out, &parse(&out)), out, "is not at rest");
    }

    #[test]
    fn nesting_is_two_spaces_and_comments_stay_with_what_they_stand_by() {
        check(
            "\n\n# top\na:\n    # of b\n    b:   1   \n\n\n    c:\n    - x\n    -   y: 1\n        z: 2\n    # after c\nd: 2 # end\r\n#last",
            "# top\na:\n  # of b\n  b:   1\n\n  c:\n    - x\n    - y: 1\n      z: 2\n    # after c\nd: 2 # end\n#last\n",
        );
    }

    #[test]
    fn texts_keep_their_shape_and_brackets_their_lines() {
        check(
            "a:\n    text: |\n        one\n          two  \n\n        # no comment\n    flow: {x: 1,\n       y: [2,\n       3]} \n    folded: >-\n        so\n        it\n    plain: a\n      b\n    quoted: \"x\n\n      y\"\n",
            "a:\n  text: |\n      one\n        two  \n\n      # no comment\n  flow: {x: 1,\n     y: [2,\n     3]}\n  folded: >-\n      so\n      it\n  plain: a\n    b\n  quoted: \"x\n\n    y\"\n",
        );
    }

    #[test]
    fn lists_of_lists_and_dashes_in_texts() {
        check("a:\n- - 1\n  - 2\n- -1\n-\n  k: v\n", "a:\n  - - 1\n    - 2\n  - -1\n  -\n    k: v\n");
        check("", "");
        check("---\na: |+\n  x\n\n", "---\na: |+\n  x\n\n");
    }
}
