//! Runs whose process ended before they did.

use crate::mcp::printed;
use crate::serve::{Serving, call, key_of, project};
use crate::setup::{Ended, Place};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A server that counts what it is asked for, and can be told to answer nobody who asks for something.
pub struct Till {
    pub url: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    bodies: Vec<String>,
    holds: Vec<String>,
}

impl Till {
    pub fn open() -> Till {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let own = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), own) = (stream, own.clone()) else { return };
                std::thread::spawn(move || answer(stream, &own));
            }
        });
        Till { url, state }
    }

    /// From now on whoever asks for this waits.
    pub fn hold(&self, what: &str) {
        self.state.0.lock().unwrap().holds.push(what.into());
    }

    pub fn let_go(&self) {
        self.state.0.lock().unwrap().holds.clear();
        self.state.1.notify_all();
    }

    pub fn bodies(&self) -> Vec<String> {
        self.state.0.lock().unwrap().bodies.clone()
    }

    pub fn asked(&self) -> Vec<String> {
        self.state.0.lock().unwrap().asked.clone()
    }

    /// Waits until somebody has asked for this.
    pub fn until_asked(&self, what: &str) {
        let guard = self.state.0.lock().unwrap();
        let there = |state: &mut State| !state.asked.iter().any(|asked| asked == what);
        let (_guard, waited) =
            self.state.1.wait_timeout_while(guard, Duration::from_secs(60), there).unwrap();
        assert!(!waited.timed_out(), "nobody asked for {what}");
    }
}

fn answer(stream: TcpStream, state: &(Mutex<State>, Condvar)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = given.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    let words: Vec<&str> = first.split(' ').collect();
    let [method, path, ..] = &*words else { return };
    // Whoever was killed while it asked has asked for nothing.
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let what = format!("{method} {}", path.trim_start_matches('/'));
    let mut guard = state.0.lock().unwrap();
    guard.asked.push(what.clone());
    guard.bodies.push(String::from_utf8(body).unwrap());
    state.1.notify_all();
    while guard.holds.contains(&what) {
        guard = state.1.wait(guard).unwrap();
    }
    let count = guard.asked.len();
    drop(guard);
    let text = format!("{{\"number\":{count}}}");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let mut stream = stream;
    let _gone = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{text}", text.len());
}

/// Three effects one after the other, and a reading between them.
const CHAIN: &str = "chain: order
input: {type: object, properties: {item: {type: string}}, required: [item]}
links:
  reserve: {kind: http, with: {method: POST, url: 'URL/reserve', body: {item: one}}}
  price: {kind: http, after: [reserve], with: {url: 'URL/price'}}
  pay: {kind: http, after: [price], PAY with: {method: POST, url: 'URL/pay', body: {item: one}}}
  ship: {kind: http, after: [pay], with: {method: POST, url: 'URL/ship', body: {item: one}}}
output: {item: '${input.item}', reserved: '${reserve.body.number}', price: '${price.body.number}', paid: '${pay.body.number}', shipped: '${ship.body.number}'}
";

pub fn shop(till: &Till, pay: &str) -> Place {
    let place = project();
    let grant = format!(
        "[[grant]]\nto = \"order\"\nreason = \"orders\"\nnet = [{{ address = \"{}\", methods = [\"GET\", \"POST\"] }}]\n",
        till.url
    );
    place.write("ringmail.toml", &format!("{}\n{grant}", place.read("ringmail.toml")));
    place.write("chains/order.yaml", &CHAIN.replace("URL", &till.url).replace("PAY", pay));
    place
}

fn begin(place: &Place) -> Child {
    let mut command = place.command(&["run", "order", "--input", "{\"item\": \"lamp\"}"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub fn kill(child: Child) {
    let mut child = child;
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A run whose process is killed while it asks for something.
pub fn cut_off(till: &Till, place: &Place, what: &str) {
    till.hold(what);
    let child = begin(place);
    till.until_asked(what);
    kill(child);
    till.let_go();
}

fn one_open(place: &Place) -> serde_json::Value {
    let listed = printed(place, &["runs", "list", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    listed[0].clone()
}

fn resume(place: &Place, run: &str, more: &[&str]) -> Ended {
    place.run(&[&["runs", "resume", run], more].concat())
}

#[test]
fn attack_42_a_run_that_was_killed_goes_on_and_repeats_nothing() {
    let till = Till::open();
    let place = shop(&till, "");
    // Killed while it reads: nothing is in doubt.
    till.hold("GET price");
    let child = begin(&place);
    till.until_asked("GET price");
    let open = one_open(&place);
    assert_eq!(open["state"], "running");
    let run = open["run"].as_str().unwrap();
    let early = resume(&place, run, &[]);
    assert!(early.code == 1 && early.err.contains("a process that lives has the run"), "{}", early.shown());
    kill(child);
    till.let_go();
    assert_eq!(one_open(&place)["state"], "interrupted");
    let resumed = resume(&place, &run[..12], &[]);
    insta::assert_snapshot!(resumed.shown());
    assert_eq!(till.asked(), ["POST reserve", "GET price", "GET price", "POST pay", "POST ship"]);
    let none = place.run(&["runs", "list"]);
    assert_eq!((none.code, &*none.err), (0, "no run is open\n"));
    let over = resume(&place, run, &[]);
    assert!(over.code == 1 && over.err.contains("is open"), "{}", over.shown());
    let verified = place.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(place.recorded().contains("\"stage\":\"resumed\""));
    assert_eq!(std::fs::read_dir(place.path().join(".ringmail/audit/open")).unwrap().count(), 1);
}

#[test]
fn attack_42_what_may_have_happened_is_not_done_again_until_somebody_says() {
    let till = Till::open();
    let place = shop(&till, "");
    let killed = || {
        till.hold("POST pay");
        let child = begin(&place);
        let before = till.asked().iter().filter(|asked| *asked == "POST pay").count();
        while till.asked().iter().filter(|asked| *asked == "POST pay").count() == before {
            std::thread::sleep(Duration::from_millis(5));
        }
        kill(child);
        till.let_go();
        one_open(&place)["run"].as_str().unwrap().to_string()
    };
    let pays = || till.asked().iter().filter(|asked| *asked == "POST pay").count();
    let run = killed();
    let listed = place.run(&["runs", "list"]);
    assert!(
        listed.out.contains("in doubt") && listed.out.contains("`order.pay` may have happened"),
        "{}",
        listed.out
    );
    let resumed = resume(&place, &run, &[]);
    insta::assert_snapshot!("in_doubt", resumed.shown());
    // Asking once more changes nothing.
    assert_eq!(resume(&place, &run, &[]).code, 21);
    assert_eq!(pays(), 1);
    let wrong = resume(&place, &run, &["--undone", "order.ship"]);
    assert!(wrong.code == 1 && wrong.err.contains("`order.ship` is not in doubt"), "{}", wrong.shown());
    insta::assert_snapshot!("shown", place.run(&["runs", "show", &run]).shown());
    let done = resume(&place, &run, &["--done", "order.pay", "--output", "{\"body\": {\"number\": 99}}"]);
    assert!(done.code == 0 && done.out.contains("\"paid\": 99"), "{}", done.shown());
    assert_eq!(pays(), 1);
    // It did not happen: it is done now.
    let run = killed();
    let undone = resume(&place, &run, &["--undone", "order.pay"]);
    assert_eq!(undone.code, 0, "{}", undone.shown());
    assert_eq!(pays(), 3);
    // Nobody wants to know any more.
    let run = killed();
    assert_eq!(place.run(&["runs", "cancel", &run]).code, 0);
    assert_eq!(place.run(&["runs", "list"]).err, "no run is open\n");
    assert_eq!(pays(), 4);
    let verified = place.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}

#[test]
fn what_does_no_harm_twice_is_done_again() {
    let till = Till::open();
    let place = shop(&till, "repeatable: true,");
    cut_off(&till, &place, "POST pay");
    let run = one_open(&place)["run"].as_str().unwrap().to_string();
    assert_eq!(resume(&place, &run, &[]).code, 0);
    assert_eq!(till.asked(), ["POST reserve", "GET price", "POST pay", "POST pay", "POST ship"]);
}

#[test]
fn a_chain_that_is_another_does_not_go_on_with_a_run() {
    let till = Till::open();
    let place = shop(&till, "");
    cut_off(&till, &place, "GET price");
    let run = one_open(&place)["run"].as_str().unwrap().to_string();
    let text = place.read("chains/order.yaml");
    place.write("chains/order.yaml", &format!("{text}# another\n"));
    let other = resume(&place, &run, &[]);
    assert!(other.code == 1 && other.err.contains("is not the chain that it was"), "{}", other.shown());
    // Whose data is gone, whose run is over.
    place.write("chains/order.yaml", &text);
    let careful = place.run(&["subject", "erase", "me"]);
    assert!(
        careful.code == 1 && careful.err.contains("1 open runs of `me` would be over"),
        "{}",
        careful.err
    );
    assert_eq!(one_open(&place)["run"].as_str(), Some(&*run));
    assert_eq!(place.run(&["subject", "erase", "me", "--yes"]).code, 0);
    assert_eq!(place.run(&["runs", "list"]).err, "no run is open\n");
    let erased = resume(&place, &run, &[]);
    assert!(erased.code == 1 && erased.err.contains("no run `"), "{}", erased.shown());
    assert_eq!(place.run(&["audit", "verify"]).code, 0);
}

/// What nobody can read any more can be ended all the same.
#[test]
fn a_run_whose_input_is_gone_can_be_ended() {
    let till = Till::open();
    let place = shop(&till, "");
    cut_off(&till, &place, "GET price");
    let run = one_open(&place)["run"].as_str().unwrap().to_string();
    let data = place.path().join(".ringmail");
    let host = ringmail_engine::HostKey::open(&data.join("host.key")).unwrap();
    let subjects = ringmail_engine::Subjects::open(&data.join("audit/subjects"), &host).unwrap();
    let who = ringmail_engine::DataSubject { name: "me".into(), tenant: None };
    assert!(subjects.erase(&who).unwrap());
    let unread = resume(&place, &run, &[]);
    assert!(unread.code == 1 && unread.err.contains("cannot be read"), "{}", unread.shown());
    let cancelled = place.run(&["runs", "cancel", &run]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.shown());
    assert_eq!(place.run(&["runs", "list"]).err, "no run is open\n");
    assert_eq!(place.run(&["audit", "verify"]).code, 0);
    // Nobody has a new key for it.
    assert!(!subjects.all().unwrap().values().any(|(known, _)| *known == who));
}

#[test]
fn attack_42_a_server_goes_on_with_what_it_was_killed_in_the_middle_of() {
    let till = Till::open();
    let place = shop(&till, "");
    let key = key_of(&place, "me");
    till.hold("GET price");
    let serving = Serving::start(&place, 1);
    let asked = |key: &str| {
        let mut stream = TcpStream::connect(serving.urls[0].split("://").last().unwrap()).unwrap();
        let body = "{\"item\":\"lamp\"}";
        let head =
            "POST /chains/order HTTP/1.1\r\nhost: localhost\r\nprefer: respond-async\r\nconnection: close";
        write!(
            stream,
            "{head}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_string()
    };
    let runs = [asked(&key), asked(&key)];
    while till.asked().iter().filter(|asked| *asked == "GET price").count() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    serving.signal("KILL");
    drop(serving);
    till.let_go();
    let serving = Serving::start(&place, 1);
    let mut answers = Vec::new();
    for run in &runs {
        let url = format!("{}{run}", serving.urls[0]);
        let state = || {
            let (status, text) = call(&url, &key, "", None);
            assert!(status == 200 || status == 404, "{status} {text}");
            text
        };
        let mut text = state();
        while !text.contains("\"answered\"") {
            std::thread::sleep(Duration::from_millis(10));
            text = state();
        }
        assert!(text.contains("\"item\":\"lamp\""), "{text}");
        answers.push(text);
    }
    for what in ["POST reserve", "POST pay", "POST ship"] {
        assert_eq!(till.asked().iter().filter(|asked| *asked == what).count(), 2, "{what}");
    }
    assert_eq!(place.run(&["runs", "list"]).err, "no run is open\n");
    serving.signal("KILL");
    drop(serving);
    told_again(&place, &runs, &key, &answers);
    assert_eq!(till.asked().len(), 10, "nothing happened again");
}

/// Whoever asks a later process hears what became of the runs, as long as they are kept.
fn told_again(place: &Place, runs: &[String], key: &str, answers: &[String]) {
    let serving = Serving::start(place, 1);
    let other = key_of(place, "other");
    for (run, answer) in runs.iter().zip(answers) {
        let url = format!("{}{run}", serving.urls[0]);
        let mut told = call(&url, key, "", None);
        while told.0 == 404 {
            std::thread::sleep(Duration::from_millis(10));
            told = call(&url, key, "", None);
        }
        assert_eq!(told, (200, answer.clone()));
        assert_eq!(call(&url, &other, "", None).0, 404);
    }
    serving.signal("KILL");
    drop(serving);
    // What is another chain now tells nothing of what this one answered.
    let chain = place.read("chains/order.yaml");
    place.write("chains/order.yaml", &chain.replace("item: '${input.item}',", ""));
    let serving = Serving::start(place, 1);
    let url = format!("{}{}", serving.urls[0], runs[0]);
    let mut told = call(&url, key, "", None);
    while told.0 == 404 {
        std::thread::sleep(Duration::from_millis(10));
        told = call(&url, key, "", None);
    }
    assert!(told.1.contains("\"forgotten\"") && !told.1.contains("lamp"), "{told:?}");
    serving.signal("KILL");
    drop(serving);
    let text = place.read("ringmail.toml");
    place.write("ringmail.toml", &format!("{text}\n[server]\nrun_kept = \"1ms\"\n"));
    let serving = Serving::start(place, 1);
    for _ in 0..20 {
        assert_eq!(call(&format!("{}{}", serving.urls[0], runs[0]), key, "", None).0, 404);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn attack_42_no_run_of_a_caller_whose_key_or_token_was_taken_back_goes_on() {
    taken_back(|place| key_of(place, "me"), "key", "its caller has no key any more");
    let token = |place: &Place| {
        let text = place.read("ringmail.toml");
        place.write("ringmail.toml", &text.replace("127.0.0.1:0\"\n", "127.0.0.1:0\"\naccept = [\"jwt\"]\n"));
        printed(place, &["token", "issue", "me"]).trim().to_string()
    };
    taken_back(token, "token", "the tokens of its caller were revoked");
}

/// The key that a run began with is gone, and its caller has one left that is for another chain.
#[test]
fn attack_42_no_run_goes_on_with_a_key_that_is_for_another_chain() {
    let narrow = |place: &Place| {
        let key = key_of(place, "me");
        assert_eq!(place.run(&["key", "create", "me", "--chain", "greet"]).code, 0);
        key
    };
    taken_back(narrow, "key", "its caller has no key any more that is for this chain");
    let token = |place: &Place| {
        let text = place.read("ringmail.toml");
        place.write("ringmail.toml", &text.replace("127.0.0.1:0\"\n", "127.0.0.1:0\"\naccept = [\"jwt\"]\n"));
        let token = printed(place, &["token", "issue", "me"]).trim().to_string();
        assert_eq!(place.run(&["token", "issue", "me", "--chain", "greet"]).code, 0);
        token
    };
    taken_back(token, "token", "are for other chains");
}

/// That somebody else is believed is no word of the one who is not.
#[test]
fn attack_42_no_run_goes_on_whose_issuer_is_another() {
    let till = Till::open();
    let place = shop(&till, "");
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let coded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = coded(pair.public_key().as_ref());
    place.write(
        "corp.json",
        &format!("{{\"keys\":[{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"one\",\"x\":\"{public}\"}}]}}"),
    );
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    let text = place
        .read("ringmail.toml")
        .replace("127.0.0.1:0\"\n", "127.0.0.1:0\"\naccept = [\"jwt\"]\nresource = \"https://shop.test\"\n");
    let issuer = "[issuer.corp]\nurl = \"https://corp.test\"\nkeys = \"corp.json\"\n";
    place.write("ringmail.toml", &format!("{text}\n{issuer}"));
    let end = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 600;
    let head = coded(b"{\"alg\":\"EdDSA\",\"kid\":\"one\",\"typ\":\"at+jwt\"}");
    let claims = format!(
        "{{\"iss\":\"https://corp.test\",\"aud\":\"https://shop.test\",\"sub\":\"ada\",\"exp\":{end}}}"
    );
    let signed = format!("{head}.{}", coded(claims.as_bytes()));
    let token = format!("{signed}.{}", coded(pair.sign(signed.as_bytes()).as_ref()));
    till.hold("GET price");
    let serving = Serving::start(&place, 1);
    let url = format!("{}/chains/order", serving.urls[0]);
    let caller = std::thread::spawn(move || call(&url, &token, "{\"item\":\"lamp\"}", None));
    till.until_asked("GET price");
    serving.signal("KILL");
    caller.join().unwrap();
    drop(serving);
    till.let_go();
    let other = issuer.replace("corp]", "other]").replace("corp.test", "other.test");
    place.write("ringmail.toml", &format!("{text}\n{other}"));
    let mut serving = Serving::start(&place, 1);
    assert!(serving.says("stays open").contains("nobody issues the tokens of its caller any more"));
    drop(serving);
    // The one who is believed again is taken at its word.
    place.write("ringmail.toml", &format!("{text}\n{issuer}"));
    let mut serving = Serving::start(&place, 1);
    serving.says("went on and has answered");
}

fn taken_back(proof: impl Fn(&Place) -> String, kind: &str, why: &str) {
    let till = Till::open();
    let place = shop(&till, "");
    let key = proof(&place);
    till.hold("GET price");
    let serving = Serving::start(&place, 1);
    let url = format!("{}/chains/order", serving.urls[0]);
    let caller = std::thread::spawn(move || call(&url, &key, "{\"item\":\"lamp\"}", None));
    till.until_asked("GET price");
    serving.signal("KILL");
    caller.join().unwrap();
    drop(serving);
    till.let_go();
    let listed = printed(&place, &[kind, "list"]);
    // The first is that with which it began.
    let id = listed.split(' ').next().unwrap().to_string();
    assert_eq!(place.run(&[kind, "revoke", &id]).code, 0);
    let mut serving = Serving::start(&place, 1);
    assert!(serving.says("stays open").contains(why));
    drop(serving);
    assert_eq!(till.asked(), ["POST reserve", "GET price"]);
    assert_eq!(one_open(&place)["state"], "interrupted");
}

fn replayed(place: &Place, run: &str) -> serde_json::Value {
    let ended = place.command(&["replay", run, "--format", "json"]).output().unwrap();
    serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&ended.stderr)))
}

#[test]
fn a_run_is_walked_once_more_and_nothing_happens() {
    let till = Till::open();
    let place = shop(&till, "");
    let ended = printed(&place, &["run", "order", "--input", "{\"item\": \"lamp\"}", "--format", "json"]);
    let ended: serde_json::Value = serde_json::from_str(&ended).unwrap();
    let (run, before) = (ended["run"].as_str().unwrap(), till.asked().len());
    let count = place.recorded().lines().count();
    insta::assert_snapshot!("replayed", place.run(&["replay", run, "--output"]).shown());
    assert_eq!(replayed(&place, run)["same"], true);
    let none = place.run(&["policy", "diff"]);
    assert!(
        none.code == 0 && none.err.contains("0 of 1 runs would come out differently"),
        "{}",
        none.shown()
    );
    // A policy that would have stopped it.
    let policy = place.read("policies/main.cedar");
    let forbid = "@id(\"nothing-is-shipped\")\nforbid (principal, action == Ringmail::Action::\"call\", resource == Ringmail::Link::\"order.ship\") when { context.steps > 0 };\n";
    place.write("policies/main.cedar", &format!("{policy}{forbid}"));
    let told = replayed(&place, run);
    assert_eq!(told["same"], false);
    let ship =
        told["changes"].as_array().unwrap().iter().find(|change| change["link"] == "order.ship").unwrap();
    assert_eq!(ship["now"], serde_json::json!(["refused policy-forbids"]), "{told}");
    insta::assert_snapshot!("diff", place.run(&["policy", "diff"]).shown());
    // And the other way: what was refused then would be allowed, as far as anything is known.
    let refused = place.run(&["run", "order", "--input", "{\"item\": \"chair\"}"]);
    assert_eq!(refused.code, 20, "{}", refused.shown());
    place.write("policies/main.cedar", &policy);
    let other = place.run(&["policy", "diff", "--format", "json"]);
    let other: serde_json::Value = serde_json::from_str(&other.out).unwrap();
    assert_eq!((&other["runs"], &other["changed"]), (&2.into(), &1.into()), "{other}");
    assert_eq!(other["changes"][0]["now"], serde_json::json!(["admitted"]), "{other}");
    // Nothing of all this was sent or recorded, but the run that was refused.
    assert_eq!(till.asked().len(), before + 3);
    assert_eq!(place.recorded().lines().filter(|line| line.contains("\"stage\":\"started\"")).count(), 2);
    assert!(place.recorded().lines().count() > count);
}

/// What waits for persons, retries, runs in parallel and calls chains comes out the same.
#[test]
fn a_replay_comes_to_the_same() {
    let till = Till::open();
    let place = shop(&till, "");
    place.write(
        "chains/order.yaml",
        &"chain: order
input: {type: object, properties: {items: {type: array, items: {type: string}}}, required: [items]}
links:
  all:
    kind: each
    over: input.items
    parallel: 8
    do:
      links:
        one: {kind: http, with: {url: 'URL/one'}}
        inner: {kind: chain, chain: part, with: {n: '${one.body.number}'}}
      output: ${inner}
  missing: {kind: http, after: [all], retry: {attempts: 2, backoff: 1ms, on: [unavailable]}, fallback: 7, timeout: 5s, with: {url: 'http://127.0.0.1:9/none'}}
  vouched: {kind: endorse, reason: r, with: {value: '${input.items}'}}
  paid: {kind: http, with: {method: POST, url: 'URL/paid', body: '${vouched}'}}
  tried: {kind: script, code: 'fn main(x) { #{sum: x.n + 1} }', with: {n: '${missing}'}}
output: {all: '${all}', tried: '${tried.sum}', paid: '${paid.status}'}
"
        .replace("URL", &till.url),
    );
    place.write(
        "chains/part.yaml",
        &"chain: part
links:
  get: {kind: http, with: {url: 'URL/part'}}
  max: {kind: extract, as: int, min: 0, max: 100000, with: {from: '${get.body.number}'}}
output: ${max}
"
        .replace("URL", &till.url),
    );
    let text = place.read("ringmail.toml");
    let part = format!(
        "[[grant]]\nto = \"part\"\nreason = \"r\"\nnet = [{{ address = \"{}\" }}]\n[[grant]]\nto = \"order.missing\"\nreason = \"r\"\nnet = [{{ address = \"http://127.0.0.1:9\" }}]\n",
        till.url
    );
    place.write("ringmail.toml", &format!("{text}\n{part}"));
    let vouch = "@id(\"vouch\")\npermit (principal, action == Ringmail::Action::\"endorse\", resource == Ringmail::Link::\"order.vouched\");\n";
    place.write("policies/main.cedar", &format!("{}{vouch}", place.read("policies/main.cedar")));
    let input = "{\"items\": [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\"]}";
    let ended = printed(&place, &["run", "order", "--input", input, "--format", "json"]);
    let ended: serde_json::Value = serde_json::from_str(&ended).unwrap();
    assert_eq!(ended["output"]["tried"], 8, "{ended}");
    let told = replayed(&place, ended["run"].as_str().unwrap());
    assert_eq!((&told["same"], &told["same_answer"]), (&true.into(), &true.into()), "{told}");
}
