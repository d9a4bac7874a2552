//! What is left when a server is killed in the middle of its work.

use crate::mcp::printed;
use crate::runs::Till;
use crate::serve::{Serving, key_of, project};
use crate::setup::Place;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Calls one after the other until the server is gone; answers which runs it was told had ended.
fn calls(address: &str, key: &str) -> Vec<String> {
    calls_of("greet", address, key)
}

pub fn calls_of(chain: &str, address: &str, key: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let Ok(mut stream) = TcpStream::connect(address) else { return heard };
    let body = "{\"name\":\"Ada\"}";
    let request = format!(
        "POST /chains/{chain} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    loop {
        if stream.write_all(request.as_bytes()).is_err() {
            return heard;
        }
        let mut answer = Vec::new();
        while !whole(&answer) {
            let mut piece = [0; 4_096];
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return heard,
                Ok(read) => answer.extend_from_slice(&piece[..read]),
            }
        }
        let text = String::from_utf8(answer).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let run = text.lines().find_map(|line| line.strip_prefix("ringmail-run: ")).unwrap();
        heard.push(run.to_string());
    }
}

/// Whether an answer is there to its last byte.
fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// Kills a server that is called by four at once, again and again, with another process beside it; answers all that
/// somebody was told.
pub fn killed(place: &Place, rounds: u32) -> BTreeSet<String> {
    let key = key_of(place, "me");
    let mut heard = BTreeSet::new();
    for _ in 0..rounds {
        let serving = Serving::start(place, 1);
        let address = serving.urls[0].split("://").last().unwrap().to_string();
        let chance = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| calls(&address, &key))).collect();
            // Another process of the project, which nobody kills.
            let beside = scope.spawn(|| place.run(&["run", "greet", "--input", "{\"name\": \"Bob\"}"]));
            std::thread::sleep(Duration::from_millis(u64::from(chance % 150)));
            serving.signal("KILL");
            callers.into_iter().for_each(|caller| heard.extend(caller.join().unwrap()));
            let beside = beside.join().unwrap();
            assert_eq!(beside.code, 0, "{}", beside.shown());
        });
    }
    heard
}

#[test]
fn attack_42_what_was_answered_before_a_kill_is_on_record() {
    let place = project();
    let heard = killed(&place, rounds(12));
    let verified = place.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let record = place.recorded();
    let ended = |run: &&String| {
        let line = format!("{{\"run\":\"{run}\"");
        record.lines().any(|one| one.starts_with(&line) && one.contains("\"stage\":\"answered\""))
    };
    let lost: Vec<&String> = heard.iter().filter(|run| !ended(run)).collect();
    assert!(lost.is_empty() && !heard.is_empty(), "{lost:?} of {}", heard.len());
}

/// Files that may grow no further, wherever that ends: a run is on record to its end, or says that it could not be; no effect is
/// without its intent, and the log is whole.
#[test]
fn attack_43_a_disk_that_is_full_stops_runs_and_leaves_the_log_whole() {
    let place = Place::project();
    assert_eq!(place.run(&["run", "greet", "--input", "{\"name\": \"Ada\"}"]).code, 0);
    let (mut went, mut refused, mut effects) = (0, 0, 0);
    for blocks in (1..90).step_by(6) {
        let run = place.command(&["run", "greet", "--input", "{\"name\": \"Bob\"}"]);
        let program = run.get_program().to_owned();
        let args: Vec<_> = run.get_args().map(std::ffi::OsStr::to_owned).collect();
        let mut limited = std::process::Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        limited.args(["-c", &script, "sh"]).arg(program).args(args).current_dir(place.path());
        let ended = place.ended(limited.output().unwrap());
        match ended.code {
            0 => went += 1,
            _ => {
                refused += 1;
                let said = ["could not be recorded", "cannot use the audit log", "cannot write"];
                assert!(said.iter().any(|part| ended.err.contains(part)), "{blocks}: {}", ended.shown());
            }
        }
        effects += ended.err.matches("greeted: ").count();
        let verified = place.run(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{blocks}: {}", verified.err);
    }
    assert!(went > 0 && refused > 0, "{went} went, {refused} were refused");
    // The first run had an effect, too.
    let intents = place.recorded().matches("\"stage\":\"intent\"").count();
    assert!(intents > effects, "{intents} intents of {effects} effects");
    assert_eq!(place.run(&["run", "greet", "--input", "{\"name\": \"Ada\"}"]).code, 0);
}

/// Three effects, each of which says which run it is of.
const EFFECTS: &str = "chain: effects
input: {type: object, properties: {name: {type: string}}}
links:
  one: {kind: http, with: {method: POST, url: 'URL/one', body: '${run.id}'}}
  look: {kind: http, after: [one], with: {url: 'URL/look'}}
  two: {kind: http, after: [look], with: {method: POST, url: 'URL/two', body: '${run.id}'}}
  three: {kind: http, after: [two], with: {method: POST, url: 'URL/three', body: '${run.id}'}}
output: 1
";

/// How often the harness kills; `cargo xtask kills` asks for thousands.
fn rounds(usual: u32) -> u32 {
    std::env::var("RINGMAIL_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

#[test]
fn attack_42_no_effect_happens_twice_however_often_a_server_is_killed() {
    let till = Till::open();
    let place = project();
    let grant = format!(
        "[[grant]]\nto = \"effects\"\nreason = \"r\"\nnet = [{{ address = \"{}\", methods = [\"GET\", \"POST\"] }}]\n",
        till.url
    );
    place.write("ringmail.toml", &format!("{}\n{grant}", place.read("ringmail.toml")));
    place.write("chains/effects.yaml", &EFFECTS.replace("URL", &till.url));
    let key = key_of(&place, "me");
    let mut heard = BTreeSet::new();
    let (mut round, rounds) = (0, rounds(8));
    // A busy machine answers nobody in so short a time, and has more of it.
    while round < rounds || heard.is_empty() {
        round += 1;
        assert!(round < rounds + 100, "nobody was answered");
        let within_ms = 200 * (1 + round / rounds);
        let serving = Serving::start(&place, 1);
        let address = serving.urls[0].split("://").last().unwrap().to_string();
        let chance = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| calls_of("effects", &address, &key))).collect();
            std::thread::sleep(Duration::from_millis(u64::from(chance % within_ms)));
            serving.signal("KILL");
            callers.into_iter().for_each(|caller| heard.extend(caller.join().unwrap()));
        });
    }
    // The last one is not killed, and goes on with what can be gone on with.
    let serving = Serving::start(&place, 1);
    let open = || -> Vec<serde_json::Value> {
        serde_json::from_str(&printed(&place, &["runs", "list", "--format", "json"])).unwrap()
    };
    let rests = |run: &serde_json::Value| !run["in_doubt"].as_array().unwrap().is_empty();
    while !open().iter().all(rests) {
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(serving);
    let mut seen = BTreeSet::new();
    let effects: Vec<(String, String)> = till.asked().into_iter().zip(till.bodies()).collect();
    for effect in effects.iter().filter(|(what, _)| what.starts_with("POST")) {
        assert!(seen.insert(effect.clone()), "{effect:?} happened twice");
    }
    for run in &heard {
        for what in ["POST one", "POST two", "POST three"] {
            assert!(seen.contains(&(what.to_string(), run.clone())), "{run} was answered without {what}");
        }
    }
    let doubts: BTreeSet<String> =
        open().iter().map(|run| run["run"].as_str().unwrap().to_string()).collect();
    assert!(doubts.is_disjoint(&heard), "a run that was answered is over");
    // Whatever began is over, or in doubt: nothing is lost on the way.
    let begun: BTreeSet<String> =
        effects.iter().filter(|(what, _)| what == "POST one").map(|(_, run)| run.clone()).collect();
    let whole: BTreeSet<String> =
        effects.iter().filter(|(what, _)| what == "POST three").map(|(_, run)| run.clone()).collect();
    let lost: Vec<&String> =
        begun.iter().filter(|run| !whole.contains(*run) && !doubts.contains(*run)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let verified = place.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}
