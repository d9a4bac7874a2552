//! `approve`: the run waits until persons said yes to a value, which goes on as it was shown to them. What they say is judged
//! by the gate each time it is looked at; here is only the waiting.

use super::ask::{MESSAGE_BYTES_MAX, WITHIN_MS_MAX};
use super::{Call, Runs};
use crate::approvals::{Approvals, Inquiry, said_of, said_words};
use crate::bound::Called;
use crate::caller::{CallerAnswer, Posed, Wanted};
use crate::consent::consent_words;
use crate::recorder::{DataSubject, Kept};
use crate::run::Way;
use ringmail_core::answer::AnswerForm;
use ringmail_core::chain::{Consent, Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Blocked, Said, Tally, Unchecked};
use ringmail_core::json::to_string;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::trail::Stage;
use ringmail_core::value::Value;
use std::time::Duration;

/// How often it is looked whether somebody said something.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) static KIND: Kind = Kind {
    name: "approve",
    doc: "waits until persons whom policy permits to `approve` said yes to a value, which is trusted from then on",
    settings: &[
        Key::required("reason", Form::Text, "what they are told"),
        Key::new(
            "people",
            Form::Int { min: 1, max: 16 },
            "how many it takes; of several, none is who the run is for; default 1",
        ),
        Key::new(
            "within",
            Form::Duration,
            "how long they have; the run does not grow older meanwhile; default 24h",
        ),
    ],
    with: With::Fields(&[Key::required("value", Form::Any, "what they are asked about, and what goes on")]),
    role: Role::Approve,
    source: false,
    patient: true,
    passes: Some("value"),
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(ask(way.clone(), call))
    }
}

async fn ask(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let shared = &way.shared;
    let (link, _) = way.link(call.admitted.position())?;
    let unable = |why: String| Failure::new(FailureKind::Unavailable, why);
    let refuse = |why: String| {
        let refusal = Refusal::new(Rule::NotApproved, &link.full, why);
        Blocked::from(refusal.at(way.bound.plan.spot(link.span)))
    };
    let judge = |said: &[Said]| {
        let (moment, facts) = (shared.moment(), shared.facts());
        gate::approve(&way.bound.plan, &call.admitted, said, &facts, &shared.engine.authority, moment)
    };
    if shared.replays {
        let said = way.said_before(link).map(|said| said_of(&said)).unwrap_or_default();
        return match judge(&said) {
            Tally::Approved(approved) => Ok(Unchecked::approved(approved)),
            _ => Err(refuse("what was said then is not enough".into())),
        };
    }
    let Some(approvals) = shared.engine.approvals.clone() else {
        return Err(unable("nobody can be asked here".into()).into());
    };
    let failed = |error: std::io::Error| unable(format!("what is asked cannot be kept: {error}"));
    let question = approvals.ask(question(&way, link, &call)?).map_err(failed)?;
    shared.asked(&question.id);
    shared.record(&link.full, Stage::Waiting { until_ms: Some(question.until_ms) });
    // Whoever says yes finds the run on record.
    shared.write_on();
    let mut caller = Posed::Nobody;
    if gate::may_ask_caller(
        &way.bound.plan,
        &call.admitted,
        &shared.facts(),
        &shared.engine.authority,
        shared.moment(),
    ) {
        caller = shown(link, &question, shared.engine.clock.now_ms()).map_or(Posed::Nobody, Posed::Later);
    }
    let decided = async {
        loop {
            let said = approvals.said(&question.id).map_err(failed)?;
            let yes = match judge(&said) {
                Tally::Approved(approved) => {
                    let what = Value::map([("said", Value::list(said.iter().map(said_words)))]);
                    shared.keep(Kept { at: way.at(link), what });
                    return Ok(Unchecked::approved(approved));
                }
                Tally::Declined(who) => return Err(refuse(format!("`{who}` said no"))),
                Tally::Open(yes) => yes,
            };
            if shared.engine.clock.now_ms() >= question.until_ms {
                return Err(refuse(format!("{yes} of {} said yes in time", question.people)));
            }
            if let Posed::Later(wanted) = caller {
                caller = way.pose_to_caller(wanted);
            }
            let Posed::Open(answer) = &mut caller else {
                way.wait_for_persons(LOOK_EVERY).await;
                continue;
            };
            let answer = tokio::select! {
                biased;
                answer = answer => answer,
                () = way.wait_for_persons(LOOK_EVERY) => continue,
            };
            caller = Posed::Nobody;
            if let Some(yes) = answer.ok().as_ref().and_then(yes_or_no) {
                let recorder = shared.engine.recorder.clone();
                let recorder = recorder.ok_or_else(|| unable("nothing can be recorded".into()))?;
                let (who, now_ms) = (shared.facts().principal.clone(), shared.engine.clock.now_ms());
                let said = approvals.say(&question, &who, yes, now_ms, &*recorder);
                said.map_err(|error| unable(format!("what was said cannot be kept: {error}")))?;
            }
        }
    };
    let decided: Result<Unchecked, Blocked> = decided.await;
    shared.take_seat().await;
    decided
}

/// What the caller said; nothing if it said nothing.
fn yes_or_no(answer: &CallerAnswer) -> Option<bool> {
    match answer {
        CallerAnswer::Given(value) => match value.get("approve") {
            Some(Value::Bool(yes)) => Some(*yes),
            _ => None,
        },
        CallerAnswer::Declined => Some(false),
        CallerAnswer::Dismissed => None,
    }
}

/// The question as the caller is shown it, whole; nothing if it is longer than anybody is told.
fn shown(link: &Link, question: &Inquiry, now_ms: u64) -> Option<Wanted> {
    let mut message = format!(
        "{}\n\n`{}` goes on with exactly this, if you approve of it:\n\n{}\n",
        question.reason,
        question.link,
        to_string(&question.value)
    );
    for (path, words) in &question.labels {
        let path = if path.is_empty() { "all of it" } else { path };
        message.push_str(&format!("\n{path}: {words}"));
    }
    if message.len() > MESSAGE_BYTES_MAX {
        return None;
    }
    let approve = Value::map([("type", Value::from("boolean")), ("title", Value::from("Approve"))]);
    let schema = Value::map([
        ("type", Value::from("object")),
        ("properties", Value::map([("approve", approve)])),
        ("required", Value::list([Value::from("approve")])),
    ]);
    let form = AnswerForm::read(&schema).ok()?;
    let left_ms = question.until_ms.saturating_sub(now_ms).min(WITHIN_MS_MAX);
    let (name, within) = (link.name.clone(), Duration::from_millis(left_ms));
    let id = question.id.clone();
    Some(Wanted { id, name, message: message.into(), schema, form, within })
}

fn question(way: &Way, link: &Link, call: &Call) -> Result<Inquiry, Failure> {
    let shared = &way.shared;
    let none = || Failure::new(FailureKind::Invalid, "there is no `value`");
    let (value, value_digest) = gate::question(&call.admitted).ok_or_else(none)?;
    let Detail::Approve(Consent { reason, people, within_ms, .. }) = &link.detail else { return Err(none()) };
    let (people, within_ms) = (*people, *within_ms);
    let at = way.at(link);
    let id = Approvals::id(&shared.id, &at, shared.count_question(&at));
    let at_ms = shared.engine.clock.now_ms();
    let (asked_by, consent) = {
        let (moment, facts) = (shared.moment(), shared.facts());
        let consent =
            gate::consent(&way.bound.plan, &call.admitted, &facts, &shared.engine.authority, moment);
        (DataSubject::of(&facts.principal), consent_words(&consent.ok_or_else(none)?))
    };
    Ok(Inquiry {
        id,
        run: shared.id.clone(),
        chain: shared.answering.name.clone(),
        link: link.full.clone(),
        reason: reason.clone(),
        asked_by,
        labels: shared.label_words(&value.labels),
        value: value.value,
        value_digest,
        people,
        at_ms,
        until_ms: at_ms.saturating_add(within_ms),
        consent,
    })
}
