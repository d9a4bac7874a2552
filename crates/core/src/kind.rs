//! Link kinds as loading, checking and the gate know them: what settings and arguments a kind takes, what powers a
//! call needs. What a kind does stands in the engine, one file each.

use crate::address::Target;
use crate::chain::Link;
use crate::doc::form::Key;
use crate::grant::Access;
use crate::upstream::Upstream;
use crate::value::{Str, Value};
use std::sync::Arc;

/// A link kind.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    pub doc: &'static str,
    /// Keys beside the common ones.
    pub settings: &'static [Key],
    pub with: With,
    pub role: Role,
    /// Whether what it returns comes from outside: untrusted, with the link as its origin.
    pub source: bool,
    /// Whether it takes as long as its own work does: no timeout unless one is written.
    pub patient: bool,
    /// The argument whose value, labels kept apart, is the result.
    pub passes: Option<&'static str>,
    /// What a call with these arguments would reach.
    pub needs: fn(&Link, &Value) -> Result<Vec<Need>, String>,
    /// What is known of that before the arguments are.
    pub reach: Reach,
}

impl Kind {
    /// Whether a chain can stand for its body, and takes the link's `with` as its input.
    pub fn may_name_chain(&self) -> bool {
        matches!(self.with, With::Nothing) && self.settings.iter().any(|key| key.name == "chain")
    }
}

/// The arguments a kind takes.
#[derive(Debug)]
pub enum With {
    Nothing,
    Anything,
    Fields(&'static [Key]),
}

/// Kinds whose meaning lies in the chain or in the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Step,
    Native,
    Chain,
    Each,
    Repeat,
    Choice,
    Extract,
    Endorse,
    Approve,
    Declassify,
    Validate,
    Plugin,
    Script,
    Command,
    Python,
    Tool,
}

/// One power a call needs.
#[derive(Clone, Debug)]
pub enum Need {
    Net {
        method: &'static str,
        target: Box<Target>,
    },
    Fs {
        mount: Str,
        path: Str,
        access: Access,
    },
    Log,
    /// A question to the caller.
    Caller,
    Effect {
        name: Str,
    },
    Command {
        name: Str,
    },
    /// A tool of a server; without one, the list of its tools.
    Tool {
        upstream: Arc<Upstream>,
        tool: Option<Str>,
    },
}

/// Which power a kind can need, and which arguments say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Nothing,
    Net { method: &'static str, url: &'static str },
    Fs { path: &'static str, op: &'static str },
    Log,
    Caller,
    Effect,
    Command,
    Tool,
}

/// For kinds without a way out.
pub fn no_needs(_: &Link, _: &Value) -> Result<Vec<Need>, String> {
    Ok(Vec::new())
}
