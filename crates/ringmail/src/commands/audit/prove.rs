//! `ringmail audit prove`.

use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::print_data;
use anyhow::Context;
use ringmail_verify::prove;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The number of the record, as `audit query` shows it
    record: u64,
    /// Write the record itself into this file: whoever verifies needs it, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let checkpoint = place.audit()?.checkpoint().context("cannot sign for the log")?;
        let log = place.recorded_lines(0)?;
        let mut wanted = None;
        let records = log.map_while(Result::ok).inspect(|(at, record)| {
            if *at == self.record {
                wanted = Some(record.clone());
            }
        });
        let proof =
            prove(self.record, &checkpoint, records.map(|(_, record)| record)).map_err(Fault::user)?;
        let (Some(proof), Some(record)) = (proof, wanted) else {
            let fault = Fault::user(format!("there is no record {}", self.record));
            return Err(fault.hint("ringmail audit tail"));
        };
        if let Some(path) = &self.out {
            std::fs::write(path, [&*record, b"\n"].concat())
                .with_context(|| format!("cannot write `{}`", shown(path)))?;
        }
        print_data(&proof)?;
        Ok(Exit::Done)
    }
}
