//! What a rule is: words for people, what it holds code against, and a way of looking. One rule is one file in
//! `rules/` and one line in its list.

use crate::data::Entry;
use crate::file::Looked;
use crate::finding::{Certainty, Edit};
use crate::flow::{Origin, Sink};
use crate::python::{Bind, CallSite, ClassSite, CommentSite, FunctionSite, TextSite};
use ringmail_core::doc::Span;

/// How bad a finding is; its area says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Medium,
    High,
    Critical,
}

impl Grade {
    pub const ALL: [Grade; 3] = [Grade::Medium, Grade::High, Grade::Critical];

    pub fn name(self) -> &'static str {
        match self {
            Grade::Medium => "medium",
            Grade::High => "high",
            Grade::Critical => "critical",
        }
    }
}

/// The ten areas of a review, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    Credentials,
    Execution,
    Validation,
    Serialization,
    Authentication,
    Llm,
    Files,
    VectorStores,
    Network,
    Dependencies,
}

impl Area {
    pub const ALL: [Area; 10] = [
        Area::Credentials,
        Area::Execution,
        Area::Validation,
        Area::Serialization,
        Area::Authentication,
        Area::Llm,
        Area::Files,
        Area::VectorStores,
        Area::Network,
        Area::Dependencies,
    ];

    /// Its key on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Area::Credentials => "credentials",
            Area::Execution => "execution",
            Area::Validation => "validation",
            Area::Serialization => "serialization",
            Area::Authentication => "authentication",
            Area::Llm => "llm",
            Area::Files => "files",
            Area::VectorStores => "vector-stores",
            Area::Network => "network",
            Area::Dependencies => "dependencies",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Area::Credentials => "Credential management",
            Area::Execution => "Dynamic code execution",
            Area::Validation => "Input validation",
            Area::Serialization => "Serialization",
            Area::Authentication => "Authentication",
            Area::Llm => "Language models",
            Area::Files => "File system",
            Area::VectorStores => "Vector stores and memory",
            Area::Network => "Network",
            Area::Dependencies => "Dependencies",
        }
    }

    pub fn number(self) -> usize {
        Area::ALL.iter().position(|area| *area == self).map_or(0, |at| at + 1)
    }

    pub fn grade(self) -> Grade {
        match self {
            Area::Credentials | Area::Execution => Grade::Critical,
            Area::Validation | Area::Serialization | Area::Authentication | Area::Llm => Grade::High,
            Area::Files | Area::VectorStores | Area::Network | Area::Dependencies => Grade::Medium,
        }
    }
}

/// What a look saw.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) certainty: Certainty,
    pub(crate) edits: Vec<Edit>,
}

impl Hit {
    pub(crate) fn new(span: Span, certainty: Certainty, message: impl Into<String>) -> Hit {
        Hit { span, message: message.into(), certainty, edits: Vec::new() }
    }

    pub(crate) fn high(span: Span, message: impl Into<String>) -> Hit {
        Hit::new(span, Certainty::High, message)
    }

    pub(crate) fn medium(span: Span, message: impl Into<String>) -> Hit {
        Hit::new(span, Certainty::Medium, message)
    }

    pub(crate) fn low(span: Span, message: impl Into<String>) -> Hit {
        Hit::new(span, Certainty::Low, message)
    }

    pub(crate) fn edit(mut self, span: Span, text: impl Into<String>) -> Hit {
        self.edits.push(Edit { span, text: text.into() });
        self
    }
}

/// A way of looking. Each is shown every thing of its sort, once.
#[derive(Debug)]
pub(crate) enum Look {
    /// Data that comes to such a sink; what comes from where is the flow's to know.
    Flow(Sink),
    /// The same, where it is known who it comes from.
    FlowOf(Origin, Sink),
    Call(fn(&CallSite<'_, '_>) -> Option<Hit>),
    /// A name that gets a value: an assignment, an argument, a field, a default, a key of a document.
    Bind(fn(&Bind<'_>) -> Option<Hit>),
    Class(fn(&ClassSite<'_, '_>) -> Option<Hit>),
    Function(fn(&FunctionSite<'_, '_>) -> Option<Hit>),
    /// A text of a program or a document.
    Text(fn(&TextSite<'_>) -> Option<Hit>),
    Comment(fn(&CommentSite<'_>) -> Option<Hit>),
    /// A key of a document, with what stands beside it.
    Entry(fn(&Entry<'_>) -> Option<Hit>),
    /// A whole file, whatever it is.
    File(fn(&Looked) -> Vec<Hit>),
    /// It is found by what it is asked with: advisories.
    Asked,
}

/// One rule.
#[derive(Debug)]
pub struct ReviewRule {
    pub id: &'static str,
    pub area: Area,
    pub title: &'static str,
    pub why: &'static str,
    /// What to do about it.
    pub mend: &'static str,
    /// The file that the examples are.
    pub file: &'static str,
    pub bad: &'static str,
    pub good: &'static str,
    /// Entries of the lists of OWASP: for language models, agents, MCP.
    pub owasp: &'static [&'static str],
    /// The refusal of a run that it corresponds to.
    pub refusal: Option<&'static str>,
    pub(crate) looks: &'static [Look],
}

impl ReviewRule {
    pub fn find(id: &str) -> Option<&'static ReviewRule> {
        crate::rules::RULES.iter().find(|rule| rule.id == id).copied()
    }
}
