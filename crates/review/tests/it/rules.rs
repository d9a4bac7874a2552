//! Each rule finds its bad example, and nothing in its good one.

use crate::setup::{all, look};
use ringmail_review::{Area, Finding, RULES, ReviewRule, SeenElsewhere, Terms, owasp_entry};

/// An advisory about the package of the example.
fn asked(rule: &ReviewRule, text: &str) -> Terms {
    let mut ask = all();
    // What the command sees once it loads the project or asks its servers.
    if ["dead-policy", "pin-changed"].contains(&rule.id) && text == rule.bad {
        let told = SeenElsewhere {
            rule: rule.id,
            path: rule.file.into(),
            span: Default::default(),
            message: "seen".into(),
        };
        ask.told.push(told);
    }
    if rule.id == "known-vulnerability" {
        let text = r#"{"id": "OSV-2026-1", "summary": "reads too far", "affected": [{"package": {"ecosystem": "PyPI", "name": "acme-parser"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]}]}]}"#;
        let value = ringmail_core::json::parse(text.as_bytes(), &Default::default()).unwrap();
        ask.advisories = ringmail_core::package::Advisory::read(&value).unwrap().into_iter().collect();
    }
    ask
}

fn of<'f>(found: &'f [Finding], rule: &ReviewRule) -> Vec<&'f Finding> {
    found.iter().filter(|one| one.rule.id == rule.id).collect()
}

#[test]
fn every_rule_finds_its_bad_example_and_not_its_good_one() {
    let mut wrong = Vec::new();
    for rule in RULES {
        let ask = asked(rule, rule.bad);
        let bad = look(&[(rule.file, rule.bad)], &ask);
        if !bad.unread.is_empty() || of(&bad.findings, rule).is_empty() {
            wrong.push(format!("{}: not found in its bad example {:?}", rule.id, bad.unread));
        }
        let good =
            look(&[(rule.file, rule.good)], &asked(rule, if rule.good == rule.bad { "" } else { rule.good }));
        for one in of(&good.findings, rule) {
            wrong.push(format!("{}: found in its good example, line {}: {}", rule.id, one.line, one.message));
        }
        if !good.unread.is_empty() {
            wrong.push(format!("{}: its good example is not read: {:?}", rule.id, good.unread));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_would_be_fixed_is_found_no_more() {
    let mut fixed = Vec::new();
    for rule in RULES {
        let bad = look(&[(rule.file, rule.bad)], &asked(rule, rule.bad));
        let mut edits: Vec<_> = of(&bad.findings, rule).iter().flat_map(|one| one.edits.clone()).collect();
        if edits.is_empty() {
            continue;
        }
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.span));
        let mut text = rule.bad.to_string();
        for edit in edits {
            text.replace_range(edit.span.start..edit.span.end, &edit.text);
        }
        let again = look(&[(rule.file, &text)], &asked(rule, &text));
        assert!(again.unread.is_empty() && of(&again.findings, rule).is_empty(), "{}: {text}", rule.id);
        fixed.push(format!("{}\n{}", rule.id, text.trim_end()));
    }
    insta::assert_snapshot!(fixed.join("\n\n"));
}

#[test]
fn ids_are_one_each_and_areas_all_have_rules() {
    for area in Area::ALL {
        assert!(RULES.iter().any(|rule| rule.area == area), "{}", area.id());
    }
    for (at, rule) in RULES.iter().enumerate() {
        assert!(RULES[at + 1..].iter().all(|other| other.id != rule.id), "{}", rule.id);
        assert!(ReviewRule::find(rule.id).is_some_and(|found| found.id == rule.id));
        for entry in rule.owasp {
            assert!(owasp_entry(entry).is_some(), "{}: {entry}", rule.id);
        }
        assert!(
            !rule.owasp.is_empty() && rule.bad.ends_with('\n') && rule.good.ends_with('\n'),
            "{}",
            rule.id
        );
    }
}

#[test]
fn the_refusals_that_rules_name_exist() {
    use ringmail_core::refusal::Rule;
    for rule in RULES {
        if let Some(refusal) = rule.refusal {
            assert!(Rule::ALL.iter().any(|known| known.id() == refusal), "{}: {refusal}", rule.id);
        }
    }
}
