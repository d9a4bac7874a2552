//! `ringmail plugin bench`: bounded, in the real host, with the limits of the manifest.

use crate::setup::Place;
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse};
use std::path::Path;
use std::time::{Duration, Instant};

const CASES: &str = r#"[{"input": "a1", "output": "a*"}, {"input": 7, "error": "text"}]"#;

/// A project with the plugin of the example `masked-log` in it.
fn place() -> Place {
    let place = Place::project();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/masked-log/plugins/mask");
    for file in ["plugin.toml", "plugin.wasm"] {
        place.write_bytes(&format!("mask/{file}"), &std::fs::read(example.join(file)).unwrap());
    }
    place.write("mask/plugin.test.json", CASES);
    place
}

fn measured(place: &Place, args: &[&str]) -> Value {
    let ended = place.run(&[&["plugin", "bench", "mask", "--format", "json"], args].concat());
    assert_eq!(ended.code, 0, "{}", ended.shown());
    parse(ended.out.as_bytes(), &JsonLimits::default()).unwrap()
}

fn number(value: &Value, case: usize, name: &str) -> i64 {
    let found =
        value.get("cases").and_then(|cases| cases.as_list()?.get(case)?.get("plugin")?.get(name).cloned());
    match found {
        Some(Value::Int(number)) => number,
        other => panic!("{name} is {other:?}"),
    }
}

fn failure(value: &Value, case: usize) -> Option<String> {
    let case = value.get("cases").unwrap().as_list().unwrap().get(case).unwrap();
    case.get("plugin").unwrap().get("failure").unwrap().as_str().map(String::from)
}

#[test]
fn each_case_is_called_as_often_as_was_said() {
    let place = place();
    let all = measured(&place, &["--count", "20"]);
    assert_eq!((number(&all, 0, "calls"), number(&all, 1, "calls")), (20, 20));
    assert_eq!(failure(&all, 0), None);
    assert!(failure(&all, 1).unwrap().contains("the input"), "{:?}", failure(&all, 1));
    assert!(number(&all, 0, "fuel") > 20);
    assert_eq!(number(&all, 0, "memory_peak"), 2 << 16);
    let (median, p99) = (number(&all, 0, "median_ns"), number(&all, 0, "p99_ns"));
    assert!(0 < median && median <= p99, "{median} {p99}");
    assert!(number(&all, 0, "first_ns") > 0);
    let one = measured(&place, &["--count", "3", "--input", "\"12\""]);
    assert_eq!(number(&one, 0, "calls"), 3);
    place.write("one.json", "\"a longer text, and longer to mask than 12\"");
    let longer = measured(&place, &["--count", "1", "--input-file", "one.json"]);
    assert!(number(&longer, 0, "fuel") > number(&one, 0, "fuel"));
    let text = place.run(&["plugin", "bench", "mask", "--count", "2"]);
    assert!(text.out.contains("median") && text.out.contains("one that idles"), "{}", text.shown());
    for count in ["0", "1000001"] {
        let wrong = place.run(&["plugin", "bench", "mask", "--count", count]);
        assert_eq!(wrong.code, 2, "{}", wrong.shown());
    }
}

#[test]
fn no_case_takes_longer_than_was_said() {
    let place = place();
    let started = Instant::now();
    let some = measured(&place, &["--count", "1000000", "--time", "100ms", "--input", "\"1\""]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!((1..1_000_000).contains(&number(&some, 0, "calls")));
}

#[test]
fn what_is_measured_is_held_by_the_limits_of_the_manifest() {
    let place = place();
    let manifest = place.read("mask/plugin.toml");
    place.write("mask/plugin.toml", &manifest.replace("[limits]", "[limits]\nfuel = 10"));
    let held = measured(&place, &["--count", "2", "--input", "\"123456\""]);
    assert!(failure(&held, 0).unwrap().contains("10 units of fuel"), "{:?}", failure(&held, 0));
}

#[test]
fn plugins_are_measured_in_workers_and_by_the_name_a_project_has_for_them() {
    let place = place();
    // The first call waits until its worker has started, within its own time.
    place.write("mask/plugin.toml", &place.read("mask/plugin.toml").replace("100ms", "20s"));
    let apart = measured(&place, &["--count", "5", "--isolation", "process"]);
    assert_eq!((number(&apart, 0, "calls"), failure(&apart, 0)), (5, None));
    assert!(number(&apart, 0, "fuel") > 20);
    std::fs::rename(place.path().join("mask"), place.path().join("masking")).unwrap();
    let grant = place.run(&["plugin", "grant", "masking", "--reason", "r"]);
    assert_eq!(grant.code, 0, "{}", grant.shown());
    assert_eq!(number(&measured(&place, &["--count", "4"]), 0, "calls"), 4);
    std::fs::remove_file(place.path().join("masking/plugin.test.json")).unwrap();
    let nothing = place.run(&["plugin", "bench", "mask"]);
    assert!(nothing.err.contains("--input JSON"), "{}", nothing.shown());
}

/// `test` and `bench` compiled a plugin anew each time.
#[test]
fn what_was_compiled_to_try_a_plugin_is_kept() {
    let place = place();
    let modules = || {
        let folder = std::fs::read_dir(place.path().join(".ringmail/modules"));
        let entries = folder.into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .map(|path| (path.clone(), std::fs::metadata(path).unwrap().modified().unwrap()))
            .collect();
        files.sort();
        files
    };
    // What it answers is of no matter here.
    let test = || assert_eq!(place.run(&["plugin", "test", "mask"]).err.matches("tests fail").count(), 1);
    place.write("mask/plugin.test.json", "[{\"input\": \"a\", \"output\": \"nothing of the kind\"}]");
    assert!(modules().is_empty());
    test();
    let first = modules();
    assert_eq!(first.len(), 1);
    test();
    assert_eq!(modules(), first);
    // The one that idles beside it is kept, too.
    measured(&place, &["--count", "1"]);
    assert_eq!(modules().len(), 2);
    // An entry that somebody edited is compiled anew.
    let mut bytes = std::fs::read(&first[0].0).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&first[0].0, bytes).unwrap();
    test();
    // A project that does not load, or none, has no say in it.
    place.write("ringmail.toml", "[");
    test();
}
