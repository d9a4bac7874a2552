//! Where in a log something may stand. For each file that is full there is a list of its blocks: when they were written, and whose
//! records, of which chains, rules and tags are in them. It is made when somebody asks, from what is there; without it the
//! same is found, later. It is signed with a key of the host, so that nobody hides a record by writing another list.

use super::AuditError;
use crate::sign::HostKey;
use ringmail_core::json::write_text;
use ringmail_store::{LogError, LogSpan, Reader};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const FOLDER: &str = "index";
const FORMAT: &[u8] = b"ringmail-index/1\n";
const SIGNATURE_BYTES: usize = 32;
/// Records of one block.
const BLOCK: u64 = 512;

/// What is looked for: all of these, and of each any.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    terms: Vec<Vec<u32>>,
    /// From then on, and before then, in milliseconds.
    from_ms: u64,
    until_ms: Option<u64>,
}

impl Sought {
    pub fn between(from_ms: u64, until_ms: Option<u64>) -> Sought {
        Sought { terms: Vec::new(), from_ms, until_ms }
    }

    /// Records in which a member with this name is one of these texts.
    #[must_use]
    pub fn with<'t>(mut self, name: &str, texts: impl Iterator<Item = &'t str>) -> Sought {
        let term = |text: &str| {
            let mut written = String::new();
            write_text(text, &mut written);
            hash(name, written.trim_matches('"').as_bytes())
        };
        self.terms.push(texts.map(term).collect());
        self
    }

    /// Records in which something was refused.
    #[must_use]
    pub fn refused(mut self) -> Sought {
        self.terms.push(vec![hash("rule", b"")]);
        self
    }

    fn may_be_in(&self, block: &Block) -> bool {
        let in_time = block.max_ms >= self.from_ms && self.until_ms.is_none_or(|until| block.min_ms < until);
        let has = |any: &Vec<u32>| any.iter().any(|term| block.terms.binary_search(term).is_ok());
        in_time && self.terms.iter().all(has)
    }
}

/// Members with one text, and those with lists of them.
const TEXTS: &[&str] = &["who", "chain", "kind", "rule"];
const LISTS: &[&str] = &["tags", "tagged"];

#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    first: u64,
    offset: u64,
    count: u64,
    min_ms: u64,
    max_ms: u64,
    terms: Vec<u32>,
}

/// FNV-1a. Whoever makes two texts alike has a block read in which nothing is.
fn hash(name: &str, text: &[u8]) -> u32 {
    let bytes = name.bytes().chain(std::iter::once(0)).chain(text.iter().copied());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What stands behind each `"name":` of a record, up to an end.
fn behind<'r>(record: &'r [u8], name: &str, open: u8, close: u8) -> impl Iterator<Item = &'r [u8]> {
    // A quote within a text is written with a backslash, so this is never found in one.
    let key = format!("\"{name}\":{}", char::from(open));
    let starts: Vec<usize> =
        memchr::memmem::find_iter(record, key.as_bytes()).map(|at| at + key.len()).collect();
    starts.into_iter().filter_map(move |start| {
        let rest = record.get(start..)?;
        let end = memchr::memchr_iter(close, rest).find(|end| {
            let before = rest.get(..*end).unwrap_or_default();
            close != b'"' || before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
        })?;
        rest.get(..end)
    })
}

impl Block {
    fn take(&mut self, record: &[u8]) {
        let digits = |record: &[u8]| {
            let at = memchr::memmem::find(record, b"\"at_ms\":")? + 8;
            let rest = record.get(at..)?;
            let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
            std::str::from_utf8(rest.get(..end)?).ok()?.parse::<u64>().ok()
        };
        // One that does not say when is looked at whenever it may have been.
        let (min_ms, max_ms) = digits(record).map_or((0, u64::MAX), |at_ms| (at_ms, at_ms));
        self.min_ms = if self.count == 0 { min_ms } else { self.min_ms.min(min_ms) };
        self.max_ms = self.max_ms.max(max_ms);
        self.count += 1;
        for name in TEXTS {
            self.terms.extend(behind(record, name, b'"', b'"').map(|text| hash(name, text)));
        }
        if behind(record, "rule", b'"', b'"').next().is_some() {
            self.terms.push(hash("rule", b""));
        }
        for name in LISTS {
            let items = behind(record, name, b'[', b']').flat_map(|list| list.split(|byte| *byte == b','));
            self.terms.extend(
                items.filter_map(|item| Some(hash("tag", item.strip_prefix(b"\"")?.strip_suffix(b"\"")?))),
            );
        }
    }
}

/// The lists of one log.
pub(super) struct Index {
    folder: PathBuf,
    key: ring::hmac::Key,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({})", self.folder.display())
    }
}

impl Index {
    pub(super) fn new(audit: &Path, host: &HostKey) -> Index {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &*host.secret_for("audit index"));
        Index { folder: audit.join(FOLDER), key }
    }

    /// Where of a file that is full something may be.
    pub(super) fn spans(&self, whole: &LogSpan, sought: &Sought) -> Result<Vec<LogSpan>, AuditError> {
        let blocks = match self.read(whole) {
            Some(blocks) => blocks,
            None => {
                let blocks = made(whole)?;
                // Whoever only reads, or has no room, looks through the file each time.
                let _made_again = self.write(whole, &blocks);
                blocks
            }
        };
        let found = blocks.into_iter().filter(|block| sought.may_be_in(block));
        Ok(found
            .map(|block| LogSpan {
                first: block.first,
                offset: block.offset,
                count: block.count,
                ..whole.clone()
            })
            .collect())
    }

    fn path(&self, whole: &LogSpan) -> PathBuf {
        self.folder.join(format!("{:020}.index", whole.first))
    }

    fn signature(&self, whole: &LogSpan, bytes: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
        let length = std::fs::metadata(&whole.file).ok()?.len();
        let mut context = ring::hmac::Context::with_key(&self.key);
        context.update(&whole.first.to_le_bytes());
        context.update(&length.to_le_bytes());
        context.update(bytes);
        context.sign().as_ref().try_into().ok()
    }

    /// Nothing, where it is not there or not what this host wrote for the file as it is.
    fn read(&self, whole: &LogSpan) -> Option<Vec<Block>> {
        let mut bytes = Vec::new();
        File::open(self.path(whole)).ok()?.read_to_end(&mut bytes).ok()?;
        let (bytes, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>()?;
        if self.signature(whole, bytes)? != *signature {
            return None;
        }
        let mut rest = bytes.strip_prefix(FORMAT)?;
        let mut blocks = Vec::new();
        while !rest.is_empty() {
            let mut numbers = [0; 6];
            for number in &mut numbers {
                let (bytes, after) = rest.split_first_chunk::<8>()?;
                (*number, rest) = (u64::from_le_bytes(*bytes), after);
            }
            let [first, offset, count, min_ms, max_ms, terms] = numbers;
            let (bytes, after) = rest.split_at_checked(usize::try_from(terms).ok()?.checked_mul(4)?)?;
            let terms =
                bytes.chunks_exact(4).filter_map(|term| Some(u32::from_le_bytes(term.try_into().ok()?)));
            blocks.push(Block { first, offset, count, min_ms, max_ms, terms: terms.collect() });
            rest = after;
        }
        Some(blocks)
    }

    fn write(&self, whole: &LogSpan, blocks: &[Block]) -> std::io::Result<()> {
        let mut bytes = FORMAT.to_vec();
        for block in blocks {
            let numbers = [
                block.first,
                block.offset,
                block.count,
                block.min_ms,
                block.max_ms,
                block.terms.len() as u64,
            ];
            numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
            block.terms.iter().for_each(|term| bytes.extend_from_slice(&term.to_le_bytes()));
        }
        let signature = self.signature(whole, &bytes).ok_or(std::io::ErrorKind::NotFound)?;
        bytes.extend_from_slice(&signature);
        std::fs::create_dir_all(&self.folder)?;
        crate::packages::write_whole(&self.path(whole), &bytes)
    }
}

/// The blocks of a file, from what stands in it.
fn made(whole: &LogSpan) -> Result<Vec<Block>, LogError> {
    let mut reader = Reader::of(vec![whole.clone()]);
    let (mut blocks, mut block) = (Vec::new(), Block::default());
    while let Some(read) = reader.next_record()? {
        if block.count == 0 {
            (block.first, block.offset) = (read.at, read.offset);
        }
        block.take(read.record);
        if block.count == BLOCK {
            blocks.push(std::mem::take(&mut block));
        }
    }
    if block.count > 0 {
        blocks.push(block);
    }
    for block in &mut blocks {
        block.terms.sort_unstable();
        block.terms.dedup();
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringmail_store::{Log, LogSettings};
    use std::sync::Arc;

    /// A log of several files, and its records.
    fn written(folder: &Path, host: &HostKey) -> Vec<String> {
        let settings =
            LogSettings { file_bytes_max: 64 << 10, ..LogSettings::new("t", Arc::new(host.again())) };
        let log = Log::open(folder, settings).unwrap();
        let record = |at: u64| {
            let (who, chain, rule) = (at % 7 + at / 3_000, at / 700, at % 977);
            let refused = if rule == 0 { ",\"rule\":\"clearance\"" } else { "" };
            let tags = if at % 1_500 == 3 { ",\"tags\":[\"pii\",\"x:y\"]" } else { "" };
            format!(
                "{{\"kind\":\"run\",\"at_ms\":{},\"chain\":\"c\\\"{chain}\",\"who\":\"{who}\",\"text\":\"\\\"rule\\\":\\\"no\\\"\"{refused}{tags}}}",
                at * 10
            )
        };
        let records: Vec<String> = (0..6_000).map(record).collect();
        for record in &records {
            log.append(&[record.as_bytes()]).unwrap();
        }
        records
    }

    /// Every record in which something stands lies where it is looked for, and what is looked for lies in few places.
    #[test]
    fn what_is_sought_lies_in_the_places_that_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let host = HostKey::open(&folder.path().join("host.key")).unwrap();
        let records = written(folder.path(), &host);
        let index = Index::new(folder.path(), &host);
        let one = |name: &str, text: &str| Sought::between(0, None).with(name, std::iter::once(text));
        let none = Sought::between(0, None);
        let cases: Vec<(Sought, &str, usize)> = vec![
            (one("who", "0"), "\"who\":\"0\"", 12),
            (one("chain", "c\"3"), "\"chain\":\"c\\\"3\"", 5),
            (one("rule", "clearance"), "\"rule\":\"clearance\"", 8),
            (none.clone().refused(), "\"rule\":\"clearance\"", 8),
            (one("tag", "x:y"), "\"x:y\"", 5),
            (one("rule", "no"), "\"rule\":\"no\"", 0),
            (Sought::between(20_000, Some(20_010)), "\"at_ms\":20000,", 2),
            (one("who", "1").with("chain", std::iter::once("c\"8")), "\"chain\":\"c\\\"8\",\"who\":\"1\"", 4),
        ];
        for round in 0..2 {
            for (sought, text, most) in &cases {
                let all = LogSpan::all(folder.path()).unwrap();
                let (sealed, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|span| span.is_sealed);
                assert!(sealed.len() > 3 && open.len() == 1);
                let last = open[0].first;
                let mut places = Vec::new();
                for whole in &sealed {
                    assert_eq!(index.read(whole).is_some(), round > 0 || !std::ptr::eq(text, &cases[0].1));
                    places.extend(index.spans(whole, sought).unwrap());
                }
                assert!(places.len() <= *most, "{text}: {} places", places.len());
                let mut reader = Reader::of(places);
                let mut found = Vec::new();
                while let Some(read) = reader.next_record().unwrap() {
                    assert_eq!(read.record, records[usize::try_from(read.at).unwrap()].as_bytes());
                    if memchr::memmem::find(read.record, text.as_bytes()).is_some() {
                        found.push(read.at);
                    }
                }
                let there = records.iter().enumerate().filter(|(_, record)| record.contains(text));
                let there: Vec<u64> = there.map(|(at, _)| at as u64).filter(|at| *at < last).collect();
                assert_eq!(found, there, "{text}");
            }
        }
    }

    #[test]
    fn attack_41_a_list_that_is_not_this_hosts_or_not_of_this_file_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let host = HostKey::open(&folder.path().join("host.key")).unwrap();
        written(folder.path(), &host);
        let index = Index::new(folder.path(), &host);
        let all = LogSpan::all(folder.path()).unwrap();
        let sought = Sought::between(0, None);
        let made: Vec<usize> = all.iter().map(|whole| index.spans(whole, &sought).unwrap().len()).collect();
        assert!(index.read(&all[0]).is_some());
        // Another file's, an empty one, another host's.
        std::fs::copy(index.path(&all[1]), index.path(&all[0])).unwrap();
        assert_eq!(index.read(&all[0]), None);
        std::fs::write(index.path(&all[0]), [FORMAT, &[0; SIGNATURE_BYTES]].concat()).unwrap();
        assert_eq!(index.read(&all[0]), None);
        let other = HostKey::open(&folder.path().join("other.key")).unwrap();
        Index::new(folder.path(), &other).write(&all[0], &[]).unwrap();
        assert_eq!(index.read(&all[0]), None);
        assert_eq!(index.spans(&all[0], &sought).unwrap().len(), made[0]);
    }
}
