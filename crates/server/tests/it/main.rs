//! Doors, with real sockets on both sides.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that finds something unexpected should stop"
)]

mod approvals;
mod ask;
mod attacks;
mod calls;
mod control;
mod frames;
mod hooks;
mod issuer;
mod keys;
mod limits;
mod listen;
mod mcp;
mod search;
mod setup;
mod tasks;
mod tls;
mod tokens;
mod uploads;
