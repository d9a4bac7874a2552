//! Runs chains of links nobody has to trust. Every call passes the gates of `ringmail-core` in one order, which
//! stands in [`run`]; links accept nothing but what the gates made.
//!
//! ```
//! use ringmail_engine::{Chain, Engine, Stop};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder().build()?;
//! let chain = Chain::builder("greet")
//!     .link("name", async |ctx| Ok(ctx.args::<String>()?.trim().to_string()))
//!     .link("greeting", async |ctx| Ok(format!("hello {}", ctx.args::<String>()?)))
//!     .build(&engine)?;
//! let output: String = chain.run(" you ").await?.get()?;
//! assert_eq!(output, "hello you");
//! # Ok(())
//! # }
//! ```
//!
//! Chains from files, grants, policies and secrets: see [`Engine::builder`] and [`Engine::load`].

mod approvals;
mod asking;
mod audit;
mod bound;
mod builder;
mod caller;
mod chain;
mod checked;
mod circuit;
mod clock;
mod commands;
mod consent;
mod ctx;
mod desk;
mod documents;
mod dumps;
mod egress;
mod ends;
mod engine;
mod files;
mod forward;
mod journal;
mod keep;
mod kinds;
mod kv;
mod log;
pub mod middleware;
mod moment;
mod natives;
pub mod packages;
mod pieces;
mod plugins;
mod python;
mod quota;
mod recorder;
pub mod redaction;
mod replay;
mod revocation;
mod run;
mod running;
mod scripts;
mod sealed;
mod secrets;
mod shared;
mod sign;
mod steady;
mod upstreams;
mod variables;
mod watch;

pub use approvals::{Approvals, Inquiry};
pub use audit::{
    ASIDE, Audit, AuditError, AuditReader, Entry, Exchange, ExchangeError, Exchanged, LogLines, NamedBy,
    OPEN, OpenRun, OverRun, Overdue, PastError, Period, Purges, SUBJECTS, Sought, Subjects, SubjectsError,
    named_by, stages, transcript,
};
pub use builder::ChainBuilder;
pub use caller::{CallerAnswer, CallerQuestion, SeatWord};
pub use chain::{Chain, Output, Report, Request};
pub use clock::{Clock, SystemClock};
pub use ctx::Ctx;
pub use documents::Documents;
pub use egress::resolve::{Resolve, Resolving, SystemResolver};
pub use engine::{BuildError, Checked, Engine, EngineBuilder};
pub use forward::{
    ForwardAround, ForwardStatus, Forwarder, Forwards, Sending, forward_status, hold_against_others,
    lost_records,
};
pub use journal::{FoundOut, Past};
pub use kinds::KINDS;
pub use kv::{check_kept, copy_kept};
pub use log::{LogLine, LogSink};
pub use natives::LIBRARY as NATIVES;
pub use plugins::{AlonePlugin, PLUGIN_FILE, PluginFigures, PluginFolder, Timed, plugin_limits};
pub use python::PythonLibrary;
pub use recorder::{
    Began, DataSubject, Intent, Kept, LogMark, Marked, Note, RecordError, Recorded, Recorder, RunPart, Start,
    refusal_value,
};
pub use replay::{Redecided, Replay};
pub use revocation::GrantWatch;
pub use ringmail_core as core;
pub use ringmail_core::chain::walk::Stop;
pub use ringmail_core::failure::{Failure, FailureKind};
pub use ringmail_core::json::IntoValue;
pub use ringmail_core::policy::Principal;
pub use ringmail_core::value::Value;
pub use ringmail_host::{
    CAPABILITIES, CallFigures, KernelWalls, Metered, Surface, Turn, Turns, Wall, WorkerCommand, prepared,
    producers, program_digest, serve_as_worker, without_core_dumps,
};
pub use ringmail_store::{copy_file, copy_log, digest_file, sync_folders};
pub use run::RunError;
pub use scripts::{Reloaded, ScriptFigures};
pub use secrets::{
    SecretError, SecretLedger, SecretReader, SecretTimes, SecretWatch, SecretsAround, seal_secret,
};
pub use sign::{HostKey, SignedAct};
pub use tokio_util::sync::CancellationToken;
pub use variables::variable;
pub use watch::Watch;
