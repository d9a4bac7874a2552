//! The files of a log: what they are called, how they begin, and what a line holds.

use crate::tree::{Hash, Tree, hash, leaf};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::path::{Path, PathBuf};

const FORMAT: &str = "ringmail-audit/1";
const ENDING: &str = ".log";
/// Digits of a hash in front of a record.
const HASH_CHARS: usize = 43;
/// The last line of a file that another follows.
pub(super) const SEALED: &[u8] = b"sealed\n";

/// Where a log stands: how many records, and the hashes over all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) tree: Tree,
    pub(super) chain: Hash,
}

impl Tip {
    pub(super) fn count(&self) -> u64 {
        self.tree.size()
    }

    fn take(&mut self, record: &[u8]) {
        let leaf = leaf(record);
        self.chain = hash(&[&self.chain, &leaf]);
        self.tree.push(leaf);
    }

    /// Appends the line of a record to `out`.
    pub(super) fn write(&mut self, record: &[u8], out: &mut Vec<u8>) {
        self.take(record);
        out.extend_from_slice(STANDARD_NO_PAD.encode(self.chain).as_bytes());
        out.push(b' ');
        out.extend_from_slice(record);
        out.push(b'\n');
    }

    /// Takes in a line as it was read, without its end. Nothing if it is not what was written there.
    pub(super) fn read<'l>(&mut self, line: &'l [u8]) -> Option<&'l [u8]> {
        let (hash, record) = (line.get(..HASH_CHARS)?, line.get(HASH_CHARS + 1..)?);
        let mut next = self.clone();
        next.take(record);
        if line.get(HASH_CHARS) != Some(&b' ') || STANDARD_NO_PAD.encode(next.chain).as_bytes() != hash {
            return None;
        }
        *self = next;
        Some(record)
    }

    /// The line a file begins with.
    pub(super) fn head(&self) -> String {
        let hashes = std::iter::once(&self.chain).chain(self.tree.peaks());
        let hashes: Vec<String> = hashes.map(|hash| STANDARD_NO_PAD.encode(hash)).collect();
        format!("{FORMAT} {} {}\n", self.count(), hashes.join(" "))
    }

    /// What such a line says, without its end.
    pub(super) fn of_head(line: &[u8]) -> Option<Tip> {
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let (format, count) = (words.next()?, words.next()?.parse().ok()?);
        let mut hashes = words.map(|word| Hash::try_from(STANDARD_NO_PAD.decode(word).ok()?).ok());
        let chain = hashes.next()??;
        let tree = Tree::of(count, hashes.collect::<Option<_>>()?)?;
        (format == FORMAT).then_some(Tip { tree, chain })
    }
}

/// The record of a line, with or without its end.
pub(super) fn record(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.get(HASH_CHARS + 1..).unwrap_or_default()
}

pub(super) fn name(first: u64) -> String {
    format!("{first:020}{ENDING}")
}

/// The files of a folder with the first record of each, in order.
pub(super) fn all(folder: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_name().and_then(|name| name.to_str()?.strip_suffix(ENDING));
        if let Some(first) = stem.filter(|stem| stem.len() == 20).and_then(|stem| stem.parse().ok()) {
            out.push((first, path));
        }
    }
    out.sort();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_was_written_or_nothing() {
        let (mut tip, mut out) = (Tip::default(), Vec::new());
        tip.write(b"{\"a\":1}", &mut out);
        let second = out.len();
        tip.write(b"{}", &mut out);
        let (one, two) = (&out[..second - 1], &out[second..out.len() - 1]);
        let mut read = Tip::default();
        assert_eq!(read.read(two), None, "out of order");
        assert_eq!(read, Tip::default());
        for at in 0..one.len() {
            let mut line = one.to_vec();
            line[at] ^= 1;
            assert_eq!(Tip::default().read(&line), None, "{at}");
        }
        assert_eq!(read.read(one), Some(&b"{\"a\":1}"[..]));
        assert_eq!(read.read(one), None, "twice");
        assert_eq!(read.read(two), Some(&b"{}"[..]));
        assert_eq!(read, tip);
        let head = tip.head();
        assert_eq!(Tip::of_head(head.trim_end().as_bytes()), Some(tip));
        assert_eq!(Tip::of_head(b"ringmail-audit/2 0 AAAA"), None);
    }
}
