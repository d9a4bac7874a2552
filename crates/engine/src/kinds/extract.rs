//! `extract`: a value of a closed range out of untrusted text. What comes out counts as trusted, because whoever
//! wrote the text could choose among those few values and do nothing else.

use super::{Call, Runs, fail, invalid, now};
use crate::bound::Called;
use crate::run::Way;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::Unchecked;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};

pub(super) static KIND: Kind = Kind {
    name: "extract",
    doc: "a value of a closed range out of untrusted data; what comes out is trusted",
    settings: &[
        Key::required("as", Form::OneOf(&["bool", "enum", "int", "date", "id"]), "the range"),
        Key::new("values", Form::List(&Form::Text), "the values of an `enum`"),
        Key::new("min", Form::Int { min: i64::MIN, max: i64::MAX }, "smallest `int`"),
        Key::new("max", Form::Int { min: i64::MIN, max: i64::MAX }, "largest `int`"),
        Key::new(
            "drop",
            Form::List(&Form::Text),
            "tags so small a value no longer carries; policy must permit to `declassify` here",
        ),
    ],
    with: With::Fields(&[
        Key::required("from", Form::Any, "where the value is taken from"),
        Key::new("among", Form::List(&Form::Text), "the trusted list an `id` must be in"),
    ]),
    role: Role::Extract,
    source: false,
    patient: false,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, _: &Way, link: &Link, call: Call) -> Called {
        let Detail::Extract(range, _) = &link.detail else {
            return fail(invalid("the link has no range"));
        };
        let args = call.admitted.args();
        let Some(from) = args.get("from") else { return fail(invalid("`from` is missing")) };
        match range.convert(from, args.get("among")) {
            Some(value) => now(Ok(Unchecked::new(value))),
            None => fail(Failure::new(FailureKind::Range, format!("the value is not {}", range.words()))),
        }
    }
}
