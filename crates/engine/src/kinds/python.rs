//! `python`: a program, in an instance of the interpreter of its own. It gets its arguments as variables, answers with
//! what it puts into `result`, and calls nothing but its tools.

use super::{Call, Runs, fail, invalid};
use crate::bound::Called;
use crate::desk::{Behind, GuestDesk, Told, asks};
use crate::pieces::Pieces;
use crate::plugins::{Guest, output_of, plugin_limits};
use crate::python::{Fast, Interpreter};
use crate::run::Way;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::program::Program;
use ringmail_core::python::PROGRAM_KEYS;
use ringmail_core::value::{Str, Value};
use ringmail_host::{CallLimits, Ended, Halt};
use std::sync::Arc;
use std::time::Instant;

pub(super) static KIND: Kind = Kind {
    name: "python",
    doc: "a Python program behind walls: `with` becomes its variables, and what it puts into `result` is the output",
    settings: &[
        Key::new("code", Form::Text, "the program; without it and `file`, `with.code` is the program"),
        Key::new("file", Form::Text, "the program's file, from the project's folder"),
        Key::new(
            "tools",
            Form::List(&Form::Name),
            "chains it may call, each as a function with keyword arguments",
        ),
        Key::new(
            "log",
            Form::Bool,
            "what it prints goes to the log, for which the link needs a grant; default false",
        ),
        Key::new(
            "limits",
            Form::Table(PROGRAM_KEYS),
            "what one run may use; only narrows `[python]` of the project",
        ),
    ],
    with: With::Anything,
    role: Role::Python,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(run(way.clone(), call))
    }
}

async fn run(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let (link, bound) = way.link(call.admitted.position())?;
    let (Detail::Python { program, limits, ways }, Some(python)) = (&link.detail, &way.shared.engine.python)
    else {
        return fail(Failure::new(FailureKind::NotFound, "there is no Python interpreter")).await;
    };
    let (code, input) = parts(program.as_ref(), call.admitted.args())?;
    let tools = ways.iter().filter_map(|way| way.tool.clone()).map(Value::Str);
    let given = vec![("input", input), ("tools", Value::list(tools))];
    let told = Told::new(call.admitted.labels().all().join(call.admitted.decision()));
    let desk = GuestDesk {
        asks: asks(ways, &bound.bodies),
        link: link.full.clone(),
        behind: Behind::Python(python.modules.clone()),
        frame: call.frame.clone(),
        told: told.clone(),
        way: way.clone(),
        pieces: Pieces::none(),
        used: Arc::default(),
    };
    let (limits, mut printer) = (plugin_limits(*limits), desk.clone());
    let (ended, guest) = interpret(python, &code, given, &limits, desk).await;
    printer.print(&ended.printed).await;
    let result = output_of(ended.result, limits.output_bytes_max);
    guest.count(ended.figures, result.as_ref().err().map(|failure| failure.kind));
    match result {
        Ok(value) => {
            let all = printer.labels(&value, told.all()).all();
            Ok(Unchecked::told(value, all))
        }
        Err(failure) => Err(placed(failure, program.as_ref()).labelled(told.all()).into()),
    }
}

/// Runs a program where it fits: in the fast interpreter, or in the one that knows the whole language, which has what the
/// first one left of its time.
async fn interpret<'p>(
    python: &'p Interpreter,
    code: &str,
    given: Vec<(&'static str, Value)>,
    limits: &CallLimits,
    desk: GuestDesk,
) -> (Ended, &'p Guest) {
    let (mut left, mut tried) = (*limits, None);
    if let Some(fast) = python.fast.as_ref().filter(|fast| fast.fits(code)) {
        let began = Instant::now();
        let errand = python.errand(false, code, given.clone());
        let mut ended = fast.guest.confined.call(&errand, limits, desk.clone()).await;
        if let Some(result) = Fast::ended(&mut ended) {
            return (Ended { result, ..ended }, &fast.guest);
        }
        left.time_max = limits.time_max.saturating_sub(began.elapsed());
        left.fuel_max = limits.fuel_max.saturating_sub(ended.figures.fuel);
        tried = Some((fast, ended.figures));
    }
    let errand = python.errand(false, code, given);
    let mut ended = python.guest.confined.call(&errand, &left, desk).await;
    if let Some((fast, first)) = tried {
        ended.figures = ended.figures.after(&first);
        match &mut ended.result {
            Ok(_) => fast.unfit(code),
            // Nobody granted what was left.
            Err(Halt::Time(time_max)) => *time_max = limits.time_max,
            Err(Halt::Fuel(fuel_max)) => *fuel_max = limits.fuel_max,
            Err(_) => {}
        }
    }
    (ended, &python.guest)
}

/// The program, and what it is given.
fn parts(program: Option<&Program>, args: &Value) -> Result<(Str, Value), Failure> {
    if let Some(program) = program {
        return Ok((program.text.clone(), args.clone()));
    }
    let map =
        args.as_map().ok_or_else(|| invalid("the arguments must be a map with the program as `code`"))?;
    let code = match map.get("code") {
        Some(Value::Str(code)) => code.clone(),
        _ => return Err(invalid("the program, `with.code`, must be a text")),
    };
    let rest = map.iter().filter(|(name, _)| &***name != "code");
    Ok((code, Value::map(rest.map(|(name, value)| (name.clone(), value.clone())))))
}

/// A failure with the line of the file in which the program's line stands.
fn placed(mut failure: Failure, program: Option<&Program>) -> Failure {
    let parts = failure.message.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    let place = parts.and_then(|(line, rest)| Some((program?.place(line.parse().ok()?)?, rest)));
    if let Some((place, rest)) = place {
        failure.message = format!("{place}: {rest}");
    }
    failure
}
