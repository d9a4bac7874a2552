//! `ringmail runs resume`: a run goes on from its last finished link.

use super::{Going, go_on};
use crate::exit::{Exit, Fault};
use crate::input::From;
use crate::place::Place;
use crate::terminal::{Format, print_json};
use ringmail_engine::FoundOut;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The run's id, or how it begins
    run: String,
    /// A call in doubt that did not happen: it is made again
    #[arg(long, value_name = "CALL")]
    undone: Vec<String>,
    /// A call in doubt that did happen, and brought `--output`
    #[arg(long, value_name = "CALL", requires = "output")]
    done: Option<String>,
    /// What the call brought, as JSON
    #[arg(long, value_name = "JSON", requires = "done")]
    output: Option<String>,
    /// The chain's file, where it is none of a project
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: Place) -> Result<Exit, Fault> {
        let format = self.format;
        self.resume(place).or_else(|fault| match (format, fault.to_value()) {
            (Format::Json, Some(told)) => {
                print_json(&told)?;
                Err(Fault::silent(fault.exit))
            }
            _ => Err(fault),
        })
    }

    fn resume(self, place: Place) -> Result<Exit, Fault> {
        let mut found: Vec<(String, FoundOut)> =
            self.undone.into_iter().map(|at| (at, FoundOut::Undone)).collect();
        if let (Some(at), Some(output)) = (self.done, &self.output) {
            found.push((at, FoundOut::Done(From::Argument(output).read()?)));
        }
        go_on(place, &Going { run: self.run, found, file: self.file, format: self.format })
    }
}
