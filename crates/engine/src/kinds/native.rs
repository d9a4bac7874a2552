//! `native`: a function of the engine or of the program that embeds it.

use super::{Call, Runs, fail, now};
use crate::bound::{Called, NativeRun};
use crate::ctx::Ctx;
use crate::run::Way;
use crate::running::panicked;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::label::Tags;
use ringmail_core::value::Value;
use tokio_util::sync::CancellationToken;

pub(super) static KIND: Kind = Kind {
    name: "native",
    doc: "a function of the engine, or of the program that embeds it",
    settings: &[Key::required("call", Form::Text, "the function's name")],
    with: With::Anything,
    role: Role::Native,
    source: false,
    patient: false,
    passes: None,
    needs,
    reach: Reach::Effect,
};

fn needs(link: &Link, _: &Value) -> Result<Vec<Need>, String> {
    Ok(match &link.detail {
        Detail::Native { effect: Some(name), .. } => vec![Need::Effect { name: name.clone() }],
        _ => Vec::new(),
    })
}

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        let native = way.bound.links.get(call.admitted.position()).and_then(|bound| bound.native.as_ref());
        match native {
            None => fail(Failure::new(FailureKind::NotFound, "the function is not there")),
            Some(NativeRun::Pure(run)) => {
                now(run(call.admitted.args()).map(Unchecked::new).map_err(Blocked::from))
            }
            // An async link ends with its future, so the run's own token is enough.
            Some(NativeRun::Async(run)) => run(ctx(way, call, None)),
            Some(NativeRun::Blocking(run)) => {
                let cancel = way.shared.cancel.child_token();
                let ends_with_call = cancel.clone().drop_guard();
                let (run, ctx) = (run.clone(), ctx(way, call, Some(cancel)));
                // A blocked thread cannot be stopped: after a timeout it is told, and its result is thrown away.
                let task = tokio::task::spawn_blocking(move || run(ctx));
                Box::pin(async move {
                    let _ends_with_call = ends_with_call;
                    match task.await {
                        Ok(ended) => ended.map(Unchecked::new).map_err(Blocked::from),
                        Err(error) if error.is_panic() => Err(panicked(&*error.into_panic())),
                        Err(_) => {
                            Err(Failure::new(FailureKind::Cancelled, "the runtime is shutting down").into())
                        }
                    }
                })
            }
        }
    }
}

fn ctx(way: &Way, call: Call, child: Option<CancellationToken>) -> Ctx {
    let pieces = way.pieces(&call.admitted, Tags::NONE);
    Ctx { at: call.admitted.position(), args: call.admitted.into_args(), way: way.clone(), child, pieces }
}
