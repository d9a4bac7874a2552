//! ZIP: entries from the first byte on, a directory of them, and its end as the last thing there is.

use super::reader::Reader;

pub(super) const SIGNATURE: &[u8] = b"PK\x03\x04";
const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
/// The end of a directory, and the longest comment behind it.
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;

struct End {
    entries: usize,
    bytes: usize,
    at: usize,
    comment: usize,
}

/// The end of a directory that begins here.
fn end(bytes: &[u8]) -> Option<End> {
    let mut reader = Reader::new(bytes);
    reader.take(END.len())?;
    let (disk, other_disk) = (reader.le16()?, reader.le16()?);
    let (here, entries) = (reader.le16()?, reader.le16()?);
    let (bytes, at, comment) = (reader.le32()?, reader.le32()?, reader.le16()?);
    (disk == 0 && other_disk == 0 && here == entries).then_some(End { entries, bytes, at, comment })
}

/// Where such an end may be.
fn ends(bytes: &[u8]) -> impl Iterator<Item = (usize, End)> {
    let from = bytes.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    let near = bytes.get(from..).unwrap_or_default();
    memchr::memmem::find_iter(near, END).filter_map(move |at| Some((from + at, end(near.get(at..)?)?)))
}

/// Whether a reader that begins at the end would find an archive, whatever stands before and behind it.
pub(super) fn is_at_the_end(bytes: &[u8]) -> bool {
    const LARGE: usize = 0xffff_ffff;
    ends(bytes).any(|(place, end)| {
        let starts =
            |at: Option<usize>| at.and_then(|at| bytes.get(at..)).is_some_and(|rest| rest.starts_with(ENTRY));
        end.bytes == LARGE || end.entries == 0 || starts(place.checked_sub(end.bytes)) || starts(Some(end.at))
    })
}

pub(super) fn test(bytes: &[u8]) -> Result<(), &'static str> {
    const WRONG: &str = "has no directory at its end, or not where it says";
    let is_last = |place: &usize, end: &End| place + END_BYTES + end.comment == bytes.len();
    let mut found = ends(bytes).filter(|(place, end)| is_last(place, end));
    let (place, end) = found.next().ok_or(WRONG)?;
    if found.next().is_some() {
        return Err("has two directories at its end");
    }
    let directory = bytes.get(end.at..place).filter(|directory| directory.len() == end.bytes).ok_or(WRONG)?;
    let mut reader = Reader::new(directory);
    let mut first = usize::MAX;
    for _ in 0..end.entries {
        let place = entry(&mut reader).ok_or("has a directory that breaks off")?;
        if !bytes.get(place..end.at).is_some_and(|rest| rest.starts_with(SIGNATURE)) {
            return Err("has an entry that is not where it says");
        }
        first = first.min(place);
    }
    if first != 0 {
        return Err("begins with something that its directory does not know");
    }
    if reader.is_done() { Ok(()) } else { Err("has more in its directory than it says") }
}

/// Where the next entry of a directory has its data.
fn entry(reader: &mut Reader<'_>) -> Option<usize> {
    reader.take(ENTRY.len()).filter(|mark| *mark == ENTRY)?;
    reader.take(24)?;
    let (name, extra, comment) = (reader.le16()?, reader.le16()?, reader.le16()?);
    reader.take(8)?;
    let place = reader.le32()?;
    reader.take(name + extra + comment)?;
    Some(place)
}
