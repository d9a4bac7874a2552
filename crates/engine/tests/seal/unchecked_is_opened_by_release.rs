use ringmail_engine::core::gate::{Due, Unchecked};
use ringmail_engine::core::label::Labeled;

fn by_field(unchecked: Unchecked) -> Labeled {
    unchecked.0
}

fn by_due(due: Due) -> Labeled {
    due.special.unwrap().args
}

fn main() {}
