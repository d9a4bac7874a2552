//! What a plugin has of what it asks for, as `explain` tells it: grant, manifest and ceiling held against each other.

use crate::guest::Guest;
use crate::setup::Place;
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;

const ASKS: &str = "[[net]]\naddress = \"https://a.example\"\nreason = \"r\"\n[[net]]\naddress = \"https://b.example\"\nmethods = [\"POST\"]\nreason = \"r\"\n[[fs]]\nmount = \"one\"\naccess = \"write\"\nreason = \"r\"\n[[fs]]\nmount = \"two\"\naccess = \"read\"\nreason = \"r\"\n";

/// The lines of what it asks for, under these grants and this ceiling.
fn explained(grants: &str, ceiling: &str) -> String {
    let place = Place::empty();
    let manifest = format!("plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"d\"\n{ASKS}");
    place.write("p/plugin.toml", &manifest);
    place.write_bytes("p/plugin.wasm", &Guest::default().component());
    let read = PluginFolder::read(&place.path().join("p"), &mut TagTable::default()).unwrap();
    let mounts = "[mount.one]\npath = \"p\"\n[mount.two]\npath = \"p\"\n";
    let plugin =
        format!("[plugin.p]\npath = \"p\"\ndigest = \"{}\"\nreason = \"r\"\n{grants}\n", read.digest);
    place.write("ringmail.toml", &format!("{mounts}{ceiling}\n{plugin}"));
    let explain = place.run(&["plugin", "explain", "p"]);
    assert_eq!(explain.code, 0, "{}", explain.shown());
    let marked = |line: &&str| line.starts_with("  ✓ ") || line.starts_with("  · ");
    let lines: Vec<&str> =
        explain.out.lines().filter(marked).map(|line| line.trim().trim_end_matches(" r")).collect();
    lines.join(", ")
}

/// It was said that a plugin has an address if it was granted any.
#[test]
fn explain_marks_what_is_left_of_manifest_grant_and_ceiling() {
    let net = "net = [{ address = \"https://*.example\", methods = [\"GET\"] }]";
    let fs = "fs = [{ mount = \"one\", access = \"read\" }, { mount = \"two\", access = \"read\" }]";
    let all = format!("{net}\n{fs}");
    assert_eq!(
        explained(&all, ""),
        "✓ net GET/HEAD https://a.example, · net POST https://b.example, · fs write one, ✓ fs read two"
    );
    assert_eq!(
        explained(&all, "[ceiling]\nnet = [\"https://b.example\"]\nmounts = [\"one\"]"),
        "· net GET/HEAD https://a.example, · net POST https://b.example, · fs write one, · fs read two"
    );
    assert_eq!(
        explained("net = [{ address = \"https://b.example\", methods = [\"POST\"] }]", ""),
        "· net GET/HEAD https://a.example, ✓ net POST https://b.example, · fs write one, · fs read two"
    );
}
