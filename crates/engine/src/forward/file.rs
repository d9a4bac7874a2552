//! Records in a file, one a line; a full one is put aside with a number, and the oldest of those go.

use super::records::{Going, Takes};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(super) struct Files {
    path: PathBuf,
    bytes_max: u64,
    keep: usize,
    origin: String,
}

impl Files {
    pub(super) fn new(path: &Path, bytes_max: u64, keep: usize, origin: &str) -> Files {
        Files { path: path.into(), bytes_max, keep, origin: origin.into() }
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.as_os_str().to_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn write(&self, records: &[Going]) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = self.open()?;
        let mut bytes = file.metadata()?.len();
        let mut lines = String::new();
        for record in records {
            let line = record.line(&self.origin) + "\n";
            let all = bytes + (lines.len() + line.len()) as u64;
            if all > self.bytes_max && bytes + lines.len() as u64 > 0 {
                file.write_all(lines.as_bytes())?;
                file.sync_all()?;
                self.turn()?;
                (file, bytes, lines) = (self.open()?, 0, String::new());
            }
            lines.push_str(&line);
        }
        file.write_all(lines.as_bytes())?;
        file.sync_all()
    }

    fn open(&self) -> std::io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }

    fn turn(&self) -> std::io::Result<()> {
        let gone = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(std::fs::remove_file(self.numbered(self.keep)))?;
        for number in (1..self.keep).rev() {
            gone(std::fs::rename(self.numbered(number), self.numbered(number + 1)))?;
        }
        std::fs::rename(&self.path, self.numbered(1))
    }
}

impl Takes for Files {
    fn take(&mut self, records: &[Going]) -> Result<(), String> {
        self.write(records).map_err(|error| format!("cannot write `{}`: {error}", self.path.display()))
    }
}
