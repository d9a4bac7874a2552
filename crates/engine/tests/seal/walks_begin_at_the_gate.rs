use ringmail_engine::core::chain::Plan;
use ringmail_engine::core::chain::walk::Walk;
use ringmail_engine::core::gate::Entered;
use ringmail_engine::core::label::{Label, Labeled};
use ringmail_engine::core::run::Run;
use std::sync::{Arc, Mutex};

fn without_entering(plan: Arc<Plan>, run: Arc<Mutex<Run>>, input: Labeled) -> Walk {
    Walk::new(plan, run, vec![input], Label::BOTTOM)
}

fn with_an_input_alone(run: Arc<Mutex<Run>>, input: Labeled) -> Walk {
    Walk::begin(input, run, &Labeled::default())
}

fn with_other_labels(entered: Entered) -> (Arc<Plan>, Labeled, Label) {
    entered.into_parts()
}

fn main() {}
