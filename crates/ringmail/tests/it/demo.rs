//! The story of the demo, told from what really happened.

use crate::setup::Place;

#[test]
fn the_demo_tells_what_was_refused_and_what_went_through() {
    let ended = Place::empty().run(&["demo"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    insta::assert_snapshot!(ended.out);
}

#[test]
fn a_kept_demo_can_be_looked_at() {
    let place = Place::empty();
    assert_eq!(place.run(&["demo", "kept"]).code, 0);
    assert_eq!(place.run(&["-C", "kept", "check"]).code, 0);
    let explained = place.run(&["-C", "kept", "explain"]);
    assert!(explained.out.contains("refused[clearance]"), "{}", explained.shown());
    let again = place.run(&["demo", "kept"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("`kept` is not empty"), "{}", again.shown());
}

#[test]
fn the_demo_leaves_nothing_behind_unless_asked() {
    let place = Place::empty();
    let output = place.command(&["demo"]).env("TMPDIR", place.path()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
