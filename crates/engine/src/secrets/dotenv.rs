//! `dotenv:NAME`: a line of the project's `.env`, for development. In production it is not read, and neither is one that
//! others than its owner may read.

use super::local::{text_of, value_in};
use super::{Keeps, Opens, SecretError, SecretsAround, Unit};
use std::sync::Arc;
use zeroize::Zeroizing;

pub(super) const UNIT: Unit =
    Unit { name: "dotenv", opens: Opens::Here(|around| Box::new(Dotenv(around.clone()))) };

const FILE: &str = ".env";

struct Dotenv(Arc<SecretsAround>);

impl Keeps for Dotenv {
    fn read(&self, _: &str, item: &str) -> Result<Zeroizing<String>, SecretError> {
        if !self.0.is_development {
            return Err(SecretError::Production);
        }
        let text = text_of(FILE, &self.0.folder.join(FILE), true)?;
        // The last line counts, as it does in a shell.
        let value = text.lines().rev().find_map(|line| value_of(line, item));
        value_in(FILE, value.ok_or_else(|| SecretError::NotInDotenv(item.into()))?)
    }
}

/// `NAME=value`, with `export` before it or not, in quotes or not. Nothing in it stands for anything else.
fn value_of<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (known, value) = line.split_once('=')?;
    if known.trim() != name {
        return None;
    }
    let value = value.trim();
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    Some(inside('"').or_else(|| inside('\'')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::value_of;

    #[test]
    fn lines_are_read_as_they_stand() {
        for (line, expected) in [
            ("KEY=value", Some("value")),
            ("export KEY = 'a b'", Some("a b")),
            ("KEY=\"$HOME #x\"", Some("$HOME #x")),
            ("KEYS=value", None),
            ("# KEY=value", None),
            ("KEY", None),
        ] {
            assert_eq!(value_of(line, "KEY"), expected, "{line}");
        }
    }
}
