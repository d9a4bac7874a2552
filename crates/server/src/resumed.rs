//! Runs that a process before this one left open. Those that came through a door go on, as their callers, who find them where
//! they were told to ask.

use crate::identity::again::still;
use crate::later::to_its_end;
use crate::problem::Problem;
use crate::runs::{Of, Seen, Told};
use crate::server::Doors;
use ringmail_core::policy::Principal;
use ringmail_core::value::Str;
use ringmail_engine::{Audit, Clock, DataSubject, OverRun, Past, PastError, Report, RunError, SystemClock};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Goes on with all of them, or with those of one caller; says of each how it went, as it comes to that. What it answers with them
/// ends when all have begun.
pub(crate) fn resume(
    doors: &Arc<Doors>,
    audit: Audit,
    told: fn(&str),
    whose: Option<&Principal>,
) -> Result<(usize, JoinHandle<()>), PastError> {
    // Whoever asks for one meanwhile waits.
    let going_on = doors.resuming.clone().try_acquire_owned();
    let open = audit.open_runs()?;
    let open = open.into_iter().filter(|open| open.unattended && !open.lives);
    let open = open.filter(|open| whose.is_none_or(|whose| open.who == Some(DataSubject::of(whose))));
    let open: Vec<Str> = open.map(|open| open.run).collect();
    let (count, doors, whose) = (open.len(), doors.clone(), whose.cloned());
    let begun = tokio::spawn(async move {
        for run in open {
            let (audit, asked) = (audit.clone(), run.clone());
            // Whoever claims waits for others who do.
            let claimed = tokio::task::spawn_blocking(move || audit.claim(&asked)).await;
            match claimed {
                // The same subject came through another door, and is waited for there.
                Ok(Ok(past)) if whose.as_ref().is_some_and(|whose| past.principal() != whose) => {}
                Ok(Ok(past)) => match begin(&doors, past) {
                    Ok(going) => drop(tokio::spawn(async move { told(&going.await) })),
                    Err(why) => told(&format!("run {run} stays open: {why}")),
                },
                Ok(Err(error)) => told(&format!("run {run} stays open: {error}")),
                Err(error) => told(&format!("run {run} stays open: {error}")),
            }
        }
        drop(going_on);
    });
    Ok((count, begun))
}

/// Begins to go on with one; or why that cannot be.
fn begin(doors: &Arc<Doors>, past: Past) -> Result<impl Future<Output = String> + use<>, String> {
    let world = doors.world();
    let (run, name, principal) = (past.run().clone(), past.chain().clone(), past.principal().clone());
    let chain = world.engine.chain(&name).ok_or_else(|| format!("there is no chain `{name}` any more"))?;
    if chain.plan().digest != *past.digest() {
        return Err(format!("`{name}` is not the chain that it was when the run began"));
    }
    let revoked = still(doors, &world, &principal, &name)?;
    let begun = doors.runs.begin(&run, &principal, Of::plan(chain.plan()), &world.setting.limits);
    let cancel = begun.ok_or("too many runs are kept")?;
    let (asks, runs) = (past.comes_back(), doors.runs.clone());
    let request = chain.resume(past).cancel(cancel.clone()).leave(doors.leaving.clone());
    Ok(async move {
        let _world = world;
        let report = to_its_end(&runs, &run, (request, asks), &cancel, &revoked).await;
        match &report.result {
            Ok(_) => format!("run {run} of `{name}` went on and has answered"),
            Err(RunError::InDoubt(_)) => {
                format!("run {run} of `{name}` is in doubt; look at it: ringmail runs show {run}")
            }
            Err(error) => format!("run {run} of `{name}` went on, and has no answer: {}", error.public()),
        }
    })
}

/// Runs of a process before this one that are over, and that their callers may still ask for.
#[derive(Debug)]
pub(crate) struct Recalled {
    audit: Audit,
    runs: HashMap<Str, OverRun>,
}

/// Looks for them, in the time that a run is kept.
pub(crate) fn recall(doors: &Arc<Doors>, audit: Audit, told: fn(&str)) {
    // Whoever asks for one meanwhile waits.
    let looking = doors.recalling.clone().try_acquire_owned();
    let doors = doors.clone();
    tokio::spawn(async move {
        look_for(&doors, audit, told).await;
        drop(looking);
    });
}

async fn look_for(doors: &Doors, audit: Audit, told: fn(&str)) {
    let limits = doors.world().setting.limits;
    let own = audit.clone();
    let looked = tokio::task::spawn_blocking(move || {
        own.over(SystemClock.now_ms().saturating_sub(limits.run_kept_ms), limits.runs_max)
    });
    match looked.await {
        Ok(Ok(over)) => {
            let runs = over.into_iter().map(|over| (over.run.clone(), over)).collect();
            // Nobody else sets it.
            let _set = doors.recalled.set(Recalled { audit, runs });
        }
        Ok(Err(error)) => told(&format!("runs that are over are not told of: {error}")),
        Err(error) => told(&format!("runs that are over are not told of: {error}")),
    }
}

/// A run of this caller: one of this process, or of one before.
pub(crate) async fn find(doors: &Doors, id: &str, caller: &Principal) -> Option<Seen> {
    let limits = doors.world().setting.limits;
    let seen = || doors.runs.see(id, caller, &limits);
    if let Some(seen) = seen() {
        return Some(seen);
    }
    drop(doors.resuming.acquire().await);
    match seen() {
        None => over(doors, id, caller).await,
        seen => seen,
    }
}

/// What became of a run of this caller that a process before this one ended: walked once more from the record, with nothing done
/// and everything judged as of now.
async fn over(doors: &Doors, id: &str, caller: &Principal) -> Option<Seen> {
    if doors.recalled.get().is_none() {
        let _looked_for = doors.recalling.acquire().await.ok()?;
    }
    let recalled = doors.recalled.get()?;
    let over = recalled.runs.get(id).filter(|over| over.who == Some(DataSubject::of(caller)))?.clone();
    let world = doors.world();
    let kept = world.setting.limits.run_kept_ms;
    if over.ended_ms.saturating_add(kept) < SystemClock.now_ms() {
        return None;
    }
    let _one_at_a_time = doors.recalling.acquire().await.ok()?;
    let (audit, ended_ms) = (recalled.audit.clone(), over.ended_ms);
    let past = tokio::task::spawn_blocking(move || audit.past_of(&over)).await.ok()?.ok()?;
    if past.principal() != caller {
        return None;
    }
    let chain = past.chain().clone();
    let same = world.engine.chain(&chain).filter(|known| known.plan().digest == *past.digest());
    let content = same.as_ref().is_some_and(|known| known.plan().mcp.content);
    let ended = match same {
        Some(known) => {
            let replay = known.replay(past).await;
            match &replay.result {
                Ok(answer) if replay.same_answer == Some(true) => Told::Output(answer.value().clone()),
                Err(error) if replay.is_same() => Told::Problem(Problem::of(error)),
                _ => Told::Problem(Problem::forgotten()),
            }
        }
        None => Told::Problem(Problem::forgotten()),
    };
    let of = Of { chain, content };
    Some(Seen { of, changed_ms: ended_ms, asked: Vec::new(), ended: Some(ended) })
}

/// What its caller hears who asks for it later.
pub(crate) fn told(report: &Report) -> Told {
    match &report.result {
        Ok(answer) => Told::Output(answer.value().clone()),
        Err(error) => Told::Problem(Problem::of(error)),
    }
}
