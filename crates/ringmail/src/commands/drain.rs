//! `ringmail drain`.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::steer;
use crate::terminal::say;

/// Have the server of this project end: nothing new is let in, and what is under way ends first
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        steer::order(common.project.as_deref(), "POST", "/drain")?;
        say("the server lets nothing new in, and ends");
        Ok(Exit::Done)
    }
}
