//! The walls, attacked by guests that are written out instruction by instruction.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "tests"
)]

mod asks;
mod cache;
mod desk;
mod examples;
mod guest;
mod limits;
mod loading;
mod wasi;
