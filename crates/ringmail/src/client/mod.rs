//! Clients for callers of a project's chains: one file in their language, written from the schemas that the OpenAPI
//! document shows. Names and descriptions are data: each is quoted, or mapped to a name that the language has.

mod javascript;
mod model;
mod python;
mod rust;
mod words;

pub(crate) use model::Model;

/// What a file says in its first line, so that nothing else is written over.
pub(crate) const WRITTEN: &str = "Written by `ringmail client`";

/// The files of a client, with their names.
pub(crate) fn files(language: Language, model: &Model) -> Vec<(&'static str, String)> {
    match language {
        Language::Python => vec![("ringmail_client.py", python::module(model))],
        Language::Javascript => vec![
            ("ringmail_client.js", javascript::module(model)),
            ("ringmail_client.d.ts", javascript::types(model)),
        ],
        Language::Rust => vec![("ringmail_client.rs", rust::module(model))],
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Language {
    /// One module, for Python 3.9 and later and its standard library
    Python,
    /// One module for whatever has `fetch`, with its types
    Javascript,
    /// One module, on hyper, rustls and serde
    Rust,
}
