//! `ringmail sign`: a publisher's signature beside a chain or any other file.

use super::Common;
use super::plugin::key_fault;
use crate::exit::{Exit, Fault};
use crate::terminal::{clean, print};
use ringmail_engine::core::package::Statement;
use ringmail_engine::packages::{PublisherKey, SIGNATURE, SIGNED_BYTES_MAX, read_bounded, write_whole};
use ringmail_engine::{Clock, SystemClock};
use std::path::PathBuf;

/// Sign a chain or any other file; the signature stands beside it, in FILE.sig
///
/// A signature is for the content of the file and its name, whatever folder it is in.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    /// The publisher, as projects that trust it call it
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// The private key that `ringmail plugin keygen` made
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        let bytes = read_bounded(&self.file, SIGNED_BYTES_MAX).map_err(Fault::user)?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let key = PublisherKey::open(&self.key).map_err(|error| key_fault(&error))?;
        let statement = Statement::file(&name, &self.publisher, SystemClock.now_ms(), &bytes);
        let signed = key.sign(statement.map_err(Fault::user)?);
        let path = PathBuf::from(format!("{}{SIGNATURE}", self.file.display()));
        write_whole(&path, signed.text().as_bytes())
            .map_err(|error| Fault::user(format!("cannot write `{}`: {error}", path.display())))?;
        print(&format!("signed as {}: {}\n", clean(&self.publisher), clean(&path.display().to_string())))?;
        Ok(Exit::Done)
    }
}
