//! `ringmail status`.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::steer;
use crate::terminal::print_json;

/// What the server of this project serves, and how much of it
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        print_json(&steer::order(common.project.as_deref(), "GET", "/status")?)?;
        Ok(Exit::Done)
    }
}
