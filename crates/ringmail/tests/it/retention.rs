//! How long what runs carried can be read.

use crate::mcp::printed;
use crate::serve::{Serving, project};
use crate::setup::Place;
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Audit, CancellationToken, Clock, Engine, HostKey};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 86_400_000;

struct Then(u64);

impl Clock for Then {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

/// Says what is in a mail, and waits where it is told to.
const CHAINS: &[&str] = &[
    "chain: note\ninput: {type: string}\noutput: ${input}\n",
    "chain: mail\ninput: {type: string, x-ringmail-label: [pii]}\noutput: seen\n",
    "chain: open\ninput: {type: string}\nlinks:\n  later: {kind: wait, with: {for: 30s}}\noutput: ${later}\n",
];

/// Runs a chain of a project as if it were so many days ago.
pub fn ran(place: &Place, chain: &str, input: &str, days: u64) {
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let data = place.path().join(".ringmail");
    std::fs::create_dir_all(&data).unwrap();
    let key = HostKey::open(&data.join("host.key")).unwrap();
    let audit = Audit::open(&data.join("audit"), &key).unwrap();
    let toml = std::fs::read_to_string(place.path().join("ringmail.toml")).unwrap_or_default();
    let engine = Engine::builder()
        .project(Source::new("ringmail.toml", toml), place.path())
        .policies(vec![Source::new("all.cedar", "permit (principal, action, resource);")])
        .clock(Arc::new(Then(now_ms - days * DAY_MS)))
        .recorder(Arc::new(audit))
        .build()
        .unwrap();
    let sources: Vec<_> = CHAINS.iter().map(|text| Source::new("c.yaml", *text)).collect();
    let chains = engine.load(&sources).unwrap();
    let chain = chains.iter().find(|known| known.name() == chain).unwrap();
    let leaves = CancellationToken::new();
    leaves.cancel();
    let request = chain.request(Value::from(input)).unwrap().leave(leaves);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ended = runtime.block_on(request.run());
}

/// What can still be read of what runs were given.
fn read(place: &Place) -> Vec<String> {
    let input = |record: &ringmail_engine::Entry| {
        record.sealed.as_ref()?.get("began")?.get("input")?.as_str().map(String::from)
    };
    place.records().iter().filter_map(input).collect()
}

const RULES: &str = "[[retention]]\ntag = \"pii\"\nkeep = \"30d\"\n[[retention]]\nkeep = \"10d\"\n";

fn aged(rules: &str) -> Place {
    let place = project();
    place.write("ringmail.toml", &format!("{}\n{rules}", place.read("ringmail.toml")));
    for (chain, days) in [("note", 40), ("mail", 40), ("note", 20), ("mail", 20), ("note", 0), ("mail", 0)] {
        ran(&place, chain, &format!("{chain} {days}"), days);
    }
    place
}

#[test]
fn what_runs_carried_is_kept_as_long_as_the_rules_say() {
    let place = aged(RULES);
    assert_eq!(read(&place).len(), 6);
    let shown = place.run(&["runs", "purge"]);
    assert!(shown.code == 0 && shown.err.contains("say so with --yes"), "{}", shown.shown());
    assert_eq!((shown.out.lines().count(), shown.out.matches("  pii").count()), (3, 1), "{}", shown.out);
    assert_eq!(read(&place).len(), 6, "nothing goes before somebody says so");
    assert_eq!(place.run(&["runs", "purge", "--yes"]).code, 0);
    assert_eq!(read(&place), ["mail 20", "note 0", "mail 0"]);
    let judged = place.run(&["policy", "diff", "--since", "60d"]);
    assert!(judged.err.contains("3 runs cannot be looked at"), "{}", judged.shown());
    // Nobody finds it by another way, and who did what stands where it stood.
    let again = place.run(&["runs", "purge"]);
    assert!(again.err.contains("nothing is kept longer"), "{}", again.shown());
    let record = place.recorded();
    assert_eq!(record.matches("\"chain\":\"note\"").count(), 3, "{record}");
    assert_eq!(record.matches("\"stage\":\"purged\"").count(), 3, "{record}");
    let verified = place.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.shown());
    let gone = record.lines().find(|line| line.contains("\"chain\":\"note\"")).unwrap();
    let run = gone.split("\"run\":\"").nth(1).unwrap().split('"').next().unwrap();
    let shown = place.run(&["runs", "show", run]);
    assert!(shown.code == 1 && shown.err.contains("is kept no longer"), "{}", shown.shown());
}

#[test]
fn what_somebody_still_needs_stays_and_says_so() {
    let place = aged("");
    ran(&place, "open", "open 40", 40);
    let none = place.run(&["runs", "purge", "--yes"]);
    assert!(none.code == 1 && none.err.contains("everything is kept"), "{}", none.shown());
    let older = place.run(&["runs", "purge", "--older", "30d", "--yes"]);
    assert!(older.code == 0 && older.out.contains("is not over"), "{}", older.shown());
    assert_eq!(read(&place).len(), 7);
    let listed = printed(&place, &["runs", "list"]);
    let run = listed.split_whitespace().next().unwrap();
    let cancelled = place.run(&["runs", "cancel", run]);
    assert_eq!(cancelled.code, 0, "{}", cancelled.shown());
    assert_eq!(place.run(&["runs", "purge", "--older", "30d", "--yes"]).code, 0);
    assert_eq!(read(&place), ["note 20", "mail 20", "note 0", "mail 0"]);
    // Erasing a subject takes what its runs carried, too.
    assert_eq!(place.run(&["subject", "erase", "host", "--yes"]).code, 0);
    assert!(read(&place).is_empty());
}

/// A host whose key was exchanged found the key of the day to be none of its own, and could record nothing until the next day.
#[test]
fn a_host_with_another_key_goes_on_in_the_same_folder() {
    let place = project();
    ran(&place, "note", "before", 0);
    std::fs::remove_file(place.path().join(".ringmail/host.key")).unwrap();
    ran(&place, "note", "after", 0);
    let record = ringmail_engine::transcript(&place.path().join(".ringmail/audit"), None).unwrap();
    assert_eq!(record.matches("\"stage\":\"answered\"").count(), 2, "{record}");
}

#[test]
fn a_server_follows_the_rules_by_itself() {
    let place = aged(RULES);
    let mut serving = Serving::start(&place, 1);
    serving.says("3 days of data are kept no longer");
    drop(serving);
    assert_eq!(read(&place), ["mail 20", "note 0", "mail 0"]);
}

#[test]
fn a_rule_that_cannot_be_is_told() {
    for (rules, why) in [
        ("[[retention]]\nkeep = \"1h\"\n", "for `1d` at least"),
        ("[[retention]]\nkeep = \"2d\"\n[[retention]]\nkeep = \"3d\"\n", "another rule about the same"),
        ("[[retention]]\ntag = \"No Tag\"\nkeep = \"2d\"\n", "is not a tag"),
        ("[[retention]]\ntag = \"pii\"\n", "`keep`"),
    ] {
        let place = Place::empty();
        place.write("ringmail.toml", rules);
        let ended = place.run(&["runs", "purge"]);
        assert!(ended.code == 1 && ended.err.contains(why), "{why}: {}", ended.shown());
    }
}
