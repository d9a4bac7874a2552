//! `validate`: hands a value on, labels and all, if it fits a schema or a named check; fails otherwise.

use super::{Call, Runs, fail, invalid, now};
use crate::bound::Called;
use crate::run::Way;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::gate::Unchecked;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};

pub(super) static KIND: Kind = Kind {
    name: "validate",
    doc: "hands a value on if it fits; a check raises no trust",
    settings: &[
        Key::new("schema", Form::Schema, "JSON Schema the value must fit"),
        Key::new("check", Form::Text, "a named check the value must pass"),
    ],
    with: With::Fields(&[Key::required("value", Form::Any, "what is checked and handed on")]),
    role: Role::Validate,
    source: false,
    patient: false,
    passes: Some("value"),
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, _: &Way, link: &Link, call: Call) -> Called {
        let Detail::Validate(schema, check) = &link.detail else {
            return fail(invalid("the link checks nothing"));
        };
        let Some(value) = call.admitted.args().get("value") else {
            return fail(invalid("`value` is missing"));
        };
        if let Some(Err(mismatches)) = schema.as_ref().map(|schema| schema.check(value)) {
            let shown =
                mismatches.iter().map(|mismatch| format!("`{}`: {}", mismatch.path, mismatch.message));
            return fail(invalid(shown.collect::<Vec<_>>().join("; ")));
        }
        if let Some(check) = check
            && let Err(why) = check.test(value)
        {
            return fail(invalid(format!("not a safe `{}`: the value {why}", check.name)));
        }
        now(Ok(Unchecked::same()))
    }
}
