//! `script`: a function written in Rhai, which takes the arguments and gives the result. It has no way out, so all there
//! is to hold is what it uses.

use super::{Call, Runs, fail};
use crate::bound::Called;
use crate::plugins::failure_kind;
use crate::run::Way;
use crate::scripts::script_limits;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};

/// What one run may use.
const LIMIT_KEYS: &[Key] = &[
    Key::new("memory", Form::Size, "what it may build; default 16MiB, at most 64MiB"),
    Key::new("time", Form::Duration, "how long it may run; default 1s"),
    Key::new(
        "fuel",
        Form::Int { min: 1, max: i64::MAX },
        "steps of the interpreter; default 1000000000, more than fit into the time",
    ),
    Key::new("output", Form::Size, "largest result; default 8MiB, at most 64MiB"),
];

pub(super) static KIND: Kind = Kind {
    name: "script",
    doc: "a function in Rhai: takes `with`, gives the result, and reaches nothing",
    settings: &[
        Key::new("code", Form::Text, "the script; the chain holds this or names a `file`"),
        Key::new("file", Form::Text, "the script's file, from the project's folder"),
        Key::new(
            "entry",
            Form::Name,
            "the function it begins with, which takes one argument; default `main`",
        ),
        Key::new("limits", Form::Table(LIMIT_KEYS), "what one run may use at most"),
    ],
    with: With::Anything,
    role: Role::Script,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, link: &Link, call: Call) -> Called {
        let slot = way.bound.links.get(call.admitted.position()).and_then(|bound| bound.script.clone());
        let (Some(slot), Detail::Script(scripted)) = (slot, &link.detail) else {
            return fail(Failure::new(FailureKind::NotFound, "the script is not there"));
        };
        let (limits, file) = (script_limits(scripted.limits), scripted.file.clone());
        let (way, at) = (way.clone(), call.admitted.position());
        Box::pin(async move {
            let ended = slot.current().call(call.admitted.args(), &limits).await;
            slot.count(ended.figures, ended.result.as_ref().err().map(|halted| failure_kind(&halted.halt)));
            ended.result.map(Unchecked::new).map_err(|halted| {
                // A file may have changed since the chain was loaded: its own lines count.
                let place = halted.place.and_then(|(line, _)| match (&file, way.bound.plan.link(at)) {
                    (Some(file), _) => Some(format!("{file}:{line}: ")),
                    (None, Some(Link { detail: Detail::Script(scripted), .. })) => {
                        scripted.program.place(line).map(|place| format!("{place}: "))
                    }
                    _ => None,
                });
                let message = format!("{}{}", place.unwrap_or_default(), halted.halt);
                Blocked::from(Failure::new(failure_kind(&halted.halt), message))
            })
        })
    }
}
