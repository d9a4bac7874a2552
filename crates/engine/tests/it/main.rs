//! The engine as a program that embeds it sees it.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that finds something unexpected should stop"
)]

mod chains;
mod copies;
mod files;
mod flows;
#[path = "../../../host/tests/it/guest.rs"]
mod guest;
mod http;
mod library;
mod middleware;
mod passes;
mod plugins;
mod random;
mod records;
mod reuse;
mod rules;
mod seal;
mod server;
mod setup;
mod told;
mod tools;
mod ways_round;
