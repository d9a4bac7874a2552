//! SARIF 2.1.0: what other tools show findings from.

use crate::finding::Finding;
use crate::review::Review;
use crate::rule::{Grade, ReviewRule};
use crate::rules::RULES;
use ringmail_core::doc::{Source, Span};
use ringmail_core::value::Value;

fn number(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn message(text: &str) -> Value {
    Value::map([("text", Value::from(text))])
}

pub fn sarif(review: &Review, version: &str) -> Value {
    let driver = Value::map([
        ("name", Value::from("ringmail review")),
        ("semanticVersion", Value::from(version)),
        ("rules", Value::list(RULES.iter().map(|rule| described(rule)))),
    ]);
    let unread = review.unread.iter().map(|(path, line, why)| {
        Value::map([
            ("level", Value::from("warning")),
            ("message", message(why)),
            ("locations", Value::list([Value::map([("physicalLocation", at_line(path, *line))])])),
        ])
    });
    let invocation = Value::map([
        ("executionSuccessful", Value::Bool(true)),
        ("toolExecutionNotifications", Value::list(unread)),
    ]);
    let run = Value::map([
        ("tool", Value::map([("driver", driver)])),
        ("columnKind", Value::from("unicodeCodePoints")),
        ("invocations", Value::list([invocation])),
        ("results", Value::list(review.findings.iter().map(result))),
    ]);
    Value::map([
        ("$schema", Value::from("https://json.schemastore.org/sarif-2.1.0.json")),
        ("version", Value::from("2.1.0")),
        ("runs", Value::list([run])),
    ])
}

fn described(rule: &ReviewRule) -> Value {
    let score = match rule.area.grade() {
        Grade::Critical => "9.5",
        Grade::High => "8.0",
        Grade::Medium => "5.0",
    };
    let tags = std::iter::once("security").chain([rule.area.id()]).chain(rule.owasp.iter().copied());
    Value::map([
        ("id", Value::from(rule.id)),
        ("shortDescription", message(rule.title)),
        ("fullDescription", message(rule.why)),
        ("help", message(rule.mend)),
        ("defaultConfiguration", Value::map([("level", Value::from(level(rule.area.grade())))])),
        (
            "properties",
            Value::map([
                ("security-severity", Value::from(score)),
                ("tags", Value::list(tags.map(Value::from))),
            ]),
        ),
    ])
}

fn level(grade: Grade) -> &'static str {
    if grade == Grade::Medium { "warning" } else { "error" }
}

fn result(finding: &Finding) -> Value {
    let index = RULES.iter().position(|rule| rule.id == finding.rule.id).unwrap_or(0);
    let mut members = vec![
        ("ruleId", Value::from(finding.rule.id)),
        ("ruleIndex", number(index)),
        ("level", Value::from(level(finding.grade()))),
        ("message", message(&finding.message)),
        ("locations", Value::list([location(&finding.source, finding.span, None)])),
        ("partialFingerprints", Value::map([("ringmail/v1", Value::from(finding.mark.as_str()))])),
        ("properties", Value::map([("certainty", Value::from(finding.certainty.name()))])),
    ];
    if !finding.steps.is_empty() {
        let steps = finding
            .steps
            .iter()
            .map(|step| Value::map([("location", location(&step.source, step.span, Some(&step.note)))]));
        let thread = Value::map([("locations", Value::list(steps))]);
        let flow = Value::map([("threadFlows", Value::list([thread]))]);
        members.push(("codeFlows", Value::list([flow])));
    }
    if !finding.edits.is_empty() {
        let edits = finding.edits.iter().map(|edit| {
            Value::map([
                ("deletedRegion", region(&finding.source, edit.span)),
                ("insertedContent", message(&edit.text)),
            ])
        });
        let change = Value::map([
            ("artifactLocation", Value::map([("uri", Value::from(uri(finding.path())))])),
            ("replacements", Value::list(edits)),
        ]);
        let fix = Value::map([
            ("description", message(finding.rule.mend)),
            ("artifactChanges", Value::list([change])),
        ]);
        members.push(("fixes", Value::list([fix])));
    }
    Value::map(members)
}

fn location(source: &Source, span: Span, note: Option<&str>) -> Value {
    let physical = Value::map([
        ("artifactLocation", Value::map([("uri", Value::from(uri(&source.name)))])),
        ("region", region(source, span)),
    ]);
    let mut members = vec![("physicalLocation", physical)];
    members.extend(note.map(|note| ("message", message(note))));
    Value::map(members)
}

fn at_line(path: &str, line: usize) -> Value {
    Value::map([
        ("artifactLocation", Value::map([("uri", Value::from(uri(path)))])),
        ("region", Value::map([("startLine", number(line.max(1)))])),
    ])
}

fn region(source: &Source, span: Span) -> Value {
    let (line, column) = source.line_column(span.start);
    let (last, end) = source.line_column(span.end.max(span.start));
    Value::map([
        ("startLine", number(line)),
        ("startColumn", number(column)),
        ("endLine", number(last)),
        ("endColumn", number(end)),
    ])
}

/// A path as a relative reference: what a URI cannot hold is written in percent.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
