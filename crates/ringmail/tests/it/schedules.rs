//! Chains that a server runs by itself.

use crate::mcp::printed;
use crate::runs::Till;
use crate::serve::{Serving, project};
use crate::setup::Place;
use ringmail_engine::core::value::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CHAIN: &str = "chain: tick
input: {type: object, properties: {schedule: {type: string}, at: {type: string}}, required: [at]}
links:
  tell: {kind: http, with: {method: POST, url: 'URL/tick', body: {at: '${input.at}'}}}
output: ${input.at}
";

/// A project that tells a till of each moment of its schedule.
fn ticking(till: &Till, schedule: &str) -> Place {
    let place = project();
    let grant = format!(
        "[[grant]]\nto = \"tick\"\nreason = \"ticks\"\nnet = [{{ address = \"{}\", methods = [\"POST\"] }}]\n",
        till.url
    );
    place.write(
        "ringmail.toml",
        &format!("{}\n{grant}[schedule.tick]\nchain = \"tick\"\n{schedule}", place.read("ringmail.toml")),
    );
    place.write("chains/tick.yaml", &CHAIN.replace("URL", &till.url));
    place.write(
        "policies/tick.cedar",
        "permit (principal == Ringmail::Principal::\"schedule:tick\", action, resource);\n",
    );
    place
}

fn seconds(at: &str) -> u64 {
    // Of one day, which is enough for moments that follow each other.
    let time = at.split('T').nth(1).unwrap().trim_end_matches('Z');
    time.split(':').fold(0, |all, part| all * 60 + part.parse::<u64>().unwrap())
}

fn told(till: &Till) -> Vec<String> {
    let at = |body: &String| body.split('"').nth(3).unwrap().to_string();
    till.bodies().iter().map(at).collect()
}

fn until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..1_200 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it never came to that: {what}");
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// As if nothing had served for so long.
pub fn was_away(place: &Place, words: &str, away_ms: u64) {
    let at_ms = now_ms() - away_ms;
    let done = format!("{{\"words\":\"{words}\",\"at_ms\":{at_ms},\"run\":null,\"begun\":true}}");
    place.write(".ringmail/schedules/tick.json", &done);
}

#[test]
fn a_chain_runs_at_its_moments_and_is_told_which() {
    let till = Till::open();
    let place = ticking(&till, "every = \"1s\"\n");
    let listed = printed(&place, &["schedule", "list"]);
    assert!(listed.contains("tick  tick  every 1s") && listed.contains("nothing was run yet"), "{listed}");
    let serving = Serving::start(&place, 1);
    until("three moments", || till.bodies().len() >= 3);
    drop(serving);
    let told = told(&till);
    assert!(told.windows(2).all(|two| two[0] < two[1]), "{told:?}");
    let record = place.recorded();
    assert!(record.contains("\"principal\":\"schedule:tick\""), "{record}");
    let listed = printed(&place, &["schedule", "list"]);
    assert!(listed.contains("    last run ") && listed.contains("    next "), "{listed}");
    // The chain's own input, where one is written; who runs it is policy's to say.
    let own = ticking(&till, "every = \"1s\"\ninput = {at = \"own words\"}\n");
    let serving = Serving::start(&own, 1);
    till.until_asked("POST tick");
    until("its own words", || till.bodies().iter().any(|body| body.contains("own words")));
    drop(serving);
    let refused = ticking(&till, "every = \"1s\"\n");
    refused.write(
        "policies/tick.cedar",
        "forbid (principal == Ringmail::Principal::\"schedule:tick\", action, resource);\n",
    );
    let before = till.bodies().len();
    let mut serving = Serving::start(&refused, 1);
    serving.says("schedule `tick`: run");
    assert_eq!(till.bodies().len(), before);
    assert!(refused.recorded().contains("\"stage\":\"refused\""));
}

/// A server that is killed at any moment leaves each moment run once, or in doubt; with `missed = "all"` none is left out.
#[test]
fn attack_42_no_moment_runs_twice_and_none_is_lost_however_often_a_server_is_killed() {
    let till = Till::open();
    let place = ticking(&till, "every = \"1s\"\nmissed = \"all\"\nbeside = true\n");
    for _ in 0..6 {
        let serving = Serving::start(&place, 1);
        let before = till.bodies().len();
        until("another moment", || till.bodies().len() > before);
        let chance = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::sleep(Duration::from_millis(u64::from(chance % 1_100)));
        serving.signal("KILL");
    }
    let serving = Serving::start(&place, 1);
    let before = till.bodies().len();
    until("two more moments", || till.bodies().len() > before + 1);
    serving.signal("TERM");
    drop(serving);
    let mut moments: Vec<String> = Vec::new();
    for record in place.records() {
        let began = record.sealed.as_ref().and_then(|sealed| sealed.get("began"));
        let at = began.and_then(|began| began.get("input")?.get("at")?.as_str().map(String::from));
        moments.extend(at.filter(|_| record.record.get("chain").and_then(Value::as_str) == Some("tick")));
    }
    moments.sort();
    let follow = |two: &[String]| (seconds(&two[0]) + 1) % 86_400 == seconds(&two[1]);
    assert!(moments.len() > 6 && moments.windows(2).all(follow), "{moments:?}");
    let mut effects = told(&till);
    effects.sort();
    assert!(effects.windows(2).all(|two| two[0] != two[1]), "an effect twice: {effects:?}");
    let open = printed(&place, &["runs", "list", "--format", "json"]);
    let in_doubt =
        open.matches("\"state\":\"in doubt\"").count() + open.matches("\"state\": \"in doubt\"").count();
    assert!(effects.len() + in_doubt >= moments.len(), "{effects:?} and {open} for {moments:?}");
}

#[test]
fn a_moment_is_left_out_while_the_run_before_is_under_way_unless_they_may_be_beside_each_other() {
    let till = Till::open();
    till.hold("POST tick");
    let place = ticking(&till, "every = \"1s\"\n");
    let serving = Serving::start(&place, 1);
    till.until_asked("POST tick");
    until("a moment that is left out", || place.recorded().contains("schedule-left-out"));
    assert_eq!(till.bodies().len(), 1);
    till.let_go();
    until("the moments after it", || till.bodies().len() >= 3);
    drop(serving);
    let beside = Till::open();
    beside.hold("POST tick");
    let place = ticking(&beside, "every = \"1s\"\nbeside = true\n");
    let serving = Serving::start(&place, 1);
    until("two beside each other", || beside.bodies().len() >= 2);
    beside.let_go();
    drop(serving);
}

/// A server that was killed before it knew that a run had begun, and whose schedule's subject was erased: that its record cannot be
/// read does not mean that there is none.
#[test]
fn attack_42_no_moment_runs_twice_since_its_subject_was_erased() {
    let till = Till::open();
    let place = ticking(&till, "every = \"1h\"\n");
    was_away(&place, "every 1h", 3_700_000);
    let file = ".ringmail/schedules/tick.json";
    let has_begun = || {
        let text = place.read(file);
        text.contains("\"begun\":true") && !text.contains("\"run\":null")
    };
    let serving = Serving::start(&place, 1);
    till.until_asked("POST tick");
    until("the run is known", has_begun);
    serving.signal("KILL");
    drop(serving);
    place.write(file, &place.read(file).replace("\"begun\":true", "\"begun\":false"));
    let erased = place.run(&["subject", "erase", "schedule:tick", "--yes"]);
    assert_eq!(erased.code, 0, "{}", erased.shown());
    let serving = Serving::start(&place, 1);
    until("it was looked for", has_begun);
    drop(serving);
    let record = place.recorded();
    let begun = record.lines().filter(|line| line.contains("\"stage\":\"started\"")).count();
    assert_eq!(begun, 1, "{record}");
}

#[test]
fn a_run_of_a_schedule_that_is_gone_does_not_go_on() {
    let till = Till::open();
    till.hold("POST tick");
    let place = ticking(&till, "every = \"1h\"\n");
    was_away(&place, "every 1h", 3_600_000);
    let serving = Serving::start(&place, 1);
    till.until_asked("POST tick");
    serving.signal("KILL");
    drop(serving);
    place.write("ringmail.toml", &place.read("ringmail.toml").replace("[schedule.tick]", "[schedule.tock]"));
    let mut serving = Serving::start(&place, 1);
    assert!(serving.says("stays open").contains("its schedule is gone"));
}

#[test]
fn what_was_missed_is_made_up_for_once() {
    let till = Till::open();
    let place = ticking(&till, "every = \"1h\"\nlate = \"90m\"\n");
    was_away(&place, "every 1h", 5 * 3_600_000);
    assert!(printed(&place, &["schedule", "list"]).contains("due, and run as soon as something serves"));
    let serving = Serving::start(&place, 1);
    till.until_asked("POST tick");
    drop(serving);
    let record = place.recorded();
    assert!(record.contains("\"stage\":\"schedule-missed\""), "{record}");
    let all = ticking(&till, "every = \"1h\"\nmissed = \"all\"\nlate = \"5h\"\n");
    was_away(&all, "every 1h", 3 * 3_600_000);
    let serving = Serving::start(&all, 1);
    until("all three", || till.bodies().len() >= 4);
    drop(serving);
    // Nothing is left to be made up for.
    for place in [&place, &all] {
        let listed = printed(place, &["schedule", "list", "--format", "json"]);
        assert!(listed.contains("\"due_ms\":[]") || listed.contains("\"due_ms\": []"), "{listed}");
    }
    let told = told(&till);
    assert_eq!(told.len(), 4, "{told:?}");
    // Another schedule under the same name begins anew.
    was_away(&place, "every 2h", 5 * 3_600_000);
    let listed = printed(&place, &["schedule", "list", "--format", "json"]);
    assert!(listed.contains("\"due_ms\":[]") || listed.contains("\"due_ms\": []"), "{listed}");
}

#[test]
fn a_schedule_that_cannot_be_is_told_with_its_place() {
    let till = Till::open();
    for (schedule, why) in [
        ("cron = \"61 * * * *\"\n", "`61` is no minute"),
        ("cron = \"@daily\"\nzone = \"Mars\"\n", "there is no time zone `Mars`"),
        ("", "a schedule has `cron` or `every`, and one of them"),
        ("every = \"1h\"\nevry = 1\n", "unknown key `evry`"),
    ] {
        let ended = ticking(&till, schedule).run(&["schedule", "list"]);
        assert!(
            ended.code == 1 && ended.err.contains(why) && ended.err.contains("ringmail.toml:"),
            "{}",
            ended.shown()
        );
    }
    let place = ticking(&till, "every = \"1h\"\n");
    std::fs::remove_file(place.path().join("chains/tick.yaml")).unwrap();
    let ended = place.run(&["serve"]);
    assert!(
        ended.code == 1 && ended.err.contains("schedule `tick`: there is no chain `tick`"),
        "{}",
        ended.shown()
    );
}
