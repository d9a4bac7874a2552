//! Commands, one after the other.

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

#[test]
fn input_comes_from_an_argument_a_file_or_stdin() {
    let place = Place::project();
    place.write("in.json", r#"{"name": "Ada"}"#);
    for args in [&["--input", r#"{"name": "Ada"}"#][..], &["--input-file", "in.json"], &["-"]] {
        let ended = place.run_with(&[&["run", "greet"], args].concat(), br#"{"name": "Ada"}"#);
        assert_eq!((ended.code, ended.out.as_str()), (0, "Hello, Ada!\n"), "{args:?}");
    }
    insta::assert_snapshot!(place.run(&["run", "greet", "--input", "Ada"]).shown());
    insta::assert_snapshot!(place.run(&["run", "greet", "--input", r#"{"nam": "Ada"}"#]).shown());
    insta::assert_snapshot!(place.run(&["run", "greet", "--input-file", "none.json"]).shown());
    insta::assert_snapshot!(place.run(&["run", "greet", "-", "--input", "1"]).shown());
}

#[test]
fn names_that_are_not_there_are_met_with_those_that_are() {
    let place = Place::project();
    insta::assert_snapshot!(place.run(&["run", "gret"]).shown());
    insta::assert_snapshot!(place.run(&["run", "chains/gret.yaml"]).shown());
    insta::assert_snapshot!(place.run(&["run", "greet", "--as", "you"]).shown());
    insta::assert_snapshot!(place.run(&["explain", "0000"]).shown());
    insta::assert_snapshot!(Place::empty().run(&["check"]).shown());
    insta::assert_snapshot!(place.run(&["-C", "elsewhere", "check"]).shown());
    assert_eq!(place.run(&["rnu"]).code, 2);
}

const REFUSED: &str = "chain: send
links:
  letter:
    kind: log
    with: {message: 'all: ${json(input)}'}
input: {type: object, properties: {key: {type: string, x-ringmail-label: [inner]}}}
";

#[test]
fn a_refusal_exits_with_20_and_can_be_explained() {
    let place = Place::project();
    let project = place.read("ringmail.toml");
    place.write(
        "ringmail.toml",
        &format!("{project}\n[[grant]]\nto = \"send\"\nreason = \"letters\"\nlog = {{}}\n"),
    );
    place.write("chains/send.yaml", REFUSED);
    let refused = place.run(&["run", "send", "--input", r#"{"key": "k"}"#]);
    insta::assert_snapshot!(refused.shown());
    let sent = place.run(&["run", "send", "--input", "{}", "--format", "json"]);
    assert_eq!(sent.code, 0, "{}", sent.shown());
    let json = place.run(&["run", "send", "--input", r#"{"key": "k"}"#, "--format", "json"]);
    insta::assert_snapshot!(
        json.out
            .lines()
            .filter(|line| !line.contains("host_key") && !line.contains("took"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert_eq!((json.code, json.err.as_str()), (20, ""));
    insta::assert_snapshot!(place.run(&["explain"]).shown().lines().skip(2).collect::<Vec<_>>().join("\n"));
    insta::assert_snapshot!(place.run(&["explain", "clearance"]).shown());
}

#[test]
fn check_reports_every_problem_with_its_place() {
    let place = Place::project();
    place.write(
        "chains/wrong.yaml",
        "chain: wrong
links:
  a:
    kind: natve
    with: {x: '${inptu.y}'}
  b:
    kind: http
    with: {url: 'https://example.com', mehtod: POST}
    timeout: 5 minutes
  c:
    kind: native
    call: same
    with: {v: '${d}'}
  d:
    kind: native
    call: same
    with: {v: '${c}'}
",
    );
    place
        .write("policies/more.cedar", "permit (principal, action == Ringmail::Action::\"cal\", resource);\n");
    let checked = place.run(&["check"]);
    insta::assert_snapshot!(checked.shown());
    place.write("policies/more.cedar", "// none\n");
    insta::assert_snapshot!(place.run(&["check"]).shown());
    let json = place.run(&["check", "--format", "json"]);
    assert_eq!((json.code, json.err.as_str()), (1, ""));
    assert!(json.out.contains("\"line\": 4"), "{}", json.out);
}

#[test]
fn labels_are_shown_on_request() {
    let place = Place::project();
    place.write("l.yaml", "chain: l\nlinks:\n  a: {kind: native, call: same, with: 1}\noutput: {given: '${input}', own: '${a}'}\n");
    let ended = place.run(&["run", "l.yaml", "--input", "[1]", "--labels"]);
    insta::assert_snapshot!(ended.shown());
    let json = place.run(&["run", "l.yaml", "--input", "[1]", "--labels", "--format", "json"]);
    assert!(json.out.contains("\"given\": \"untrusted · from input\""), "{}", json.out);
}

#[test]
fn a_graph_is_drawn_three_ways() {
    let place = Place::project();
    insta::assert_snapshot!(place.run(&["graph", "greet", "--format", "mermaid"]).out);
    insta::assert_snapshot!(place.run(&["graph", "greet", "--format", "dot"]).out);
    insta::assert_snapshot!(place.run(&["graph", "greet"]).out);
}

#[test]
fn inspect_tells_what_a_chain_may_reach() {
    let place = Place::project();
    insta::assert_snapshot!(place.run(&["inspect", "greet"]).shown());
    assert_eq!(place.run(&["inspect", "greet", "--format", "json"]).code, 0);
}

#[test]
fn fmt_lays_files_out_and_check_only_looks() {
    let place = Place::project();
    assert_eq!(place.run(&["fmt", "--check"]).shown(), "--- exit 0", "what init writes is formatted");
    let before = "chain: a\nlinks:\n    # first\n    x:\n        kind: native\n        call: same   \n\n\n";
    place.write("chains/a.yaml", before);
    insta::assert_snapshot!(place.run(&["fmt", "--check"]).shown());
    assert_eq!(place.read("chains/a.yaml"), before);
    assert_eq!(place.run(&["fmt"]).shown(), "--- out\nchains/a.yaml\n--- exit 0");
    assert_eq!(
        place.read("chains/a.yaml"),
        "chain: a\nlinks:\n  # first\n  x:\n    kind: native\n    call: same\n"
    );
    place.write("chains/a.yaml", "a: [");
    insta::assert_snapshot!(place.run(&["fmt"]).shown());
}

#[test]
fn shells_and_readers_are_served() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.run(&["completions", shell]).out.contains("ringmail"), "{shell}");
    }
    assert!(place.run(&["man"]).out.contains(".TH ringmail 1"));
    assert_eq!(place.run(&["man", "--out", "pages"]).code, 0);
    assert!(place.read("pages/ringmail-explain.1").contains("why it was refused"));
    for what in ["chain", "project", "policy"] {
        assert_eq!(place.run(&["schema", what]).code, 0);
    }
    insta::assert_snapshot!(place.run(&["--help"]).out);
}

#[test]
fn only_the_principal_who_may_runs_a_chain() {
    let place = Place::project();
    let project = place.read("ringmail.toml");
    place.write("ringmail.toml", &format!("{project}\n[[principal]]\nname = \"guest\"\n"));
    let refused = place.run(&["run", "greet", "--as", "guest", "--input", r#"{"name": "Ada"}"#]);
    insta::assert_snapshot!(refused.shown());
}

#[test]
fn a_broken_chain_stops_itself_alone() {
    let place = Place::project();
    place.write("chains/broken.yaml", "chain: broken\nlinks:\n  a: {kind: log, with: {message: x}}\n");
    let input = ["--input", r#"{"name": "Ada"}"#];
    assert_eq!(place.run(&[&["run", "greet"][..], &input].concat()).out, "Hello, Ada!\n");
    assert_eq!(place.run(&["check", "greet"]).code, 0);
    insta::assert_snapshot!(place.run(&["run", "broken"]).shown());
    assert_eq!(place.run(&["check"]).code, 1);
    let json = place.run(&["run", "broken", "--format", "json"]);
    assert!(json.err.is_empty() && json.out.contains("\"not started\""), "{}", json.shown());
}

#[test]
fn a_failure_shows_its_innermost_place() {
    let place = Place::empty();
    place.write(
        "f.yaml",
        "chain: f
links:
  all:
    kind: each
    over: '[1, 2]'
    do:
      links:
        add:
          kind: native
          call: same
          with: {v: '${1 / (item - 1)}'}
      output: ${add.v}
output: ${all}
",
    );
    insta::assert_snapshot!(place.run(&["run", "f.yaml"]).shown());
    insta::assert_snapshot!(place.run(&["explain"]).shown().lines().skip(2).collect::<Vec<_>>().join("\n"));
}

#[test]
fn input_that_is_too_large_is_said_at_once() {
    let place = Place::project();
    place.write("large.json", &format!("\"{}\"", "x".repeat(17 << 20)));
    insta::assert_snapshot!(place.run(&["run", "greet", "--input-file", "large.json"]).shown());
    place.write("long.json", &format!("{{\"name\": \"{}\", oops}}", "x".repeat(100_000)));
    insta::assert_snapshot!(place.run(&["run", "greet", "--input-file", "long.json"]).shown());
    insta::assert_snapshot!(place.run(&["run", "greet"]).shown());
}

#[test]
fn check_knows_what_no_run_can_do() {
    let place = Place::project();
    let project = place.read("ringmail.toml").replace("log = {}", "log = {}\nexpires = \"2020-01-01\"");
    place.write("ringmail.toml", &project);
    place.write(
        "chains/secret.yaml",
        "chain: secret\nlinks:\n  a: {kind: native, call: same, with: '${secrets.nope}'}\n",
    );
    place.write("chains/act.yaml", "chain: act\nlinks:\n  a: {kind: endorse, reason: r, with: {value: 1}}\n");
    place.write("chains/never.yaml", "chain: never\nlinks: {}\noutput: 1\n");
    let forbid = "@id(\"never\")\nforbid (principal, action == Ringmail::Action::\"run\", resource == Ringmail::Chain::\"never\");\n";
    let link = "@id(\"link\")\nforbid (principal, action, resource == Ringmail::Link::\"secret.a\");\n";
    place.write("policies/never.cedar", &format!("{forbid}{link}"));
    insta::assert_snapshot!(place.run(&["check"]).shown());
}
