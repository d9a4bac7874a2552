//! `endorse`: a principal vouches for a value. The gate judges and records the act; what is left to do is nothing.

use super::{Call, Runs, now};
use crate::bound::Called;
use crate::run::Way;
use ringmail_core::chain::Link;
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::gate::Unchecked;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};

pub(super) static KIND: Kind = Kind {
    name: "endorse",
    doc: "raises a value to trusted, by a principal whom policy permits to `endorse` here; signed and recorded",
    settings: &[
        Key::required("reason", Form::Text, "why that is right"),
        Key::new("scope", Form::Expr, "what must hold of `value`"),
        Key::new("expires", Form::Date, "from when on nobody may endorse here"),
        Key::new(
            "required",
            Form::Bool,
            "whether a principal who may not endorse ends the run; default true, otherwise the value passes as it is",
        ),
    ],
    with: With::Fields(&[Key::required("value", Form::Any, "what is endorsed")]),
    role: Role::Endorse,
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
