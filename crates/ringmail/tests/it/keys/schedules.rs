//! What each key of a schedule changes in when it runs, and with what. What `beside` does is seen where a server runs them.

use super::{CASE, Case, alone};
use crate::schedules::was_away;
use crate::setup::Place;

/// For five hours nothing served.
fn away() -> Place {
    let place = alone();
    place.write("chains/u.yaml", "chain: u\noutput: other\n");
    was_away(&place, "every 1h", 5 * 3_600_000);
    place
}

const LISTS: Case = Case { place: away, commands: &[&["schedule", "list"]], ..CASE };

const GIVES: Case = Case { commands: &[&["schedule", "list", "--format", "json"]], ..LISTS };

pub(super) const CASES: &[Case] = &[
    Case {
        text: "<<[schedule.tick]\nchain = \"t\"\nevery = \"1h\"\n||>>",
        ends: ["tick  t  every 1h", "the project has no schedule"],
        ..LISTS
    },
    Case {
        text: "[schedule.tick]\nchain = \"<<t||u>>\"\nevery = \"1h\"\n",
        ends: ["tick  t  ", "tick  u  "],
        ..LISTS
    },
    Case {
        text: "[schedule.tick]\nchain = \"t\"\ncron = \"<<0 3||30 4>> 1 1 *\"\n",
        ends: ["-01-01 03:00", "-01-01 04:30"],
        ..LISTS
    },
    Case {
        text: "[schedule.tick]\nchain = \"t\"\ncron = \"0 3 1 7 *\"\nzone = \"<<Asia/Kolkata||UTC>>\"\n",
        ends: ["-06-30 21:30", "-07-01 03:00"],
        ..LISTS
    },
    Case {
        text: "[schedule.tick]\nchain = \"t\"\nevery = \"<<1h||2h>>\"\n",
        ends: ["due, and run as soon as something serves", "every 2h"],
        ..LISTS
    },
    Case {
        text: "[schedule.tick]\nchain = \"t\"\nevery = \"1h\"\ninput = <<1||{ own = 2 }>>\n",
        ends: ["\"input\": 1,", "\"own\": 2"],
        ..GIVES
    },
    Case {
        text: "[schedule.tick]\nchain = \"t\"\nevery = \"1h\"\nmissed = \"<<all||none>>\"\n",
        ends: ["\"due_ms\": [\n", "\"due_ms\": []"],
        ..GIVES
    },
    Case {
        text: "[schedule.tick]\nchain = \"t\"\nevery = \"1h\"\nmissed = \"all\"\nlate = \"<<3h||1m>>\"\n",
        ends: ["\"due_ms\": [\n", "\"due_ms\": []"],
        ..GIVES
    },
];
