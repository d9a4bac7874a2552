//! The doors of Ringmail: listeners, who is calling, how much callers may use, and what they are told. What may run
//! and where values may go is decided by the gates behind them, never here.

mod authority;
mod caller;
mod calls;
mod control;
mod frames;
mod http;
mod identity;
mod later;
mod limits;
mod mcp;
mod problem;
mod recorded;
mod resumed;
mod runs;
mod schedules;
mod server;
mod stream;
mod tls;
mod world;

pub use authority::{AUTHORITY_FILE, AuthorityError, DevAuthority, Issued};
pub use caller::Caller;
pub use control::Task;
pub use identity::kept::KeptError;
pub use identity::keys::{ApiKey, ApiKeyError, IssuedKey, KeyStore, NewKey};
pub use identity::tokens::{
    ACCESS_LIFE_MS_MAX, IssuedToken, NewToken, TOKENS_FILE, TokenError, TokenFamily, TokenStore,
};
pub use mcp::serve_stdio;
pub use schedules::{ScheduleDone, ScheduleError};
pub use server::{Bound, CONTROL_FILE, KEYS_FILE, Server, ServerError};
pub use world::{Loaded, World};
