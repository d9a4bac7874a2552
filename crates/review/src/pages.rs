//! What a rule says of itself, for the terminal and for the reference.

use crate::owasp;
use crate::rule::{Area, ReviewRule};
use crate::rules::RULES;
use std::fmt::Write;

/// One rule, as `ringmail review explain` tells it.
pub fn explain(rule: &ReviewRule) -> String {
    let mut out = format!("{}: {}\n\n", rule.id, rule.title);
    let area = rule.area;
    let _infallible =
        writeln!(out, "area {}, {}; severity {}", area.number(), area.id(), area.grade().name());
    let _infallible = writeln!(out, "OWASP: {}", owasp::named(rule.owasp));
    if let Some(refusal) = rule.refusal {
        let _infallible = writeln!(out, "at run time: `{refusal}`");
    }
    let _infallible = write!(out, "\n{}\n\nWhat to do: {}\n", rule.why, rule.mend);
    let _infallible =
        write!(out, "\nFound in {}:\n\n{}\nNot found:\n\n{}", rule.file, indent(rule.bad), indent(rule.good));
    out
}

fn indent(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") }).collect()
}

/// The reference page of all rules.
pub fn page() -> String {
    let mut out = String::new();
    for area in Area::ALL {
        let _infallible = write!(
            out,
            "\n## {}. {}\n\nSeverity {}; `--area {}`.\n",
            area.number(),
            area.title(),
            area.grade().name(),
            area.id()
        );
        for rule in RULES.iter().filter(|rule| rule.area == area) {
            let _infallible = write!(out, "\n### {}\n{}", rule.id, body(rule));
            if let Some(refusal) = rule.refusal {
                let _infallible = write!(out, " At run time: [{refusal}](refusals.md#{refusal}).");
            }
            out.push_str(&examples(rule));
        }
    }
    out
}

/// What a rule says of itself, for an editor that shows Markdown.
pub fn rule_page(rule: &ReviewRule) -> String {
    let refusal = rule.refusal.map_or_else(String::new, |refusal| format!(" At run time: `{refusal}`."));
    format!("**{}**, {}\n{}{refusal}{}", rule.id, rule.area.grade().name(), body(rule), examples(rule))
}

fn body(rule: &ReviewRule) -> String {
    let (title, owasp) = (capital(rule.title), owasp::named(rule.owasp));
    format!("\n{title}. {}\n\nWhat to do: {}\n\nOWASP: {owasp}.", rule.why, rule.mend)
}

fn examples(rule: &ReviewRule) -> String {
    let kind = if rule.file.ends_with(".py") { "python" } else { "text" };
    format!("\n\nFound:\n\n```{kind}\n{}```\n\nNot found:\n\n```{kind}\n{}```\n", rule.bad, rule.good)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
