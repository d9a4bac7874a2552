//! `plugin`: a guest behind the walls. It gets its arguments as JSON and answers with JSON; what it asks of the world is
//! a call of its own, with all that the guest was told as its label.

use super::{Call, Runs, fail};
use crate::bound::Called;
use crate::clock::Clock;
use crate::desk::{Behind, GuestDesk, Told, asks};
use crate::dumps::DumpFolder;
use crate::plugins::{output_of, takes};
use crate::run::Way;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::json::to_string;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::label::{Label, Labels, Tags};
use ringmail_core::refusal::Refusal;
use ringmail_core::trail::Stage;
use ringmail_core::value::Str;
use ringmail_host::{CallFigures, Halt};
use std::sync::Arc;
use std::time::Duration;

pub(super) static KIND: Kind = Kind {
    name: "plugin",
    doc: "a WebAssembly component of the project, behind walls, with what it was granted",
    settings: &[Key::required("plugin", Form::Name, "which one, as `[plugin.NAME]` of the project calls it")],
    with: With::Anything,
    role: Role::Plugin,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(run(way.clone(), call))
    }
}

async fn run(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let (link, bound) = way.link(call.admitted.position())?;
    let Detail::Plugin { plugin, ways } = &link.detail else {
        return fail(Failure::new(FailureKind::Invalid, "the link has no plugin")).await;
    };
    let Some(guest) = way.shared.engine.plugins.guest(&plugin.manifest.name) else {
        return fail(Failure::new(FailureKind::NotFound, "the plugin is not there")).await;
    };
    takes(&plugin.manifest, call.admitted.args())?;
    let tenant = way.shared.facts().principal.tenant.clone();
    let mut probe = guest.circuit.probe(tenant)?;
    let input = to_string(call.admitted.args());
    let given = call.admitted.labels().all().join(call.admitted.decision());
    let schema = plugin.manifest.input.as_ref();
    let tagged =
        schema.map_or(Label::BOTTOM, |schema| schema.label(call.admitted.args(), &Labels::default()).all());
    let told = Told::new(given.join(tagged));
    let desk = GuestDesk {
        asks: asks(ways, &bound.bodies),
        link: link.full.clone(),
        behind: Behind::Plugin(plugin.clone()),
        frame: call.frame.clone(),
        told: told.clone(),
        way: way.clone(),
        pieces: way.pieces(&call.admitted, Tags::NONE),
        used: Arc::default(),
    };
    let (limits, mut printer) = (&guest.limits, desk.clone());
    let ended = tokio::select! {
        biased;
        () = guest.revoked.cancelled() => {
            guest.count(CallFigures::default(), Some(FailureKind::Unavailable));
            let why = plugin.revoked.get().map_or("", |why| &**why);
            return Err(Refusal::revoked(&link.full, &plugin.manifest.name, why).into());
        }
        () = over(&*way.shared.engine.clock, plugin.expires_ms) => {
            guest.count(CallFigures::default(), Some(FailureKind::Unavailable));
            return Err(Refusal::expired(&link.full, &plugin.manifest.name).into());
        }
        ended = guest.confined.call(&input, limits, desk) => ended,
    };
    printer.print(&ended.printed).await;
    if probe.leave(ended.result.as_ref().err().is_some_and(is_crash)) {
        guest.pause();
    }
    if let (Some(dump), Some(folder)) = (ended.dump, &guest.dumps) {
        leave(&way, &link.full, folder.clone(), dump).await;
    }
    let result = output_of(ended.result, limits.output_bytes_max);
    guest.count(ended.figures, result.as_ref().err().map(|failure| failure.kind));
    match result {
        Ok(value) => {
            let all = printer.labels(&value, told.all()).all();
            Ok(Unchecked::told(value, all))
        }
        Err(failure) => Err(failure.labelled(told.all()).into()),
    }
}

/// Longest wait between two looks at the clock, which may be set.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Ends when a leave does: all of it, and not only what asks a gate.
async fn over(clock: &dyn Clock, expires_ms: Option<u64>) {
    let Some(end_ms) = expires_ms else { return std::future::pending().await };
    while let Some(left_ms) = end_ms.checked_sub(clock.now_ms()).filter(|left_ms| *left_ms > 0) {
        tokio::time::sleep(LOOK_EVERY.min(Duration::from_millis(left_ms))).await;
    }
}

/// Keeps what a guest was when it crashed. That it cannot be kept changes nothing of the call, and is told to the operator.
async fn leave(way: &Way, link: &Str, folder: Arc<DumpFolder>, dump: Vec<u8>) {
    let run = way.shared.id.clone();
    let kept = tokio::task::spawn_blocking(move || folder.keep(&run, &dump)).await;
    match kept.unwrap_or_else(|_| Err(std::io::Error::other("it was broken off"))) {
        Ok(None) => {}
        Ok(Some(path)) => {
            way.shared.record(link, Stage::Dumped { file: path.display().to_string().into() });
        }
        Err(error) => way.shared.record(link, Stage::Undumped { why: error.to_string().into() }),
    }
}

/// A guest that ended by itself, with whatever words, has not crashed.
fn is_crash(halt: &Halt) -> bool {
    !matches!(halt, Halt::Failed(_) | Halt::Output(_) | Halt::Asks(_))
}
