//! Capabilities, one file each: an import, the power that lets it be linked, and what it does. To add one: a file and
//! a line in [`capabilities!`]. Whatever leaves the walls goes through [`Desk`].

use crate::call::State;
use ringmail_core::value::Value;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::oneshot;
use wasmtime::component::Linker;

/// A power that a grant may give, and the import it links.
#[derive(Debug)]
pub struct Capability {
    /// As manifests and grants write it.
    pub name: &'static str,
    /// The interface a guest imports.
    pub import: &'static str,
    pub(crate) link: fn(&mut Linker<State>) -> wasmtime::Result<()>,
}

macro_rules! capabilities {
    ($($module:ident,)*) => {
        $(mod $module;)*

        /// Every capability there is.
        pub static CAPABILITIES: &[&Capability] = &[$(&$module::CAPABILITY,)*];
    };
}

capabilities! {
    net,
    fs,
    log,
    secret,
    env,
    clock,
    random,
    tool,
    kv,
    output,
}

pub(crate) use random::BYTES_MAX as RANDOM_BYTES_MAX;

/// Leads nowhere but where the link's own output goes, so it needs no grant.
pub(crate) const FREE: &str = "output";

/// What a guest asks of the world, as the link kind that does it takes it.
#[derive(Debug)]
pub struct Errand {
    /// `net`, `fs`, `log`, `tool`, `kv` or `output`.
    pub capability: &'static str,
    /// Which tool.
    pub tool: Option<String>,
    pub args: Value,
}

/// Why the world brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Whether a gate said no; otherwise it was tried and failed.
    pub refused: bool,
    /// No more than the guest may know.
    pub message: String,
}

pub type Reply<'d> = Pin<Box<dyn Future<Output = Result<Value, Denied>> + Send + 'd>>;

/// What a guest waits for.
pub(crate) enum Question {
    Ask(Errand, oneshot::Sender<Result<Value, Denied>>),
    Secret(String, oneshot::Sender<Option<String>>),
    Setting(String, oneshot::Sender<Option<String>>),
    Now(oneshot::Sender<u64>),
    Random(u32, oneshot::Sender<Option<Vec<u8>>>),
    Tools(oneshot::Sender<Vec<ToolCard>>),
}

/// Answers one question. A guest that is gone needs no answer.
pub(crate) async fn answer(desk: &mut impl Desk, question: Question) {
    match question {
        Question::Ask(asked, to) => {
            let _gone = to.send(desk.ask(asked).await);
        }
        Question::Secret(name, to) => {
            let _gone = to.send(desk.secret(&name));
        }
        Question::Setting(key, to) => {
            let _gone = to.send(desk.setting(&key));
        }
        Question::Now(to) => {
            let _gone = to.send(desk.now_ms());
        }
        Question::Random(count, to) => {
            let mut bytes = vec![0; count as usize];
            let filled = desk.random(&mut bytes);
            let _gone = to.send(filled.then_some(bytes));
        }
        Question::Tools(to) => {
            let _gone = to.send(desk.tools());
        }
    }
}

/// Who answers a guest. One for each call; the engine's goes through the gate. What a desk says nothing of is not there.
pub trait Desk: Send {
    fn ask(&mut self, asked: Errand) -> Reply<'_>;

    /// What stands for a granted secret.
    fn secret(&mut self, _name: &str) -> Option<String> {
        None
    }

    /// A setting the operator gave the plugin.
    fn setting(&mut self, _key: &str) -> Option<String> {
        None
    }

    fn now_ms(&mut self) -> u64 {
        0
    }

    /// Whether there are random bytes.
    fn random(&mut self, _into: &mut [u8]) -> bool {
        false
    }

    /// The tools a guest may call.
    fn tools(&mut self) -> Vec<ToolCard> {
        Vec::new()
    }

    /// On whose behalf the guest runs: turns are shared out among parties, and no two of them share a worker.
    fn party(&self) -> String {
        String::new()
    }
}

/// What a guest is told of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCard {
    pub name: String,
    pub description: String,
    /// JSON Schema of its input.
    pub input: Option<String>,
}

/// Denies everything: for guests that stand alone.
#[derive(Clone, Copy, Debug)]
pub struct NoDesk;

impl Desk for NoDesk {
    fn ask(&mut self, asked: Errand) -> Reply<'_> {
        if asked.capability == FREE {
            // Pieces of an output that nobody listens to.
            return Box::pin(async { Ok(Value::Null) });
        }
        let message = format!("nobody answers `{}` here", asked.capability);
        Box::pin(async { Err(Denied { refused: true, message }) })
    }

    fn random(&mut self, into: &mut [u8]) -> bool {
        into.fill(0);
        true
    }
}

pub(crate) mod wire {
    //! What several interfaces say.

    use super::Denied;
    use wasmtime::component::{ComponentType, Lower};

    #[derive(ComponentType, Lower)]
    #[component(record)]
    pub(crate) struct Error {
        refused: bool,
        message: String,
    }

    impl From<Denied> for Error {
        fn from(denied: Denied) -> Error {
            Error { refused: denied.refused, message: denied.message }
        }
    }
}
