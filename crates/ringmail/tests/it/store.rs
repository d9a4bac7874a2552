//! The data folder through the front door: looked at, harmed, backed up while others write to it, put back, and cleaned.

use crate::guest::Guest;
use crate::mcp::printed;
use crate::runs::{Till, cut_off, kill, shop};
use crate::serve::{Serving, call, key_of, project};
use crate::setup::Place;
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

/// Looks up a text under its second letter, and keeps anything else there.
const KEEPS: &str = r#"(local $key i32)
    (local.set $key (i32.add (local.get $p) (i32.const 1)))
    (if (i32.eq (i32.load8_u (local.get $p)) (i32.const 34)) (then
      (call $get (local.get $key) (i32.const 1) (i32.const 200))
      (return (call $ok (i32.load (i32.const 208)) (i32.load (i32.const 212))))))
    (call $set (local.get $key) (i32.const 1) (local.get $p) (local.get $n) (i32.const 200))
    (call $ok (local.get $p) (local.get $n))"#;
const KV: &str = r#"(import "ringmail:plugin/kv@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "ringmail:plugin/kv@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))"#;

/// A project that is served, whose folder holds something of everything.
fn full() -> Place {
    let place = project();
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place.write("chains/big.yaml", "chain: big\ninput: {type: string}\noutput: done\n");
    place.write(
        "chains/p.yaml",
        "chain: p\nlinks:\n  p: {kind: plugin, plugin: p, with: '${input}'}\noutput: ${p}\n",
    );
    place.write(
        "p/plugin.toml",
        "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[kv]\nreason = \"r\"\n",
    );
    let guest = Guest { imports: KV, call: KEEPS, ..Guest::default() };
    place.write_bytes("p/plugin.wasm", &guest.component());
    let read = PluginFolder::read(&place.path().join("p"), &mut TagTable::default()).unwrap();
    let plugin =
        format!("[plugin.p]\npath = \"p\"\ndigest = \"{}\"\nreason = \"r\"\nkv = {{}}\n", read.digest);
    let people = "[[principal]]\nname = \"lovelace\"\nroles = [\"developer\"]\n";
    place.write("ringmail.toml", &format!("{}\n{plugin}{people}", place.read("ringmail.toml")));
    place.write("big.json", &format!("\"{}\"", "x".repeat(300_000)));
    for args in [
        &["run", "greet", "--input", "{\"name\": \"Ada\"}"][..],
        &["run", "big", "--as", "lovelace", "--input-file", "big.json"],
        &["run", "p", "--input", "12"],
    ] {
        let ended = place.run(args);
        assert_eq!(ended.code, 0, "{}", ended.shown());
    }
    key_of(&place, "me");
    place
}

fn data(place: &Place, name: &str) -> PathBuf {
    place.path().join(".ringmail").join(name)
}

fn only(folder: &Path) -> PathBuf {
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// As if nothing had touched it for long.
fn age(path: &Path) {
    let long = SystemTime::now() - Duration::from_secs(90 * 86_400);
    std::fs::File::open(path).unwrap().set_modified(long).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Takes the data folder away, as a disk that died does.
fn lose(place: &Place, to: &str) {
    std::fs::rename(place.path().join(".ringmail"), place.path().join(to)).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else if path.is_file() {
            out.push(path);
        }
    }
    out.sort();
    out
}

#[test]
fn a_data_folder_says_what_is_in_it() {
    let place = full();
    let told = place.run(&["store", "check"]);
    assert_eq!(told.code, 0, "{}", told.shown());
    for part in [
        "log  6 records",
        "aside  1 file\n",
        "subjects  2 keys, 1 period",
        "kept  1 value",
        "callers  1 key",
        "others  nothing",
    ] {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
    let json = printed(&place, &["store", "check", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.as_array().unwrap().iter().all(|part| part["wrong"].as_array().unwrap().is_empty()));
    let empty = Place::project().run(&["store", "check"]);
    assert!(empty.code == 1 && empty.err.contains("nothing is kept in `.ringmail` yet"), "{}", empty.shown());
}

#[test]
fn attack_43_each_part_that_is_harmed_is_named() {
    let place = full();
    let mut serving = Serving::start(&place, 1);
    serving.signal("TERM");
    serving.child.wait().unwrap();
    assert_eq!(place.run(&["audit", "checkpoint"]).code, 0);
    lose(&place, "whole");
    let whole = place.path().join("whole");
    let restore = || {
        let _gone = std::fs::remove_dir_all(place.path().join(".ringmail"));
        for path in files(&whole) {
            let to = data(&place, path.strip_prefix(&whole).unwrap().to_str().unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&path, &to).unwrap();
        }
    };
    let loose = |path: PathBuf| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    };
    type Harm<'h> = (&'h dyn Fn(), &'h str);
    let harms: &[Harm<'_>] = &[
        (&|| flip(&only(&data(&place, "audit/aside"))), "is not what was put aside"),
        (
            &|| std::fs::remove_file(only(&data(&place, "audit/aside"))).unwrap(),
            "put aside that is not there",
        ),
        (&|| flip(&files(&data(&place, "audit/subjects"))[0]), "is none of this host"),
        (&|| flip(&only(&data(&place, "audit/subjects/periods"))), "none of this host"),
        (&|| loose(data(&place, "host.key")), "others than its owner can use"),
        (&|| std::fs::remove_file(data(&place, "host.key")).unwrap(), "nothing that is sealed can be read"),
        (
            &|| flip(&data(&place, "audit/00000000000000000000.log")),
            "it is not what was written, from record",
        ),
        (&|| flip(&data(&place, "audit/checkpoint")), "log"),
        (&|| std::fs::write(data(&place, "kept.redb"), "no database").unwrap(), "kept"),
        (&|| std::fs::write(data(&place, "keys.json"), "{").unwrap(), "keys.json` is damaged"),
        (&|| flip(&files(&data(&place, "config/contents"))[0]), "is not what was kept"),
    ];
    for (harm, told) in harms {
        restore();
        let good = place.run(&["store", "check"]);
        assert_eq!(good.code, 0, "{}", good.shown());
        harm();
        let bad = place.run(&["store", "check"]);
        assert!(bad.code == 1 && bad.out.contains(told), "{told}: {}", bad.shown());
        assert!(bad.err.contains("the data folder is not whole"), "{told}: {}", bad.shown());
        // What is not whole is not cleaned.
        let compact = place.run(&["store", "compact"]);
        assert!(compact.code == 1 && compact.err.contains("is not whole"), "{told}: {}", compact.shown());
    }
    restore();
    std::fs::write(data(&place, "format"), "2\n").unwrap();
    let newer = place.run(&["run", "greet", "--input", "{\"name\": \"Ada\"}"]);
    assert!(newer.code != 0 && newer.err.contains("its format is `2`"), "{}", newer.shown());
}

#[test]
fn attack_42_a_backup_of_a_server_under_load_is_whole_and_comes_back() {
    let place = full();
    let key = key_of(&place, "lovelace");
    let serving = Serving::start(&place, 1);
    let url = serving.urls[0].clone();
    assert_eq!(call(&format!("{url}/chains/p"), &key, "35", None), (200, "35".into()));
    let backups = ["b0", "b1", "b2"];
    std::thread::scope(|scope| {
        let address = url.split("://").last().unwrap();
        let callers: Vec<_> =
            (0..2).map(|_| scope.spawn(|| crate::kills::calls_of("greet", address, &key))).collect();
        for name in backups {
            // Another process writes to the same log.
            let beside = scope.spawn(|| place.run(&["run", "big", "--input-file", "big.json"]));
            let made = place.run(&["store", "backup", name]);
            assert_eq!(made.code, 0, "{}", made.shown());
            assert!(made.err.contains("the host's key is not"), "{}", made.err);
            assert_eq!(beside.join().unwrap().code, 0);
        }
        serving.signal("KILL");
        assert!(callers.into_iter().all(|caller| !caller.join().unwrap().is_empty()));
    });
    let before = place.recorded();
    lose(&place, "lost");
    for (at, name) in backups.iter().enumerate() {
        assert!(!place.path().join(name).join("host.key").exists());
        let keyless = place.run(&["store", "restore", name]);
        assert!(keyless.code == 1 && keyless.err.contains("--key FILE"), "{}", keyless.shown());
        let back = place.run(&["store", "restore", name, "--key", "lost/host.key"]);
        assert_eq!(back.code, 0, "{}", back.shown());
        for args in [&["audit", "verify"][..], &["store", "check"]] {
            let whole = place.run(args);
            assert_eq!(whole.code, 0, "{name}: {}", whole.shown());
        }
        // What it holds is what happened first, and nothing else.
        let recorded = place.recorded();
        let own = recorded.lines().filter(|line| !line.contains("\"stage\":\"restored\""));
        assert!(own.zip(before.lines()).all(|(one, other)| one == other), "{name}");
        assert!(recorded.contains("\"stage\":\"restored\"") && recorded.lines().count() > 8 + at);
        let kept = place.run(&["run", "p", "--input", "\"\\\"5\\\"\""]);
        assert_eq!(kept.out.trim(), "", "{}", kept.shown());
        let kept = place.run(&["run", "p", "--input", "\"5\""]);
        assert_eq!(kept.out.trim(), "35", "{}", kept.shown());
        assert!(place.run(&["key", "list"]).out.contains("lovelace"));
        std::fs::remove_dir_all(place.path().join(".ringmail")).unwrap();
    }
}

#[test]
fn attack_41_a_backup_that_was_changed_is_not_put_back() {
    let place = full();
    assert_eq!(place.run(&["store", "backup", "good", "--with-keys"]).code, 0);
    let twice = place.run(&["store", "backup", "good"]);
    assert!(twice.code == 1 && twice.err.contains("there is something in `good` already"), "{}", twice.err);
    let full = place.run(&["store", "restore", "good"]);
    assert!(full.code == 1 && full.err.contains("nothing is written over"), "{}", full.shown());
    lose(&place, "lost");
    let good = place.path().join("good");
    let refused = |what: &str| {
        let told = place.run(&["store", "restore", "bad"]);
        assert!(told.code != 0, "{what}: {}", told.shown());
        assert!(!place.path().join(".ringmail").exists() && !place.path().join(".ringmail.new").exists());
        told.err
    };
    let copy = || {
        let _gone = std::fs::remove_dir_all(place.path().join("bad"));
        for path in files(&good) {
            let to = place.path().join("bad").join(path.strip_prefix(&good).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&path, &to).unwrap();
        }
    };
    for path in files(&good) {
        let name = path.strip_prefix(&good).unwrap();
        for harm in [
            flip as fn(&Path),
            |path| std::fs::remove_file(path).unwrap(),
            |path| {
                std::fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink("/etc/hostname", path).unwrap();
            },
        ] {
            copy();
            harm(&place.path().join("bad").join(name));
            refused(&name.display().to_string());
        }
    }
    copy();
    let manifest = place.read("bad/backup.json");
    place.write("bad/backup.json", &manifest.replace("host.key", "../../x"));
    assert!(refused("a path").contains("is not what this host signed"));
    // Whoever has another key signs for nothing.
    copy();
    place.write("other.key", &"ab".repeat(32));
    let other = place.run(&["store", "restore", "bad", "--key", "other.key"]);
    assert!(other.code == 1 && other.err.contains("is not what this host signed"), "{}", other.shown());
    let back = place.run(&["store", "restore", "good"]);
    assert_eq!(back.code, 0, "{}", back.shown());
    assert_eq!(place.run(&["store", "check"]).code, 0);
}

#[test]
fn attack_43_a_backup_that_was_cut_off_is_none() {
    let place = full();
    // A disk that is full.
    let program = env!("CARGO_BIN_EXE_ringmail");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f 100; exec {program} store backup small")]);
    let full = place.ended(shell.current_dir(place.path()).output().unwrap());
    assert!(full.code != 0 && full.err.contains("File too large"), "{}", full.shown());
    assert!(!place.path().join("small").exists() && !place.path().join("small.new").exists());
    assert_eq!(place.run(&["audit", "verify"]).code, 0);
    // A process that is killed, at any moment.
    let mut seed = 11_u32;
    for round in 0..12 {
        let name = format!("b{round}");
        let mut command = place.command(&["store", "backup", &name, "--with-keys"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(seed >> 24)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    lose(&place, "lost");
    for round in 0..12 {
        let (name, half) = (format!("b{round}"), format!("b{round}.new"));
        if place.path().join(&half).exists() {
            assert!(!place.path().join(&name).exists());
            place.run(&["store", "restore", &half]);
            // It has its name from nobody, and counts only if everything in it was there.
            if place.path().join(".ringmail").exists() {
                assert_eq!(place.run(&["store", "check"]).code, 0);
                std::fs::remove_dir_all(place.path().join(".ringmail")).unwrap();
            }
        }
        if place.path().join(&name).exists() {
            assert_eq!(place.run(&["store", "restore", &name]).code, 0);
            assert_eq!(place.run(&["store", "check"]).code, 0);
            std::fs::remove_dir_all(place.path().join(".ringmail")).unwrap();
        }
    }
}

#[test]
fn attack_43_nobody_backs_up_while_somebody_cleans() {
    let place = full();
    let held = std::fs::File::create(data(&place, "store.lock")).unwrap();
    held.lock().unwrap();
    for args in [&["store", "backup", "b"][..], &["store", "compact"]] {
        let other = place.run(args);
        assert!(
            other.code == 1 && other.err.contains("another process backs up or compacts"),
            "{}",
            other.err
        );
    }
    drop(held);
    assert_eq!(place.run(&["store", "backup", "b"]).code, 0);
}

/// A run that was open goes on where it was, and a copy of it would do the same once more.
#[test]
fn attack_42_what_is_put_back_does_not_go_on_with_what_others_go_on_with() {
    let till = Till::open();
    let place = shop(&till, "");
    cut_off(&till, &place, "GET price");
    std::fs::create_dir(data(&place, "schedules")).unwrap();
    std::fs::write(data(&place, "schedules/nightly.json"), "how far it is").unwrap();
    let inside = place.run(&["store", "backup", ".ringmail/b"]);
    assert!(inside.code == 1 && inside.err.contains("lies in the data folder itself"), "{}", inside.err);
    assert!(!data(&place, "b").exists() && !data(&place, "b.new").exists());
    assert_eq!(place.run(&["store", "backup", "b", "--with-keys"]).code, 0);
    let listed = printed(&place, &["runs", "list", "--format", "json"]);
    let run =
        serde_json::from_str::<serde_json::Value>(&listed).unwrap()[0]["run"].as_str().unwrap().to_string();
    assert_eq!(place.run(&["runs", "resume", &run]).code, 0);
    let pays = || till.asked().iter().filter(|asked| *asked == "POST pay").count();
    assert_eq!(pays(), 1);
    lose(&place, "lost");
    let back = place.run(&["store", "restore", "b"]);
    assert!(back.code == 0 && back.err.contains("runs that were open do not go on"), "{}", back.shown());
    // Moments that passed since may have been run elsewhere.
    assert!(!data(&place, "schedules").exists() && place.path().join("lost/schedules").exists());
    let none = place.run(&["runs", "list"]);
    assert_eq!((none.code, &*none.err), (0, "no run is open\n"));
    let again = place.run(&["runs", "resume", &run]);
    assert!(again.code == 1 && again.err.contains("is open"), "{}", again.shown());
    assert_eq!(pays(), 1);
}

#[test]
fn what_nothing_names_any_more_is_taken_out_and_nothing_else() {
    let place = full();
    let aside = data(&place, "audit/aside");
    let own = only(&aside);
    let module = data(&place, "modules/00ff");
    let question = data(&place, "approvals/0011");
    for (path, is_old) in
        [(aside.join("ab".repeat(32)), true), (aside.join("cd".repeat(32)), false), (module.clone(), true)]
    {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "left behind").unwrap();
        if is_old {
            age(&path);
        }
    }
    // What is named by its own digest, and by nothing else.
    let left = "left behind";
    let digest = ringmail_engine::core::config::content_digest(left.as_bytes());
    for name in ["ab".repeat(32), "cd".repeat(32)] {
        std::fs::remove_file(aside.join(name)).unwrap();
    }
    let (old, young) =
        (aside.join(&digest), aside.join(ringmail_engine::core::config::content_digest(b"young")));
    std::fs::write(&old, left).unwrap();
    std::fs::write(&young, "young").unwrap();
    age(&old);
    age(&own);
    let copy = data(&place, "kept.copy");
    std::fs::write(&copy, "").unwrap();
    age(&copy);
    assert!(!question.exists());
    let told = place.run(&["store", "check"]);
    assert!(told.code == 0 && told.err.contains("ringmail store compact"), "{}", told.shown());
    let dry = place.run(&["store", "compact", "--dry-run"]);
    assert!(dry.code == 0 && dry.err.contains("3 pieces of 22 bytes would be taken out"), "{}", dry.shown());
    assert!(old.exists() && module.exists());
    let done = place.run(&["store", "compact"]);
    assert!(done.code == 0 && done.err.contains("3 pieces of 22 bytes were taken out"), "{}", done.shown());
    assert!(!old.exists() && !module.exists() && !copy.exists() && young.exists() && own.exists());
    assert!(place.recorded().contains("\"stage\":\"compacted\""));
    // What somebody had who was erased.
    assert_eq!(place.run(&["run", "big", "--input-file", "big.json"]).code, 0);
    let all = files(&aside);
    let other = all.iter().find(|path| **path != own && **path != young).unwrap();
    age(other);
    assert_eq!(place.run(&["subject", "erase", "lovelace", "--yes"]).code, 0);
    assert_eq!(place.run(&["store", "compact"]).code, 0);
    assert!(!own.exists() && other.exists() && young.exists());
    // What was carried in a time whose key was taken away.
    std::fs::remove_file(only(&data(&place, "audit/subjects/periods"))).unwrap();
    assert_eq!(place.run(&["store", "compact"]).code, 0);
    assert!(!other.exists() && young.exists());
    for args in [&["store", "check"][..], &["audit", "verify"]] {
        let whole = place.run(args);
        assert_eq!(whole.code, 0, "{}", whole.shown());
    }
}

/// Questions go with their runs; one whose process was killed in between is left.
#[test]
fn a_question_of_a_run_that_is_over_is_taken_out() {
    let place = project();
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place.write(
        "chains/ask.yaml",
        "chain: ask\nlinks:\n  ok: {kind: approve, reason: may it?, within: 1h, with: {value: 1}}\noutput: ${ok}\n",
    );
    let mut command = place.command(&["run", "ask"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let folder = data(&place, "approvals");
    // It is asked before it stands on record that the run is open.
    let is_open = || !place.run(&["runs", "list"]).out.is_empty();
    assert!((0..500).any(|_| is_open() || child.try_wait().unwrap().is_some()));
    kill(child);
    let question = only(&folder);
    age(&question);
    assert_eq!(place.run(&["store", "compact"]).code, 0);
    assert!(question.exists(), "its run is open");
    let copy = place.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for path in files(&question) {
        std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let listed = printed(&place, &["runs", "list", "--format", "json"]);
    let run =
        serde_json::from_str::<serde_json::Value>(&listed).unwrap()[0]["run"].as_str().unwrap().to_string();
    let cancelled = place.run(&["runs", "cancel", &run]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.shown());
    assert!(!question.exists());
    // As a crash right behind the last record leaves it.
    std::fs::rename(&copy, &question).unwrap();
    age(&question);
    assert_eq!(place.run(&["store", "compact"]).code, 0);
    assert!(!question.exists());
}
