//! `ringmail store`: the one folder in which an installation keeps everything.

mod backup;
mod check;
mod compact;
mod parts;
mod restore;
mod rotate_key;

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use anyhow::Context;
use std::fs::{File, TryLockError};

/// Held by whoever copies or takes out what others count on.
const LOCK: &str = "store.lock";

/// See whether the data folder is whole, back it up, put it back, take out what nothing names any more, and exchange its key
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// What is in it, and whether each part is whole
    Check(check::Args),
    /// Copy it into a folder, consistent at one checkpoint of the log, while others go on
    Backup(backup::Args),
    /// Make it anew from a backup, where there is none
    Restore(restore::Args),
    /// Take out what nothing names any more
    Compact(compact::Args),
    /// Give this host a new key, with which all is sealed and signed from then on; nothing else may run meanwhile
    RotateKey(rotate_key::Args),
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        match self.what {
            What::Check(args) => args.run(&place),
            What::Backup(args) => args.run(&place, common.project.as_deref()),
            What::Restore(args) => args.run(&place),
            What::Compact(args) => args.run(&place),
            What::RotateKey(args) => args.run(&place),
        }
    }
}

/// The data folder, which must be there.
fn data(place: &Place) -> Result<std::path::PathBuf, Fault> {
    let data = place.data();
    if !data.join(crate::place::HOST_KEY).exists() && !place.audit_folder().is_dir() {
        let fault = Fault::user(format!("nothing is kept in `{}` yet", crate::place::shown(&data)));
        return Err(fault.hint("run a chain first: ringmail run CHAIN"));
    }
    Ok(data)
}

/// One at a time.
fn alone(place: &Place) -> Result<File, Fault> {
    let path = data(place)?.join(LOCK);
    let failed = || format!("cannot use `{}`", crate::place::shown(&path));
    let file = File::create(&path).with_context(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::user("another process backs up or compacts this folder")),
        Err(TryLockError::Error(error)) => Err(anyhow::Error::new(error).context(failed()).into()),
    }
}

fn plural(count: u64, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}
