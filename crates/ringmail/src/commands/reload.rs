//! `ringmail reload`.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::steer;
use crate::terminal::say;

/// Have the server of this project read it anew
///
/// If anything about it is wrong, it says so, and what was served before goes on.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        steer::order(common.project.as_deref(), "POST", "/reload")?;
        say("reloaded");
        Ok(Exit::Done)
    }
}
