//! Records of a log in order, as they were written, without a word on whether they still are: that is for those who verify.

use super::segment::Tip;
use super::{LogError, disk, segment};
use crate::tree::Hash;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Goes through a log from some record on.
#[derive(Debug)]
pub struct Reader {
    spans: std::vec::IntoIter<LogSpan>,
    now: Option<BufReader<File>>,
    next: u64,
    offset: u64,
    /// Where the span ends that is read now.
    end: u64,
    from: u64,
    line: Vec<u8>,
}

/// Records of one file that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpan {
    pub file: PathBuf,
    pub first: u64,
    /// Where the first one begins, in bytes.
    pub offset: u64,
    /// No more than so many.
    pub count: u64,
    /// Whether another file follows, so that this one never changes.
    pub is_sealed: bool,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'r> {
    pub at: u64,
    /// Where its line begins in its file, in bytes.
    pub offset: u64,
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
        let spans = files.into_iter().skip(skip).map(|(first, file)| LogSpan::whole(first, file));
        Ok(Reader { from, ..Reader::of(spans.collect()) })
    }

    /// Goes through some of it.
    pub fn of(spans: Vec<LogSpan>) -> Reader {
        Reader { spans: spans.into_iter(), now: None, next: 0, offset: 0, end: 0, from: 0, line: Vec::new() }
    }

    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The next record; nothing at the end, which may be in the middle of what somebody is writing.
    pub fn next_record(&mut self) -> Result<Option<Logged<'_>>, LogError> {
        loop {
            let Some(file) = &mut self.now else {
                let Some(span) = self.spans.next() else { return Ok(None) };
                let file = File::open(&span.file).map_err(disk("open the log"))?;
                let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
                self.line.clear();
                self.offset = match span.offset {
                    0 => file.read_until(b'\n', &mut self.line).map(|head| head as u64),
                    offset => file.seek(SeekFrom::Start(offset)),
                }
                .map_err(disk("read the log"))?;
                self.end = span.first.saturating_add(span.count);
                (self.next, self.now) = (span.first, Some(file));
                continue;
            };
            if self.next >= self.end {
                self.now = None;
                continue;
            }
            self.line.clear();
            file.read_until(b'\n', &mut self.line).map_err(disk("read the log"))?;
            if self.line == segment::SEALED || !self.line.ends_with(b"\n") {
                self.now = None;
                continue;
            }
            let (at, offset) = (self.next, self.offset);
            self.next += 1;
            self.offset += self.line.len() as u64;
            if at >= self.from {
                return Ok(Some(Logged { at, offset, record: segment::record(&self.line) }));
            }
        }
    }
}

impl LogSpan {
    fn whole(first: u64, file: PathBuf) -> LogSpan {
        LogSpan { file, first, offset: 0, count: u64::MAX, is_sealed: false }
    }

    /// Every file of a log, whole, in order.
    pub fn all(folder: &Path) -> Result<Vec<LogSpan>, LogError> {
        let files = match segment::all(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(disk("list the log's files"))?,
        };
        files.into_iter().map(|(first, file)| LogSpan::whole(first, file).looked_at()).collect()
    }

    fn looked_at(mut self) -> Result<LogSpan, LogError> {
        let last = || {
            let mut file = File::open(&self.file)?;
            let length = file.metadata()?.len();
            let mut last = Vec::new();
            file.seek(SeekFrom::Start(length.saturating_sub(segment::SEALED.len() as u64)))?;
            file.read_to_end(&mut last)?;
            Ok(last == segment::SEALED)
        };
        self.is_sealed = last().map_err(disk("read the log"))?;
        Ok(self)
    }
}

/// The root a log had when it was of some size; nothing if it is not as large. Reads the one file in which that size was
/// reached, and believes what its first line says of those before: whether they fit is for those who verify.
pub fn root_at(folder: &Path, size: u64) -> Result<Option<Hash>, LogError> {
    let files = segment::all(folder).map_err(disk("list the log's files"))?;
    let Some((_, path)) = files.into_iter().rev().find(|(first, _)| *first <= size) else { return Ok(None) };
    let changed = || LogError::Changed(format!("`{}` is not what was written", path.display()));
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(&path).map_err(disk("open the log"))?);
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line).map_err(disk("read the log"))?;
    let mut tip = line.strip_suffix(b"\n").and_then(Tip::of_head).ok_or_else(changed)?;
    while tip.count() < size {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(disk("read the log"))?;
        if line == segment::SEALED || !line.ends_with(b"\n") {
            return Ok(None);
        }
        tip.read(line.strip_suffix(b"\n").unwrap_or_default()).ok_or_else(changed)?;
    }
    Ok(Some(tip.tree.root()))
}
