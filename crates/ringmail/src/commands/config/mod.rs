//! `ringmail config`: what the settings of a project are, where each comes from, and what they were before.

mod show;

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use std::path::Path;

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
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        match self.what {
            What::Show(args) => args.run(common),
        }
    }
}

fn place(common: &Common) -> Result<Place, Fault> {
    let place = Place::open(common.project.as_deref(), Path::new("."))?;
    if place.is_project() {
        return Ok(place);
    }
    Err(Fault::user("there is no project here").hint("make one: ringmail init my-project"))
}
