//! A host whose key is exchanged: what was sealed and signed with the old one counts, and the old one counts for nothing new.

use crate::mcp::printed;
use crate::runs::{Till, cut_off, shop};
use crate::serve::{Serving, project};
use crate::setup::Place;
use std::path::Path;
use std::time::Duration;

/// A project with records of several callers and a secret of its own, whose log is signed for.
fn used(place: Place) -> Place {
    let sealed = place.run_with(&["secret", "seal", "bank"], b"hunter2-hunter2\n");
    assert_eq!(sealed.code, 0, "{}", sealed.err);
    let lines = sealed.out.replace("https://...", "https://bank.example.com");
    let people = "[[principal]]\nname = \"lovelace\"\nroles = [\"developer\"]\n";
    place.write("ringmail.toml", &format!("{}\n{lines}\n{people}", place.read("ringmail.toml")));
    for who in ["host", "lovelace"] {
        let args = ["run", "greet", "--as", who, "--input", "{\"name\": \"Ada\"}"];
        let args = if who == "host" { [&args[..2], &args[4..]].concat() } else { args.to_vec() };
        let ended = place.run(&args);
        assert_eq!(ended.code, 0, "{}", ended.shown());
    }
    assert_eq!(place.run(&["secret", "check"]).code, 0);
    place.write("anchor.txt", &printed(&place, &["audit", "checkpoint"]));
    place
}

fn public(place: &Place) -> String {
    printed(place, &["audit", "key"]).trim().to_string()
}

fn good(place: &Place, args: &[&str]) {
    let ended = place.run(args);
    assert_eq!(ended.code, 0, "{args:?}: {}", ended.shown());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else if path.is_file() {
            std::fs::copy(path, to).unwrap();
        }
    }
}

#[test]
fn a_host_goes_on_with_another_key() {
    let till = Till::open();
    let place = used(shop(&till, ""));
    cut_off(&till, &place, "GET price");
    let (old, before) = (public(&place), place.records());
    let seal = place.read("secrets/bank.sealed");
    let since = place.run(&["secret", "list"]).out;
    let rotated = place.run(&["store", "rotate-key", "--keep-old", "old.key"]);
    insta::assert_snapshot!(rotated.shown());
    let new = public(&place);
    assert_ne!(old, new);
    assert_eq!(old.split('+').next(), new.split('+').next(), "the log is called as it was");
    assert_ne!(place.read("secrets/bank.sealed"), seal);
    // All that was sealed is read, and nobody has to know more than one of the keys.
    let after = place.records();
    assert!(before.iter().zip(&after).all(|(one, other)| format!("{one:?}") == format!("{other:?}")));
    assert!(after.len() > before.len() && place.recorded().contains("\"stage\":\"key-exchanged\""));
    good(&place, &["store", "check"]);
    good(&place, &["secret", "check"]);
    assert_eq!(place.run(&["secret", "list"]).out, since, "a secret is as old as it was");
    for key in [&old, &new] {
        good(&place, &["audit", "verify", "--key", key, "--anchor", "anchor.txt"]);
    }
    let run = printed(&place, &["runs", "list", "--format", "json"]);
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    good(&place, &["runs", "resume", run[0]["run"].as_str().unwrap()]);
    assert_eq!(till.asked(), ["POST reserve", "GET price", "GET price", "POST pay", "POST ship"]);
    good(&place, &["subject", "export", "lovelace"]);
    // Once more, and both before it still count.
    good(&place, &["store", "rotate-key"]);
    good(&place, &["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
    place.write("later.txt", &printed(&place, &["audit", "checkpoint"]));
    for key in [&old, &new, &public(&place)] {
        good(&place, &["audit", "verify", "--key", key, "--anchor", "anchor.txt", "--anchor", "later.txt"]);
    }
    // With the old key in its place nothing runs.
    std::fs::copy(place.path().join("old.key"), place.path().join(".ringmail/host.key")).unwrap();
    let ended = place.run(&["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
    assert!(ended.err.contains("another key than this host's took the log over"), "{}", ended.shown());
}

#[test]
fn attack_41_a_key_that_was_exchanged_signs_for_nothing_new() {
    let place = used(project());
    let data = place.path().join(".ringmail");
    copy(&data, &place.path().join("stolen"));
    let (old, seal) = (public(&place), place.read("secrets/bank.sealed"));
    good(&place, &["store", "rotate-key"]);
    good(&place, &["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
    copy(&data, &place.path().join("own"));
    let swap = |to: &str| {
        std::fs::remove_dir_all(&data).unwrap();
        copy(&place.path().join(to), &data);
    };
    // Whoever has the old key and an old copy goes on from there, and signs for as much.
    swap("stolen");
    let own = place.read("secrets/bank.sealed");
    place.write("secrets/bank.sealed", &seal);
    for _ in 0..4 {
        good(&place, &["run", "greet", "--input", "{\"name\": \"Eve\"}"]);
    }
    place.write("forged.txt", &printed(&place, &["audit", "checkpoint"]));
    swap("own");
    place.write("secrets/bank.sealed", &own);
    for key in [old.clone(), public(&place)] {
        let told = place.run(&["audit", "verify", "--key", &key, "--anchor", "forged.txt"]);
        assert!(told.code == 1 && told.err.contains("is not signed by this key"), "{}", told.shown());
    }
    // Who took the log over is under both signatures.
    let keys = place.read(".ringmail/audit/keys");
    let other = "0".repeat(64);
    let lines: Vec<&str> = keys.lines().collect();
    let [.., first, second] = &*lines else { panic!("{keys}") };
    let from = lines.iter().find_map(|line| line.strip_prefix("from ")).unwrap();
    for changed in [
        keys.replace(from, &other),
        keys.replace(&format!("{first}\n"), ""),
        keys.replace(&format!("{second}\n"), ""),
        format!("{keys}\n{keys}"),
        String::new(),
    ] {
        place.write(".ringmail/audit/keys", &changed);
        for key in [old.clone(), "".into()] {
            let key: Vec<&str> = if key.is_empty() { vec![] } else { vec!["--key", &key] };
            let told = place.run(&[&["audit", "verify"][..], &key].concat());
            assert_eq!(told.code, 1, "{changed}: {}", told.shown());
        }
        let ended = place.run(&["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
        assert!(ended.code != 0 && ended.err.contains("took"), "{changed}: {}", ended.shown());
    }
}

#[test]
fn no_key_is_exchanged_under_those_who_use_it() {
    let place = used(project());
    let (key, seal) = (place.read(".ringmail/host.key"), place.read("secrets/bank.sealed"));
    let mut serving = Serving::start(&place, 1);
    let told = place.run(&["store", "rotate-key"]);
    insta::assert_snapshot!(told.shown(), @r"
    --- err
    error: other processes of this host have its log open
    help: end the server of this project and its runs first: ringmail drain
    --- exit 1
    ");
    assert_eq!(place.read(".ringmail/host.key"), key);
    serving.signal("TERM");
    serving.child.wait().unwrap();
    // What nobody could read any more is not left behind.
    place.write("secrets/bank.sealed", "ringmail sealed secret 1\nAAAA\n");
    let told = place.run(&["store", "rotate-key"]);
    assert!(told.code == 1 && told.err.contains("would be lost"), "{}", told.shown());
    place.write("secrets/bank.sealed", &seal);
    place.write("secrets/other.sealed", &seal);
    let told = place.run(&["store", "rotate-key"]);
    assert!(told.code == 1 && told.err.contains("no secret of this environment"), "{}", told.shown());
    std::fs::remove_file(place.path().join("secrets/other.sealed")).unwrap();
    good(&place, &["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
    good(&place, &["store", "check"]);
    assert!(!place.path().join(".ringmail/audit/exchange").exists());
    assert_eq!(place.read(".ringmail/host.key"), key);
    good(&place, &["audit", "verify"]);
}

#[test]
fn attack_42_an_exchange_that_is_killed_goes_on_or_did_not_begin() {
    let place = used(project());
    let count = place.records().len();
    let mut cut = 0;
    for round in 0..16 {
        let mut child = place.command(&["store", "rotate-key"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(4 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let stage = place.path().join(".ringmail/audit/exchange");
        if stage.exists() {
            cut += 1;
            let told = place.run(&["store", "check"]);
            let ended = place.run(&["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
            // Either nobody goes on before it is ended, or nothing of it is left.
            match told.code {
                0 => assert!(ended.code == 0 && !stage.exists(), "{}", ended.shown()),
                _ => {
                    assert!(told.out.contains("ringmail store rotate-key"), "{}", told.shown());
                    assert!(ended.err.contains("took the log over"), "{}", ended.shown());
                }
            }
        }
        good(&place, &["store", "rotate-key"]);
        for args in
            [&["store", "check"][..], &["audit", "verify", "--anchor", "anchor.txt"], &["secret", "check"]]
        {
            good(&place, args);
        }
        let records = place.records();
        let named = records.iter().filter(|record| format!("{record:?}").contains("lovelace"));
        assert!(records.len() > count && named.count() > 0, "{round}");
    }
    assert!(cut > 0, "none was killed in the middle");
}
