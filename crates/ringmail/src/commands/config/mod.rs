//! `ringmail config`: what the settings of a project are, where each comes from, and what they were before.

mod changes;
mod kept;
mod show;

pub(super) use kept::user;

use super::Common;
use crate::exit::{Exit, Fault};

/// Show the settings of the project, and where each comes from
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Show every setting with its file and line, the variables it was made of, and what it stands over
    ///
    /// What is a secret by its looks, or by the name of its variable, is not shown.
    Show(show::Args),
    /// List the configurations that were served: when, by whom, and what changed
    ///
    /// Whenever `ringmail serve` takes a configuration at its start or a reload, its settings, policies and chains are kept in the data
    /// folder; the latest 50 are there.
    Versions(kept::Listing),
    /// Show what is different between two versions, or between one and the files as they are now
    Diff(kept::Difference),
    /// Put the files of a version back, all or none; `ringmail reload` then takes them
    Rollback(kept::Back),
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        match self.what {
            What::Show(args) => args.run(common),
            What::Versions(args) => kept::list(&args, common),
            What::Diff(args) => kept::diff(&args, common),
            What::Rollback(args) => kept::rollback(&args, common),
        }
    }
}
