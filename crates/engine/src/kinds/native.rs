//! `native`: a function of the engine or of the program that embeds it.

use super::{Call, Runs, fail, now};
use crate::bound::{Called, NativeRun, finish, panic_text};
use crate::ctx::Ctx;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::value::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    fn call(&self, call: Call) -> Called {
        let at = call.way.bound.plan.links.iter().position(|link| link.full == call.admitted.link().full);
        let native = at.and_then(|at| call.way.bound.links.get(at)).and_then(|bound| bound.native.as_ref());
        match native {
            None => fail(Failure::new(FailureKind::NotFound, "the function is not there")),
            Some(NativeRun::Pure(run)) => {
                let ended = catch_unwind(AssertUnwindSafe(|| run(call.admitted.args())));
                now(finish(ended.map_err(panic_text)))
            }
            Some(NativeRun::Async(run)) => run(ctx(&call)),
            Some(NativeRun::Blocking(run)) => {
                let (run, ctx) = (run.clone(), ctx(&call));
                // A blocked thread cannot be stopped: after a timeout its result is thrown away.
                let task = tokio::task::spawn_blocking(move || run(ctx));
                Box::pin(async move {
                    match task.await {
                        Ok(ended) => finish(Ok(ended)),
                        Err(error) if error.is_panic() => finish(Err(panic_text(error.into_panic()))),
                        Err(_) => Err(Failure::new(FailureKind::Cancelled, "the runtime is shutting down").into()),
                    }
                })
            }
        }
    }
}

fn ctx(call: &Call) -> Ctx {
    Ctx {
        args: call.admitted.args().clone(),
        link: call.admitted.link().full.clone(),
        run: call.way.shared.id.clone(),
        cancel: call.cancel.clone(),
        pieces: call.way.pieces(&call.admitted),
    }
}
