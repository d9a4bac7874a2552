//! `declassify`: a principal drops restriction tags from a value. The gate judges and records the act.

use super::{Call, Runs, now};
use crate::bound::Called;
use crate::run::Way;
use ringmail_core::chain::Link;
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::gate::Unchecked;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};

pub(super) static KIND: Kind = Kind {
    name: "declassify",
    doc: "drops tags from a value, by a principal whom policy permits to `declassify` here; signed and recorded",
    settings: &[
        Key::required("drop", Form::List(&Form::Text), "the tags"),
        Key::required("reason", Form::Text, "why that is right"),
        Key::new("scope", Form::Expr, "what must hold of `value`"),
        Key::new("expires", Form::Date, "from when on nobody may declassify here"),
    ],
    with: With::Fields(&[Key::required("value", Form::Any, "what is declassified")]),
    role: Role::Declassify,
    source: false,
    patient: false,
    passes: Some("value"),
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, _: &Way, _: &Link, _: Call) -> Called {
        now(Ok(Unchecked::same()))
    }
}
