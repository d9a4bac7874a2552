//! Whose signatures count: a key that somebody trusts, those that took the log over from it, and those it took over from. Each taking
//! over is a checkpoint that names both keys and that both signed.

use crate::note::{Checkpoint, public_key};
use std::path::Path;

/// In the folder of a log, where anybody took it over.
const FILE: &str = "keys";

/// Keys, each with the size up to which it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysOfLog {
    keys: Vec<([u8; 32], u64)>,
    /// What was signed when keys were exchanged.
    taken: Vec<Checkpoint>,
}

impl KeysOfLog {
    /// This key alone.
    pub fn alone(key: [u8; 32]) -> KeysOfLog {
        KeysOfLog { keys: vec![(key, u64::MAX)], taken: Vec::new() }
    }

    /// This key, and all that the log in a folder connects with it.
    pub fn of_log(folder: &Path, key: [u8; 32]) -> Result<KeysOfLog, String> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(KeysOfLog::alone(key));
        }
        let shown = path.display();
        let text =
            std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
        KeysOfLog::read(&text, key).map_err(|why| format!("`{shown}`: {why}"))
    }

    fn read(text: &str, key: [u8; 32]) -> Result<KeysOfLog, String> {
        let (taken, left) = Checkpoint::parse_all(text);
        if left || taken.is_empty() {
            return Err("something in it is no checkpoint".into());
        }
        let mut keys: Vec<([u8; 32], u64)> = Vec::new();
        for one in &taken {
            let named = |name: &str| one.extension(name).and_then(public_key);
            let (Some(from), Some(to)) = (named("from "), named("to ")) else {
                return Err("a checkpoint in it does not name two keys".into());
            };
            if !one.is_signed_by(&from) || !one.is_signed_by(&to) {
                return Err("one key did not take over from the other: both have to sign".into());
            }
            match keys.last_mut() {
                None => keys.push((from, one.size)),
                Some(last) if last.0 == from => last.1 = one.size,
                Some(_) => return Err("a key took over that was not the next one's".into()),
            }
            keys.push((to, u64::MAX));
        }
        let grows = taken.windows(2).all(|pair| match pair {
            [one, next] => one.size <= next.size && one.origin == next.origin,
            _ => true,
        });
        if !grows {
            return Err("what was taken over became less, or another log".into());
        }
        if !keys.iter().any(|(known, _)| *known == key) {
            return Err("none of the keys in it is the one that is trusted".into());
        }
        Ok(KeysOfLog { keys, taken })
    }

    /// Whether one of them signed it when it was its turn.
    pub fn signed(&self, checkpoint: &Checkpoint) -> bool {
        self.keys.iter().any(|(key, until)| checkpoint.size <= *until && checkpoint.is_signed_by(key))
    }

    /// What was signed when keys were exchanged, which the log is held against too.
    pub fn taken_over(&self) -> &[Checkpoint] {
        &self.taken
    }
}
