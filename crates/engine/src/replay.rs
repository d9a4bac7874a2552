//! A recorded run, walked once more with no effect: every call ends as it is on record, every gate judges anew. Under the same
//! grants and policies it comes to the same; under others, it shows what they would change.

use crate::chain::Chain;
use crate::journal::Past;
use crate::run::{self, RunError};
use ring::digest::{SHA256, digest};
use ringmail_core::gate::Answer;
use ringmail_core::json::to_canonical;
use ringmail_core::trail::{Event, Stage};
use ringmail_core::value::{Str, Value};
use std::collections::BTreeMap;

/// What was decided at one link, and how often: what stands beside each other has no order.
type Decided = BTreeMap<Str, BTreeMap<String, usize>>;

/// How a run came out that was walked once more.
#[derive(Debug)]
pub struct Replay {
    /// Where the record ends: a call that was not made then, or made with something else.
    pub beyond: Option<Str>,
    /// Links of which something else was decided.
    pub changes: Vec<Redecided>,
    pub result: Result<Answer, RunError>,
    /// Whether the answer is the recorded one, where there is one on record.
    pub same_answer: Option<bool>,
    /// How many decisions were compared.
    pub decisions: usize,
}

/// What was decided of a link, and what would be decided now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Redecided {
    pub link: Str,
    pub before: Vec<String>,
    pub now: Vec<String>,
}

impl Replay {
    pub fn is_same(&self) -> bool {
        self.changes.is_empty() && self.beyond.is_none() && self.same_answer != Some(false)
    }
}

/// Stages that say how something came about and not what was decided.
const TOLD: &[&str] = &[
    "reused",
    "resumed",
    "intended",
    "waiting",
    "retrying",
    "dumped",
    "undumped",
    "middleware-failed",
    "cancelled",
];

fn decision(stage: &str, rule: Option<&str>) -> Option<String> {
    if TOLD.contains(&stage) {
        return None;
    }
    Some(rule.map_or_else(|| stage.to_string(), |rule| format!("{stage} {rule}")))
}

fn decided<'e>(events: impl Iterator<Item = (&'e Str, &'e str, Option<&'e str>)>) -> Decided {
    let mut out = Decided::new();
    for (link, stage, rule) in events {
        if let Some(decision) = decision(stage, rule) {
            *out.entry(link.clone()).or_default().entry(decision).or_default() += 1;
        }
    }
    out
}

/// What the answer of a run was, without what it says.
pub(crate) fn answer_digest(answer: &Answer) -> String {
    let digest = digest(&SHA256, to_canonical(answer.value()).as_bytes());
    crate::sign::to_hex(digest.as_ref())
}

impl Chain {
    /// Walks a recorded run of this chain once more. Nothing is called and nothing recorded.
    pub async fn replay(&self, past: Past) -> Replay {
        let before = past.last_life();
        let answer = past.answer();
        let request = self.resume(past).replayed();
        let (report, beyond) = run::replay(request).await;
        let rule = |event: &Event| match &event.stage {
            Stage::Refused(refusal) => Some(refusal.rule.id()),
            _ => None,
        };
        let events = report.trail.iter().map(|event| (&event.link, event.stage.name(), rule(event)));
        let now = decided(events);
        let before = decided(before.iter().map(|(link, stage, rule)| (link, &**stage, rule.as_deref())));
        let decisions = now.values().flat_map(BTreeMap::values).sum();
        let mut changes = Vec::new();
        for link in before.keys().chain(now.keys().filter(|link| !before.contains_key(*link))) {
            let of = |decided: &Decided| decided.get(link).cloned().unwrap_or_default();
            let (was, is) = (of(&before), of(&now));
            // Behind the end of the record nothing is known, and within a guest that is not run again nothing is decided.
            let open = beyond.is_some() && is.keys().all(|decision| was.contains_key(decision));
            if was != is && !open && !(is.is_empty() && within(link, &now)) {
                changes.push(Redecided { link: link.clone(), before: words(&was), now: words(&is) });
            }
        }
        let same_answer = match (&report.result, answer) {
            (Ok(now), Some(before)) => Some(answer_digest(now) == *before),
            _ => None,
        };
        Replay { beyond, changes, result: report.result, same_answer, decisions }
    }
}

fn words(decided: &BTreeMap<String, usize>) -> Vec<String> {
    let word = |(decision, count): (&String, &usize)| match count {
        1 => decision.clone(),
        _ => format!("{decision} ×{count}"),
    };
    decided.iter().map(word).collect()
}

/// Whether a link stands inside of one that was decided.
fn within(link: &str, now: &Decided) -> bool {
    link.match_indices('.')
        .any(|(at, _)| link.split_at_checked(at).is_some_and(|(outer, _)| now.contains_key(outer)))
}

/// How the end of a run is kept.
pub(crate) fn answer_words(answer: &Answer) -> Value {
    Value::map([("answer_sha256", Value::from(answer_digest(answer)))])
}
