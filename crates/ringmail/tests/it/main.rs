//! The binary as a person uses it: arguments in, terminal out.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that finds something unexpected should stop"
)]

mod advisories;
mod anchor;
mod approvals;
mod audit;
mod authoring;
mod bench;
mod c_header;
mod cli;
mod clients;
mod commands;
mod config;
mod demo;
mod detectors;
mod documents;
mod dumps;
mod escape;
mod example_plugins;
mod examples;
mod forward;
#[path = "../../../host/tests/it/guest.rs"]
mod guest;
mod host_key;
mod keys;
mod kills;
mod lsp;
mod mcp;
mod packages;
mod peer;
mod policy;
mod powers;
mod providers;
mod publishing;
mod python;
mod registries;
mod retention;
mod review;
mod review_ci;
mod rotation;
mod runs;
mod schedules;
mod secrets;
mod selftest;
mod serve;
mod setup;
mod shop;
mod signed_index;
mod store;
mod streams;
mod tasks;
mod tls;
mod toolchains;
mod unseen;
mod uploads;
mod upstreams;
mod versions;
mod workers;
