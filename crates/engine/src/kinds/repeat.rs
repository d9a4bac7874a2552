//! `repeat`: a body again and again, its result the next round's `state`, until a condition holds.

use super::chain::blocked;
use super::each::body_at;
use super::{Call, Runs, fail};
use crate::bound::Called;
use crate::run::{Way, pass};
use ringmail_core::chain::keys::{DO_CHAIN_KEY, DO_KEY};
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::label::{Label, Labeled};
use ringmail_core::value::Value;

pub(super) static KIND: Kind = Kind {
    name: "repeat",
    doc: "a body again and again until a condition holds",
    settings: &[
        Key::new("start", Form::Template, "the first `state`; default nothing"),
        DO_KEY,
        DO_CHAIN_KEY,
        Key::required("until", Form::Expr, "ends when this holds of the new `state` and its `index`"),
        Key::required("at_most", Form::Int { min: 1, max: 100_000 }, "rounds; needing more is a failure"),
    ],
    with: With::Nothing,
    role: Role::Repeat,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(repeat(way.clone(), call))
    }
}

async fn repeat(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let (link, _) = way.link(call.admitted.position())?;
    let (Detail::Repeat { start, until, rounds_max, .. }, Some(frame), Some(body)) =
        (&link.detail, &call.frame, body_at(&way, &call, 0))
    else {
        return fail(Failure::new(FailureKind::Invalid, "the link has no body")).await;
    };
    let mut state = frame.fill(start)?;
    let mut decision = call.admitted.decision();
    // One way for all rounds: they share what they come to know.
    let inner = way.to_body(link, body.clone());
    for round in 0..*rounds_max {
        let step = way.shared.facts().spend_step(&link.full);
        step.map_err(|refusal| Blocked::Refused(refusal).labelled(decision))?;
        let index = Labeled::new(Value::Int(i64::try_from(round).unwrap_or(i64::MAX)), Label::BOTTOM);
        let walk = frame.inside(&body.plan, &[("state", state), ("index", index.clone())], decision);
        let left = pass(inner.clone(), walk).await.map_err(blocked)?;
        way.hold(&link.full, &left)?;
        let (ends, label) = frame.judge(until, &[("state", left.labeled().clone()), ("index", index)])?;
        // Whether there is another round is decided by what `until` read, and so is everything in it.
        decision = decision.join(label);
        if ends {
            return Ok(Unchecked::one(left.joined(decision)));
        }
        state = left.labeled().clone();
    }
    let message = format!("`until` did not hold after {rounds_max} rounds");
    Err(Failure::new(FailureKind::Rounds, message).labelled(decision.join(state.labels.all())).into())
}
