//! `ringmail man`: manual pages.

use super::{Common, cli};
use crate::exit::{Exit, Fault};
use crate::place::shown;
use crate::terminal::{print, say};
use anyhow::Context;
use std::path::PathBuf;

/// Print the manual page, or write the pages of all commands to a folder
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder to write `ringmail.1` and a page for each command to
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        match self.out {
            Some(folder) => {
                let failed = || format!("cannot write manual pages to `{}`", shown(&folder));
                std::fs::create_dir_all(&folder).with_context(failed)?;
                clap_mangen::generate_to(cli(), &folder).with_context(failed)?;
                say(&format!("wrote manual pages to `{}`", shown(&folder)));
            }
            None => {
                let mut text = Vec::new();
                clap_mangen::Man::new(cli()).render(&mut text).context("cannot write the manual page")?;
                print(&String::from_utf8_lossy(&text))?;
            }
        }
        Ok(Exit::Done)
    }
}
