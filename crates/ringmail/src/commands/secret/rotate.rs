//! `ringmail secret rotate`: a new value in the place of another, where this host keeps it.

use super::value_from_stdin;
use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::steer;
use crate::terminal::{clean, say};
use anyhow::Context;
use ringmail_engine::packages::write_whole;
use ringmail_engine::seal_secret;

pub(super) fn rotate(common: &Common, place: &Place, name: &str) -> Result<Exit, Fault> {
    let secret = place.project.secrets.iter().find(|secret| &*secret.name == name);
    let secret = secret.ok_or_else(|| Fault::user(format!("there is no secret `{}`", clean(name))))?;
    let path = place.root.join(&secret.from.item);
    let text = match &*secret.from.place {
        "sealed" => {
            let value = value_from_stdin("rotate", name)?;
            seal_secret(name, &value, &place.host_key()?).context("there is no randomness to seal with")?
        }
        // It was there and its owner's alone, or it is not read afterwards.
        "file" if path.is_file() => value_from_stdin("rotate", name)?.to_string(),
        "file" => return Err(Fault::user(format!("there is no file `{}`", shown(&path)))),
        elsewhere => {
            let hint = "exchange it there; a server of this project takes it up after the secret's `refresh`, or at once: ringmail reload";
            return Err(Fault::user(format!("`{name}` is not kept here but by `{elsewhere}`")).hint(hint));
        }
    };
    write_whole(&path, text.as_bytes()).with_context(|| format!("cannot write `{}`", shown(&path)))?;
    match steer::order(common.project.as_deref(), "POST", "/reload") {
        Ok(_) => say(
            "the server of this project goes on with the new value; the one before counts for its overlap",
        ),
        // Nobody serves it, and that is no fault.
        Err(_) => say("whoever reads it from now on has the new value"),
    }
    Ok(Exit::Done)
}
