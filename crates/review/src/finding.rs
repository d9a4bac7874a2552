//! What the reviewer reports: a rule, a place, what was seen there, and the way data took to it.

use crate::rule::{Grade, ReviewRule};
use ringmail_core::doc::{Source, Span};
use std::sync::Arc;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    Low,
    Medium,
    High,
}

impl Certainty {
    pub const ALL: [Certainty; 3] = [Certainty::Low, Certainty::Medium, Certainty::High];

    pub fn name(self) -> &'static str {
        match self {
            Certainty::Low => "low",
            Certainty::Medium => "medium",
            Certainty::High => "high",
        }
    }
}

/// One place on the way of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowStep {
    pub source: Arc<Source>,
    pub span: Span,
    pub note: String,
}

/// What `--fix` would write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: &'static ReviewRule,
    pub source: Arc<Source>,
    pub span: Span,
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub certainty: Certainty,
    /// From where data entered to where it must not be; empty where no flow was followed.
    pub steps: Vec<FlowStep>,
    pub edits: Vec<Edit>,
    /// Stays while the lines around it move.
    pub mark: String,
}

impl Finding {
    pub fn path(&self) -> &str {
        &self.source.name
    }

    pub fn grade(&self) -> Grade {
        self.rule.area.grade()
    }
}
