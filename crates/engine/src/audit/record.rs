//! What a record says. Open is what happened, where and when; sealed is what may tell of a person's data.

use super::subjects::SubjectKey;
use crate::journal::began_words;
use crate::recorder::{Intent, Note, RunPart, refusal_value};
use crate::redaction;
use crate::sealed::SealKey;
use crate::sign::to_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::json::{to_string, write_text};
use ringmail_core::trail::{Event, Stage};
use ringmail_core::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;

/// A record being written: compact JSON, its members in the order in which they come.
struct Text {
    out: String,
    /// What is too large for it.
    aside: Vec<(String, Vec<u8>)>,
}

impl Text {
    fn begin(kind: &str, at_ms: u64) -> Text {
        let mut out = String::with_capacity(512);
        let _infallible = write!(out, "{{\"kind\":\"{kind}\",\"at_ms\":{at_ms}");
        Text { out, aside: Vec::new() }
    }

    fn text(&mut self, key: &str, text: &str) {
        let _infallible = write!(self.out, ",\"{key}\":");
        write_text(text, &mut self.out);
    }

    fn number(&mut self, key: &str, number: u64) {
        let _infallible = write!(self.out, ",\"{key}\":{number}");
    }

    fn value(&mut self, key: &str, value: &Value) {
        let _infallible = write!(self.out, ",\"{key}\":{}", to_string(value));
    }

    /// Who is behind it, and what only that subject's key opens, for this record alone. What cannot be sealed makes no record.
    fn end(mut self, sealed: Vec<(Str, Value)>, purpose: &str, key: &SubjectKey) -> Option<Sealing> {
        self.text("who", key.id());
        if !sealed.is_empty() {
            let sealed = key.seal(to_string(&Value::map(sealed)).as_bytes(), purpose.as_bytes())?;
            self.put("sealed", sealed);
        }
        self.out.push('}');
        Some(Sealing { record: self.out, aside: self.aside })
    }

    /// In the record, or aside and by its digest if it is too large for that.
    fn put(&mut self, key: &str, sealed: Vec<u8>) {
        if sealed.len() > SEALED_BYTES_MAX {
            let name = to_hex(&Sha256::digest(&sealed));
            self.text(&format!("{key}_sha256"), &name);
            self.aside.push((name, sealed));
        } else {
            self.text(key, &STANDARD.encode(sealed));
        }
    }
}

/// What one record has sealed in itself.
const SEALED_BYTES_MAX: usize = 256 << 10;

/// What seals what a run carried, and what that stands for in the record.
pub(super) struct Carrier {
    pub(super) period: String,
    pub(super) key: Arc<SealKey>,
}

/// A record, and what is too large to stand in it, by its digest.
pub(super) struct Sealing {
    pub(super) record: String,
    pub(super) aside: Vec<(String, Vec<u8>)>,
}

/// What a part of a run is sealed for.
pub(super) fn purpose(run: &str, number: u64) -> String {
    format!("{run} {number}")
}

/// `by` is which process goes on with a run that is not over.
pub(super) fn part(
    part: RunPart<'_>,
    key: &SubjectKey,
    carrier: Option<&Carrier>,
    by: &str,
) -> Option<Sealing> {
    let run = part.run;
    let mut out = Text::begin("run", run.at_ms);
    out.text("run", &run.run);
    out.number("part", part.number.into());
    if part.is_last {
        out.value("last", &Value::Bool(true));
    } else if run.keeps && (part.number == 0 || part.resumes.is_some()) {
        out.text("by", by);
    }
    out.text("chain", &run.chain);
    let (mut sealed, mut carried) = (Vec::new(), Vec::new());
    if part.number == 0 {
        out.text("project", &run.project);
        out.text("chain_sha256", &run.digest);
        if run.unattended {
            out.value("unattended", &Value::Bool(true));
        }
        if run.keeps {
            carried.push(("began", began_words(&run.began)));
        }
    }
    out.out.push_str(",\"stages\":[");
    for (at, event) in part.events.iter().enumerate() {
        if at > 0 {
            out.out.push(',');
        }
        stage(event, &mut out);
        if let Some(details) = details(&event.stage) {
            sealed.push((Str::from(at.to_string()), details));
        }
    }
    out.out.push(']');
    if !part.kept.is_empty() {
        let kept = part
            .kept
            .iter()
            .map(|kept| Value::map([("at", Value::Str(kept.at.clone())), ("what", kept.what.clone())]));
        carried.push(("kept", Value::list(kept)));
    }
    if let Some(intent) = part.intent {
        out.value("intent", &open_intent(intent));
        sealed.push(("intent".into(), sealed_intent(intent)));
    }
    let purpose = purpose(&run.run, part.number.into());
    if let Some(carrier) = carrier.filter(|_| !carried.is_empty()) {
        out.text("period", &carrier.period);
        let carried = carrier.key.seal(to_string(&Value::map(carried)).as_bytes(), purpose.as_bytes())?;
        out.put("carried", carried);
    }
    out.end(sealed, &purpose, key)
}

pub(super) fn note(note: &Note, key: &SubjectKey) -> Option<Sealing> {
    let mut out = Text::begin(note.kind, note.at_ms);
    for (name, value) in &note.open {
        out.value(name, &redaction::judged_value(value));
    }
    let sealed = note.sealed.iter().map(|(name, value)| (Str::from(*name), redaction::judged_value(value)));
    out.end(sealed.collect(), "", key)
}

/// What anybody may read of a stage.
fn stage(event: &Event, out: &mut Text) {
    let _infallible = write!(out.out, "{{\"at_us\":{},\"stage\":\"{}\"", event.at_us, event.stage.name());
    out.text("link", &event.link);
    let names = |names: &[&'static str]| Value::list(names.iter().map(|name| Value::from(*name)));
    match &event.stage {
        Stage::Admitted { attempt } if *attempt > 1 => out.number("attempt", u64::from(*attempt)),
        Stage::Failed { attempt, .. } => out.number("attempt", u64::from(*attempt)),
        Stage::Found { tagged, signals } => {
            out.value("tagged", &names(tagged));
            out.value("signals", &names(signals));
        }
        Stage::Intended { sink } => out.text("sink", &redaction::without_secrets(sink)),
        Stage::Retrying { pause_ms } => out.number("pause_ms", *pause_ms),
        Stage::Skipped(why) => out.text("why", why.words()),
        Stage::Waiting { until_ms: Some(until_ms) } => out.number("until_ms", *until_ms),
        Stage::Took { target } => out.text("target", target),
        Stage::MiddlewareFailed { middleware } => out.text("middleware", &redaction::unjudged(middleware)),
        Stage::Refused(refusal) => {
            out.text("layer", refusal.rule.layer().name());
            out.text("rule", refusal.rule.id());
        }
        _ => {}
    }
    out.out.push('}');
}

/// What may tell of data, and of whom.
fn details(stage: &Stage) -> Option<Value> {
    told(stage).map(|details| redaction::unjudged_value(&details))
}

fn told(stage: &Stage) -> Option<Value> {
    let one = |key: &'static str, text: &Str| Some(Value::map([(key, Value::Str(text.clone()))]));
    match stage {
        Stage::Failed { failure, .. } => one("failure", failure),
        Stage::Undumped { why } => one("why", why),
        Stage::Dumped { file } => one("file", file),
        Stage::Refused(refusal) => Some(Value::map([("refusal", refusal_value(refusal))])),
        _ => None,
    }
}

fn names(names: &[Str]) -> Value {
    Value::list(names.iter().map(|name| Value::Str(name.clone())))
}

fn open_intent(intent: &Intent) -> Value {
    Value::map([
        ("at_ms", Value::Int(i64::try_from(intent.at_ms).unwrap_or(i64::MAX))),
        ("link", Value::Str(intent.link.clone())),
        ("kind", Value::from(intent.kind)),
        ("attempt", Value::Int(intent.attempt.into())),
        ("once", Value::Bool(intent.once)),
        (
            "sinks",
            Value::list(intent.sinks.iter().map(|sink| Value::from(&*redaction::without_secrets(sink)))),
        ),
        ("tags", names(&intent.tags)),
    ])
}

fn sealed_intent(intent: &Intent) -> Value {
    let act = intent.act.as_ref().map_or(Value::Null, |signed| {
        Value::map([
            ("record", signed.act.clone()),
            ("public_key", Value::from(signed.public_key.as_str())),
            ("signature", Value::from(signed.signature.as_str())),
        ])
    });
    Value::map([
        ("at", Value::Str(intent.at.clone())),
        ("args_sha256", Value::from(intent.args_digest.as_str())),
        ("idempotency_key", intent.idempotency_key.clone().map_or(Value::Null, Value::Str)),
        ("origins", names(&intent.origins)),
        ("act", act),
    ])
}
