//! What each key of a rule of retention changes in what is kept.

use super::{CASE, Case, alone};
use crate::retention::ran;
use crate::setup::Place;

/// A run of twenty days ago, of a time when there was a rule about what it carried, and one about which there was none.
fn aged() -> Place {
    let place = alone();
    place.write("ringmail.toml", "[[retention]]\ntag = \"pii\"\nkeep = \"90d\"\n");
    ran(&place, "mail", "mail", 20);
    ran(&place, "note", "note", 20);
    place
}

const KEEPS: Case = Case { place: aged, commands: &[&["runs", "purge"]], ..CASE };

pub(super) const CASES: &[Case] = &[
    Case {
        text: "<<[[retention]]\nkeep = \"1d\"\n||>>",
        ends: ["would be gone for good", "the project has no `[[retention]]`"],
        ..KEEPS
    },
    Case {
        text: "[[retention]]\nkeep = \"<<1d||30d>>\"\n",
        ends: ["would be gone for good", "nothing is kept longer than it should be"],
        ..KEEPS
    },
    Case {
        text: "[[retention]]\ntag = \"<<pii||other>>\"\nkeep = \"1d\"\n",
        ends: ["  pii\n", "nothing is kept longer than it should be"],
        ..KEEPS
    },
];
