//! The pure core as the engine sees it: through public functions alone.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that finds something unexpected should stop"
)]

mod detectors;
mod gates;
mod layers;
mod lowering;
mod policy;
mod setup;
