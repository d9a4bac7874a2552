//! `choice`: the first case whose condition holds.

use super::chain::blocked;
use super::each::body_at;
use super::{Call, Runs, fail};
use crate::bound::Called;
use crate::run::{Way, pass};
use ringmail_core::chain::keys::{CASE_KEYS, OTHERWISE_KEYS};
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};

pub(super) static KIND: Kind = Kind {
    name: "choice",
    doc: "the first case whose condition holds",
    settings: &[
        Key::required(
            "cases",
            Form::List(&Form::Table(CASE_KEYS)),
            "cases in order; conditions are asked until one holds",
        ),
        Key::new(
            "otherwise",
            Form::Table(OTHERWISE_KEYS),
            "when no case holds; without it that is a failure",
        ),
    ],
    with: With::Nothing,
    role: Role::Choice,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(choose(way.clone(), call))
    }
}

async fn choose(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let (link, _) = way.link(call.admitted.position())?;
    let (Detail::Choice { cases }, Some(frame)) = (&link.detail, &call.frame) else {
        return fail(Failure::new(FailureKind::Invalid, "the link has no cases")).await;
    };
    let mut decision = call.admitted.decision();
    for (position, case) in cases.iter().enumerate() {
        if let Some(when) = &case.when {
            let (holds, label) = frame.holds(when)?;
            // That a case does not hold is known to all that follow.
            decision = decision.join(label);
            if !holds {
                continue;
            }
        }
        let Some(body) = body_at(&way, &call, position) else { break };
        let walk = frame.inside(&body.plan, &[], decision);
        let left = pass(way.to_body(link, body), walk).await.map_err(blocked)?;
        return Ok(Unchecked::one(left.joined(decision)));
    }
    let failure = Failure::new(FailureKind::NoCase, "no case holds, and there is no `otherwise`");
    Err(failure.labelled(decision).into())
}
