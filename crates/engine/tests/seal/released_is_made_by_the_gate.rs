use ringmail_engine::core::chain::walk::{Outcome, Walk};
use ringmail_engine::core::gate::{Released, Unchecked};
use ringmail_engine::core::label::Labeled;

fn unchecked_taken_in(walk: &mut Walk, unchecked: Unchecked) {
    let _ = walk.settle(0, Outcome::Done(unchecked));
}

fn labels_taken_off(released: Released) -> Labeled {
    released.into_labeled()
}

fn labels_changed(mut released: Released) {
    released.0.labels = Default::default();
}

fn main() {}
