//! What a caller is told instead of an output: a code, a general text and an id, as RFC 9457 has it. The cause is on
//! record under the same id.

use http::StatusCode;
use ringmail_core::failure::FailureKind;
use ringmail_core::refusal::Rule;
use ringmail_core::value::{Str, Value};
use ringmail_engine::{RunError, redaction};
use std::time::Duration;

/// Why a request has no output.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    /// What is wrong with what the caller itself sent; nothing else.
    pub(crate) detail: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// What a token would have to be good for.
    pub(crate) scope: Option<Str>,
}

impl Problem {
    /// The code of a run that is not over.
    pub(crate) const OPEN: &str = "open";

    pub(crate) fn new(status: StatusCode, code: &'static str, title: &'static str) -> Problem {
        Problem { status, code, title, detail: None, retry_after: None, scope: None }
    }

    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.detail = Some(redaction::judged(&detail.into()).into_owned());
        self
    }

    pub(crate) fn unproved() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "who is calling is not proved")
    }

    pub(crate) fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here, or nothing for this caller")
    }

    pub(crate) fn scope_needed(scope: Str) -> Problem {
        let problem =
            Problem::new(StatusCode::FORBIDDEN, "insufficient-scope", "the token is not good for this");
        Problem { scope: Some(scope), ..problem }
    }

    pub(crate) fn too_often(wait: Duration) -> Problem {
        let problem =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-calls", "there were too many calls");
        Problem { retry_after: Some(wait), ..problem }
    }

    pub(crate) fn overloaded() -> Problem {
        let problem =
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "there is no room for more");
        Problem { retry_after: Some(Duration::from_secs(1)), ..problem }
    }

    /// A run is over, and its answer is not the same any more, or cannot be told by the chains and policies of now.
    pub(crate) fn forgotten() -> Problem {
        Problem::new(
            StatusCode::GONE,
            "forgotten",
            "the run is over, and what it answered is not known any more",
        )
    }

    /// Why a run has no output, as its caller may hear it.
    pub(crate) fn of(error: &RunError) -> Problem {
        match error {
            RunError::Input(failure) => {
                let problem =
                    Problem::new(StatusCode::BAD_REQUEST, "invalid-input", "the input does not fit");
                problem.detail(failure.message.clone())
            }
            RunError::Refused(refusal) if refusal.rule == Rule::TimeBudget => {
                Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", FailureKind::Timeout.public())
            }
            RunError::Refused(_) => Problem::new(StatusCode::FORBIDDEN, "refused", "this may not be done"),
            RunError::Failed { failure, .. } => {
                let status = match failure.kind {
                    FailureKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
                    FailureKind::Unavailable | FailureKind::Status => StatusCode::BAD_GATEWAY,
                    FailureKind::Conflict => StatusCode::CONFLICT,
                    FailureKind::NotFound => StatusCode::NOT_FOUND,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                Problem::new(status, failure.kind.id(), failure.kind.public())
            }
            RunError::InDoubt(_) | RunError::Left => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, Problem::OPEN, error.public())
            }
            RunError::Cancelled => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "cancelled", FailureKind::Cancelled.public())
            }
        }
    }

    pub(crate) fn to_value(&self, id: &Str) -> Value {
        let mut members = vec![
            ("type", Value::from(format!("urn:ringmail:problem:{}", self.code))),
            ("title", Value::from(self.title)),
            ("status", Value::Int(i64::from(self.status.as_u16()))),
            ("code", Value::from(self.code)),
            ("id", Value::Str(id.clone())),
        ];
        if let Some(detail) = &self.detail {
            members.push(("detail", Value::from(detail.as_str())));
        }
        Value::map(members)
    }
}
