//! The forms that findings are told in.

use crate::setup::{all, look};
use ringmail_core::json::to_pretty;
use ringmail_core::value::Value;
use ringmail_review::{Baseline, Review, Terms, annotations, as_value, markdown, sarif};

const APP: &str = "import requests\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(\"/preview\")\ndef preview(url: str, user=Depends(who)):\n    eval(url)\n    return requests.get(url, verify=False)\n";

fn example() -> Review {
    look(&[("app.py", APP), ("broken.py", "def (\n")], &all())
}

#[test]
fn the_report_has_the_form_that_was_given() {
    insta::assert_snapshot!(markdown(&example()));
    insta::assert_snapshot!(markdown(&Review::default()));
}

#[test]
fn annotations_cannot_be_broken_out_of() {
    insta::assert_snapshot!(annotations(&example()));
}

#[test]
fn data_has_places_and_steps() {
    insta::assert_snapshot!(to_pretty(&as_value(&example())));
}

#[test]
fn sarif_has_flows_fixes_and_the_rules_it_names() {
    let log = sarif(&example(), "1.0.0");
    let run = &log.get("runs").unwrap().as_list().unwrap().get(0).unwrap().clone();
    let rules =
        run.get("tool").unwrap().get("driver").unwrap().get("rules").unwrap().as_list().unwrap().clone();
    for result in run.get("results").unwrap().as_list().unwrap().iter() {
        let index = match result.get("ruleIndex") {
            Some(Value::Int(index)) => usize::try_from(*index).unwrap(),
            _ => panic!("no index"),
        };
        assert_eq!(rules.get(index).unwrap().get("id"), result.get("ruleId"));
    }
    insta::assert_snapshot!(to_pretty(run.get("results").unwrap()));
}

#[test]
fn a_baseline_knows_findings_wherever_they_move() {
    let before = example();
    let baseline = Baseline::read(&Baseline::of(&before.findings).write()).unwrap();
    let ask = Terms { baseline: Some(baseline), ..all() };
    let moved = format!("# a line\n\n{APP}    # more\n\n\nexec(user)\n");
    let after = look(&[("app.py", &moved)], &ask);
    assert_eq!(after.known, before.findings.len());
    assert_eq!(after.findings.iter().map(|one| one.rule.id).collect::<Vec<_>>(), ["dynamic-execution"]);
    assert!(Baseline::read("[]").is_err());
}

#[test]
fn only_what_was_asked_for_is_told() {
    use ringmail_review::{Area, Certainty, Grade};
    let count = |ask: Terms| look(&[("app.py", APP)], &ask).findings.len();
    let every = count(all());
    assert!(count(Terms { areas: vec![Area::Network], ..all() }) < every);
    assert!(count(Terms { grade_min: Grade::Critical, ..all() }) < every);
    assert!(count(Terms { certainty_min: Certainty::High, ..all() }) <= every);
    assert_eq!(count(Terms { changed: Some(vec![("app.py".into(), 9, 9)]), ..all() }), 1);
    assert_eq!(count(Terms { changed: Some(vec![("other.py".into(), 1, 99)]), ..all() }), 0);
    let tests = Terms { tests: false, ..all() };
    assert_eq!(look(&[("tests/test_app.py", APP)], &tests).findings.len(), 0);
}
