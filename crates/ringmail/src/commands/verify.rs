//! `ringmail verify`: whether the project believes the signature beside a file.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{Format, clean, print, print_json};
use ringmail_engine::core::value::Value;
use ringmail_engine::packages::{SIGNED_BYTES_MAX, believed, read_bounded};
use ringmail_engine::{Clock, SystemClock};
use std::path::{Path, PathBuf};

/// Say whether the project believes the signature of a file
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file; its signature is in FILE.sig
    file: PathBuf,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::open(common.project.as_deref(), Path::new("."))?;
        let bytes = read_bounded(&self.file, SIGNED_BYTES_MAX).map_err(Fault::user)?;
        let shown = self.file.display().to_string();
        let by = believed(&place.project.publishers, &self.file, &bytes, Some(SystemClock.now_ms()));
        let by = by.map_err(|why| {
            Fault::user(format!("`{shown}` is not believed: {why}"))
                .hint(format!("a publisher with `files = true` signs it: ringmail sign {}", clean(&shown)))
        })?;
        match self.format {
            Format::Json => {
                print_json(&Value::map([("file", Value::from(shown)), ("publisher", Value::Str(by))]))?
            }
            Format::Text => {
                print(&format!("{} is signed by {by}, and the project believes it\n", clean(&shown)))?;
            }
        }
        Ok(Exit::Done)
    }
}
