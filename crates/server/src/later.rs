//! Runs that go on when whoever asked for them has gone, by whichever door they came. Nobody is told of one before no crash can
//! lose it; it ends when the proof of its caller is taken back.

use crate::calls::{Asked, Ready, Turned};
use crate::problem::Problem;
use crate::resumed::told;
use crate::runs::{Of, Runs};
use ringmail_core::chain::Plan;
use ringmail_core::value::Str;
use ringmail_engine::{CancellationToken, Report, Request};
use tokio::sync::{mpsc, oneshot};

/// Begins one and says what it is called. `asks` says whether its caller can be asked when it comes back.
pub(crate) async fn begin(asked: Asked<'_>, plan: &Plan, ready: Ready, asks: bool) -> Result<Str, Turned> {
    let Ready { run, cancel: revoked, held: (seat, held) } = ready;
    let (id, runs) = (run.id().clone(), asked.doors.runs.clone());
    let begun = runs.begin(&id, asked.caller.principal(), Of::plan(plan), &asked.world.setting.limits);
    let cancel = begun.ok_or_else(|| (Problem::overloaded(), "too many runs are kept".to_string()))?;
    runs.hold(&id, seat, held);
    let (promise, promised) = oneshot::channel();
    let run = run.cancel(cancel.clone()).promise(promise);
    let run = if asks { run.comes_back() } else { run };
    let (own, unkept) = (id.clone(), cancel.clone());
    tokio::spawn(async move {
        to_its_end(&runs, &own, (run, asks), &cancel, &revoked).await;
    });
    if !matches!(promised.await, Ok(Ok(()))) {
        unkept.cancel();
        let why = "the run could not be recorded".to_string();
        return Err((Problem::overloaded(), why));
    }
    Ok(id)
}

/// Runs to the end, and keeps what the caller is asked until it comes back for that.
pub(crate) async fn to_its_end(
    runs: &Runs,
    id: &Str,
    (run, asks): (Request, bool),
    cancel: &CancellationToken,
    revoked: &CancellationToken,
) -> Report {
    let (asking, mut questions) = mpsc::channel(1);
    let run = if asks { run.caller(asking) } else { run };
    let running = run.run();
    tokio::pin!(running);
    let (mut proved, mut open) = (true, asks);
    let report = loop {
        tokio::select! {
            biased;
            () = revoked.cancelled(), if proved => {
                proved = false;
                cancel.cancel();
            }
            question = questions.recv(), if open => match question {
                Some(question) => runs.ask(id, question),
                None => open = false,
            },
            report = &mut running => break report,
        }
    };
    runs.end(id, told(&report));
    report
}
