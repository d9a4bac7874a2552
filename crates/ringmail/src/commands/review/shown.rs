//! Findings in the terminal: the place with its lines, the way that data took, and what to do.

use crate::snippet::{range, render};
use crate::terminal::{BOLD, DIM, GREEN, YELLOW, clean, paint};
use annotate_snippets::{AnnotationKind, Level, Snippet};
use ringmail_engine::core::doc::{Source, Span, Spot};
use ringmail_review::{Area, Finding, Grade, RULES, Review};
use std::sync::Arc;

/// A review for people.
pub(super) fn text(done: &Review) -> String {
    let mut parts: Vec<String> = done.findings.iter().rev().map(one).collect();
    for (path, line, why) in &done.unread {
        parts.push(paint(YELLOW, &clean(&format!("not reviewed: {path}:{line}: {why}"))));
    }
    parts.push(sum(done));
    parts.join("\n\n")
}

fn one(finding: &Finding) -> String {
    let level = if finding.grade() == Grade::Medium { Level::WARNING } else { Level::ERROR };
    // The lines around it, not the whole of a file for each of its findings.
    let (source, span, first) = around(finding);
    let spot = Spot { source: source.clone(), span };
    let place = Snippet::source(clean(&source.text).into_owned())
        .line_start(first)
        .path(clean(finding.path()).into_owned())
        .annotation(AnnotationKind::Primary.span(range(&spot)));
    let group = level
        .with_name(finding.grade().name())
        .primary_title(clean(&finding.message).into_owned())
        .id(finding.rule.id)
        .element(place)
        .element(Level::HELP.message(clean(finding.rule.mend).into_owned()));
    let mut out = render(group);
    for (at, step) in finding.steps.iter().enumerate() {
        let (line, _) = step.source.line_column(step.span.start);
        let code = step.source.text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim();
        let head = if at == 0 { "way:" } else { "    " };
        let place = clean(&format!("{}:{line}", step.source.name)).into_owned();
        let code = paint(DIM, &clean(&code.chars().take(100).collect::<String>()));
        out.push_str(&format!("\n  {head} {}. {place} {}\n         {code}", at + 1, clean(&step.note)));
    }
    let certainty =
        format!("{} certainty; ringmail review explain {}", finding.certainty.name(), finding.rule.id);
    out.push_str(&format!("\n  {}", paint(DIM, &certainty)));
    out
}

const AROUND: usize = 4;

/// The lines around a finding, its place in them, and the number of the first.
fn around(finding: &Finding) -> (Arc<Source>, Span, usize) {
    let (text, span) = (&finding.source.text, finding.span);
    let back = |text: &str| text.rmatch_indices('\n').nth(AROUND).map_or(0, |(at, _)| at + 1);
    let start = back(text.get(..span.start).unwrap_or_default());
    let rest = text.get(span.end..).unwrap_or_default();
    let end = rest.match_indices('\n').nth(AROUND).map_or(text.len(), |(at, _)| span.end + at);
    let piece = text.get(start..end).unwrap_or_default().to_string();
    let moved = Span { start: span.start.saturating_sub(start), end: span.end.saturating_sub(start) };
    let first = 1 + text.get(..start).unwrap_or_default().matches('\n').count();
    (Source::new(finding.path(), piece), moved, first)
}

fn sum(done: &Review) -> String {
    let count = |grade: Grade| done.findings.iter().filter(|finding| finding.grade() == grade).count();
    let files = format!("{} files, {} lines", done.files, done.lines);
    let mut more = String::new();
    for (count, what) in [(done.allowed, "allowed in the code"), (done.known, "known to the baseline")] {
        if count > 0 {
            more.push_str(&format!(", {count} {what}"));
        }
    }
    if done.findings.is_empty() {
        return format!("{} {}", paint(GREEN, "nothing found"), paint(DIM, &format!("{files}{more}")));
    }
    let counts: Vec<String> =
        Grade::ALL.iter().rev().map(|grade| format!("{} {}", count(*grade), grade.name())).collect();
    format!("{} {}", paint(BOLD, &counts.join(", ")), paint(DIM, &format!("{files}{more}")))
}

/// All rules, a line each.
pub(super) fn list() -> String {
    let mut out = String::new();
    let wide = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    for area in Area::ALL {
        let head = format!("{}. {} ({})", area.number(), area.id(), area.grade().name());
        out.push_str(&format!("{}\n", paint(BOLD, &head)));
        for rule in RULES.iter().filter(|rule| rule.area == area) {
            out.push_str(&format!("  {:wide$}  {}\n", rule.id, rule.title));
        }
    }
    out
}
