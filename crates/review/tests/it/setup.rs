//! A review of texts, and what it found in short.

use ringmail_review::{Alone, Certainty, Finding, Review, Terms, TextFile, review};

/// Everything, however unsure.
pub fn all() -> Terms {
    Terms { today: "2026-11-22".into(), certainty_min: Certainty::Low, tests: true, ..Terms::default() }
}

pub fn look(files: &[(&str, &str)], ask: &Terms) -> Review {
    let file = |(path, text): &(&str, &str)| TextFile { path: (*path).into(), text: (*text).into() };
    review(files.iter().map(file).collect(), ask, &Alone)
}

/// A line each: certainty, rule, file and line.
pub fn found(files: &[(&str, &str)]) -> String {
    let line =
        |one: &Finding| format!("{} {} {}:{}", one.certainty.name(), one.rule.id, one.path(), one.line);
    look(files, &all()).findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The steps of the findings of one rule.
pub fn way(files: &[(&str, &str)], rule: &str) -> String {
    let review = look(files, &all());
    let one = review.findings.iter().find(|one| one.rule.id == rule).expect("such a finding");
    let step = |step: &ringmail_review::FlowStep| {
        let (line, _) = step.source.line_column(step.span.start);
        format!("{}:{line} {}", step.source.name, step.note)
    };
    one.steps.iter().map(step).collect::<Vec<_>>().join("\n")
}
