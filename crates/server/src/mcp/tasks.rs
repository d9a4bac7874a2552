//! Calls that become tasks: runs that whoever called comes back for, to see how they stand, to answer what they ask, to end them.
//! A task is one of the runs that are kept and is called as it is; to everybody but its owner it is not there.

use super::message::{Fault, Request};
use super::play::Played;
use super::{Guest, Talk, ask, call, finished, shape::Members};
use crate::authority::civil;
use crate::later;
use crate::problem::Problem;
use crate::resumed;
use crate::runs::{Seen, Told};
use ringmail_core::failure::FailureKind;
use ringmail_core::value::{Str, Value};
use ringmail_engine::Chain;

const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const GET: &str = "tasks/get";
const UPDATE: &str = "tasks/update";
const CANCEL: &str = "tasks/cancel";
pub(super) const METHODS: &[&str] = &[GET, UPDATE, CANCEL];
/// The parameter that names a task.
pub(super) const ID: &str = "taskId";
/// Tasks of one principal that wait for it: it takes the room of others.
const WAITING_OF_ONE_MAX: usize = 64;
/// How long a client is told to wait before it asks again.
const POLL_MS: i64 = 1_000;
/// Digits of an id that are the time it began, in milliseconds.
const BEGAN_DIGITS: usize = 12;

/// As both sides say that they know of tasks.
pub(super) fn extension() -> Value {
    Value::map([(EXTENSION, Value::map::<Str>([]))])
}

/// Whether a client says that it knows of tasks.
pub(super) fn are_known(able: &Value) -> bool {
    let known = able.get("extensions").and_then(|extensions| extensions.get(EXTENSION));
    known.is_some_and(|setting| setting.as_map().is_some())
}

/// Turns away who did not say so.
pub(super) fn known_to(talk: &Talk) -> Result<(), Fault> {
    let able = || Value::map([("extensions", extension())]);
    let knows = talk.era.tasks().then_some(());
    knows.ok_or_else(|| Fault::lacking(able(), "this needs a client that knows of tasks"))
}

/// Whether a call becomes a task: its run may wait, and its client knows what to do with one. What was asked before is
/// answered as it was asked.
pub(super) fn is_made(guest: &Guest, talk: &Talk, request: &Request, chain: &Chain) -> bool {
    let answers = request.params.get("requestState").is_some();
    talk.era.tasks() && !answers && guest.world.waiting.contains(chain.name())
}

/// Begins a run and says where it can be asked for, once it can.
pub(super) async fn begin(
    guest: &Guest,
    talk: &Talk,
    request: &Request,
    chain: &Chain,
    input: Value,
) -> Result<Value, Fault> {
    let what = format!("{} {}", request.method, chain.name());
    let turned = |turned| guest.turned(&what, &turned).0;
    if guest.doors.runs.waiting_for(guest.caller.principal()) >= WAITING_OF_ONE_MAX {
        return Err(turned((Problem::overloaded(), "too many tasks of this caller wait for it".into())));
    }
    let counted = guest.asked().count(chain.name()).map_err(turned)?;
    let ready = counted.ready(input).await.map_err(turned)?;
    let begun = later::begin(guest.asked(), chain.plan(), ready, talk.era.asks()).await;
    let id = begun.map_err(turned)?;
    let mut members = vec![("resultType", Value::from("task"))];
    members.extend(card(&id, "working", began_ms(&id), None));
    Ok(finished(guest, &talk.era, members, None))
}

/// What is said about a task that began before.
pub(super) async fn answer(guest: &Guest, talk: &Talk, request: &Request) -> Result<Value, Fault> {
    let method = &*request.method;
    let _held = guest.count(method)?;
    known_to(talk)?;
    let Some(Value::Str(id)) = request.params.get(ID) else {
        return Err(Fault::params(format!("`{ID}` names a task")));
    };
    let owner = guest.caller.principal();
    let seen = resumed::find(&guest.doors, id, owner).await;
    let seen = seen.filter(|seen| guest.asked().is_for(&seen.of.chain)).ok_or_else(|| {
        // Whoever looks for tasks of others is on record as whoever looks for their runs.
        let told = (Problem::not_found(), "there is no such task, or none of this caller".to_string());
        guest.turned(method, &told);
        Fault::params(told.1)
    })?;
    let members = match method {
        GET => stands(guest, talk, id, seen),
        UPDATE => update(guest, request, id, &seen)?,
        _ => {
            // One that has ended has nothing to end.
            let _seen = guest.doors.runs.cancel(id, owner, &guest.world.setting.limits);
            Members::new()
        }
    };
    Ok(finished(guest, &talk.era, members, None))
}

/// How a task stands, with what it asks or what came of it.
fn stands(guest: &Guest, talk: &Talk, id: &Str, seen: Seen) -> Members {
    let kept_ms = guest.world.setting.limits.run_kept_ms;
    let (changed_ms, until_ms) = (seen.changed_ms, seen.changed_ms.saturating_add(kept_ms));
    let open = |status| card(id, status, changed_ms, None);
    let over = |status| card(id, status, changed_ms, Some(until_ms));
    let played = |ended| call::told(guest, &talk.era, &seen.of, Played { id: id.clone(), ended });
    let ended = match seen.ended {
        None if seen.asked.is_empty() => return open("working"),
        None => {
            let asked = seen.asked.iter();
            let asked = asked.map(|of| (of.key.clone(), ask::request_of(&of.message, &of.schema)));
            return with(open("input_required"), "inputRequests", Value::map(asked));
        }
        Some(Told::Output(output)) => Ok(output),
        // It goes on in another process, or when somebody has looked at it.
        Some(Told::Problem(problem)) if problem.code == Problem::OPEN => {
            return with(open("working"), "statusMessage", Value::from(problem.title));
        }
        Some(Told::Problem(problem)) if problem.code == FailureKind::Cancelled.id() => {
            return over("cancelled");
        }
        Some(Told::Problem(problem)) if problem.code == FailureKind::Unasked.id() => {
            let fault = ask::unable();
            let failed = with(over("failed"), "statusMessage", Value::from(fault.message.as_str()));
            return with(failed, "error", fault.to_value());
        }
        Some(Told::Problem(problem)) => Err(problem),
    };
    with(over("completed"), "result", played(ended))
}

fn with(mut members: Members, name: &'static str, value: Value) -> Members {
    members.push((name, value));
    members
}

/// Brings what its caller answers to a task. What it is not asked is no answer to anything.
fn update(guest: &Guest, request: &Request, id: &Str, seen: &Seen) -> Result<Members, Fault> {
    let answers = request.params.get("inputResponses").filter(|answers| answers.as_map().is_some());
    let answers = answers.ok_or_else(|| Fault::params("`inputResponses` has an answer by each name"))?;
    let keys = seen.asked.iter().map(|question| &question.key);
    let told: Vec<_> = keys.filter_map(|key| Some((key.clone(), ask::read(answers.get(key)?)))).collect();
    if !told.is_empty() {
        let heard = guest.doors.runs.answer(id, guest.caller.principal(), told);
        heard.map_err(|why| Fault::params(format!("the answer does not fit: {why}")))?;
    }
    Ok(Members::new())
}

/// What there is to say of any task. One that has not ended is not forgotten, whenever it began.
fn card(id: &Str, status: &'static str, changed_ms: u64, until_ms: Option<u64>) -> Members {
    let lives_ms = until_ms.map(|until| until.saturating_sub(began_ms(id)));
    let lives_ms = lives_ms.map(|ms| Value::Int(i64::try_from(ms).unwrap_or(i64::MAX)));
    let mut members = vec![
        (ID, Value::Str(id.clone())),
        ("status", Value::from(status)),
        ("createdAt", Value::from(moment(began_ms(id)))),
        ("lastUpdatedAt", Value::from(moment(changed_ms.max(began_ms(id))))),
        ("ttlMs", lives_ms.unwrap_or(Value::Null)),
    ];
    if until_ms.is_none() {
        members.push(("pollIntervalMs", Value::Int(POLL_MS)));
    }
    members
}

fn began_ms(id: &str) -> u64 {
    id.get(..BEGAN_DIGITS).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// As RFC 3339 writes it.
fn moment(ms: u64) -> String {
    let (seconds, below) = (ms / 1_000, ms % 1_000);
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{below:03}Z")
}

#[cfg(test)]
mod tests {
    use super::{began_ms, moment};

    #[test]
    fn a_task_says_when_it_began() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_795_305_599_999, "2026-11-21T23:59:59.999Z"),
        ] {
            assert_eq!(moment(ms), expected);
            assert_eq!(began_ms(&format!("{ms:012x}{}", "f".repeat(20))), ms);
        }
        for id in ["", "0", "not a time at all", "äöüäöüäöü"] {
            assert_eq!(began_ms(id), 0, "{id}");
        }
    }
}
