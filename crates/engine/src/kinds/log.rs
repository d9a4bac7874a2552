//! `log`: a line to the host's log, which is a sink like any other.

use super::{Call, Runs, fail, invalid, known_keys, now, required, text};
use crate::bound::Called;
use crate::log::LogLine;
use crate::run::Way;
use ringmail_core::chain::Link;
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::gate::Unchecked;
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::value::Value;

const WITH: &[Key] = &[
    Key::required("message", Form::Text, "the line"),
    Key::new("level", Form::OneOf(LEVELS), "default info"),
    Key::new("fields", Form::Any, "data beside the line"),
];
const LEVELS: &[&str] = &["debug", "info", "warn", "error"];

pub(super) static KIND: Kind = Kind {
    name: "log",
    doc: "a line to the host's log",
    settings: &[],
    with: With::Fields(WITH),
    role: Role::Step,
    source: false,
    patient: false,
    passes: None,
    needs,
    reach: Reach::Log,
};

fn needs(_: &Link, _: &Value) -> Result<Vec<Need>, String> {
    Ok(vec![Need::Log])
}

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, link: &Link, call: Call) -> Called {
        match line(way, link, call.admitted.args()) {
            Ok(line) => {
                way.shared.engine.log.write(&line);
                now(Ok(Unchecked::new(Value::Null)))
            }
            Err(message) => fail(invalid(message)),
        }
    }
}

fn line(way: &Way, link: &Link, args: &Value) -> Result<LogLine, String> {
    known_keys(args, WITH)?;
    let level = text(args, "level")?.unwrap_or("info");
    if !LEVELS.contains(&level) {
        return Err(format!("`level` must be one of {}", LEVELS.join(", ")));
    }
    Ok(LogLine {
        run: way.shared.id.clone(),
        link: link.full.clone(),
        level: level.into(),
        message: required(args, "message")?.into(),
        fields: args.get("fields").cloned().unwrap_or_default(),
    })
}
