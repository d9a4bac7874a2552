//! What was served is kept, and put back whole.

use crate::serve::{Serving, call};
use crate::setup::Place;
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::value::Value;

const PROJECT: &str = "[project]\nname = \"shop\"\n\n[run]\nas = \"me\"\n\n[[principal]]\nname = \"me\"\nroles = [\"developer\"]\n\n[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n";

fn shop() -> Place {
    let place = Place::empty();
    place.write("ringmail.toml", PROJECT);
    place.write("chains/greet.yaml", "chain: greet\noutput: one\n");
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place
}

fn versions(place: &Place) -> Vec<Value> {
    let ended = place.run(&["config", "versions", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    parse(ended.out.as_bytes(), &JsonLimits::default()).unwrap().as_list().unwrap().iter().cloned().collect()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap().to_string()
}

fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

/// Serves what the files say, so that it is kept, and ends.
fn serve(place: &Place) {
    drop(Serving::start(place, 1));
}

#[test]
fn what_was_served_is_kept_and_comes_back_with_a_reload() {
    let place = shop();
    let key = place.run(&["key", "create", "me"]).out.trim().to_string();
    let server = Serving::start(&place, 1);
    let answer = || call(&format!("{}/chains/greet", server.urls[0]), &key, "{}", None);
    assert_eq!(answer(), (200, "\"one\"".to_string()));
    place.write("chains/greet.yaml", "chain: greet\noutput: two\n");
    place.write("policies/more.cedar", "forbid (principal, action, resource) when { context.steps > 7 };\n");
    assert_eq!(place.run(&["reload"]).code, 0);
    assert_eq!(place.run(&["reload"]).code, 0);
    place.write("ringmail.toml", &format!("{PROJECT}[nonsense]\n"));
    assert_eq!(place.run(&["reload"]).code, 1);
    place.write("ringmail.toml", PROJECT);
    assert_eq!(answer().1, "\"two\"");
    let all = versions(&place);
    assert_eq!(all.len(), 2, "what is the same and what is broken are no versions: {all:?}");
    assert_eq!([text(&all[0], "how"), text(&all[1], "how")], ["start", "reload"]);
    assert!(text(&all[1], "by").starts_with("unix:"), "{all:?}");
    let listed = place.run(&["config", "versions"]).out;
    holds(&listed, &["start by", "3 files", "reload by unix:", "~chains/greet.yaml +policies/more.cedar"]);
    let difference = place.run(&["config", "diff", "previous", "latest"]);
    holds(
        &difference.out,
        &["chains/greet.yaml changed", "- output: one", "+ output: two", "policies/more.cedar added"],
    );
    holds(&place.run(&["config", "diff"]).err, &["no difference"]);
    let back = place.run(&["config", "rollback", &text(&all[0], "id")[..6]]);
    assert_eq!(back.code, 0, "{}", back.shown());
    holds(&back.out, &["put back chains/greet.yaml", "took out policies/more.cedar"]);
    assert!(!place.path().join("policies/more.cedar").exists());
    assert_eq!(place.run(&["reload"]).code, 0);
    assert_eq!(answer().1, "\"one\"");
    let all = versions(&place);
    assert_eq!((all.len(), text(&all[2], "id")), (3, text(&all[0], "id")));
    // And forth again: what was taken out is put in.
    assert_eq!(place.run(&["config", "rollback", "previous"]).code, 0);
    assert!(place.path().join("policies/more.cedar").exists());
}

#[test]
fn what_no_version_holds_is_not_lost() {
    let place = shop();
    serve(&place);
    place.write("policies/main.cedar", "permit (principal, action, resource) when { context.steps < 9 };\n");
    serve(&place);
    place.write("policies/main.cedar", "// hours of work\n");
    place.write("policies/new.cedar", "// more of it\n");
    let refused = place.run(&["config", "rollback", "previous"]);
    assert_eq!(refused.code, 1);
    holds(
        &refused.err,
        &["no version holds what is in `policies/main.cedar`, `policies/new.cedar` now", "--discard"],
    );
    assert_eq!(place.read("policies/main.cedar"), "// hours of work\n");
    let back = place.run(&["config", "rollback", "previous", "--discard", "--format", "json"]);
    assert_eq!(back.code, 0, "{}", back.shown());
    assert_eq!(place.read("policies/main.cedar"), "permit (principal, action, resource);\n");
    assert!(!place.path().join("policies/new.cedar").exists());
    let aside = versions(&place).pop().unwrap();
    assert_eq!(text(&aside, "how"), "set aside");
    assert_eq!(place.run(&["config", "rollback", &text(&aside, "id")]).code, 0);
    assert_eq!(place.read("policies/main.cedar"), "// hours of work\n");
    assert_eq!(place.read("policies/new.cedar"), "// more of it\n");
}

/// It is needed most where nothing loads any more.
#[test]
fn a_broken_project_is_put_back() {
    let place = shop();
    serve(&place);
    place.write("ringmail.toml", "[project\nname = ");
    let back = place.run(&["config", "rollback", "latest", "--discard"]);
    assert_eq!(back.code, 0, "{}", back.shown());
    assert_eq!(place.read("ringmail.toml"), PROJECT);
    assert_eq!(place.run(&["check"]).code, 0);
}

/// A rollback that was cut off after it was written down is finished by whoever comes next, and one that was not never was.
#[test]
fn attack_42_a_rollback_that_was_cut_off_is_whole_or_never_was() {
    let place = shop();
    place.write(
        "policies/more.cedar",
        "forbid (principal == Ringmail::Principal::\"me\", action, resource);\n",
    );
    place.write("policies/.main.cedar.1.rollback", "permit (principal, action, resource) when { true };\n");
    place.write("chains/.greet.yaml.1.rollback", "chain: greet\noutput: back\n");
    assert_eq!(place.read("chains/greet.yaml"), "chain: greet\noutput: one\n");
    assert_eq!(place.run(&["run", "greet"]).code, 20);
    place.write(
        ".ringmail-rollback",
        r#"{"put":[["policies/.main.cedar.1.rollback","policies/main.cedar"],["chains/.greet.yaml.1.rollback","chains/greet.yaml"]],"take":["policies/more.cedar"]}"#,
    );
    let ended = place.run(&["run", "greet"]);
    assert_eq!((ended.code, ended.out.trim()), (0, "back"), "{}", ended.shown());
    holds(&place.read("policies/main.cedar"), &["when { true }"]);
    assert!(!place.path().join("policies/more.cedar").exists());
    assert!(!place.path().join(".ringmail-rollback").exists());
    // What was written down leads nowhere else.
    for journal in [r#"{"put":[["x","../y"]],"take":[]}"#, r#"{"put":[],"take":["/etc/x"]}"#, "{"] {
        place.write(".ringmail-rollback", journal);
        let ended = place.run(&["run", "greet"]);
        assert_eq!(ended.code, 1, "{journal}");
        holds(&ended.err, &["is not what was written there"]);
    }
}

#[test]
fn a_rollback_touches_nothing_unless_it_can_do_all() {
    let place = shop();
    serve(&place);
    place.write("chains/greet.yaml", "chain: greet\noutput: two\n");
    place.write("policies/main.cedar", "permit (principal, action, resource) when { true };\n");
    serve(&place);
    let policy = place.path().join("policies/main.cedar");
    let real = place.path().join("real.cedar");
    std::fs::rename(&policy, &real).unwrap();
    std::os::unix::fs::symlink(&real, &policy).unwrap();
    let ended = place.run(&["config", "rollback", "previous"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    holds(&ended.err, &["`policies/main.cedar` is a link"]);
    assert_eq!(place.read("chains/greet.yaml"), "chain: greet\noutput: two\n");
    std::fs::remove_file(&policy).unwrap();
    std::fs::rename(&real, &policy).unwrap();
    // What was kept is what comes back, or nothing does.
    let first = &versions(&place)[0];
    let digest = text(first.get("files").unwrap(), "policies/main.cedar");
    let content = format!(".ringmail/config/contents/{digest}");
    let before = place.read(&content);
    place.write(&content, "permit (principal, action, resource); // for me\n");
    let ended = place.run(&["config", "rollback", "previous"]);
    assert_eq!(ended.code, 1);
    holds(&ended.err, &["is not what was kept"]);
    place.write(&content, &before);
    let index = place.read(".ringmail/config/versions.json");
    place.write(".ringmail/config/versions.json", &index.replace("chains/greet.yaml", "../greet.yaml"));
    let ended = place.run(&["config", "rollback", "previous", "--discard"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(!place.path().parent().unwrap().join("greet.yaml").exists());
    place.write(".ringmail/config/versions.json", &index);
    assert_eq!(place.run(&["config", "rollback", "previous", "--discard"]).code, 0);
    assert_eq!(place.read("chains/greet.yaml"), "chain: greet\noutput: one\n");
}

#[test]
fn a_version_of_another_environment_is_not_put_back_by_mistake() {
    let place = shop();
    serve(&place);
    place.write("ringmail.staging.toml", "[limits]\nsteps = 7\n");
    let id = text(&versions(&place)[0], "id");
    let ended = place.run(&["config", "rollback", &id, "--environment", "staging"]);
    assert_eq!(ended.code, 1);
    holds(&ended.err, &["is of the environment `production`", "--environment production"]);
    let none = place.run(&["config", "rollback", "abcdef"]);
    holds(&none.err, &["there is no version `abcdef`", "ringmail config versions"]);
}
