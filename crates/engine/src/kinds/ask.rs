//! `ask`: a question to whoever called, while the run waits. The caller is a sink like any other for what it is asked, and a
//! source like any other for what it answers.

use super::{Call, Runs, fail, invalid, known_keys, required, text};
use crate::approvals::Approvals;
use crate::bound::Called;
use crate::caller::{CallerAnswer, Wanted};
use crate::run::Way;
use ringmail_core::answer::AnswerForm;
use ringmail_core::chain::Link;
use ringmail_core::doc::form::{Form, Key, duration_ms};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Admitted, CALLER, Permit, Unchecked};
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::label::Label;
use ringmail_core::value::{Str, Value};
use std::time::Duration;

/// Bytes of what somebody is told.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 << 10;
const WITHIN_MS: u64 = 5 * 60_000;
pub(super) const WITHIN_MS_MAX: u64 = 60 * 60_000;

const WITH: &[Key] = &[
    Key::required("message", Form::Text, "what the person behind the caller is told"),
    Key::required(
        "schema",
        Form::Any,
        "what is asked for: an `object` whose `properties` are texts, numbers, truth values or choices, with titles and defaults",
    ),
    Key::new(
        "within",
        Form::Duration,
        "how long there is to answer, up to 1h; the run does not grow older meanwhile; default 5m",
    ),
];

pub(super) static KIND: Kind = Kind {
    name: "ask",
    doc: "asks whoever called, if it came over MCP and can be asked; the result is what was answered",
    settings: &[],
    with: With::Fields(WITH),
    role: Role::Step,
    source: true,
    patient: true,
    passes: None,
    needs,
    reach: Reach::Caller,
};

fn needs(_: &Link, _: &Value) -> Result<Vec<Need>, String> {
    Ok(vec![Need::Caller])
}

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, link: &Link, call: Call) -> Called {
        let mut admitted = call.admitted;
        let Some(Permit::Caller) = admitted.take_permit() else {
            return fail(invalid("the call may not ask anybody"));
        };
        let at = way.at(link);
        let id = Approvals::id(&way.shared.id, &at, way.shared.count_question(&at));
        let wanted = match wanted(link, &admitted, id) {
            Ok(wanted) => wanted,
            Err(why) => return fail(invalid(why)),
        };
        let way = way.clone();
        Box::pin(async move {
            let said_nothing = |why: &str| Failure::new(FailureKind::Declined, why);
            match way.ask_caller(wanted).await? {
                CallerAnswer::Given(value) => {
                    let mut facts = way.shared.facts();
                    let (tenant, origins) = (facts.tenant(), facts.origins.intern(&CALLER.into()));
                    Ok(Unchecked::told(value, Label { untrusted: true, tenant, origins, ..Label::BOTTOM }))
                }
                CallerAnswer::Declined => Err(said_nothing("the caller declined to answer").into()),
                CallerAnswer::Dismissed => Err(said_nothing("the caller did not answer").into()),
            }
        })
    }
}

fn wanted(link: &Link, admitted: &Admitted, id: Str) -> Result<Wanted, String> {
    let args = admitted.args();
    known_keys(args, WITH)?;
    let message = required(args, "message")?;
    if message.is_empty() || message.len() > MESSAGE_BYTES_MAX {
        return Err(format!("`message` has 1 to {MESSAGE_BYTES_MAX} bytes"));
    }
    let schema = args.get("schema").ok_or("`schema` is missing")?;
    let form = AnswerForm::read(schema)?;
    let within_ms = text(args, "within")?.map(duration_ms).transpose()?.unwrap_or(WITHIN_MS);
    if within_ms == 0 || within_ms > WITHIN_MS_MAX {
        return Err("`within` is more than nothing and at most 1h".into());
    }
    Ok(Wanted {
        id,
        name: link.name.clone(),
        message: message.into(),
        schema: schema.clone(),
        form,
        within: Duration::from_millis(within_ms),
    })
}
