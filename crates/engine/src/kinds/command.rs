//! `command`: a program of the project, as a process behind walls that ends with its call. Running one is an effect,
//! whatever it does, because nobody knows what it does.

use super::{Call, Runs, fail, invalid, known_keys, text};
use crate::bound::Called;
use crate::run::Way;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Permit, Unchecked};
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::kind::{Kind, Need, Reach, Role, With};
use ringmail_core::value::Value;
use ringmail_host::{ChildEnd, ChildError, ChildHalt, ChildStatus, run_child};

const FORMS: &[&str] = &["text", "json", "lines", "base64"];
const ENDS: &[&str] = &["success", "any"];
const WITH: &[Key] = &[
    Key::new("args", Form::List(&Form::Text), "arguments, after those of the project; always trusted"),
    Key::new("stdin", Form::Any, "what it reads: a text as it is, anything else as JSON"),
    Key::new("as", Form::OneOf(FORMS), "how its output is read; default text"),
    Key::new("expect", Form::OneOf(ENDS), "whether another status than 0 is a failure; default success"),
];

pub(super) static KIND: Kind = Kind {
    name: "command",
    doc: "a program of the project in a process behind walls; answers with `status`, `out` and `err`",
    settings: &[Key::required(
        "command",
        Form::Name,
        "which one, as `[command.NAME]` of the project calls it",
    )],
    with: With::Fields(WITH),
    role: Role::Command,
    source: true,
    patient: true,
    passes: None,
    needs,
    reach: Reach::Command,
};

fn needs(link: &Link, args: &Value) -> Result<Vec<Need>, String> {
    let Detail::Command(name) = &link.detail else { return Err("the link has no command".into()) };
    if !matches!(args, Value::Null) {
        known_keys(args, WITH)?;
        arguments(args)?;
    }
    Ok(vec![Need::Command { name: name.clone() }])
}

fn arguments(args: &Value) -> Result<Vec<&str>, String> {
    let list = match args.get("args") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::List(list)) => list,
        Some(other) => return Err(format!("`args` must be a list, not {}", other.type_name())),
    };
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    texts.ok_or_else(|| "each of `args` must be a string".into())
}

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, mut call: Call) -> Called {
        let Some(Permit::Command(permit)) = call.admitted.take_permit() else {
            return fail(Failure::new(FailureKind::NotFound, "the call has no permit"));
        };
        let Some((mut spec, walls)) = way.shared.engine.commands.get(permit.name()) else {
            return fail(Failure::new(FailureKind::NotFound, "the command is not there"));
        };
        let name = permit.name().to_string();
        let args = call.admitted.into_args();
        match arguments(&args) {
            Ok(more) => spec.args.extend(more.into_iter().map(Into::into)),
            Err(message) => return fail(invalid(message)),
        }
        Box::pin(async move {
            let input = match args.get("stdin") {
                None | Some(Value::Null) => String::new(),
                Some(Value::Str(text)) => text.to_string(),
                Some(other) => to_string(other),
            };
            let end = run_child(spec, input.as_bytes(), walls).await.map_err(|halt| failure(&halt))?;
            Ok(Unchecked::new(answer(&name, &args, end)?))
        })
    }
}

fn failure(halt: &ChildHalt) -> Failure {
    let kind = match halt {
        ChildHalt::Time(_) => FailureKind::Timeout,
        ChildHalt::Output(_) => FailureKind::TooLarge,
        ChildHalt::Start(ChildError::Program { .. } | ChildError::File { .. }) => FailureKind::NotFound,
        ChildHalt::Start(ChildError::Zero) => FailureKind::Invalid,
        _ => FailureKind::Unavailable,
    };
    Failure::new(kind, halt.to_string())
}

fn answer(name: &str, args: &Value, end: ChildEnd) -> Result<Value, Failure> {
    let any = match text(args, "expect").map_err(invalid)?.unwrap_or("success") {
        "success" => false,
        "any" => true,
        _ => return Err(invalid(format!("`expect` must be one of {}", ENDS.join(", ")))),
    };
    let (status, words) = match end.status {
        ChildStatus::Code(code) => (i64::from(code), format!("ended with {code}")),
        // As shells count them.
        ChildStatus::Signal(signal) => (128 + i64::from(signal), format!("was ended by signal {signal}")),
    };
    if status != 0 && !any {
        let help = "`expect: any` shows what it said";
        return Err(Failure::new(FailureKind::Status, format!("`{name}` {words}; {help}")));
    }
    let form = text(args, "as").map_err(invalid)?.unwrap_or("text");
    let out = decode(end.out, form)?;
    let err = String::from_utf8_lossy(&end.err).into_owned();
    Ok(Value::map([("status", Value::from(status)), ("out", out), ("err", Value::from(err))]))
}

fn decode(bytes: Vec<u8>, form: &str) -> Result<Value, Failure> {
    match form {
        "base64" => return Ok(Value::from(STANDARD.encode(bytes))),
        "json" => {
            let limits = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
            return parse(&bytes, &limits)
                .map_err(|error| invalid(format!("its output is not JSON: {error}")));
        }
        "text" | "lines" => {}
        _ => return Err(invalid(format!("`as` must be one of {}", FORMS.join(", ")))),
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| invalid("its output is not UTF-8 text; read it `as: base64`"))?;
    Ok(match form {
        "lines" => Value::list(text.lines().map(Value::from)),
        _ => Value::from(text),
    })
}
