//! Files in, findings out.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that finds something unexpected should stop"
)]

mod flows;
mod robust;
mod rules;
mod setup;
mod told;
