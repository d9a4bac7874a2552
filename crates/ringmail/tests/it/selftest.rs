//! The attacks that a user can try on a host of their own.

use crate::setup::{Ended, Place};
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse};
use std::collections::BTreeSet;

/// What each trial came to: its attack, where it ran, and whether the wall held.
fn trials(ended: &Ended) -> Vec<(i64, String, Option<bool>)> {
    let all =
        parse(ended.out.as_bytes(), &JsonLimits::default()).unwrap_or_else(|_| panic!("{}", ended.shown()));
    let of = |trial: &Value| {
        let Some(Value::Int(attack)) = trial.get("attack") else { panic!("{trial:?}") };
        let held = match trial.get("held") {
            Some(Value::Bool(held)) => Some(*held),
            _ => None,
        };
        (*attack, trial.get("mode").and_then(Value::as_str).unwrap().to_string(), held)
    };
    all.as_list().unwrap().iter().map(of).collect()
}

#[test]
fn every_attack_of_the_selftest_fails_on_this_host() {
    let place = Place::with_python();
    let ended = place.run(&["selftest", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let all = trials(&ended);
    assert!(all.iter().all(|(.., held)| *held == Some(true)), "{}", ended.shown());
    let tried: BTreeSet<i64> = all.iter().map(|(attack, ..)| *attack).collect();
    let expected: BTreeSet<i64> = (0..=28).collect();
    assert_eq!(tried, expected, "each class of 1 to 28, and what must go well");
    // Whatever a plugin tries, it tries in both places.
    let modes = |wanted: &str| all.iter().filter(|(_, mode, _)| mode == wanted).count();
    assert!(modes("instance") >= 15, "{}", ended.shown());
    assert_eq!(modes("instance"), modes("process"), "{}", ended.shown());
}

/// A selftest that cannot fail says nothing: each wall that a setting can take away is taken away.
#[test]
fn attacks_get_through_where_their_wall_is_taken_away() {
    let place = Place::empty();
    let ended = place.run(&["selftest", "--without-walls", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let all = trials(&ended);
    assert!(all.iter().all(|(.., held)| *held == Some(false)), "{}", ended.shown());
    let shown: BTreeSet<i64> = all.iter().map(|(attack, ..)| *attack).collect();
    assert_eq!(shown, BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14, 17, 18]));
}

#[test]
fn what_cannot_be_tried_is_said_and_is_no_pass() {
    let place = Place::empty();
    let text = place.run(&["selftest", "--attack", "26"]);
    assert!(text.code == 0 && text.out.contains("none  26  host"), "{}", text.shown());
    assert!(text.out.contains("ringmail python setup") && !text.out.contains("held"), "{}", text.shown());
    assert!(!text.out.contains("attacks failed, as they must"), "{}", text.shown());
    let json = place.run(&["selftest", "--attack", "26", "--format", "json"]);
    assert!(trials(&json).iter().all(|(.., held)| held.is_none()), "{}", json.shown());
    let text = place.run(&["selftest", "--attack", "20"]);
    assert!(text.out.contains("all 2 attacks failed, as they must"), "{}", text.shown());
    let none = place.run(&["selftest", "--attack", "99"]);
    assert!(none.code == 1 && none.err.contains("no attack with the number 99"), "{}", none.shown());
}
