//! `chain`: another chain of the engine, with `with` as its input.

use super::{Call, Runs, fail};
use crate::bound::Called;
use crate::run::{Way, pass};
use crate::shared::aside;
use ringmail_core::chain::walk::{Stop, Walk};
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Blocked, Unchecked};
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::label::Labeled;
use ringmail_core::refusal::{Refusal, Rule};

pub(super) static KIND: Kind = Kind {
    name: "chain",
    doc: "another chain; its caller needs the right to run it too",
    settings: &[
        Key::required("chain", Form::Name, "the chain's name"),
        Key::new(
            "depth",
            Form::Int { min: 1, max: 64 },
            "how often this link may stand within itself, where chains call each other in a circle; default 1",
        ),
    ],
    with: With::Anything,
    role: Role::Chain,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, link: &Link, call: Call) -> Called {
        let Detail::Chain { chain, depth_max } = &link.detail else {
            return fail(Failure::new(FailureKind::Invalid, "the link names no chain"));
        };
        let engine = crate::engine::Engine(way.shared.engine.clone());
        let Some(found) = engine.chain(chain) else {
            return fail(Failure::new(FailureKind::NotFound, format!("there is no chain `{chain}`")));
        };
        let (depth_max, way) = (*depth_max, way.clone());
        Box::pin(async move {
            let (link, _) = way.link(call.admitted.position())?;
            if way.nested(&link.full) >= depth_max {
                let message = format!("this link stands within itself more than {depth_max} deep");
                let refusal = Refusal::new(Rule::DepthBudget, &link.full, message)
                    .change("raise `depth` on the link, if it may go deeper")
                    .at(way.bound.plan.spot(link.span));
                return Err(refusal.into());
            }
            let way = way.to_chain(link, found.bound.clone());
            let input =
                Labeled { value: call.admitted.args().clone(), labels: call.admitted.labels().clone() };
            let shared = &way.shared;
            let moment = shared.moment();
            let (decision, authority) = (call.admitted.decision(), &shared.engine.authority);
            let entered = aside(input.value.bytes(), || {
                let mut facts = shared.facts();
                gate::enter_inner(found.plan(), input, decision, way.depth(), &mut facts, authority, moment)
            });
            shared.note();
            let walk = Walk::begin(entered?, shared.facts.clone(), &shared.engine.placeholders);
            pass(way, walk).await.map(Unchecked::one).map_err(blocked)
        })
    }
}

/// What stopped an inner chain, as the outer one sees it.
pub(crate) fn blocked(stop: Stop) -> Blocked {
    match stop {
        Stop::Refused(refusal) => Blocked::Refused(refusal),
        Stop::Failed { link, failure } => {
            let message = format!("`{link}`: {}", failure.message);
            Failure::new(failure.kind, message).labelled(failure.label).into()
        }
    }
}
