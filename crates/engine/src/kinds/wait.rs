//! `wait`: a pause, or until a moment.

use super::{Call, Runs, fail, invalid, known_keys, now, text};
use crate::bound::Called;
use crate::run::Way;
use ringmail_core::chain::Link;
use ringmail_core::doc::form::{Form, Key, date_ms, duration_ms};
use ringmail_core::gate::Unchecked;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::value::Value;
use std::time::Duration;

const WITH: &[Key] = &[
    Key::new("for", Form::Duration, "how long"),
    Key::new("until", Form::Date, "until when; a moment that has passed does not wait"),
];

pub(super) static KIND: Kind = Kind {
    name: "wait",
    doc: "a pause, within the time the run has; it ends when it would have, if its process comes back meanwhile",
    settings: &[],
    with: With::Fields(WITH),
    role: Role::Step,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, link: &Link, call: Call) -> Called {
        let now_ms = way.shared.moment().now_ms;
        let until_ms = match pause(call.admitted.args(), now_ms) {
            Err(message) => return fail(invalid(message)),
            Ok(0) => return now(Ok(Unchecked::new(Value::Null))),
            Ok(pause_ms) => way.waits_until(link, now_ms.saturating_add(pause_ms)),
        };
        let way = way.clone();
        Box::pin(async move {
            loop {
                let left = until_ms.saturating_sub(way.shared.moment().now_ms);
                if left == 0 {
                    return Ok(Unchecked::new(Value::Null));
                }
                way.wait(Duration::from_millis(left)).await;
            }
        })
    }
}

fn pause(args: &Value, now_ms: u64) -> Result<u64, String> {
    known_keys(args, WITH)?;
    match (text(args, "for")?, text(args, "until")?) {
        (Some(duration), None) => duration_ms(duration),
        (None, Some(date)) => date_ms(date).map(|end| end.saturating_sub(now_ms)),
        _ => Err("give `for` or `until`".into()),
    }
}
