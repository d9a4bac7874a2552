//! How a command ends: the exit codes, and the one kind of error that reaches the edge. One function prints it.

use crate::{snippet, terminal};
use ringmail_engine::core::doc::{Problem, Problems};
use ringmail_engine::core::refusal::Refusal;
use ringmail_engine::core::value::Value;
use std::fmt::Write;

/// Exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    User = 1,
    Usage = 2,
    Pipe = 3,
    Unread = 11,
    Medium = 12,
    High = 13,
    Critical = 14,
    Refused = 20,
    Open = 21,
    Internal = 70,
    Interrupted = 130,
}

impl Exit {
    /// For the reference; printed by `ringmail --help`.
    pub(crate) const ALL: &[(Exit, &str)] = &[
        (Exit::Done, "done"),
        (Exit::User, "something in the files, settings, input or the run is wrong"),
        (Exit::Usage, "the arguments are wrong"),
        (Exit::Pipe, "whoever read the output has gone"),
        (Exit::Unread, "a review could not read all files, and found nothing in the others"),
        (Exit::Medium, "the worst that a review found is of medium severity"),
        (Exit::High, "the worst that a review found is of high severity"),
        (Exit::Critical, "the worst that a review found is critical"),
        (Exit::Refused, "a gate refused"),
        (Exit::Open, "the run is not over: it waits, or somebody has to say what happened"),
        (Exit::Internal, "a defect in Ringmail"),
        (Exit::Interrupted, "interrupted with Ctrl-C"),
    ];
}

/// Why a command cannot go on.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) exit: Exit,
    source: Source,
    hints: Vec<String>,
}

#[derive(Debug)]
enum Source {
    Error(anyhow::Error),
    Problems(Problems),
    Refusal(Box<Refusal>, Vec<snippet::Origin>),
    /// Already said, or nobody is left to hear it.
    Silent,
}

impl Fault {
    pub(crate) fn user(message: impl Into<String>) -> Fault {
        Fault::from(anyhow::Error::msg(message.into()))
    }

    pub(crate) fn problem(problem: Problem) -> Fault {
        Problems(vec![problem]).into()
    }

    pub(crate) fn refused(refusal: Box<Refusal>, origins: Vec<snippet::Origin>) -> Fault {
        Fault { exit: Exit::Refused, source: Source::Refusal(refusal, origins), hints: Vec::new() }
    }

    pub(crate) fn interrupted() -> Fault {
        let fault = Fault::user("interrupted; what had already happened is on record");
        Fault { exit: Exit::Interrupted, ..fault }
    }

    /// The same, of a run that is not over.
    #[must_use]
    pub(crate) fn open(self) -> Fault {
        Fault { exit: Exit::Open, ..self }
    }

    pub(crate) fn silent(exit: Exit) -> Fault {
        Fault { exit, source: Source::Silent, hints: Vec::new() }
    }

    pub(crate) fn internal(panic: &(dyn std::any::Any + Send)) -> Fault {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let fault = Fault::user(format!("this is a defect in ringmail: {text}"));
        Fault { exit: Exit::Internal, ..fault }.hint("please report it with the command that caused it")
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hints.push(hint.into());
        self
    }

    /// For `--format json`: what is wrong, with places.
    pub(crate) fn to_value(&self) -> Option<Value> {
        let told = match &self.source {
            Source::Silent => return None,
            Source::Problems(problems) => ("problems", snippet::problems_value(problems)),
            Source::Error(error) => ("error", Value::from(format!("{error:#}"))),
            Source::Refusal(refusal, _) => ("refusal", ringmail_engine::refusal_value(refusal)),
        };
        let hints = self.hints.iter().map(|hint| Value::from(hint.as_str()));
        Some(Value::map([("ended", Value::from("not started")), told, ("hints", Value::list(hints))]))
    }

    /// What is wrong, as far as it has places.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        match self.source {
            Source::Problems(problems) => problems.0,
            Source::Error(_) | Source::Refusal(..) | Source::Silent => Vec::new(),
        }
    }

    /// Prints the error to stderr; the only place that does.
    pub(crate) fn print(&self) -> Exit {
        let text = self.text();
        if !text.is_empty() {
            terminal::say(&text);
        }
        self.exit
    }

    pub(crate) fn text(&self) -> String {
        let mut text = match &self.source {
            Source::Silent => return String::new(),
            Source::Error(error) => snippet::plain(&format!("{error:#}")),
            Source::Problems(problems) => snippet::problems(problems),
            Source::Refusal(refusal, origins) => snippet::refusal(refusal, origins),
        };
        for hint in &self.hints {
            let _infallible = write!(text, "\n{}", snippet::hint(hint));
        }
        text
    }
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Fault {
        let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(broken_pipe) {
            return Fault::silent(Exit::Pipe);
        }
        Fault { exit: Exit::User, source: Source::Error(error), hints: Vec::new() }
    }
}

impl From<Problems> for Fault {
    fn from(problems: Problems) -> Fault {
        Fault { exit: Exit::User, source: Source::Problems(problems), hints: Vec::new() }
    }
}
