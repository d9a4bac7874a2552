//! Where a run's intents and stages go. An effect runs only after its intent is durable; everything else is written without
//! waiting for the disk. The audit log is what stands behind this seam; tests put what fails there.

use crate::sign::SignedAct;
use ringmail_core::policy::Principal;
use ringmail_core::refusal::Refusal;
use ringmail_core::trail::Event;
use ringmail_core::value::{Str, Value};
use std::future::Future;
use std::pin::Pin;
use thiserror::Error;

/// What is about to happen.
#[derive(Clone, Debug)]
pub struct Intent {
    pub link: Str,
    /// Which call of the link it is.
    pub at: Str,
    pub kind: &'static str,
    /// Whether it does more than read.
    pub acts: bool,
    /// Whether it does, and may do harm if it happens twice.
    pub once: bool,
    pub attempt: u32,
    pub sinks: Vec<String>,
    /// SHA-256 of the arguments in canonical form.
    pub args_digest: String,
    pub idempotency_key: Option<Str>,
    /// Names of the tags in the arguments, and where they come from.
    pub tags: Vec<Str>,
    pub origins: Vec<Str>,
    pub act: Option<SignedAct>,
    pub at_ms: u64,
}

/// A run that was asked for.
#[derive(Clone, Debug)]
pub struct Start {
    pub run: Str,
    /// What the project calls itself.
    pub project: Str,
    pub chain: Str,
    /// SHA-256 of the chain's text.
    pub digest: Str,
    pub who: DataSubject,
    pub at_ms: u64,
    /// Whether it goes on by itself after a crash: nobody sits in front of it.
    pub unattended: bool,
    /// Whether what it was given and what its calls brought is kept, for it to go on and to be looked at again.
    pub keeps: bool,
    pub began: Began,
}

/// What a run was asked for with: enough to do it again.
#[derive(Clone, Debug)]
pub struct Began {
    pub principal: Principal,
    pub nonce: u64,
    pub input: Value,
    /// What the same caller did before, in words.
    pub session: Value,
    /// Whether its caller comes back for what it is asked, to a process after this one as well.
    pub comes_back: bool,
}

/// How a call ended, or what it waits for: what a run needs to go on without making it again.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Which call it is.
    pub at: Str,
    pub what: Value,
}

/// Whose a record is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DataSubject {
    pub name: Str,
    pub tenant: Option<Str>,
}

impl DataSubject {
    pub fn of(principal: &Principal) -> DataSubject {
        DataSubject { name: principal.subject.clone(), tenant: principal.tenant.clone() }
    }
}

/// What a run did since the part before.
#[derive(Clone, Copy, Debug)]
pub struct RunPart<'p> {
    pub run: &'p Start,
    /// Parts are counted from 0.
    pub number: u32,
    pub events: &'p [Event],
    pub kept: &'p [Kept],
    /// What is about to happen after all these.
    /// Which rule of retention is for what the run has read so far; nothing is none.
    pub class: &'p str,
    pub intent: Option<&'p Intent>,
    pub is_last: bool,
    /// The number of the run's first record, where this is the first part of another process.
    pub resumes: Option<u64>,
}

/// Something that is no part of a run.
#[derive(Clone, Debug)]
pub struct Note {
    pub kind: &'static str,
    pub at_ms: u64,
    /// What anybody may read who has the log.
    pub open: Vec<(&'static str, Value)>,
    /// Whose it is, and what is gone once that subject is erased.
    pub who: DataSubject,
    pub sealed: Vec<(&'static str, Value)>,
}

#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct RecordError(pub String);

/// Where something stands on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark(pub u64);

pub type Recorded<'r> = Pin<Box<dyn Future<Output = Result<(), RecordError>> + Send + 'r>>;
pub type Marked<'r> = Pin<Box<dyn Future<Output = Result<LogMark, RecordError>> + Send + 'r>>;

pub trait Recorder: Send + Sync {
    /// Writes a part of a run, whole, so that it outlives this process.
    fn part(&self, part: RunPart<'_>) -> Result<LogMark, RecordError>;

    /// The same of the only part of a run. It may be written together with those of other runs, and outlives this process
    /// when the future ends.
    fn whole(&self, part: RunPart<'_>) -> Marked<'_> {
        Box::pin(std::future::ready(self.part(part)))
    }

    fn note(&self, note: &Note) -> Result<LogMark, RecordError>;

    /// Ends once everything up to there would survive a crash of the machine.
    fn durable(&self, mark: LogMark) -> Recorded<'_>;
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A refusal as a record: everything `explain` needs.
pub fn refusal_value(refusal: &Refusal) -> Value {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let names = |names: &[Str]| Value::list(names.iter().map(|name| Value::Str(name.clone())));
    let spot = refusal.spot.as_ref().map_or(Value::Null, |spot| {
        let (line, column) = spot.source.line_column(spot.span.start);
        Value::map([
            ("file", Value::from(spot.source.name.as_str())),
            ("line", number(line as u64)),
            ("column", number(column as u64)),
            ("start", number(spot.span.start as u64)),
            ("end", number(spot.span.end as u64)),
        ])
    });
    Value::map([
        ("layer", Value::from(refusal.rule.layer().name())),
        ("rule", Value::from(refusal.rule.id())),
        ("link", Value::Str(refusal.link.clone())),
        ("sink", text(&refusal.sink)),
        ("path", text(&refusal.path)),
        ("origins", names(&refusal.origins)),
        ("message", Value::from(refusal.message.as_str())),
        ("changes", Value::list(refusal.changes.iter().map(|change| Value::from(change.as_str())))),
        ("policies", names(&refusal.policies)),
        ("spot", spot),
    ])
}
