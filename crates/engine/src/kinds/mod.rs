//! Link kinds, one file each. A kind is what it takes and needs ([`Kind`], for loading and gates) and what it does
//! ([`Runs`]). To add one: a file with both, and a line in [`kinds!`] below.

use crate::bound::Called;
use crate::run::Way;
use ringmail_core::chain::Link;
use ringmail_core::chain::walk::Frame;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Admitted, Blocked};
use ringmail_core::kind::Kind;
use ringmail_core::value::{Str, Value};
use std::sync::Arc;

/// One admitted call on its way into a link.
pub(crate) struct Call {
    pub(crate) admitted: Admitted,
    /// The idempotency key as the other side may see it.
    pub(crate) key: Option<Str>,
    /// What the link sees, for kinds with bodies.
    pub(crate) frame: Option<Arc<Frame>>,
}

/// What a kind does. Takes the call by value: the evidence is used up.
pub(crate) trait Runs: Send + Sync {
    fn call(&self, way: &Way, link: &Link, call: Call) -> Called;
}

macro_rules! kinds {
    ($($module:ident,)*) => {
        $(mod $module;)*

        /// Every kind there is.
        pub static KINDS: &[&Kind] = &[$(&$module::KIND,)*];

        static RUNNERS: &[(&Kind, &dyn Runs)] = &[$((&$module::KIND, &$module::Run),)*];
    };
}

kinds! {
    native,
    chain,
    each,
    repeat,
    choice,
    wait,
    http,
    file,
    log,
    validate,
    extract,
    endorse,
    declassify,
    approve,
    ask,
    plugin,
    script,
    command,
    python,
    tool,
}

pub(crate) use chain::blocked;

/// Whether a link of this kind waits for somebody, or for a moment.
pub(crate) fn waits(kind: &Kind) -> bool {
    [approve::KIND.name, ask::KIND.name, wait::KIND.name].contains(&kind.name)
}

/// What runs links of a kind. A kind that is loaded is always one of these.
pub(crate) fn runner(name: &str) -> &'static dyn Runs {
    RUNNERS.iter().find(|(kind, _)| kind.name == name).map_or(&Unknown, |(_, runner)| *runner)
}

struct Unknown;

impl Runs for Unknown {
    fn call(&self, _: &Way, _: &Link, _: Call) -> Called {
        fail(Failure::new(FailureKind::Invalid, "the link has no kind"))
    }
}

/// A call that ends at once.
fn now(result: Result<ringmail_core::gate::Unchecked, Blocked>) -> Called {
    Box::pin(std::future::ready(result))
}

fn fail(failure: Failure) -> Called {
    now(Err(failure.into()))
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Invalid, message)
}

/// A string argument, if it is there.
fn text<'v>(args: &'v Value, name: &str) -> Result<Option<&'v str>, String> {
    match args.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Str(text)) => Ok(Some(text)),
        Some(other) => Err(format!("`{name}` must be a string, not {}", other.type_name())),
    }
}

fn required<'v>(args: &'v Value, name: &str) -> Result<&'v str, String> {
    text(args, name)?.ok_or_else(|| format!("`{name}` is missing"))
}

/// Arguments that came whole from an expression may hold keys the kind does not know.
fn known_keys(args: &Value, keys: &[ringmail_core::doc::form::Key]) -> Result<(), String> {
    let map = args.as_map().ok_or("the arguments must be a map")?;
    match map.iter().find(|(name, _)| !keys.iter().any(|key| key.name == &***name)) {
        // Its name came from data, and messages end up in records.
        Some(_) => {
            let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
            Err(format!("there is an argument besides {}", known.join(", ")))
        }
        None => Ok(()),
    }
}
