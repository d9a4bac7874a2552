//! `ringmail secret`: which secrets the project has, who may use them, whether they can be read; one sealed into a file of the
//! project, or exchanged.

mod rotate;
mod who;

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::{BOLD, Format, clean, paint, print, print_json, say};
use anyhow::Context;
use ringmail_engine::core::project::SecretSetting;
use ringmail_engine::core::value::Value;
use ringmail_engine::packages::write_whole;
use ringmail_engine::{Clock, SecretLedger, SecretReader, SystemClock, seal_secret};
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use who::who_may;
use zeroize::Zeroizing;

/// The longest that is sealed.
const BYTES_MAX: u64 = 48 << 10;

/// Secrets of the project: where they are kept, where they may go, and whether they are there
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum What {
    /// Each with where it is kept, what it is bound to, how old its value is, when it was used last, and who may use it
    List,
    /// Read each, and say which cannot be
    Check,
    /// Take a new value from standard input, for a secret in a file of this host; a server that runs goes on with it
    Rotate {
        /// What the secret is called in `ringmail.toml`
        name: String,
    },
    /// Take a value from standard input, and write it sealed with the key of this host
    Seal {
        /// What the secret is called in `ringmail.toml`: it opens under this name alone
        name: String,
        /// Where to; by default `secrets/NAME.sealed`
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        match self.what {
            What::List => list(&place, self.format, false),
            What::Check => list(&place, self.format, true),
            What::Rotate { name } => rotate::rotate(common, &place, &name),
            What::Seal { name, out } => seal(&place, &name, out),
        }
    }
}

/// Why it cannot be read; nothing if it can.
fn missing(secret: &SecretSetting, reader: &SecretReader) -> Option<String> {
    reader.read(secret).err().map(|error| error.to_string())
}

fn list(place: &Place, format: Format, reads: bool) -> Result<Exit, Fault> {
    let (reader, mut exit) = (place.secret_reader()?, Exit::Done);
    let times = SecretLedger::new(&place.data(), &place.host_key()?).read();
    let now_ms = SystemClock.now_ms();
    let mut cards = Vec::new();
    for secret in &place.project.secrets {
        let missing = reads.then(|| missing(secret, &reader)).flatten();
        if missing.is_some() {
            exit = Exit::User;
        }
        let bound: Vec<String> = secret.bound_to.iter().map(|to| to.as_str().to_string()).collect();
        let (times, who) =
            (times.get(&secret.name).cloned().unwrap_or_default(), who_may(&place.project, secret));
        if format == Format::Json {
            let ms =
                |ms: Option<u64>| ms.and_then(|ms| i64::try_from(ms).ok()).map_or(Value::Null, Value::Int);
            cards.push(Value::map([
                ("name", Value::Str(secret.name.clone())),
                ("from", Value::from(secret.from.to_string())),
                ("bound_to", Value::list(bound.into_iter().map(Value::from))),
                ("since_ms", ms(times.since_ms)),
                ("used_ms", ms(times.used_ms)),
                ("for", Value::list(who.into_iter().map(Value::from))),
                ("missing", missing.map_or(Value::Null, Value::from)),
            ]));
            continue;
        }
        let state = match (&missing, reads) {
            (Some(why), _) => format!("  cannot be read: {}", clean(why)),
            (None, true) => "  is there".into(),
            (None, false) => String::new(),
        };
        let bound = if bound.is_empty() { "nothing".into() } else { bound.join(", ") };
        let from = secret.from.to_string();
        print(&format!("{}  {}  bound to {bound}{state}", paint(BOLD, &secret.name), clean(&from)))?;
        let age = times.since_ms.map_or("age unknown".into(), |since| format!("{} old", ago(now_ms, since)));
        let used =
            times.used_ms.map_or("never used".into(), |used| format!("used {} ago", ago(now_ms, used)));
        let who = if who.is_empty() { "nobody".into() } else { who.join(", ") };
        print(&format!("    {age}, {used}; for {who}"))?;
    }
    match format {
        Format::Json => print_json(&Value::list(cards))?,
        Format::Text if place.project.secrets.is_empty() => {
            say("the project has no secrets: `[secret.NAME]`")
        }
        Format::Text => {}
    }
    Ok(exit)
}

/// A time between two moments, in the largest unit that fits.
fn ago(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn value_from_stdin(command: &str, name: &str) -> Result<Zeroizing<String>, Fault> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        say("type or paste the value, then Ctrl-D");
    }
    let mut value = Zeroizing::new(String::new());
    let read = Read::take(&mut input, BYTES_MAX + 1).read_to_string(&mut value);
    read.context("the value is no text")?;
    let value = value.trim_end_matches(['\r', '\n']);
    if value.is_empty() || value.len() as u64 > BYTES_MAX {
        return Err(Fault::user("the value is empty or longer than 48 KiB")
            .hint(format!("printf %s \"$VALUE\" | ringmail secret {command} {name}")));
    }
    Ok(Zeroizing::new(value.to_string()))
}

fn seal(place: &Place, name: &str, out: Option<PathBuf>) -> Result<Exit, Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(Fault::user("a secret's name has letters, digits, `_` and `-`"));
    }
    let value = value_from_stdin("seal", name)?;
    let text =
        seal_secret(name, &value, &place.host_key()?).context("there is no randomness to seal with")?;
    let file = out.unwrap_or_else(|| PathBuf::from(format!("secrets/{name}.sealed")));
    let path = place.root.join(&file);
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = written.and_then(|()| write_whole(&path, text.as_bytes()));
    written.with_context(|| format!("cannot write `{}`", shown(&path)))?;
    print(&format!("[secret.{name}]\nfrom = \"sealed:{}\"\nbound_to = [\"https://...\"]", file.display()))?;
    say("it opens on this host alone, under this name; add the lines above, and commit the file if you like");
    Ok(Exit::Done)
}
