//! Programs and scripts that chains hold, and where each of their lines stands in what was written. Nothing is parsed or
//! run here.

use crate::doc::{Source, Span, Spot};
use crate::value::Str;
use std::sync::Arc;

/// A program that stands in a chain, or in a file that one names.
#[derive(Debug)]
pub struct Program {
    pub text: Str,
    /// The arguments that become variables, as far as the chain shows them.
    pub given: Option<Vec<Str>>,
    source: Arc<Source>,
    /// Where the whole of it stands.
    span: Span,
    /// Where each of its lines begins, if the source has them as they are.
    lines: Vec<usize>,
}

impl Program {
    /// A program that is a file of its own.
    pub fn of_file(source: Arc<Source>) -> Program {
        let text: Str = source.text.as_str().into();
        let whole = Span { start: 0, end: source.text.len() };
        Program { lines: lines(&source.text, 0, &text), text, given: None, source, span: whole }
    }

    /// A program that stands in another document.
    pub fn inline(text: &str, source: &Arc<Source>, span: Span) -> Program {
        let lines = lines(&source.text, span.start, text);
        Program { text: text.into(), given: None, source: source.clone(), span, lines }
    }

    #[must_use]
    pub fn given(mut self, given: Option<Vec<Str>>) -> Program {
        self.given = given;
        self
    }

    /// The place of a line and column of the program, both from 1.
    pub fn spot(&self, line: usize, column: usize, length: usize) -> Spot {
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line)).map(|start| {
            let text = self.source.text.get(*start..).unwrap_or_default();
            let text = text.lines().next().unwrap_or_default();
            let column = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
            (start + column, start + text.len())
        });
        let span = match start {
            Some((start, end)) => Span { start, end: (start + length).min(end).max(start) },
            None => self.span,
        };
        Spot { source: self.source.clone(), span }
    }

    /// The line of the document that a line of the program is, if it has one.
    pub fn place(&self, line: usize) -> Option<String> {
        let start = self.lines.get(line.checked_sub(1)?)?;
        Some(format!("{}:{}", self.source.name, self.source.line_column(*start).0))
    }
}

/// Where the lines of a text begin in a document that holds them from `from` on, indented or not; none if it holds
/// them another way.
fn lines(document: &str, from: usize, text: &str) -> Vec<usize> {
    let rest = document.get(from..).unwrap_or_default();
    let mut starts = rest.split_inclusive('\n').scan(from, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line.trim_end_matches(['\n', '\r'])))
    });
    let mut wanted = text.lines();
    let Some(first) = wanted.next() else { return Vec::new() };
    let found = starts.find(|(_, line)| line.ends_with(first) && (!first.is_empty() || line.is_empty()));
    let Some((start, line)) = found else { return Vec::new() };
    let mut out = vec![start + line.len() - first.len()];
    for text in wanted {
        match starts.next() {
            Some((start, line)) if line.ends_with(text) => out.push(start + line.len() - text.len()),
            Some((start, line)) if line.trim().is_empty() && text.trim().is_empty() => out.push(start),
            _ => return Vec::new(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_program_is_found_where_it_was_written() {
        let text = "chain: t\nlinks:\n  p:\n    kind: python\n    code: |\n      a = 1\n\n      if a:\n        b = é\nx: 1\n";
        let source = Source::new("t.yaml", text);
        let program = Program::inline(
            "a = 1\n\nif a:\n  b = é\n",
            &source,
            Span { start: text.find('|').unwrap(), end: 60 },
        );
        assert_eq!(program.place(4).as_deref(), Some("t.yaml:9"));
        let spot = program.spot(4, 7, 5);
        assert_eq!(text.get(spot.span.start..spot.span.end), Some("é"));
        assert_eq!(program.place(5), None);
        let folded = Program::inline("a = 1 b = 2", &source, Span { start: 1, end: 2 });
        assert_eq!((folded.place(1), folded.spot(1, 1, 1).span), (None, Span { start: 1, end: 2 }));
    }
}
