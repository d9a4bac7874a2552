//! Findings as data, and as annotations of a workflow on GitHub.

use crate::finding::Finding;
use crate::review::Review;
use crate::rule::Grade;
use ringmail_core::value::Value;

fn number(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A review as data.
pub fn as_value(review: &Review) -> Value {
    let unread = review.unread.iter().map(|(path, line, why)| {
        Value::map([
            ("file", Value::from(path.as_str())),
            ("line", number(*line)),
            ("message", Value::from(why.as_str())),
        ])
    });
    Value::map([
        ("files", number(review.files)),
        ("lines", number(review.lines)),
        ("findings", Value::list(review.findings.iter().map(one))),
        ("unread", Value::list(unread)),
        ("allowed", number(review.allowed)),
        ("known", number(review.known)),
    ])
}

fn one(finding: &Finding) -> Value {
    let rule = finding.rule;
    let place = |path: &str, (line, column): (usize, usize), note: &str| {
        Value::map([
            ("file", Value::from(path)),
            ("line", number(line)),
            ("column", number(column)),
            ("note", Value::from(note)),
        ])
    };
    let steps = finding.steps.iter();
    let steps =
        steps.map(|step| place(&step.source.name, step.source.line_column(step.span.start), &step.note));
    let texts = |texts: &[&str]| Value::list(texts.iter().map(|text| Value::from(*text)));
    Value::map([
        ("rule", Value::from(rule.id)),
        ("area", Value::from(rule.area.id())),
        ("severity", Value::from(finding.grade().name())),
        ("certainty", Value::from(finding.certainty.name())),
        ("file", Value::from(finding.path())),
        ("line", number(finding.line)),
        ("column", number(finding.column)),
        ("start", number(finding.span.start)),
        ("end", number(finding.span.end)),
        ("message", Value::from(finding.message.as_str())),
        ("mend", Value::from(rule.mend)),
        ("owasp", texts(rule.owasp)),
        ("refusal", rule.refusal.map_or(Value::Null, Value::from)),
        ("steps", Value::list(steps)),
        ("fixable", Value::Bool(!finding.edits.is_empty())),
        ("mark", Value::from(finding.mark.as_str())),
    ])
}

/// One line each, as GitHub's runner reads them.
pub fn annotations(review: &Review) -> String {
    let mut out = String::new();
    for finding in &review.findings {
        let level = if finding.grade() == Grade::Medium { "warning" } else { "error" };
        out.push_str(&format!(
            "::{level} file={},line={},col={},title={}::{}\n",
            escaped(finding.path(), true),
            finding.line,
            finding.column,
            escaped(&format!("{} ({})", finding.rule.id, finding.grade().name()), true),
            escaped(&format!("{}. {}", finding.message, finding.rule.mend), false)
        ));
    }
    out
}

/// What the runner would read as its own.
fn escaped(text: &str, property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}
