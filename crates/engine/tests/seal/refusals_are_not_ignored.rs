#![deny(unused_must_use)]

use ringmail_engine::core::chain::Plan;
use ringmail_engine::core::chain::walk::Ready;
use ringmail_engine::core::gate::{self, Authority, Left, Moment};
use ringmail_engine::core::run::Run;
use std::sync::Arc;

fn thrown_away(plan: &Arc<Plan>, ready: Ready, run: &mut Run, authority: &Arc<Authority>, moment: Moment) {
    gate::admit(plan, ready, 1, run, authority, moment);
}

fn unanswered(plan: &Plan, left: Left, run: &mut Run, authority: &Authority, moment: Moment) {
    gate::respond(plan, left, run, authority, moment);
}

fn main() {}
