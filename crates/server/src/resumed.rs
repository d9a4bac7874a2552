//! Runs that a process before this one left open. Those that came through a door go on, as their callers, who find them where
//! they were told to ask.

use crate::identity::again::still;
use crate::problem::Problem;
use crate::runs::{Seen, Told};
use crate::server::Doors;
use ringmail_core::policy::Principal;
use ringmail_core::value::Str;
use ringmail_engine::{Audit, Clock, DataSubject, OverRun, Past, PastError, Report, RunError, SystemClock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Goes on with all of them; says of each how it went, as it comes to that. What it answers with them ends when all have begun.
pub(crate) fn resume(
    doors: &Arc<Doors>,
    audit: Audit,
    told: fn(&str),
) -> Result<(usize, JoinHandle<()>), PastError> {
    let open = audit.open_runs()?;
    let open: Vec<Str> =
        open.into_iter().filter(|open| open.unattended && !open.lives).map(|open| open.run).collect();
    let (count, doors) = (open.len(), doors.clone());
    let begun = tokio::spawn(async move {
        for run in open {
            let (audit, asked) = (audit.clone(), run.clone());
            // Whoever claims waits for others who do.
            let claimed = tokio::task::spawn_blocking(move || audit.claim(&asked)).await;
            match claimed {
                Ok(Ok(past)) => match begin(&doors, past) {
                    Ok(going) => drop(tokio::spawn(async move { told(&going.await) })),
                    Err(why) => told(&format!("run {run} stays open: {why}")),
                },
                Ok(Err(error)) => told(&format!("run {run} stays open: {error}")),
                Err(error) => told(&format!("run {run} stays open: {error}")),
            }
        }
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
    let limits = world.setting.limits;
    let kept = Duration::from_millis(limits.run_kept_ms);
    let begun = doors.runs.begin(&run, &principal, &name, limits.runs_max, kept);
    let cancel = begun.ok_or("too many runs are kept")?;
    let (request, runs) =
        (chain.resume(past).cancel(cancel.clone()).leave(doors.leaving.clone()), doors.runs.clone());
    Ok(async move {
        let _world = world;
        let running = request.run();
        tokio::pin!(running);
        let report = tokio::select! {
            report = &mut running => report,
            () = revoked.cancelled() => {
                cancel.cancel();
                running.await
            }
        };
        runs.end(&run, told(&report, &run));
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

/// What became of a run of this caller that a process before this one ended: walked once more from the record, with nothing done
/// and everything judged as of now.
pub(crate) async fn over(doors: &Doors, id: &str, caller: &Principal) -> Option<Seen> {
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
    let audit = recalled.audit.clone();
    let past = tokio::task::spawn_blocking(move || audit.past_of(&over)).await.ok()?.ok()?;
    if past.principal() != caller {
        return None;
    }
    let (run, chain) = (past.run().clone(), past.chain().clone());
    let same = world.engine.chain(&chain).filter(|known| known.plan().digest == *past.digest());
    let ended = match same {
        Some(known) => {
            let replay = known.replay(past).await;
            match &replay.result {
                Ok(answer) if replay.same_answer == Some(true) => Told::Output(answer.value().clone()),
                Err(error) if replay.is_same() => Told::Problem(Problem::of(error).to_value(&run)),
                _ => Told::Problem(Problem::forgotten().to_value(&run)),
            }
        }
        None => Told::Problem(Problem::forgotten().to_value(&run)),
    };
    Some(Seen { chain, ended: Some(ended) })
}

/// What its caller hears who asks for it later.
pub(crate) fn told(report: &Report, run: &Str) -> Told {
    match &report.result {
        Ok(answer) => Told::Output(answer.value().clone()),
        Err(error) => Told::Problem(Problem::of(error).to_value(run)),
    }
}
