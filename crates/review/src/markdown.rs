//! The report as Markdown: three lists by how bad findings are, and what to do.

use crate::finding::Finding;
use crate::review::Review;
use crate::rule::Grade;
use std::fmt::Write;

pub fn markdown(review: &Review) -> String {
    let mut out = String::from("## Security Analysis Report\n");
    for (title, grade) in [
        ("Critical Vulnerabilities", Grade::Critical),
        ("High-Risk Findings", Grade::High),
        ("Medium-Risk Issues", Grade::Medium),
    ] {
        let _infallible = write!(out, "\n### {title}\n");
        let of: Vec<&Finding> = review.findings.iter().filter(|finding| finding.grade() == grade).collect();
        for finding in &of {
            let name = grade.name().to_ascii_uppercase();
            let _infallible = writeln!(
                out,
                "- [ ] {name}: {} at {}:{}",
                line(&format!(
                    "{} ({}), {} certainty",
                    finding.message,
                    finding.rule.id,
                    finding.certainty.name()
                )),
                finding.path(),
                finding.line
            );
        }
        if of.is_empty() {
            out.push_str("\nNone found.\n");
        }
    }
    out.push_str("\n### Recommendations\n");
    let mut said: Vec<&str> = Vec::new();
    for finding in &review.findings {
        if !said.contains(&finding.rule.mend) {
            said.push(finding.rule.mend);
        }
    }
    for (at, mend) in said.iter().enumerate() {
        let _infallible = writeln!(out, "{}. {}", at + 1, line(&capital(mend)));
    }
    if said.is_empty() {
        out.push_str("\nNone.\n");
    }
    out
}

/// One line, whatever stood in the code.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
