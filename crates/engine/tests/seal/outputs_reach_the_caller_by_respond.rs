use ringmail_engine::core::gate::{Answer, Left};
use ringmail_engine::core::label::Labeled;

fn unanswered(left: Left) -> Labeled {
    left.into_labeled()
}

fn answered_by_hand(left: Left) -> Answer {
    left
}

fn changed(mut answer: Answer) {
    answer.0.labels = Default::default();
}

fn main() {}
