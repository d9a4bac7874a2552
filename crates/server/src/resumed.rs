//! Runs that a process before this one left open. Those that came through a door go on, as their callers, who find them where
//! they were told to ask.

use crate::identity::again::still;
use crate::problem::Problem;
use crate::runs::Told;
use crate::server::Doors;
use ringmail_core::value::Str;
use ringmail_engine::{Audit, Past, PastError, Report, RunError};
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

/// What its caller hears who asks for it later.
pub(crate) fn told(report: &Report, run: &Str) -> Told {
    match &report.result {
        Ok(answer) => Told::Output(answer.value().clone()),
        Err(error) => Told::Problem(Problem::of(error).to_value(run)),
    }
}
