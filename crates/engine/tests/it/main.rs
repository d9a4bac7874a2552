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

/// Scripts are held to what this counts.
#[global_allocator]
static ALLOCATOR: ringmail_engine::Metered<std::alloc::System> = ringmail_engine::Metered(std::alloc::System);

mod chains;
mod commands;
mod copies;
mod detectors;
mod dumps;
mod files;
mod flows;
#[path = "../../../host/tests/it/guest.rs"]
mod guest;
mod http;
mod kept;
mod keys;
mod large;
mod library;
mod mcp;
mod middleware;
mod passes;
mod plugins;
mod random;
mod records;
mod reuse;
mod rules;
mod scripts;
mod seal;
mod server;
mod setup;
mod told;
mod tools;
mod ways_round;
