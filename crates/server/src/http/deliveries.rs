//! Deliveries that were taken in, and are known again: also by the process that comes after this one. A line of a file for
//! each, which is written before its chain runs; what a crash of the machine takes with it is at most the latest.

use crate::identity::kept::{from_hex, hex};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const FILE: &str = "deliveries";
/// Deliveries that are known again.
const KNOWN_MAX: usize = 100_000;
/// Lines after which the file is written anew, without what is over.
const LINES_MAX: usize = 2 * KNOWN_MAX;

#[derive(Debug)]
pub(crate) struct Deliveries(Mutex<Known>);

#[derive(Debug)]
struct Known {
    path: PathBuf,
    /// Nothing before the first, and after a line that may not be whole: it is written anew then.
    file: Option<File>,
    lines: usize,
    /// Until when each is known.
    until: HashMap<[u8; 32], u64>,
}

/// What came of noting a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Noted {
    First,
    Again,
    /// It would not be known again, so it may not happen.
    Not(String),
}

impl Known {
    fn write(&mut self, delivery: &[u8; 32], until_ms: u64, now_ms: u64) -> std::io::Result<()> {
        if self.lines >= LINES_MAX {
            self.file = None;
        }
        if let Some(mut file) = self.file.take() {
            file.write_all(line(delivery, until_ms).as_bytes())?;
            self.lines += 1;
            self.file = Some(file);
            return Ok(());
        }
        self.until.retain(|_, until| *until > now_ms);
        let lines: String = self.until.iter().map(|(delivery, until)| line(delivery, *until)).collect();
        let half = self.path.with_extension("half");
        let options = || std::fs::OpenOptions::new().write(true).create(true).mode(0o600).clone();
        let mut file = options().truncate(true).open(&half)?;
        file.write_all((lines + line(delivery, until_ms).as_str()).as_bytes())?;
        std::fs::rename(&half, &self.path)?;
        self.lines = self.until.len() + 1;
        self.file = Some(options().append(true).open(&self.path)?);
        Ok(())
    }
}

fn line(delivery: &[u8; 32], until_ms: u64) -> String {
    format!("{} {until_ms}\n", hex(delivery))
}

impl Deliveries {
    /// Those that a folder has. A line that is not whole was of a delivery that nobody was told of.
    pub(crate) fn open(data: &Path) -> std::io::Result<Deliveries> {
        let path = data.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let mut until = HashMap::new();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let known = line.split_once(' ').and_then(|(delivery, until)| {
                Some((from_hex(delivery)?.try_into().ok()?, until.parse().ok()?))
            });
            let (delivery, until_ms) = known.ok_or(std::io::ErrorKind::InvalidData)?;
            until.insert(delivery, until_ms);
        }
        Ok(Deliveries(Mutex::new(Known { path, file: None, lines: 0, until })))
    }

    pub(super) fn note(&self, delivery: [u8; 32], now_ms: u64, until_ms: u64) -> Noted {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.until.get(&delivery).is_some_and(|until| *until > now_ms) {
            return Noted::Again;
        }
        if known.until.len() >= KNOWN_MAX {
            known.until.retain(|_, until| *until > now_ms);
        }
        if known.until.len() >= KNOWN_MAX {
            return Noted::Not("too many deliveries are known".into());
        }
        if let Err(error) = known.write(&delivery, until_ms, now_ms) {
            return Noted::Not(format!("it cannot be noted: {error}"));
        }
        known.until.insert(delivery, until_ms);
        Noted::First
    }

    /// Nothing came of it: its sender may try again.
    pub(super) fn forget(&self, delivery: &[u8; 32], now_ms: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.until.remove(delivery);
        // If that cannot be written, the next process takes it for one that happened, and refuses it.
        let _refused_then = known.write(delivery, 0, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_by_whoever_comes_next() {
        let data = tempfile::tempdir().unwrap();
        let open = || Deliveries::open(data.path()).unwrap();
        let first = open();
        assert_eq!(first.note([1; 32], 10, 100), Noted::First);
        assert_eq!(first.note([2; 32], 10, 100), Noted::First);
        assert_eq!(first.note([3; 32], 10, 20), Noted::First);
        first.forget(&[2; 32], 10);
        let text = || std::fs::read_to_string(data.path().join(FILE)).unwrap();
        // The end of one that was cut off.
        std::fs::write(data.path().join(FILE), text() + "0404").unwrap();
        let next = open();
        assert_eq!(next.note([1; 32], 50, 100), Noted::Again);
        assert_eq!(next.note([2; 32], 50, 100), Noted::First);
        assert_eq!(next.note([3; 32], 50, 100), Noted::First);
        assert_eq!(next.note([1; 32], 101, 200), Noted::First, "its time is over");
        let lines = text().lines().count();
        let last = open();
        assert_eq!(last.note([5; 32], 150, 300), Noted::First);
        assert!(text().lines().count() < lines, "what is over is left out");
        std::fs::write(data.path().join(FILE), "what is this\n").unwrap();
        assert!(Deliveries::open(data.path()).is_err());
    }
}
