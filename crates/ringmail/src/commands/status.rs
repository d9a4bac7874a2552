//! `ringmail status`.

use super::Common;
use super::audit::forward::card;
use super::key::with;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::steer;
use crate::terminal::print_json;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Sending, forward_status};

/// What the server of this project serves, and how much of it
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let mut told = steer::order(common.project.as_deref(), "GET", "/status")?;
        let place = Place::project_in(common.project.as_deref())?;
        for what in [Sending::Records, Sending::Checkpoints] {
            let all = forward_status(what, &place.project, &place.data(), &place.audit_folder());
            let all = all.map_err(|why| Fault::user(format!("cannot tell how far receivers are: {why}")))?;
            told = with(&told, what.words(), Value::list(all.iter().map(card)));
        }
        print_json(&told)?;
        Ok(Exit::Done)
    }
}
