//! The log, attacked as files are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod log;
