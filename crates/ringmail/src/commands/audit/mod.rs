//! `ringmail audit`: what happened, asked for and proved.

pub(super) mod forward;
mod prove;
mod query;
mod verify;

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{print, print_data};
use anyhow::Context;
use ringmail_engine::Sending;

/// Ask what happened, and prove that it is what was written
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Hold the whole log against its hashes and against what was signed for
    Verify(verify::Args),
    /// Records that fit, the oldest first
    Query(query::Args),
    /// The latest records, and with `--follow` those that come
    Tail(query::TailArgs),
    /// Every record that fits, as lines of JSON
    Export(query::ExportArgs),
    /// Send records on to the receivers of the project, from where each has got to
    Forward(forward::Args),
    /// Send a checkpoint to the anchors of the project, and hold the log against what they have
    Anchor(forward::Args),
    /// A proof that a record is in the log, which others verify with what they have
    Prove(prove::Args),
    /// Sign for all there is, and print what was signed: kept elsewhere, it shows a log that was cut or rolled back
    Checkpoint,
    /// The public key of this host, for those who verify: NAME+ID+KEY, as C2SP writes it
    Key,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        match self.what {
            What::Verify(args) => args.run(&place),
            What::Query(args) => args.run(&place),
            What::Tail(args) => args.run(&place),
            What::Export(args) => args.run(&place),
            What::Forward(args) => args.run(&place, Sending::Records),
            What::Anchor(args) => args.run(&place, Sending::Checkpoints),
            What::Prove(args) => args.run(&place),
            What::Checkpoint => {
                print_data(&place.audit()?.checkpoint().context("cannot sign for the log")?)?;
                Ok(Exit::Done)
            }
            What::Key => {
                let key = place.host_key()?;
                print(&ringmail_verify::verifier_key(place.audit()?.origin(), &key.public_bytes()))?;
                Ok(Exit::Done)
            }
        }
    }
}
