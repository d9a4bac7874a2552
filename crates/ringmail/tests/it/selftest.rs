//! The attacks that a user can try on a host of their own.

use crate::setup::Place;

#[test]
fn every_attack_of_the_selftest_fails_on_this_host() {
    let place = Place::empty();
    let ended = place.run(&["selftest"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.out.contains("attacks failed, as they must"), "{}", ended.shown());
    let json = place.run(&["selftest", "--attack", "12", "--format", "json"]);
    assert!(json.out.contains("\"held\": true") && !json.out.contains("\"held\": false"), "{}", json.shown());
    let none = place.run(&["selftest", "--attack", "99"]);
    assert!(none.code == 1 && none.err.contains("no attack with the number 99"), "{}", none.shown());
}
