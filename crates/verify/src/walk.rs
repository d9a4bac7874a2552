//! A log, read from its first record to its last, each held against the hash in front of it, and all of them against what was
//! signed for.

use crate::note::Checkpoint;
use crate::tree::{Growing, Root, hash_leaf};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Longer lines are none of a log.
const LINE_BYTES_MAX: u64 = 17 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// A log that is what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub records: u64,
    pub root: Root,
    pub files: usize,
    /// Checkpoints that were held against it.
    pub checkpoints: usize,
    /// What crashes cut off, and was put aside.
    pub cut: usize,
}

/// The first place where a log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Counted from 0.
    pub record: u64,
    pub file: String,
    /// Counted from 1; nothing if it is not about a line.
    pub line: Option<u64>,
    pub why: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map_or_else(String::new, |line| format!(", line {line}"));
        write!(f, "record {} ({}{line}): {}", self.record, self.file, self.why)
    }
}

struct Walk<'c> {
    records: u64,
    chain: Root,
    tree: Growing,
    /// Those not reached yet, the nearest last.
    checkpoints: Vec<&'c Checkpoint>,
    file: String,
    line: u64,
}

/// Verifies the log in a folder. Each checkpoint is held against the root that the log had at its size; whether somebody
/// trusted signed it is asked before.
pub fn verify(folder: &Path, checkpoints: &[Checkpoint]) -> Result<Verified, Wrong> {
    let mut due: Vec<&Checkpoint> = checkpoints.iter().collect();
    due.sort_by_key(|one| std::cmp::Reverse(one.size));
    let mut walk = Walk {
        records: 0,
        chain: [0; 32],
        tree: Growing::default(),
        checkpoints: due,
        file: folder.display().to_string(),
        line: 0,
    };
    let (files, cut) = listed(folder).map_err(|error| walk.wrong(format!("cannot be listed: {error}")))?;
    for (at, (first, path)) in files.iter().enumerate() {
        (walk.file, walk.line) = (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), 0);
        if *first != walk.records {
            let why =
                format!("a file is missing, or this one is in another's place: {} was next", walk.records);
            return Err(walk.wrong(why));
        }
        walk.file(path, at + 1 == files.len())?;
    }
    walk.meet()?;
    if let Some(missing) = walk.checkpoints.last() {
        let why = format!("the log ends here, and {} records were signed for", missing.size);
        return Err(Wrong { line: None, ..walk.wrong(why) });
    }
    let (records, root) = (walk.records, walk.tree.root());
    Ok(Verified { records, root, files: files.len(), checkpoints: checkpoints.len(), cut })
}

type Files = Vec<(u64, PathBuf)>;

/// The files of a log in order, and how many pieces lie beside it that crashes cut off.
fn listed(folder: &Path) -> std::io::Result<(Files, usize)> {
    let (mut files, mut cut) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        cut += usize::from(name.starts_with("cut-"));
        if let Some(first) = name.strip_suffix(".log").filter(|stem| stem.len() == 20) {
            files.push((first.parse().unwrap_or(u64::MAX), path));
        }
    }
    files.sort();
    Ok((files, cut))
}

impl Walk<'_> {
    fn wrong(&self, why: impl Into<String>) -> Wrong {
        let line = (self.line > 0).then_some(self.line);
        Wrong { record: self.records, file: self.file.clone(), line, why: why.into() }
    }

    fn file(&mut self, path: &Path, is_last: bool) -> Result<(), Wrong> {
        let unread = |walk: &Walk<'_>, error: std::io::Error| walk.wrong(format!("cannot be read: {error}"));
        let file = File::open(path).map_err(|error| unread(self, error))?;
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let (mut line, mut sealed) = (Vec::new(), false);
        loop {
            line.clear();
            let read = (&mut reader).take_line(&mut line).map_err(|error| unread(self, error))?;
            if read == 0 {
                break;
            }
            self.line += 1;
            let Some(text) = line.strip_suffix(b"\n") else {
                return Err(self.wrong("this line does not end"));
            };
            if sealed {
                return Err(self.wrong("something follows the end of this file"));
            }
            match (self.line, text) {
                (1, head) if head == self.head().as_bytes() => {}
                (1, _) => return Err(self.wrong("this file does not go on where the log was")),
                (_, b"sealed") => sealed = true,
                (_, text) => self.record(text)?,
            }
        }
        match (sealed, is_last) {
            (true, true) => Err(self.wrong("another file follows this one, and is not there")),
            (false, false) => Err(self.wrong("this file ends before its end")),
            _ if self.line == 0 => Err(self.wrong("this file is empty")),
            _ => Ok(()),
        }
    }

    /// The first line that a file has here.
    fn head(&self) -> String {
        let hashes = std::iter::once(self.chain).chain(self.tree.hashes());
        let hashes: Vec<String> = hashes.map(|hash| STANDARD_NO_PAD.encode(hash)).collect();
        format!("ringmail-audit/1 {} {}", self.records, hashes.join(" "))
    }

    fn record(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let split = line.iter().position(|byte| *byte == b' ').and_then(|at| line.split_at_checked(at));
        let Some((said, record)) = split.and_then(|(said, rest)| Some((said, rest.get(1..)?))) else {
            return Err(self.wrong("this is no record"));
        };
        self.meet()?;
        let leaf = hash_leaf(record);
        let mut hasher = Sha256::new();
        hasher.update(self.chain);
        hasher.update(leaf);
        let chain: Root = hasher.finalize().into();
        if STANDARD_NO_PAD.encode(chain).as_bytes() != said {
            return Err(self.wrong("this is not what was written here"));
        }
        self.chain = chain;
        self.tree.add(leaf);
        self.records += 1;
        Ok(())
    }

    /// Holds the log against the checkpoints for its size.
    fn meet(&mut self) -> Result<(), Wrong> {
        while let Some(next) = self.checkpoints.last().filter(|next| next.size == self.records) {
            if next.root != self.tree.root() {
                let why = "what stands before is not what was signed for, though its hashes fit: somebody wrote it anew";
                return Err(self.wrong(why));
            }
            self.checkpoints.pop();
        }
        Ok(())
    }
}

trait TakeLine {
    fn take_line(&mut self, out: &mut Vec<u8>) -> std::io::Result<usize>;
}

impl<R: BufRead> TakeLine for &mut R {
    /// A line of a bounded length, with its end.
    fn take_line(&mut self, out: &mut Vec<u8>) -> std::io::Result<usize> {
        std::io::Read::take(&mut **self, LINE_BYTES_MAX).read_until(b'\n', out)
    }
}
