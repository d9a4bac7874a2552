//! `ringmail completions`: tab completion for a shell.

use super::{Common, cli};
use crate::exit::{Exit, Fault};
use crate::terminal::print;
use clap_complete::Shell;

/// Print tab completions for a shell
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut cli(), "ringmail", &mut text);
        print(&String::from_utf8_lossy(&text))?;
        Ok(Exit::Done)
    }
}
