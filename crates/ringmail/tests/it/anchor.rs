//! Checkpoints that are kept elsewhere: they go out by themselves, and a log that was cut or put back is caught by them.

use crate::peer::Peer;
use crate::providers::secret_file;
use crate::serve::{Serving, call, key_of};
use crate::setup::Place;
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_verify::Checkpoint;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shorter than the minute after which a checkpoint goes out where nothing is said.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(40);
const FILE: &str = "[anchor.a]\nto = \"file:elsewhere/checkpoints\"\nevery = \"1s\"\n";

/// A project with something on record.
fn recorded(anchor: &str, runs: usize) -> Place {
    let place = Place::empty();
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    place.write("chains/t.yaml", "chain: t\noutput: done\n");
    place.write("ringmail.toml", anchor);
    run(&place, runs);
    place
}

fn run(place: &Place, runs: usize) {
    (0..runs).for_each(|_| assert_eq!(place.run(&["run", "t"]).code, 0));
}

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn kept(place: &Place) -> Vec<u64> {
    let (all, left) = Checkpoint::parse_all(&place.read("elsewhere/checkpoints"));
    assert!(!left);
    all.iter().map(|one| one.size).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let path = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &path);
        } else {
            std::fs::copy(entry.path(), path).unwrap();
        }
    }
}

/// Puts the data folder back to what it was.
fn put_back(place: &Place, from: &str) {
    std::fs::remove_dir_all(place.path().join(".ringmail")).unwrap();
    copy(&place.path().join(from), &place.path().join(".ringmail"));
}

#[test]
fn a_file_takes_each_checkpoint_behind_the_one_before() {
    let place = recorded(FILE, 0);
    let none = place.run(&["audit", "anchor"]);
    assert_eq!((none.code, none.out.trim()), (0, "a  0 checkpoints arrived, in 0 sendings"), "{}", none.err);
    run(&place, 2);
    let sent = place.run(&["audit", "anchor"]);
    assert_eq!((sent.code, sent.out.trim()), (0, "a  1 checkpoint arrived, in 1 sending"), "{}", sent.err);
    // What has not grown is not signed for again.
    assert_eq!(place.run(&["audit", "anchor"]).out.trim(), "a  0 checkpoints arrived, in 0 sendings");
    run(&place, 1);
    assert_eq!(place.run(&["audit", "anchor"]).code, 0);
    assert_eq!(kept(&place), [2, 3]);
    run(&place, 1);
    assert_eq!(place.run(&["audit", "anchor", "--status"]).out.trim(), "a  3 arrived, 1 behind");
    let good = place.run(&["audit", "verify", "--anchor", "elsewhere/checkpoints"]);
    assert!(good.code == 0 && good.out.contains("4 records"), "{}", good.shown());
    // One that a crash left in part does no harm to those behind it.
    let half = place.read("elsewhere/checkpoints") + "\n\nringmail/01\n3\nAAA";
    place.write("elsewhere/checkpoints", &half);
    assert_eq!(place.run(&["audit", "anchor"]).code, 0);
    let told = place.run(&["audit", "verify"]);
    assert!(told.code == 0 && told.err.contains("something that is no checkpoint"), "{}", told.shown());
    let (all, left) = Checkpoint::parse_all(&place.read("elsewhere/checkpoints"));
    assert_eq!((all.iter().map(|one| one.size).collect::<Vec<_>>(), left), (vec![2, 3, 4], true));
}

#[test]
fn attack_41_a_log_that_was_put_back_or_cut_is_caught_by_its_anchor() {
    let place = recorded(&format!("{FILE}[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n"), 2);
    copy(&place.path().join(".ringmail"), &place.path().join("before"));
    run(&place, 2);
    assert_eq!(place.run(&["audit", "anchor"]).code, 0);
    put_back(&place, "before");
    // All of it fits, and nobody sees anything who asks the folder alone.
    let alone = place.run(&["audit", "verify", ".ringmail/audit"]);
    assert_eq!(alone.code, 0, "{}", alone.shown());
    let told = "4 records were signed for, and not all of them are here";
    for args in [&["audit", "anchor"][..], &["serve"]] {
        let caught = place.run(args);
        assert!(caught.code == 1 && caught.err.contains(told), "{}", caught.shown());
    }
    let verified = place.run(&["audit", "verify"]);
    assert!(verified.code == 1 && verified.err.contains("4 records were signed for"), "{}", verified.err);
    // Nor if as much is written again.
    run(&place, 3);
    for args in [&["audit", "anchor"][..], &["serve"]] {
        let caught = place.run(args);
        assert!(caught.code == 1 && caught.err.contains("is another than the one"), "{}", caught.shown());
    }
    assert!(place.run(&["audit", "verify"]).err.contains("somebody wrote it anew"));
    // Nothing went to the anchor on top of that.
    assert_eq!(kept(&place), [4]);
    // What somebody else signed is no anchor, and neither is one that went away.
    place.write(
        "elsewhere/checkpoints",
        &place.read("elsewhere/checkpoints").replace("ringmail/", "ringmail/0"),
    );
    let foreign = place.run(&["audit", "anchor"]);
    assert!(foreign.code == 1 && foreign.err.contains("holds no checkpoint of this log"), "{}", foreign.err);
}

/// Only the folder of the log was put back: whoever did it did not think of where it stands what had arrived elsewhere.
#[test]
fn attack_41_a_log_that_was_put_back_alone_is_caught_by_the_data_folder() {
    let peer = Peer::start(|_| (200, String::new()));
    let text = format!(
        "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n[anchor.o]\nto = \"{}/here\"\n[forward.f]\nto = \"file\"\naddress = \"out/records\"\n",
        peer.url()
    );
    let place = recorded(&text, 2);
    let log = place.path().join(".ringmail/audit");
    copy(&log, &place.path().join("before"));
    run(&place, 3);
    for what in ["anchor", "forward"] {
        assert_eq!(place.run(&["audit", what]).code, 0);
    }
    for args in [&["audit", "verify"][..], &["store", "check"]] {
        let good = place.run(args);
        assert_eq!(good.code, 0, "{}", good.shown());
    }
    std::fs::remove_dir_all(&log).unwrap();
    copy(&place.path().join("before"), &log);
    let sent = place.read("out/records");
    let told = "and 2 are here: the log was cut or put back";
    for args in [
        &["audit", "verify"][..],
        &["store", "check"],
        &["serve"],
        &["audit", "anchor", "--status"],
        &["audit", "forward", "--status"],
        &["audit", "anchor"],
        &["audit", "forward"],
    ] {
        let caught = place.run(args);
        assert!(caught.code == 1 && caught.shown().contains(told), "{args:?}\n{}", caught.shown());
    }
    // Nor is anything that comes after it sent as if it were what follows.
    run(&place, 2);
    for what in ["anchor", "forward"] {
        let caught = place.run(&["audit", what]);
        assert!(caught.code == 1 && caught.err.contains("and 4 are here"), "{}", caught.shown());
    }
    assert_eq!(place.read("out/records"), sent);
    // Whoever has looked says so, and everything that is here goes out.
    std::fs::remove_file(place.path().join(".ringmail/forward/f.at")).unwrap();
    assert_eq!(place.run(&["audit", "forward"]).code, 0);
    assert_eq!(place.read("out/records").lines().count(), sent.lines().count() + 4);
}

#[test]
fn attack_41_an_anchor_that_was_removed_is_missed() {
    let place = recorded(FILE, 1);
    assert_eq!(place.run(&["audit", "anchor"]).code, 0);
    std::fs::remove_file(place.path().join("elsewhere/checkpoints")).unwrap();
    run(&place, 1);
    let missed = place.run(&["audit", "anchor"]);
    assert!(missed.code == 1 && missed.err.contains("cannot read"), "{}", missed.shown());
    // Whoever means it makes an empty one.
    place.write("elsewhere/checkpoints", "");
    assert_eq!(place.run(&["audit", "anchor"]).code, 0);
    assert_eq!(kept(&place), [2]);
}

#[test]
fn a_server_sends_checkpoints_by_itself_and_tells_when_they_do_not_arrive() {
    let good = Arc::new(AtomicBool::new(false));
    let taken = good.clone();
    let (heard, hears) = std::sync::mpsc::channel();
    let peer = Peer::start(move |asked| {
        let good = taken.load(Ordering::Relaxed);
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/chains/keep"));
        assert_eq!(asked.header("authorization"), "Bearer who-anchors");
        if good {
            let _over = heard.send(asked.body.clone());
        }
        (if good { 200 } else { 503 }, String::new())
    });
    let text = format!(
        "[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n[[principal]]\nname = \"me\"\n[secret.own]\nfrom = \"file:own\"\nbound_to = [\"{0}\"]\n[anchor.a]\nto = \"{0}/chains/keep\"\nsecret = \"own\"\nevery = \"1s\"\n",
        peer.url()
    );
    let place = recorded(&text, 0);
    secret_file(&place, "own", "who-anchors");
    run(&place, 1);
    let key = key_of(&place, "me");
    let mut serving = Serving::start(&place, 1);
    serving.says("checkpoints do not arrive at `a`: it answers 503");
    let status = read(&place.run(&["status"]).out);
    let one = status.get("checkpoints").unwrap().as_list().unwrap().iter().next().unwrap().clone();
    assert_eq!(one.get("name").unwrap().as_str(), Some("a"));
    assert!(one.get("failed").unwrap().as_str().unwrap().contains("503"), "{one:?}");
    good.store(true, Ordering::Relaxed);
    serving.says("checkpoints arrive at `a` again");
    // One arrived; what comes after it is signed for in one of the next.
    let first = Checkpoint::parse(
        read(&hears.recv_timeout(PATIENCE).unwrap()).get("checkpoint").unwrap().as_str().unwrap(),
    );
    assert_eq!(call(&format!("{}/chains/t", serving.urls[0]), &key, "null", None), (200, "\"done\"".into()));
    let next = read(&hears.recv_timeout(PATIENCE).unwrap());
    let checkpoint = Checkpoint::parse(next.get("checkpoint").unwrap().as_str().unwrap()).unwrap();
    assert!(checkpoint.size > first.unwrap().size);
    assert_eq!(next.get("records"), Some(&Value::Int(checkpoint.size as i64)));
    assert_eq!(next.get("log").unwrap().as_str(), Some(&*checkpoint.origin));
    let key = ringmail_engine::HostKey::open(&place.path().join(".ringmail/host.key")).unwrap();
    assert!(checkpoint.is_signed_by(&key.public_bytes()));
    let recorded = place.recorded();
    assert!(
        recorded.contains("\"stage\":\"anchor-behind\"") && recorded.contains("\"stage\":\"anchor-resumed\"")
    );
}

/// The chain of the guide, in a project that takes checkpoints of others.
#[test]
fn another_installation_takes_checkpoints_by_a_chain() {
    let other = Place::empty();
    // Nobody vouches for what comes in.
    let policy =
        "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);\n";
    other.write("policies/all.cedar", policy);
    let guide = include_str!("../../../../docs/guide.md");
    let chain = guide.split("```yaml\n").find(|block| block.starts_with("chain: anchored\n")).unwrap();
    other.write("chains/keep.yaml", chain.split("```").next().unwrap());
    std::fs::create_dir(other.path().join("anchors")).unwrap();
    let settings = guide.split("```toml\n").find(|block| block.starts_with("[mount.anchors]\n")).unwrap();
    let settings = settings.split("```").next().unwrap();
    other.write(
        "ringmail.toml",
        &format!("[listener.web]\nkind = \"http\"\nbind = \"127.0.0.1:0\"\n[[principal]]\nname = \"shop\"\n{settings}"),
    );
    let key = key_of(&other, "shop");
    let serving = Serving::start(&other, 1);
    let text = format!(
        "[secret.own]\nfrom = \"file:own\"\nbound_to = [\"{0}\"]\n[anchor.a]\nto = \"{0}/chains/anchored\"\nsecret = \"own\"\n",
        serving.urls[0]
    );
    let place = recorded(&text, 0);
    secret_file(&place, "own", &key);
    run(&place, 2);
    let sent = place.run(&["audit", "anchor"]);
    assert_eq!(sent.code, 0, "{}", sent.shown());
    run(&place, 1);
    assert_eq!(place.run(&["audit", "anchor"]).code, 0);
    let name = std::fs::read_dir(other.path().join("anchors")).unwrap().next().unwrap().unwrap().path();
    let good = place.run(&["audit", "verify", "--anchor", &name.display().to_string()]);
    assert!(good.code == 0, "{}", good.shown());
    let (all, _) = Checkpoint::parse_all(&std::fs::read_to_string(&name).unwrap());
    assert_eq!(all.iter().map(|one| one.size).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn what_is_no_anchor_is_told_at_once() {
    for (text, why) in [
        ("to = \"file:.ringmail/here\"", "would be put back together with the log"),
        ("to = \"file:a/../.ringmail/here\"", "would be put back together with the log"),
        ("to = \"file:\"", "would be put back together with the log"),
        ("to = \"file:x\"\nsecret = \"own\"", "`secret` is not for a file"),
        ("to = \"http://logs.test/\"", "checkpoints go elsewhere over `https`"),
        ("to = \"somewhere\"", "neither `file:path` nor a URL"),
        ("to = \"https://logs.test/\"\nsecret = \"none\"", "there is no secret `none`"),
        ("to = \"file:x\"\nevery = \"10ms\"", "once a second at most"),
    ] {
        let told = recorded(&format!("[anchor.a]\n{text}\n"), 0).run(&["check"]);
        assert!(told.code == 1 && told.err.contains(why), "{why}: {}", told.shown());
    }
    let none = recorded("", 0).run(&["audit", "anchor"]);
    assert!(
        none.code == 1 && none.err.contains("the project has no receiver of checkpoints"),
        "{}",
        none.err
    );
}
