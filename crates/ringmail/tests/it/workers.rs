//! Plugins in processes of their own, through the front door.

use crate::setup::Place;
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse};
use std::path::Path;

/// The example with a plugin, whose isolation is what is written.
fn masked(isolation: &str) -> Place {
    let (place, root) =
        (Place::empty(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/masked-log"));
    let copy = |name: &str| place.write_bytes(name, &std::fs::read(root.join(name)).unwrap());
    for name in ["chains/note.yaml", "policies/main.cedar", "card.json"] {
        copy(name);
    }
    for file in
        std::fs::read_dir(root.join("plugins/mask")).unwrap().flatten().filter(|file| file.path().is_file())
    {
        copy(&format!("plugins/mask/{}", file.file_name().to_str().unwrap()));
    }
    let project = std::fs::read_to_string(root.join("ringmail.toml")).unwrap();
    place.write("ringmail.toml", &project.replace("[plugin.mask]\n", &format!("[plugin.mask]\n{isolation}")));
    place
}

#[test]
fn a_plugin_in_a_process_of_its_own_answers_as_any_other() {
    let run = |place: &Place| place.run(&["run", "note", "--input-file", "card.json", "--format", "json"]);
    let (here, there) = (run(&masked("")), run(&masked("isolation = \"process\"\n")));
    assert_eq!((here.code, there.code), (0, 0), "{} {}", here.shown(), there.shown());
    for ended in [&here, &there] {
        let told = parse(ended.out.as_bytes(), &JsonLimits::default()).unwrap();
        let output = told.get("output").and_then(Value::as_str);
        assert_eq!(output, Some("my card is **** **** **** ****, and it was \"blocked\""));
        let figures = told.get("plugins").and_then(|plugins| plugins.get("mask")).unwrap();
        assert_eq!(figures.get("calls"), Some(&Value::Int(1)), "{figures:?}");
        for counted in ["cpu_us", "fuel", "memory_peak"] {
            assert!(matches!(figures.get(counted), Some(Value::Int(1..))), "{counted}: {figures:?}");
        }
    }
    let place = masked("isolation = \"process\"\n");
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, 0, "{}", checked.shown());
    let wrong = masked("isolation = \"proces\"\n").run(&["check"]);
    assert!(wrong.err.contains("`isolation`"), "{}", wrong.shown());
}

#[test]
fn a_worker_without_a_host_ends() {
    let ended = Place::empty().run(&["worker"]);
    assert_eq!((ended.code, &*ended.out), (1, ""), "{}", ended.shown());
}
