//! `ringmail cert`: certificates for development.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::{print, say};
use ringmail_server::{AuthorityError, DevAuthority};
use std::path::Path;

/// Where they are kept, in the data folder: keys are in no version control.
const FOLDER: &str = "certs";

/// Make certificates for development
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a certificate for a listener, or for a caller, signed by an authority of this project
    Dev {
        /// A name or address that the listener is reached under, besides those of this machine itself
        #[arg(long, value_name = "NAME")]
        host: Vec<String>,
        /// Make one for a caller instead: its name, such as `spiffe://example.com/bot` or `bot.example.com`
        #[arg(long, value_name = "NAME", conflicts_with = "host")]
        client: Option<String>,
    },
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        place.keep_out()?;
        let What::Dev { host, client } = self.what;
        let authority = DevAuthority::open(&place.data().join(FOLDER)).map_err(fault)?;
        let written = |path: &Path| shown(path.strip_prefix(&place.root).unwrap_or(path));
        let root = written(&authority.certificate());
        match client {
            Some(name) => {
                let issued = authority.issue_client(&file_of(&name), &name).map_err(fault)?;
                print(&format!("certificate {}", shown(&issued.certificate)))?;
                print(&format!("key {}", shown(&issued.key)))?;
                say(&format!(
                    "listeners take it with\ntls = {{ ..., clients = \"{root}\" }}\naccept = [\"mtls\"]\nand its roles stand with\n[[principal]]\nname = \"{name}\""
                ));
            }
            None => {
                let here = ["localhost", "127.0.0.1", "::1"].map(String::from);
                let names: Vec<String> = here.into_iter().chain(host).collect();
                let issued = authority.issue_server("server", &names).map_err(fault)?;
                print(&format!("certificate {}", shown(&issued.certificate)))?;
                print(&format!("key {}", shown(&issued.key)))?;
                print(&format!("authority {}", shown(&authority.certificate())))?;
                say(&format!(
                    "a listener shows it with\ntls = {{ certificate = \"{}\", key = \"{}\" }}\nand callers trust it with: curl --cacert {}",
                    written(&issued.certificate),
                    written(&issued.key),
                    shown(&authority.certificate())
                ));
            }
        }
        Ok(Exit::Done)
    }
}

/// A file's name for a caller's.
fn file_of(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    format!("client-{}", name.trim_matches(['-', '.']))
}

fn fault(error: AuthorityError) -> Fault {
    Fault::from(anyhow::Error::new(error))
}
