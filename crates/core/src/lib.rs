//! The pure heart of Ringmail: words, labels, chain graph, expressions, grants, policy, gate and trail.
//! Nothing in this crate reads a file, a socket, a clock or the environment, waits, or starts a thread; the lints
//! below and `clippy.toml` prove it. The engine brings the outside in as arguments.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod address;
pub mod answer;
pub mod chain;
pub mod checks;
pub mod command;
pub mod config;
pub mod detect;
pub mod doc;
pub mod expr;
pub mod failure;
pub mod gate;
pub mod grant;
pub mod issuer;
pub mod json;
pub mod kind;
pub mod label;
pub mod listener;
pub mod media;
pub mod multipart;
pub mod offer;
pub mod openapi;
pub mod package;
pub mod plugin;
pub mod policy;
pub mod program;
pub mod project;
pub mod python;
pub mod question;
pub mod redact;
pub mod refusal;
pub mod retention;
pub mod run;
pub mod schedule;
pub mod schema;
pub mod search;
pub mod template;
pub mod token;
pub mod trail;
pub mod upstream;
pub mod value;
pub mod webhook;

#[cfg(test)]
mod testing;
