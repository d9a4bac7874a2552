//! The audit log through the front door: asked, proved, tampered with, and somebody taken out of it.

use crate::mcp::printed;
use crate::setup::Place;
use ringmail_engine::{Audit, DataSubject, HostKey, Note, Recorder, Value};
use ringmail_verify::{Checkpoint, Verified, Wrong, is_proved, public_key, verify};
use std::path::{Path, PathBuf};

const SEND: &str = "chain: send
links:
  letter:
    kind: log
    with: {message: 'all: ${json(input)}'}
input: {type: object, properties: {key: {type: string, x-ringmail-label: [inner]}}}
";

/// A project with a run that went well, one that was refused and one with an effect, each by somebody.
fn project() -> Place {
    let place = Place::project();
    let project = place.read("ringmail.toml");
    let more = "[[principal]]\nname = \"lovelace\"\nroles = [\"desk\"]\n[[grant]]\nto = \"send\"\nreason = \"letters\"\nlog = {}\n";
    place.write("ringmail.toml", &format!("{project}\n{more}"));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place.write("chains/send.yaml", SEND);
    for (args, code) in [
        (&["run", "greet", "--as", "lovelace", "--input", "{\"name\": \"Bobolink\"}"][..], 0),
        (&["run", "send", "--as", "lovelace", "--input", "{\"key\": \"k\"}"], 20),
        (&["run", "send", "--input", "{}"], 0),
    ] {
        let ended = place.run(args);
        assert_eq!(ended.code, code, "{}", ended.shown());
    }
    place
}

fn asked(place: &Place, args: &[&str]) -> Vec<Value> {
    let told = printed(place, &[&["audit"], args, &["--format", "json"]].concat());
    told.lines().map(crate::mcp::json).collect()
}

/// The runs among them, by chain and principal, each once: one that takes its time has more records than one.
fn runs(place: &Place, args: &[&str]) -> Vec<String> {
    let text = |record: &Value, key: &str| record.get(key).and_then(Value::as_str).unwrap_or("?").to_string();
    let all = asked(place, args);
    let mut all: Vec<String> = all
        .iter()
        .map(|record| format!("{} by {}", text(record, "chain"), text(record, "principal")))
        .collect();
    all.dedup();
    all
}

#[test]
fn what_happened_can_be_asked_for() {
    let place = project();
    let (greet, refused, sent) = ("greet by lovelace", "send by lovelace", "send by me");
    for (args, expected) in [
        (&["query"][..], &[greet, refused, sent][..]),
        (&["query", "--limit", "1"], &[sent]),
        (&["query", "--principal", "lovelace"], &[greet, refused]),
        (&["query", "--principal", "eve"], &[]),
        (&["query", "--tenant", "none"], &[]),
        (&["query", "--chain", "send"], &[refused, sent]),
        (&["query", "--refused"], &[refused]),
        (&["query", "--refused", "clearance"], &[refused]),
        (&["query", "--refused", "no-grant"], &[]),
        (&["query", "--tag", "inner"], &[]),
        (&["query", "--kind", "ordered"], &[]),
        (&["query", "--since", "1h"], &[greet, refused, sent]),
        (&["query", "--until", "2020-01-01"], &[]),
        (&["tail", "-n", "1", "--chain", "greet"], &[greet]),
    ] {
        assert_eq!(runs(&place, args), expected, "{args:?}");
    }
    let last = asked(&place, &["tail", "-n", "1"]).remove(0);
    let id = last.get("run").and_then(Value::as_str).unwrap().to_string();
    assert_eq!(runs(&place, &["query", "--run", &id[..20]]), [sent]);
    let shown = place.run(&["audit", "query"]).out;
    for part in [
        "lovelace  run ",
        "of greet ",
        "answered",
        "refused clearance at send.letter",
        "is about to act at send.letter on log",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let wrong = place.run(&["audit", "query", "--since", "yesterday"]);
    assert!(wrong.code == 1 && wrong.err.contains("`2h` for two hours ago"), "{}", wrong.err);
}

/// The number of the record with the refusal.
fn refusal(place: &Place) -> u64 {
    match asked(place, &["query", "--refused"])[0].get("number") {
        Some(Value::Int(number)) => *number as u64,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_proved_to_whoever_has_the_hosts_key() {
    let place = project();
    let number = refusal(&place);
    let proof = printed(&place, &["audit", "prove", &number.to_string(), "--out", "record.json"]);
    let key = HostKey::open(&place.path().join(".ringmail/host.key")).unwrap().public_bytes();
    let record = place.read("record.json");
    let (at, checkpoint) = is_proved(record.trim_end().as_bytes(), &proof, &key).unwrap();
    assert!(at == number && checkpoint.size > number);
    let other = record.trim_end().replace("clearance", "no-grant");
    assert!(is_proved(other.as_bytes(), &proof, &key).unwrap_err().contains("not the one that was proved"));
    // The key as it is printed for others is the same.
    assert_eq!(public_key(&printed(&place, &["audit", "key"])), Some(key));
    let foreign = HostKey::ephemeral().public_bytes();
    assert!(is_proved(record.trim_end().as_bytes(), &proof, &foreign).unwrap_err().contains("not signed"));
    assert!(place.run(&["audit", "prove", "99"]).err.contains("there is no record 99"));
}

#[test]
fn a_log_is_verified_and_says_from_where_it_is_not_what_was_written() {
    let place = project();
    place.write("anchor", &printed(&place, &["audit", "checkpoint"]));
    let count = asked(&place, &["query"]).len();
    let good = place.run(&["audit", "verify", "--anchor", "anchor"]);
    let expected =
        format!("{count} records in 1 files are what was written; {count} of them are signed for\n");
    assert_eq!(good.out, expected, "{}", good.err);
    let (log, number) = (".ringmail/audit/00000000000000000000.log", refusal(&place));
    let text = place.read(log);
    place.write(log, &text.replacen("clearance", "clearanse", 1));
    let bad = place.run(&["audit", "verify"]);
    let at = format!("from record {number} (");
    let line = format!("line {}", number + 2);
    assert!(bad.code == 1 && bad.err.contains(&at) && bad.err.contains(&line), "{}", bad.err);
    let json = place.run(&["audit", "verify", "--format", "json"]);
    let at = format!("\"record\": {number}");
    assert!(json.code == 1 && json.out.contains("\"good\": false") && json.out.contains(&at), "{}", json.out);
    // Nothing runs on top of what was changed.
    let run = place.run(&["run", "greet", "--input", "{\"name\": \"Bobolink\"}"]);
    assert!(run.code != 0 && run.err.contains("the log is not what was written"), "{}", run.shown());
    let no_key = place.run(&["audit", "verify", "--key", "abc"]);
    assert!(no_key.err.contains("64 hexadecimal digits"), "{}", no_key.err);
}

/// Records of people, in small files, and a checkpoint over a half of them.
struct Tampered {
    folder: tempfile::TempDir,
    whole: Vec<(PathBuf, Vec<u8>)>,
    half: Checkpoint,
    end: Checkpoint,
}

const COUNT: i64 = 10_000;

impl Tampered {
    fn new() -> Tampered {
        let folder = tempfile::tempdir().unwrap();
        let key = HostKey::ephemeral();
        let audit = Audit::open(folder.path(), &key).unwrap();
        let who = DataSubject { name: "lovelace".into(), tenant: None };
        let note = |number: i64| {
            let open = vec![("number", Value::Int(number)), ("padding", Value::from("x".repeat(1_800)))];
            audit.note(&Note { kind: "test", at_ms: 1, open, who: who.clone(), sealed: Vec::new() }).unwrap();
        };
        (0..COUNT / 2).for_each(note);
        let half = Checkpoint::parse(&audit.checkpoint().unwrap()).unwrap();
        (COUNT / 2..COUNT).for_each(note);
        let end = Checkpoint::parse(&audit.checkpoint().unwrap()).unwrap();
        assert!(
            end.is_signed_by(&key.public_bytes())
                && public_key(&key.public_hex()) == Some(key.public_bytes())
        );
        drop(audit);
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        let mut whole: Vec<_> = logs.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect();
        whole.sort();
        assert!(whole.len() > 1, "there is more than one file");
        Tampered { folder, whole, half, end }
    }

    fn verify(&self, checkpoints: &[&Checkpoint]) -> Result<Verified, Wrong> {
        let checkpoints: Vec<Checkpoint> = checkpoints.iter().map(|one| (*one).clone()).collect();
        verify(self.folder.path(), &checkpoints)
    }

    fn write(&self, files: &[(PathBuf, Vec<u8>)]) {
        for (path, _) in &self.whole {
            let _none = std::fs::remove_file(path);
        }
        files.iter().for_each(|(path, text)| std::fs::write(path, text).unwrap());
    }

    /// All lines of all files but the heads and ends, with the file of each.
    fn harm(&self, change: impl FnOnce(&mut Vec<Vec<u8>>, usize), record: usize) -> Result<Verified, Wrong> {
        let mut files = self.whole.clone();
        let mut before = 0;
        for (_, text) in &mut files {
            let mut lines: Vec<Vec<u8>> =
                text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let sealed = usize::from(lines.last().is_some_and(|line| line == b"sealed\n"));
            let count = lines.len() - 1 - sealed;
            if (before..before + count).contains(&record) {
                change(&mut lines, 1 + record - before);
                *text = lines.concat();
                break;
            }
            before += count;
        }
        self.write(&files);
        self.verify(&[&self.end])
    }
}

/// Each kind of harm, at records all over the log; which ones changes with each run.
#[test]
fn attack_41_whatever_is_done_to_a_record_is_named_by_its_place() {
    let log = Tampered::new();
    assert_eq!(log.verify(&[&log.half, &log.end]).unwrap().records, COUNT as u64);
    let chance =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as usize;
    let places = [0, 1, 4_999, 5_000, 9_998].into_iter().chain((1..12).map(|step| (chance / step) % 9_999));
    for at in places {
        let named = |harmed: Result<Verified, Wrong>, expected: usize, what: &str| {
            let wrong = harmed.expect_err(what);
            assert_eq!(wrong.record, expected as u64, "{what} of {at}: {wrong}");
        };
        named(
            log.harm(
                |lines, line| {
                    let middle = lines[line].len() / 2;
                    lines[line][middle] ^= 1;
                },
                at,
            ),
            at,
            "edit",
        );
        named(
            log.harm(
                |lines, line| {
                    lines[line][3] ^= 1;
                },
                at,
            ),
            at,
            "edit of the hash",
        );
        named(log.harm(|lines, line| drop(lines.remove(line)), at), at, "deletion");
        named(log.harm(|lines, line| lines.insert(line, lines[line].clone()), at), at + 1, "duplication");
        let last = log.whole.iter().any(|(_, text)| text.is_empty());
        assert!(!last);
    }
    // Neighbours in one file change places.
    let swapped = log.harm(|lines, line| lines.swap(line, line + 1), 17).unwrap_err();
    assert_eq!(swapped.record, 17);
    let cut = log.harm(|lines, line| lines.truncate(line), 9_990).unwrap_err();
    assert_eq!((cut.record, cut.why.contains("10000 records were signed for")), (9_990, true), "{cut}");
}

#[test]
fn attack_41_files_that_change_places_go_missing_or_come_back_are_named() {
    let log = Tampered::new();
    let mut swapped = log.whole.clone();
    let (first, second) = (swapped[0].1.clone(), swapped[1].1.clone());
    (swapped[0].1, swapped[1].1) = (second, first);
    log.write(&swapped);
    assert_eq!(log.verify(&[&log.end]).unwrap_err().record, 0);
    log.write(&log.whole[1..]);
    assert!(log.verify(&[&log.end]).unwrap_err().why.contains("a file is missing"));
    log.write(&log.whole[..log.whole.len() - 1]);
    assert!(log.verify(&[&log.end]).unwrap_err().why.contains("another file follows"));
    // The whole folder as it was at half: everything in it fits, and only what was kept elsewhere shows it.
    let half = log.harm(|lines, line| lines.truncate(line), 5_000);
    assert!(half.is_err());
    let files: Vec<_> = log.whole.iter().map(|(path, _)| path).filter(|path| path.exists()).collect();
    let keep = |path: &&&PathBuf| first_of(path) <= 5_000;
    files.iter().filter(|path| !keep(path)).for_each(|path| std::fs::remove_file(path).unwrap());
    assert_eq!(log.verify(&[&log.half]).unwrap().records, 5_000);
    let rolled_back = log.verify(&[&log.half, &log.end]).unwrap_err();
    assert!(rolled_back.why.contains("10000 records were signed for"), "{rolled_back}");
}

fn first_of(path: &Path) -> u64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

#[test]
fn whoever_is_erased_is_gone_and_the_log_still_holds() {
    let place = project();
    let listed = place.run(&["subject", "list"]);
    assert_eq!(listed.out, "lovelace\nme\n", "{}", listed.err);
    let report = place.run(&["subject", "report", "lovelace"]).out;
    assert!(
        report.contains("greet: 1 times, 0 refused") && report.contains("send: 1 times, 1 refused"),
        "{report}"
    );
    let exported = place.run(&["subject", "export", "lovelace"]).out;
    assert!(
        exported.contains("\"principal\":\"lovelace\"") && exported.contains("send.letter"),
        "{exported}"
    );
    let careful = place.run(&["subject", "erase", "lovelace"]);
    assert!(careful.code == 1 && careful.err.contains("--yes"), "{}", careful.err);
    let erased = printed(&place, &["subject", "erase", "lovelace", "--yes"]);
    let certificate = crate::mcp::json(&erased);
    let text = |key: &str| certificate.get(key).and_then(Value::as_str).unwrap().to_string();
    let signed = ringmail_engine::SignedAct {
        act: certificate.get("certificate").unwrap().clone(),
        public_key: text("public_key"),
        signature: text("signature"),
    };
    let key = HostKey::open(&place.path().join(".ringmail/host.key")).unwrap();
    assert!(signed.verify(&key.public_hex()));
    assert!(matches!(signed.act.get("records"), Some(Value::Int(2..))), "{:?}", signed.act);
    // The log verifies as before, nobody is found under that name, and what was sealed says nothing.
    assert_eq!(place.run(&["audit", "verify"]).code, 0);
    assert!(place.run(&["subject", "export", "lovelace"]).err.contains("nothing is on record of `lovelace`"));
    assert_eq!(place.run(&["subject", "list"]).out, "host\nme\n");
    let all = place.run(&["audit", "export"]).out;
    assert!(!all.contains("\"lovelace\"") && all.contains("\"erased\""), "{all}");
    assert!(place.run(&["audit", "query"]).out.contains("somebody erased"));
    // Whoever comes again is somebody new.
    place.run(&["run", "greet", "--as", "lovelace", "--input", "{\"name\": \"Bobolink\"}"]);
    assert_eq!(runs(&place, &["query", "--principal", "lovelace"]), ["greet by lovelace"]);
}

/// Nothing of a person stands open in the files, whatever a run said of itself.
#[test]
fn attack_40_the_files_of_the_log_name_nobody_and_hold_no_data() {
    let place = project();
    let folder = place.path().join(".ringmail/audit");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let keys = std::fs::read_dir(folder.join("subjects")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(keys);
    let mut seen = 0;
    for path in files.iter().filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        for secret in ["lovelace", "Bobolink", "all: "] {
            assert!(!text.contains(secret), "{secret} in {}: {text}", path.display());
        }
        seen += text.len();
    }
    assert!(seen > 1_000);
    // Without the host's key nobody opens them.
    std::fs::remove_file(place.path().join(".ringmail/host.key")).unwrap();
    let ended = place.run(&["audit", "query"]);
    assert!(!ended.out.contains("lovelace"), "{}", ended.out);
}

/// Enough that files of the log are full: what is asked for is found the first time, the next time, and where somebody took the
/// lists away.
#[test]
fn what_is_asked_for_of_a_long_log_is_found_with_lists_and_without() {
    let place = project();
    let data = place.path().join(".ringmail");
    let key = HostKey::open(&data.join("host.key")).unwrap();
    let audit = Audit::open(&data.join("audit"), &key).unwrap();
    let filler = "x".repeat(100_000);
    for at in 0..400_u64 {
        let who = DataSubject { name: ["ada", "bob"][usize::from(at % 50 == 7)].into(), tenant: None };
        let sealed = vec![("why", Value::from(filler.as_str()))];
        audit.note(&Note { kind: "noted", at_ms: at * 1_000, open: Vec::new(), who, sealed }).unwrap();
    }
    drop(audit);
    let index = data.join("audit/index");
    let query = |args: &[&str]| -> Vec<u64> {
        let number = |found: &Value| match found.get("number") {
            Some(Value::Int(number)) => u64::try_from(*number).unwrap(),
            other => panic!("{other:?}"),
        };
        asked(&place, &[&["query"], args].concat()).iter().map(number).collect()
    };
    let bobs = || query(&["--principal", "bob"]);
    assert!(!index.exists());
    let first = bobs();
    assert_eq!(first.len(), 8);
    let lists = std::fs::read_dir(&index).unwrap().count();
    assert!(lists >= 2, "{lists} files are full");
    assert_eq!(bobs(), first);
    for (args, expected) in [
        (&["--principal", "bob", "--limit", "3"][..], 3),
        (&["--kind", "noted", "--limit", "1000"], 400),
        (&["--kind", "noted", "--since", "1970-01-01T00:01:40Z", "--until", "1970-01-01T00:01:50Z"], 10),
        (&["--principal", "nobody"], 0),
    ] {
        assert_eq!(query(args).len(), expected, "{args:?}");
    }
    assert_eq!(query(&["--principal", "bob", "--limit", "3"]), first[5..]);
    // Nobody hides what happened by writing a list of nothing, and lists that are gone cost time alone.
    for entry in std::fs::read_dir(&index).unwrap() {
        std::fs::write(entry.unwrap().path(), b"ringmail-index/1\n").unwrap();
    }
    assert_eq!(bobs(), first);
    std::fs::remove_dir_all(&index).unwrap();
    std::fs::write(&index, b"").unwrap();
    assert_eq!(bobs(), first);
}
