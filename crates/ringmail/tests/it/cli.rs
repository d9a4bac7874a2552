//! Commands, streams and exit codes.

use crate::setup::Place;

#[test]
fn a_new_project_checks_and_runs() {
    let place = Place::empty();
    insta::assert_snapshot!(place.run(&["init", "shop"]).shown());
    insta::assert_snapshot!(place.run(&["-C", "shop", "check"]).shown());
    insta::assert_snapshot!(
        place.run(&["-C", "shop", "run", "greet", "--input", r#"{"name": "Ada"}"#]).shown()
    );
    insta::assert_snapshot!(place.run(&["init", "shop"]).shown());
}
