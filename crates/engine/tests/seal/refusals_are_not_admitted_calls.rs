use ringmail_engine::core::chain::Plan;
use ringmail_engine::core::chain::walk::Ready;
use ringmail_engine::core::gate::{self, Admitted, Authority, Moment};
use ringmail_engine::core::run::Run;
use std::sync::Arc;

fn taken_as_yes(
    plan: &Arc<Plan>,
    ready: Ready,
    run: &mut Run,
    authority: &Arc<Authority>,
    moment: Moment,
) -> Admitted {
    gate::admit(plan, ready, 1, run, authority, moment)
}

fn main() {}
