//! Records of a log in order, as they were written, without a word on whether they still are: that is for those who verify.

use super::{LogError, disk, segment};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Goes through a log from some record on.
#[derive(Debug)]
pub struct Reader {
    files: std::vec::IntoIter<(u64, PathBuf)>,
    now: Option<BufReader<File>>,
    next: u64,
    from: u64,
    line: Vec<u8>,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'r> {
    pub at: u64,
    pub record: &'r [u8],
}

impl Reader {
    pub fn open(folder: &Path, from: u64) -> Result<Reader, LogError> {
        let files = match segment::all(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(disk("list the log's files")(error)),
        };
        let skip = files.iter().rposition(|(first, _)| *first <= from).unwrap_or(0);
        let files: Vec<(u64, PathBuf)> = files.into_iter().skip(skip).collect();
        Ok(Reader { files: files.into_iter(), now: None, next: 0, from, line: Vec::new() })
    }

    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The next record; nothing at the end, which may be in the middle of what somebody is writing.
    pub fn next_record(&mut self) -> Result<Option<Logged<'_>>, LogError> {
        loop {
            let Some(file) = &mut self.now else {
                let Some((first, path)) = self.files.next() else { return Ok(None) };
                let mut file =
                    BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(disk("open the log"))?);
                self.line.clear();
                file.read_until(b'\n', &mut self.line).map_err(disk("read the log"))?;
                (self.next, self.now) = (first, Some(file));
                continue;
            };
            self.line.clear();
            file.read_until(b'\n', &mut self.line).map_err(disk("read the log"))?;
            if self.line == segment::SEALED || !self.line.ends_with(b"\n") {
                self.now = None;
                continue;
            }
            let at = self.next;
            self.next += 1;
            if at >= self.from {
                break;
            }
        }
        Ok(Some(Logged { at: self.next - 1, record: segment::record(&self.line) }))
    }
}
