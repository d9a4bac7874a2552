//! `ringmail runs cancel`: a run that nobody has is over.

use super::fault;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::say;
use anyhow::Context;
use ringmail_engine::Approvals;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The run's id, or how it begins
    run: String,
}

impl Args {
    pub(super) fn run(self, place: Place) -> Result<Exit, Fault> {
        let audit = place.audit()?;
        let run = audit.cancel(&self.run).map_err(fault)?;
        let approvals = Approvals::new(place.approvals(), &place.host_key()?);
        approvals.forget_run(&run).context("it is over, but what it asked cannot be removed")?;
        say(&format!("{run} is over: what had happened is on record"));
        Ok(Exit::Done)
    }
}
