//! A plugin from its first line on, with the real toolchain of its language.

use crate::escape::{contained, manifest};
use crate::setup::{Ended, Place};
use crate::toolchains;

pub fn new(place: &Place, folder: &str, lang: &str) {
    let new = place.run(&["plugin", "new", folder, "--lang", lang]);
    assert_eq!(new.code, 0, "{}", new.shown());
}

/// Starts, builds and tests a plugin as its template is.
fn authored(place: &Place, folder: &str, lang: &str) {
    new(place, folder, lang);
    if lang == "rust" {
        build_with_shared(place, folder)
    } else {
        build(place, folder)
    }
    let test = place.run(&["plugin", "test", folder]);
    assert_eq!((test.code, &*test.out), (0, "✓ {\"name\":\"Ada\"}\n✓ {\"name\":\"\"}\n"), "{}", test.shown());
}

pub fn build(place: &Place, folder: &str) {
    let build = place.command(&["plugin", "build", folder]).output().unwrap();
    built(&place.ended(build));
}

/// Builds with the toolchain that all tests share, where its language has one.
pub fn build_with_shared(place: &Place, folder: &str) {
    let environment = toolchains::of(&place.path().join(folder));
    let build = place.command(&["plugin", "build", folder]).envs(environment).output().unwrap();
    built(&place.ended(build));
}

fn built(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.shown());
}

const CHAIN: &str = "chain: hello
links:
  greeting:
    kind: plugin
    plugin: greeter_js
    with: '${input}'
output: '${greeting.greeting}'
";

#[test]
fn a_javascript_plugin_goes_from_its_template_into_a_chain() {
    let place = Place::project();
    authored(&place, "plugins/Greeter-JS", "js");
    let inspect = place.run(&["plugin", "inspect", "plugins/Greeter-JS"]);
    let table: Vec<&str> = inspect.out.lines().skip_while(|line| !line.starts_with("[plugin.")).collect();
    assert!(!table.is_empty(), "{}", inspect.shown());
    place.write("ringmail.toml", &format!("{}\n{}\n", place.read("ringmail.toml"), table.join("\n")));
    place.write("chains/hello.yaml", CHAIN);
    let main = place.read("policies/main.cedar");
    place.write(
        "policies/main.cedar",
        &format!("{main}\npermit (principal, action == Ringmail::Action::\"run\", resource);\n"),
    );
    let check = place.run(&["check"]);
    assert_eq!(check.code, 0, "{}", check.shown());
    for _ in 0..2 {
        let run = place.run(&["run", "hello", "--input", "{\"name\": \"Ada\"}"]);
        assert_eq!((run.code, &*run.out), (0, "hello Ada\n"), "{}", run.shown());
    }
    let failed = place.run(&["run", "hello", "--input", "{\"name\": \"\"}"]);
    assert_eq!(failed.code, 1);
    assert!(failed.err.contains("there is nobody to greet"), "{}", failed.shown());
    let again = place.run(&["plugin", "new", "plugins/Greeter-JS"]);
    assert!(again.err.contains("is not empty"), "{}", again.shown());
}

#[test]
fn a_python_plugin_builds_and_passes_as_its_template_is() {
    authored(&Place::empty(), "greeter", "python");
}

#[test]
fn a_rust_plugin_builds_and_passes_as_its_template_is() {
    let place = Place::empty();
    authored(&place, "greeter", "rust");
    // What does not fit into its arena comes from the usual allocator.
    place.write("long.json", &format!("{{\"name\": \"{}\"}}", "long ".repeat(100_000)));
    let long = place.run(&["plugin", "bench", "greeter", "--count", "1", "--input-file", "long.json"]);
    assert!(long.code == 0 && !long.out.contains("failed"), "{}", long.shown());
    // A core module imports what is used of its world, and this one uses nothing.
    let inspect = place.run(&["plugin", "inspect", "greeter"]);
    assert!(inspect.out.contains("imports    nothing"), "{}", inspect.shown());
    let pack = place.run(&["plugin", "pack", "greeter"]);
    assert_eq!(pack.code, 0, "{}", pack.shown());
}

#[test]
fn a_c_plugin_builds_and_passes_as_its_template_is() {
    let place = Place::empty();
    authored(&place, "greeter", "c");
    let inspect = place.run(&["plugin", "inspect", "greeter"]);
    assert!(inspect.out.contains("imports    nothing"), "{}", inspect.shown());
    let pack = place.run(&["plugin", "pack", "greeter"]);
    assert_eq!(pack.code, 0, "{}", pack.shown());
    let none = place.run(&["plugin", "new", "other", "--lang", "go"]);
    assert!(none.err.contains("known: js, python, rust, c"), "{}", none.shown());
}

/// What a JavaScript author may do to the host.
const HOSTILE: &str = r#"
export function call(input) {
  const deep = (n) => 1 + deep(n + 1);
  switch (JSON.parse(input)) {
    case "loop": for (;;) {}
    case "grow": { const all = []; for (;;) all.push(new Array(100000).fill(all.length)); }
    case "double": { let text = "x"; for (;;) text += text; }
    case "deep": return String(deep(0));
    case "regex": return String(/^(a+)+$/.test("a".repeat(40) + "b"));
    case "eval": return JSON.stringify(String(new Function("return this.process || typeof require")()));
    case "long": return JSON.stringify("x".repeat(3000000));
    case "state": globalThis.count = (globalThis.count || 0) + 1; return String(globalThis.count);
  }
}
"#;

const HOSTILE_TESTS: &str = r#"[
  {"input": "loop", "error": "it ran longer than 2000 ms"},
  {"input": "grow", "error": "33554432 bytes of memory"},
  {"input": "double", "error": "string too long"},
  {"input": "deep", "error": "its stack overflowed"},
  {"input": "regex", "error": "it ran longer than 2000 ms"},
  {"input": "eval", "output": "undefined"},
  {"input": "long", "error": "its output is larger than 1048576 bytes"},
  {"input": "state", "output": 1},
  {"input": "state", "output": 1}
]"#;

#[test]
fn attack_09_11_12_15_a_guest_of_a_real_toolchain_is_contained() {
    let place = Place::empty();
    place.run(&["plugin", "new", "hostile"]);
    place.write("hostile/plugin.js", HOSTILE);
    place.write("hostile/plugin.test.json", HOSTILE_TESTS);
    manifest(&place);
    build(&place, "hostile");
    let test = place.run(&["plugin", "test", "hostile"]);
    assert_eq!(test.code, 0, "{}", test.shown());
    let cases: [(&str, &[&str]); 4] = [
        ("loop", &["failed: timeout: it ran longer than"]),
        ("grow", &["33554432 bytes of memory"]),
        ("deep", &["its stack overflowed"]),
        ("state", &["1\n"]),
    ];
    contained(&place, &cases);
}
