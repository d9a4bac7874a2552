//! The binary as a person uses it: arguments in, terminal out.
#![allow(unreachable_pub, reason = "one binary of tests; its modules are its own")]

mod cli;
mod examples;
mod setup;
