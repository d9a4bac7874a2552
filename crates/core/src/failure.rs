//! Failures: why a call that was allowed did not bring a result. Kinds are what retries and edges select by; the
//! message is for the trail and the operator, the public text for the caller.

use crate::label::Label;
use crate::value::{Str, Value};
use std::fmt;

macro_rules! kinds {
    ($($variant:ident $id:literal $public:literal,)*) => {
        /// What went wrong, in a closed list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FailureKind {
            $(#[doc = $public] $variant,)*
        }

        impl FailureKind {
            pub const ALL: &[FailureKind] = &[$(FailureKind::$variant,)*];
            /// The ids, for `retry.on` and the reference.
            pub const IDS: &[&str] = &[$($id,)*];

            pub fn id(self) -> &'static str {
                match self { $(FailureKind::$variant => $id,)* }
            }

            /// What a caller may hear.
            pub fn public(self) -> &'static str {
                match self { $(FailureKind::$variant => $public,)* }
            }
        }
    };
}

kinds! {
    Timeout "timeout" "it took too long",
    Unavailable "unavailable" "the other side cannot be reached or is overloaded",
    Status "status" "the other side answered with an error",
    Invalid "invalid" "the data does not fit its schema",
    Expression "expression" "an expression has no value",
    Range "range" "the value lies outside its closed range",
    NoCase "no-case" "no case matched",
    Rounds "rounds" "it did not come to an end in the rounds it has",
    Guard "guard" "a guard stopped it",
    TooLarge "too-large" "the data is larger than allowed",
    Limit "limit" "it used more than it may",
    NotFound "not-found" "it does not exist",
    File "file" "the file operation failed",
    Native "native" "the step failed",
    Panicked "panicked" "the step broke",
    Conflict "conflict" "the idempotency key was used for something else",
    Cancelled "cancelled" "the run was cancelled",
    Unasked "unasked" "the caller cannot be asked here",
    Declined "declined" "whoever was asked gave no answer",
}

/// One failure of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// The cause, for operators.
    pub message: String,
    /// What the failure tells carries at least this label; whoever settles it joins what the call was given.
    pub label: Label,
}

/// Longest message. What failed may be a guest, which says as much as it likes.
pub const FAILURE_BYTES_MAX: usize = 8 << 10;

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        let mut message = message.into();
        if message.len() > FAILURE_BYTES_MAX {
            let whole = message.len();
            message.truncate(message.floor_char_boundary(FAILURE_BYTES_MAX));
            // What was cut off stays allocated otherwise.
            message = format!("{message}... (cut off, of {whole} bytes)");
        }
        Failure { kind, message, label: Label::BOTTOM }
    }

    #[must_use]
    pub fn labelled(mut self, label: Label) -> Failure {
        self.label = self.label.join(label);
        self
    }

    /// Leaves nothing but what anybody may hear, if the cause carries a restriction.
    pub fn keep_back(&mut self) {
        if !self.label.tags.is_empty() {
            self.message = format!("{}; what it is about is restricted", self.kind.public());
        }
    }

    /// The failure as records have it.
    pub fn told(&self) -> String {
        let mut told = self.clone();
        told.keep_back();
        told.to_string()
    }

    /// What `error` holds in an error edge.
    pub fn to_value(&self, link: &Str) -> Value {
        Value::map([
            ("link", Value::Str(link.clone())),
            ("kind", Value::from(self.kind.id())),
            ("message", Value::from(self.message.as_str())),
        ])
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.id(), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_does_not_talk_without_end() {
        let whole = "\u{e9}".repeat(FAILURE_BYTES_MAX);
        let failure = Failure::new(FailureKind::Native, whole);
        assert!(failure.message.ends_with("\u{e9}... (cut off, of 16384 bytes)"), "{}", failure.message);
        assert!(failure.message.len() < FAILURE_BYTES_MAX + 64);
        assert_eq!(Failure::new(FailureKind::Native, "short").message, "short");
    }
}
