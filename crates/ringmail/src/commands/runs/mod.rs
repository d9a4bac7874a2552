//! `ringmail runs`: runs that are not over, and what is known of any.

mod cancel;
mod list;
mod purge;
mod resume;
mod show;

use super::Common;
use super::run::{Ended, carry_out, finish};
use crate::exit::{Exit, Fault};
use crate::place::{Place, Wanted};
use crate::terminal::{Format, is_live};
use ringmail_engine::{FoundOut, Past, PastError};
use std::path::PathBuf;

/// See the runs that are not over, and go on with them
///
/// A run whose process was killed is open: what it did is on record, and `ringmail serve` goes on with those that came
/// through its listeners. A call is never made again of which nobody knows whether it happened: such a run is in doubt,
/// until somebody says.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Runs that are not over
    List(list::Args),
    /// What a run was given, and what its calls brought
    Show(show::Args),
    /// Go on with a run from its last finished link
    Resume(resume::Args),
    /// End a run that nobody has
    Cancel(cancel::Args),
    Purge(purge::Args),
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::here(common.project.as_deref())?;
        match self.what {
            What::List(args) => args.run(&place),
            What::Show(args) => args.run(&place),
            What::Resume(args) => args.run(place),
            What::Cancel(args) => args.run(place),
            What::Purge(args) => args.run(&place),
        }
    }
}

/// What is gone on with.
pub(super) struct Going {
    pub(super) run: String,
    /// What somebody found out of calls in doubt.
    pub(super) found: Vec<(String, FoundOut)>,
    pub(super) file: Option<PathBuf>,
    pub(super) format: Format,
}

/// Takes over a run that nobody has, and carries it out.
pub(super) fn go_on(place: Place, going: &Going) -> Result<Exit, Fault> {
    let mut place = place;
    let audit = place.audit()?;
    let engine = place.engine_on(audit.clone())?;
    let _watch = place.watch(&engine)?;
    let mut past = audit.claim(&going.run).map_err(fault)?;
    for (at, found) in &going.found {
        if !past.settle(at, found) {
            return Err(not_in_doubt(&past, at));
        }
    }
    let wanted = match &going.file {
        Some(path) => Wanted::File(place.add(path)?),
        None => Wanted::Name(past.chain().to_string()),
    };
    place.keep_needed(&engine, &wanted)?;
    let chains = engine.load(&place.chains)?;
    let chain = wanted.pick(&chains, |chain| chain.plan())?;
    if chain.plan().digest != *past.digest() {
        let why = format!("`{}` is not the chain that it was when the run began", chain.name());
        return Err(Fault::user(why).hint("put the old text back, or end the run: ringmail runs cancel RUN"));
    }
    let report = carry_out(chain.resume(past), false, is_live())?;
    let checked = engine.check(&place.chains);
    finish(&Ended { engine: &engine, chain, checked: &checked, report, given: true }, false, going.format)
}

fn not_in_doubt(past: &Past, at: &str) -> Fault {
    let known = past.in_doubt();
    let fault = Fault::user(format!("`{at}` is not in doubt"));
    if known.is_empty() {
        return fault.hint("nothing of this run is: resume it without");
    }
    fault.hint(format!("in doubt are: {}", known.join(", ")))
}

pub(super) fn fault(error: PastError) -> Fault {
    let hint = match &error {
        PastError::NotOpen(_) => {
            Some("those that are: ringmail runs list; of any other: ringmail explain RUN")
        }
        PastError::Lives(_) => Some("it goes on there; through a listener, `DELETE /runs/ID` ends it"),
        _ => None,
    };
    let fault = Fault::from(anyhow::Error::new(error));
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}
