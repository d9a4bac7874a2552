//! Problems and refusals as people see them: what, where in their own file, why, and what to do next.

use crate::terminal::{self, BLUE, BOLD, clean, paint};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};
use ringmail_engine::core::doc::{Problem, Problems, Spot};
use ringmail_engine::core::refusal::Refusal;
use ringmail_engine::core::value::Value;
use std::ops::Range;

/// Where tainting data entered a chain.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) spot: Spot,
}

/// An error without a place.
pub(crate) fn plain(message: &str) -> String {
    let title = Level::ERROR.primary_title(clean(message).into_owned());
    render(Group::with_title(title))
}

/// A next step below whatever was said.
pub(crate) fn hint(text: &str) -> String {
    format!("{}: {}", paint(BLUE, "help"), clean(text))
}

pub(crate) fn problems(problems: &Problems) -> String {
    let shown: Vec<String> = problems.0.iter().map(problem).collect();
    let mut text = shown.join("\n\n");
    if problems.0.len() > 1 {
        text.push_str(&format!("\n\n{}", paint(BOLD, &format!("{} problems", problems.0.len()))));
    }
    text
}

pub(crate) fn problem(problem: &Problem) -> String {
    told(Level::ERROR, problem)
}

/// Something worth a look, which stops nothing.
pub(crate) fn warning(problem: &Problem) -> String {
    told(Level::WARNING, problem)
}

fn told(level: Level<'_>, problem: &Problem) -> String {
    let mut group =
        level.primary_title(clean(&problem.message).into_owned()).elements(Vec::<Element<'_>>::new());
    if let Some(spot) = &problem.spot {
        group = group.element(marked(spot, None, &[]));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(clean(help).into_owned()));
    }
    render(group)
}

/// A refusal with its layer, rule, place, origins and the smallest changes that would allow it.
pub(crate) fn refusal(refusal: &Refusal, origins: &[Origin]) -> String {
    let rule = refusal.rule;
    let title = format!("`{}` refused: {}", refusal.link, refusal.message);
    let mut group = Level::ERROR
        .with_name("refused")
        .primary_title(clean(&title).into_owned())
        .id(rule.id())
        .elements(Vec::<Element<'_>>::new());
    if let Some(spot) = &refusal.spot {
        let label = refusal.path.as_ref().map(|path| format!("`{path}`"));
        group = group.element(marked(spot, label, origins));
    }
    for origin in origins.iter().filter(|origin| !near(origin, refusal)) {
        group = group.element(marked(&origin.spot, Some(format!("from `{}`", origin.name)), &[]));
    }
    group = group.element(Level::NOTE.message(format!("{} layer: {}", rule.layer().name(), rule.doc())));
    if let Some(sink) = &refusal.sink {
        group = group.element(Level::NOTE.message(format!("it would reach {}", clean(sink))));
    }
    if !refusal.policies.is_empty() {
        group = group
            .element(Level::NOTE.message(format!("decided by `{}`", clean(&refusal.policies.join("`, `")))));
    }
    for change in &refusal.changes {
        group = group.element(Level::HELP.message(clean(change).into_owned()));
    }
    render(group)
}

fn near(origin: &Origin, refusal: &Refusal) -> bool {
    refusal.spot.as_ref().is_some_and(|spot| spot.source == origin.spot.source)
}

/// The lines around a place, with the origins that lie in the same file.
fn marked(
    spot: &Spot,
    label: Option<String>,
    origins: &[Origin],
) -> Snippet<'static, annotate_snippets::Annotation<'static>> {
    let text = &spot.source.text;
    let mut snippet = Snippet::source(clean(text).into_owned())
        .path(clean(&spot.source.name).into_owned())
        .annotation(AnnotationKind::Primary.span(range(spot)).label(label));
    let mut taken = vec![range(spot)];
    for origin in origins.iter().filter(|origin| origin.spot.source == spot.source) {
        let range = range(&origin.spot);
        let inside = taken.iter().any(|other| other.start < range.end && range.start < other.end);
        if !inside {
            snippet = snippet.annotation(
                AnnotationKind::Context.span(range.clone()).label(Some(format!("from `{}`", origin.name))),
            );
            taken.push(range);
        }
    }
    snippet
}

/// The first line of a place, within its text.
pub(crate) fn range(spot: &Spot) -> Range<usize> {
    let text = &spot.source.text;
    let start = floor(text, spot.span.start);
    let end = floor(text, spot.span.end).max(start);
    let line = text.get(start..end).and_then(|part| part.find('\n')).map_or(end, |at| start + at);
    start..line
}

fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Wider pictures are cut around what they point at.
const WIDTH_MAX: usize = 140;

pub(crate) fn render(group: Group<'_>) -> String {
    let text = Renderer::styled().term_width(terminal::columns().min(WIDTH_MAX)).render(&[group]);
    // Without a place to show, the renderer leaves its empty margin above the notes.
    let margin = |line: &str| anstream::adapter::strip_str(line).to_string().trim() == "|";
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.get(1).is_some_and(|line| margin(line)) {
        lines.remove(1);
    }
    lines.join("\n")
}

/// Problems as data, for `--format json`.
pub(crate) fn problems_value(problems: &Problems) -> Value {
    let number = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let one = |problem: &Problem| {
        let mut members = vec![("message", Value::from(problem.message.as_str()))];
        if let Some(help) = &problem.help {
            members.push(("help", Value::from(help.as_str())));
        }
        if let Some(spot) = &problem.spot {
            let (line, column) = spot.source.line_column(spot.span.start);
            members.push(("file", Value::from(spot.source.name.as_str())));
            members.push(("line", number(line)));
            members.push(("column", number(column)));
            members.push(("start", number(spot.span.start)));
            members.push(("end", number(spot.span.end)));
        }
        Value::map(members)
    };
    Value::list(problems.0.iter().map(one))
}
