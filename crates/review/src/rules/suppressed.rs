//! Findings of scanners that somebody silenced.

use crate::python::CommentSite;
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(crate) static RULE: ReviewRule = ReviewRule {
    id: "suppressed-without-reason",
    area: Area::Dependencies,
    title: "a finding is silenced and nobody says why",
    why: "A bare `# nosec` silences every rule on its line, for ever, whatever is written there next.",
    mend: "name the rule and the reason: `# nosec B311 - jitter, no secret`; for Ringmail: `ringmail: allow RULE until DAY: reason`",
    file: "client.py",
    bad: "import random\n\npause = random.random()  # nosec\n",
    good: "import random\n\npause = random.random()  # nosec B311 - jitter between tries, no secret\n",
    owasp: &["LLM04", "ASI04", "MCP08"],
    refusal: None,
    looks: &[Look::Comment(comment)],
};

fn comment(site: &CommentSite<'_>) -> Option<Hit> {
    let lower = site.text.to_ascii_lowercase();
    let (before, rest) = match lower.split_once("nosec") {
        Some(found) => found,
        None => lower.split_once("noqa:").filter(|(_, rules)| security(rules))?,
    };
    // `nanoseconds` silence nothing.
    if !before.ends_with(['#', ' ', '\t', ';', ',']) || rest.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return None;
    }
    // That an error is passed over hides it; it does no harm by itself.
    let passed_over = ["s110", "s112"].iter().any(|rule| rest.contains(rule));
    let word = |word: &&str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let reason = rest
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(word)
        .filter(|word| *word != "nosec" && *word != "noqa")
        .count();
    let named = rest.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() >= 3
            && word.starts_with(['b', 's'])
            && word.get(1..).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    match (named, reason >= 2) {
        (true, true) => None,
        (true, false) if passed_over => Some(Hit::low(site.span, "a finding is silenced without a reason")),
        (true, false) => Some(Hit::medium(site.span, "a finding is silenced without a reason")),
        (false, _) => Some(Hit::high(site.span, "every finding on this line is silenced")),
    }
}

fn security(rules: &str) -> bool {
    rules.split([',', ' ']).any(|rule| {
        rule.starts_with('s')
            && rule
                .get(1..)
                .is_some_and(|rest| rest.len() == 3 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    })
}
