//! What a plugin was when it crashed, as its operator finds it.

use crate::guest::Guest;
use crate::setup::Place;
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;

fn crasher(more: &str) -> Place {
    let place = Place::empty();
    place.write("p/plugin.toml", "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"crashes\"\n");
    place.write_bytes("p/plugin.wasm", &Guest::calling("(unreachable)").component());
    let read = PluginFolder::read(&place.path().join("p"), &mut TagTable::default()).unwrap();
    let table = format!("[plugin.p]\npath = \"p\"\ndigest = \"{}\"\nreason = \"r\"\n{more}", read.digest);
    place.write("ringmail.toml", &table);
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    let edges = "edges: [{on: error, to: tell}]";
    place.write("chains/t.yaml", "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: 1}\noutput: ${p}\n");
    place.write(
        "chains/u.yaml",
        &format!("chain: u\nlinks:\n  p: {{kind: plugin, plugin: p, with: 1, {edges}}}\n  tell: {{kind: native, call: same, with: '${{error}}'}}\noutput: ${{tell}}\n"),
    );
    place
}

#[test]
fn a_crash_names_its_dump_to_the_operator_and_to_no_chain() {
    let place = crasher("dumps = 1\n");
    let run = place.run(&["run", "t"]);
    assert_eq!(run.code, 1, "{}", run.shown());
    let file = run.err.lines().find_map(|line| line.split_once("what `t.p` was when it crashed: "));
    let file = file.unwrap_or_else(|| panic!("{}", run.shown())).1;
    assert!(file.starts_with("./.ringmail/dumps/p-") && file.ends_with("-1.coredump"), "{file}");
    let explain = place.run(&["explain"]);
    assert!(explain.out.contains("core dump in "), "{}", explain.shown());
    let dumps = std::fs::read_dir(place.path().join(".ringmail/dumps")).unwrap();
    let [dump] = &dumps.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..] else {
        panic!("one dump")
    };
    assert!(std::fs::read(dump).unwrap().starts_with(b"\0asm"));
    std::fs::remove_file(dump).unwrap();
    // What an edge tells the chain, and so its caller, has no word of it.
    let told = place.run(&["run", "u"]);
    assert!(
        told.code == 0 && told.out.contains("panicked") && !told.out.contains("dump"),
        "{}",
        told.shown()
    );
}

/// One that could not be written was told to nobody.
#[test]
fn a_dump_that_cannot_be_written_is_told() {
    let place = crasher("dumps = 1\n");
    place.write(".ringmail/dumps", "no folder");
    let run = place.run(&["run", "t"]);
    assert!(run.code == 1 && run.err.contains("no core dump of `t.p` could be written: "), "{}", run.shown());
    let explain = place.run(&["explain"]);
    assert!(explain.out.contains("no core dump: "), "{}", explain.shown());
    let told = place.run(&["run", "u"]);
    assert!(told.code == 0 && !told.out.contains("dump"), "{}", told.shown());
}

#[test]
fn a_worker_leaves_no_dump_and_none_is_promised() {
    let check = crasher("dumps = 1\nisolation = \"process\"\n").run(&["check"]);
    assert_eq!(check.code, 1);
    assert!(
        check.err.contains("`p` is to leave core dumps, and none comes out of a worker process"),
        "{}",
        check.shown()
    );
}
