//! `ringmail store rotate-key`: a new key for this host, while nothing else runs.

use super::{alone, data, plural};
use crate::exit::{Exit, Fault};
use crate::place::{HOST_KEY, Place, shown};
use crate::terminal::{Format, print_json, say};
use ringmail_engine::core::value::Value;
use ringmail_engine::{Clock, Exchange, ExchangeError, SystemClock};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Keep the old key in this file: backups that were made with it are opened by nothing else
    #[arg(long, value_name = "FILE")]
    keep_old: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let _alone = alone(place)?;
        let data = data(place)?;
        if let Some(keep) = self.keep_old.as_ref().filter(|keep| keep.symlink_metadata().is_ok()) {
            return Err(Fault::user(format!("there is something in `{}` already", shown(keep))));
        }
        let sealed = place.project.secrets.iter().filter(|secret| &*secret.from.place == "sealed");
        let sealed: Vec<_> =
            sealed.map(|secret| (secret.name.clone(), PathBuf::from(&*secret.from.item))).collect();
        let named: Vec<_> =
            sealed.iter().filter_map(|(_, path)| place.root.join(path).canonicalize().ok()).collect();
        for path in super::parts::entries(&place.root.join("secrets"))? {
            if is_sealed(&path) && !path.canonicalize().is_ok_and(|path| named.contains(&path)) {
                let why =
                    format!("`{}` is sealed, and no secret of this environment is kept in it", shown(&path));
                return Err(Fault::user(why)
                    .hint("nobody could read it any more: name it in `ringmail.toml`, or move it away"));
            }
        }
        let exchange = Exchange {
            root: place.root.clone(),
            key: data.join(HOST_KEY),
            audit: place.audit_folder(),
            approvals: place.approvals(),
            modules: data.join(super::parts::MODULES),
            sealed,
            keep: self.keep_old.clone(),
            now_ms: SystemClock.now_ms(),
            data,
        };
        let done = exchange.run().map_err(fault)?;
        if self.format == Format::Json {
            print_json(&Value::map([
                ("from", Value::from(done.from.as_str())),
                ("to", Value::from(done.to.as_str())),
                ("files", Value::Int(i64::try_from(done.files).unwrap_or(i64::MAX))),
                ("resumed", Value::Bool(done.resumed)),
            ]))?;
        }
        if done.resumed {
            say("an exchange that was cut off is ended now");
        }
        say(&format!("this host has a new key, and {} are wrapped with it", plural(done.files, "file")));
        say(
            "whoever verifies this log elsewhere can go on with the old public key; the new one: ringmail audit key",
        );
        match &self.keep_old {
            Some(keep) => say(&format!("the old key is in `{}`", shown(keep))),
            None => {
                say("the old key is gone; a backup that was made with it is opened by a copy of it alone")
            }
        }
        Ok(Exit::Done)
    }
}

fn is_sealed(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|text| text.starts_with(b"ringmail sealed secret "))
}

fn fault(error: ExchangeError) -> Fault {
    let hint = match &error {
        ExchangeError::Busy => "end the server of this project and its runs first: ringmail drain",
        ExchangeError::Foreign(_) => "see what it is: ringmail store check",
        _ => "what was there is untouched, or goes on with the same command: ringmail store check",
    };
    Fault::from(anyhow::Error::new(error)).hint(hint)
}
