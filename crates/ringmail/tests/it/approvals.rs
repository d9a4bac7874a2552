//! Runs that wait for persons, and what those say.

use crate::mcp::printed;
use crate::runs::Till;
use crate::serve::{Serving, call, key_of, project};
use crate::setup::{Ended, Place};
use std::time::Duration;

/// Pays what a caller asks for, once somebody has said yes.
const CHAIN: &str = "chain: pay
input: {type: object, properties: {iban: {type: string}}, required: [iban]}
links:
  ask: {kind: approve, reason: 'Pay 10 EUR?', SETTINGS with: {value: {iban: '${input.iban}', cents: 1000}}}
  send: {kind: http, with: {method: POST, url: 'URL/pay', body: '${ask}'}}
output: ${send.body.number}
";

const PERSONS: &str = r#"
[[principal]]
name = "boss"
roles = ["approver"]

[[principal]]
name = "chief"
roles = ["approver"]

[[principal]]
name = "clerk"
roles = ["developer"]
"#;

const POLICY: &str = r#"
@id("approvers-approve")
permit (principal in Ringmail::Role::"approver", action == Ringmail::Action::"approve", resource == Ringmail::Link::"pay.ask")
unless { context.args.hasTag("value.iban") && context.args.getTag("value.iban") like "XX*" };
"#;

fn bank(till: &Till, settings: &str) -> Place {
    let place = project();
    let grant = format!(
        "[[grant]]\nto = \"pay.send\"\nreason = \"pays\"\nnet = [{{ address = \"{}\", methods = [\"POST\"] }}]\n",
        till.url
    );
    place.write("ringmail.toml", &format!("{}\n{grant}{PERSONS}", place.read("ringmail.toml")));
    place.write("chains/pay.yaml", &CHAIN.replace("URL", &till.url).replace("SETTINGS", settings));
    place.write("policies/main.cedar", &format!("{}{POLICY}", place.read("policies/main.cedar")));
    place
}

fn pay(place: &Place, iban: &str) -> Ended {
    place.run(&["run", "pay", "--input", &format!("{{\"iban\": \"{iban}\"}}")])
}

fn asked(place: &Place) -> Vec<serde_json::Value> {
    serde_json::from_str(&printed(place, &["approve", "--format", "json"])).unwrap()
}

fn question(place: &Place) -> String {
    let asked = asked(place);
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked[0]["id"].as_str().unwrap().to_string()
}

#[test]
fn what_was_approved_is_what_runs() {
    let till = Till::open();
    let place = bank(&till, "");
    let waits = pay(&place, "DE02");
    insta::assert_snapshot!("waits", waits.shown());
    assert!(till.asked().is_empty(), "nothing is paid");
    let listed = place.run(&["approve"]);
    assert!(
        listed.out.contains("Pay 10 EUR?") && listed.out.contains("\"iban\": \"DE02\""),
        "{}",
        listed.out
    );
    assert!(listed.out.contains("iban  untrusted · from input"), "{}", listed.out);
    let id = question(&place);
    let open = printed(&place, &["runs", "list", "--format", "json"]);
    assert!(open.contains("\"state\": \"waiting\""), "{open}");
    // Who may not, is told so, and nothing is said.
    let clerk = place.run(&["approve", &id, "--as", "clerk", "--yes"]);
    assert!(
        clerk.code == 1 && clerk.err.contains("policy does not let `clerk` approve this of `pay.ask`"),
        "{}",
        clerk.shown()
    );
    let boss = place.run(&["approve", &id, "--as", "boss", "--yes"]);
    assert_eq!((boss.code, &*boss.out), (0, "1\n"), "{}", boss.err);
    assert_eq!(till.bodies(), ["{\"iban\":\"DE02\",\"cents\":1000}"]);
    assert!(asked(&place).is_empty());
    let record = place.recorded();
    for part in [
        "\"stage\":\"waiting\"",
        "\"stage\":\"approval\"",
        "\"stage\":\"approved\"",
        "\"principal\":\"boss\"",
    ] {
        assert!(record.contains(part), "{part} in {record}");
    }
    let told = place.run(&["audit", "query"]);
    assert!(told.out.contains("boss  said yes to pay.ask of run"), "{}", told.out);
    // What a run carried is for who asks for just that.
    let all = place.run(&["audit", "export"]);
    assert!(all.out.contains("\"yes\":true") && !all.out.contains("DE02"), "{}", all.out);
    assert!(place.run(&["subject", "export", "me"]).out.contains("DE02"));
    assert_eq!(place.run(&["audit", "verify"]).code, 0);
}

#[test]
fn a_no_ends_it_and_so_does_the_time() {
    let till = Till::open();
    let place = bank(&till, "");
    assert_eq!(pay(&place, "DE02").code, 21);
    let no = place.run(&["approve", &question(&place), "--as", "boss", "--no"]);
    assert!(no.code == 20 && no.err.contains("`boss` said no"), "{}", no.shown());
    let place = bank(&till, "within: 1s,");
    assert_eq!(pay(&place, "DE02").code, 21);
    std::thread::sleep(Duration::from_millis(1_100));
    let run = asked(&place)[0]["run"].as_str().unwrap().to_string();
    let late = place.run(&["runs", "resume", &run]);
    assert!(late.code == 20 && late.err.contains("0 of 1 said yes in time"), "{}", late.shown());
    assert!(till.asked().is_empty());
}

#[test]
fn of_several_each_counts_once_and_whoever_asks_does_not() {
    let till = Till::open();
    let place = bank(&till, "people: 2,");
    let started = place.run(&["run", "pay", "--as", "me", "--input", "{\"iban\": \"DE02\"}"]);
    assert_eq!(started.code, 21, "{}", started.err);
    let id = question(&place);
    for _ in 0..2 {
        assert_eq!(place.run(&["approve", &id, "--as", "boss", "--yes"]).code, 21);
    }
    let me = place.read("ringmail.toml").replacen(
        "roles = [\"developer\"]",
        "roles = [\"developer\", \"approver\"]",
        1,
    );
    place.write("ringmail.toml", &me);
    assert_eq!(place.run(&["approve", &id, "--as", "me", "--yes"]).code, 21);
    assert!(till.asked().is_empty());
    let done = place.run(&["approve", &id, "--as", "chief", "--yes"]);
    assert_eq!(done.code, 0, "{}", done.shown());
    assert_eq!(till.asked().len(), 1);
}

/// As `ringmail approve` says it, to the one question that is open.
fn says_yes(place: &Place, who: &str) {
    let data = place.path().join(".ringmail");
    let host = ringmail_engine::HostKey::open(&data.join("host.key")).unwrap();
    let approvals = ringmail_engine::Approvals::new(data.join("approvals"), &host);
    let audit = ringmail_engine::Audit::open(&data.join("audit"), &host).unwrap();
    let question = approvals.open().unwrap().remove(0);
    let principal = ringmail_engine::core::policy::Principal {
        subject: who.into(),
        authenticated: "local".into(),
        ..ringmail_engine::core::policy::Principal::host()
    };
    approvals.say(&question, &principal, true, 1, &audit).unwrap();
}

#[test]
fn attack_38_a_yes_counts_for_what_it_was_said_to_and_under_policy() {
    let till = Till::open();
    let place = bank(&till, "");
    // Policy looks at what is approved.
    assert_eq!(pay(&place, "XX99").code, 21);
    let denied = place.run(&["approve", &question(&place), "--as", "boss", "--yes"]);
    assert!(
        denied.code == 1 && denied.err.contains("policy does not let `boss` approve this"),
        "{}",
        denied.shown()
    );
    let run = asked(&place)[0]["run"].as_str().unwrap().to_string();
    assert_eq!(place.run(&["runs", "cancel", &run]).code, 0);
    assert!(asked(&place).is_empty(), "a run that is over asks nothing");
    // What was said elsewhere is nothing here.
    assert_eq!(pay(&place, "DE01").code, 21);
    let first = question(&place);
    let folder = place.path().join(".ringmail/approvals");
    let kept = place.path().join("kept");
    let policy = place.read("policies/main.cedar");
    place.write("policies/main.cedar", &policy.replace("XX*", "DE01*"));
    // Said before the policy was another: the run's own gate does not count it.
    says_yes(&place, "boss");
    let run = asked(&place)[0]["run"].as_str().unwrap().to_string();
    assert_eq!(place.run(&["runs", "resume", &run]).code, 21);
    std::fs::create_dir(&kept).unwrap();
    for entry in std::fs::read_dir(folder.join(&first)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, kept.join(path.file_name().unwrap())).unwrap();
    }
    let run = asked(&place)[0]["run"].as_str().unwrap().to_string();
    assert_eq!(place.run(&["runs", "cancel", &run]).code, 0);
    place.write("policies/main.cedar", &policy);
    assert_eq!(pay(&place, "DE01").code, 21);
    let second = asked(&place)[0].clone();
    for entry in std::fs::read_dir(&kept).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "said") {
            let to = folder.join(second["id"].as_str().unwrap()).join(path.file_name().unwrap());
            std::fs::copy(&path, to).unwrap();
        }
    }
    assert_eq!(place.run(&["runs", "resume", second["run"].as_str().unwrap()]).code, 21);
    assert!(till.asked().is_empty());
}

#[test]
fn whoever_approves_does_so_through_a_listener_and_the_run_outlives_its_server() {
    let till = Till::open();
    let place = bank(&till, "");
    let (me, boss) = (key_of(&place, "me"), key_of(&place, "boss"));
    let serving = Serving::start(&place, 1);
    let url = |path: &str, serving: &Serving| format!("{}/{path}", serving.urls[0]);
    let (status, begun) = call(&url("chains/pay", &serving), &me, "{\"iban\":\"DE02\"}", None);
    assert_eq!(status, 202, "{begun}");
    let run = serde_json::from_str::<serde_json::Value>(&begun).unwrap()["run"].as_str().unwrap().to_string();
    let seen = |key: &str, serving: &Serving| -> serde_json::Value {
        let (status, text) = call(&url("approvals", serving), key, "", None);
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["approvals"].clone()
    };
    let question = loop {
        if let Some(question) = seen(&boss, &serving).get(0) {
            break question.clone();
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(seen(&me, &serving), serde_json::json!([]), "who may not approve sees nothing");
    assert_eq!((&question["value"]["iban"], &question["run"]), (&"DE02".into(), &run.clone().into()));
    // The server ends in order, and the run stays open.
    serving.signal("TERM");
    let mut serving = serving;
    serving.says("ending");
    drop(serving);
    let serving = Serving::start(&place, 1);
    let at = format!("approvals/{}", question["id"].as_str().unwrap());
    let say = |key: &str, body: serde_json::Value| call(&url(&at, &serving), key, &body.to_string(), None).0;
    let digest = question["value_sha256"].clone();
    assert_eq!(say(&me, serde_json::json!({"approve": true, "value_sha256": digest})), 404);
    assert_eq!(say(&boss, serde_json::json!({"approve": true, "value_sha256": "00"})), 409);
    for wrong in
        [serde_json::json!({"approve": true}), serde_json::json!({"approve": 1, "value_sha256": digest})]
    {
        assert_eq!(say(&boss, wrong), 400);
    }
    let more = serde_json::json!({"approve": true, "value_sha256": digest, "as": "chief"});
    assert_eq!(say(&boss, more), 400);
    assert!(till.asked().is_empty());
    assert_eq!(say(&boss, serde_json::json!({"approve": true, "value_sha256": digest})), 200);
    let state = || call(&url(&format!("runs/{run}"), &serving), &me, "", None).1;
    while !state().contains("\"answered\"") {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(till.bodies(), ["{\"iban\":\"DE02\",\"cents\":1000}"]);
}

/// Whoever is erased is gone from what persons are asked, too, and is asked about no more.
#[test]
fn attack_40_what_a_run_asked_goes_with_its_subject() {
    let till = Till::open();
    let place = bank(&till, "");
    let me = key_of(&place, "me");
    let serving = Serving::start(&place, 1);
    let (status, begun) = call(&format!("{}/chains/pay", serving.urls[0]), &me, "{\"iban\":\"DE02\"}", None);
    assert_eq!(status, 202, "{begun}");
    while asked(&place).is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The process that has the run would go on with it, under a new key.
    let early = place.run(&["subject", "erase", "me", "--yes"]);
    assert!(early.code == 1 && early.err.contains("is under way"), "{}", early.shown());
    assert!(place.recorded().contains("\"principal\":\"me\"") && asked(&place).len() == 1);
    serving.signal("KILL");
    drop(serving);
    let erased = place.run(&["subject", "erase", "me", "--yes"]);
    assert_eq!(erased.code, 0, "{}", erased.shown());
    assert!(asked(&place).is_empty());
    assert_eq!(place.run(&["runs", "list"]).err, "no run is open\n");
    let serving = Serving::start(&place, 1);
    let boss = key_of(&place, "boss");
    let seen = || call(&format!("{}/approvals", serving.urls[0]), &boss, "", None);
    while seen().0 == 401 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(seen().1, "{\"approvals\":[]}");
    assert!(till.asked().is_empty());
}

/// A pause outlives its process, and ends when it would have ended.
#[test]
fn a_wait_goes_on_after_a_kill() {
    let till = Till::open();
    let place = project();
    let grant = format!(
        "[[grant]]\nto = \"late\"\nreason = \"r\"\nnet = [{{ address = \"{}\", methods = [\"POST\"] }}]\n",
        till.url
    );
    place.write("ringmail.toml", &format!("{}\n{grant}", place.read("ringmail.toml")));
    let chain = "chain: late\nlinks:\n  first: {kind: http, with: {method: POST, url: 'URL/first'}}\n  pause: {kind: wait, after: [first], with: {for: 3s}}\n  second: {kind: http, after: [pause], with: {method: POST, url: 'URL/second'}}\noutput: 1\n";
    place.write("chains/late.yaml", &chain.replace("URL", &till.url));
    let mut child = place.command(&["run", "late"]).spawn().unwrap();
    till.until_asked("POST first");
    while !place.recorded().contains("\"stage\":\"waiting\"") {
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let listed: serde_json::Value =
        serde_json::from_str(&printed(&place, &["runs", "list", "--format", "json"])).unwrap();
    // The moment passes while nobody has the run.
    std::thread::sleep(Duration::from_secs(3));
    let resumed =
        printed(&place, &["runs", "resume", listed[0]["run"].as_str().unwrap(), "--format", "json"]);
    let resumed: serde_json::Value = serde_json::from_str(&resumed).unwrap();
    assert!(resumed["took_us"].as_u64().unwrap() < 3_000_000, "it did not wait anew: {resumed}");
    assert_eq!(till.asked(), ["POST first", "POST second"]);
}
