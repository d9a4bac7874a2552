//! The input of a run: from an argument, a file or stdin, never more than is taken, and with the place of what is
//! wrong.

use crate::exit::Fault;
use crate::terminal::clean;
use anyhow::Context;
use ringmail_engine::core::doc::form::{date_ms, duration_ms};
use ringmail_engine::core::doc::{Problem, Source, Span, Spot};
use ringmail_engine::core::json::{JsonError, JsonLimits, parse};
use ringmail_engine::core::value::Value;
use std::io::Read;
use std::path::Path;

/// Text shown around a mistake, on each side.
const SHOWN_BYTES: usize = 60;

/// Where the input comes from.
pub(crate) enum From<'a> {
    Argument(&'a str),
    File(&'a Path),
    Stdin,
    Nowhere,
}

impl From<'_> {
    pub(crate) fn read(&self) -> Result<Value, Fault> {
        let (name, text) = match self {
            From::Nowhere => return Ok(Value::Null),
            From::Argument(text) => ("--input".to_string(), text.as_bytes().to_vec()),
            From::Stdin => ("stdin".to_string(), take("stdin", std::io::stdin().lock())?),
            From::File(path) => {
                let name = path.display().to_string();
                let file = std::fs::File::open(path).with_context(|| format!("cannot read `{name}`"))?;
                (name.clone(), take(&name, file)?)
            }
        };
        parse(&text, &JsonLimits::default())
            .map_err(|error| Fault::problem(self.mistake(&name, &text, &error)))
    }

    fn mistake(&self, name: &str, text: &[u8], error: &JsonError) -> Problem {
        let bare = text.first().is_some_and(u8::is_ascii_alphabetic);
        let quotes = matches!(self, From::Argument(_)) && bare;
        Problem {
            spot: Some(around(name, text, error.at)),
            message: format!("the input is not JSON: {}", error.reason),
            help: quotes.then(|| "a text needs quotes: --input '\"text\"'".into()),
        }
    }
}

/// A moment, or how long before now.
pub(crate) fn moment(text: &str, now_ms: u64) -> Result<u64, Fault> {
    match (duration_ms(text), date_ms(text)) {
        (Ok(ago), _) => Ok(now_ms.saturating_sub(ago)),
        (_, Ok(at)) => Ok(at),
        (Err(_), Err(_)) => Err(Fault::user(format!("`{}` is no time", clean(text)))
            .hint("write `2h` for two hours ago, `2026-12-31` or `2026-12-31T12:00:00Z`")),
    }
}

fn take(name: &str, from: impl Read) -> Result<Vec<u8>, Fault> {
    let most = JsonLimits::default().bytes_max;
    let mut text = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut text).with_context(|| format!("cannot read `{name}`"))?;
    match text.len() > most {
        true => {
            Err(Fault::user(format!("`{name}` is larger than {} MiB, the most that a run takes", most >> 20)))
        }
        false => Ok(text),
    }
}

/// The place, in a text that is short enough to be shown.
fn around(name: &str, text: &[u8], at: usize) -> Spot {
    let line =
        text.get(..at).unwrap_or(text).iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| at + end);
    let long = end - line > 4 * SHOWN_BYTES;
    let (from, until) = match long {
        true => (line.max(at.saturating_sub(SHOWN_BYTES)), end.min(at + SHOWN_BYTES)),
        false if text.len() <= 64 * SHOWN_BYTES => (0, text.len()),
        false => (line, end),
    };
    let shown = String::from_utf8_lossy(text.get(from..until).unwrap_or_default());
    let start = String::from_utf8_lossy(text.get(from..at).unwrap_or_default()).len();
    Spot { source: Source::new(name, shown), span: Span { start, end: start + 1 } }
}
