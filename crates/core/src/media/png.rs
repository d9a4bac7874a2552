//! PNG: chunks with sums, `IHDR` first, `IEND` last and nothing behind it.

use super::foreign;
use super::reader::Reader;

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

pub(super) fn test(bytes: &[u8]) -> Result<(), &'static str> {
    const SHORT: &str = "ends in the middle of a chunk";
    let mut reader = Reader::new(bytes);
    reader.take(SIGNATURE.len()).ok_or(SHORT)?;
    let (mut first, mut pictured) = (true, false);
    loop {
        let length = reader.be32().ok_or(SHORT)?;
        let kind: [u8; 4] = reader.array().ok_or(SHORT)?;
        let data = reader.take(length).ok_or(SHORT)?;
        let sum: [u8; 4] = reader.array().ok_or(SHORT)?;
        if crc32(&[&kind, data]) != u32::from_be_bytes(sum) {
            return Err("has a chunk with a wrong sum");
        }
        match (&kind, first) {
            (b"IHDR", true) if length == 13 => {}
            (b"IHDR", _) | (_, true) => return Err("does not say once, and first, how large it is"),
            (b"IDAT", _) => pictured = true,
            (b"IEND", _) if !pictured => return Err("has no picture"),
            (b"IEND", _) if length == 0 && reader.is_done() => return foreign::whole(bytes),
            (b"IEND", _) => return Err("goes on behind its end"),
            (b"PLTE", _) => {}
            _ => foreign::beside(data)?,
        }
        first = false;
    }
}

/// The sum of PNG and ZIP.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    !bytes.fold(u32::MAX, |sum, byte| {
        let at = usize::from(sum.to_le_bytes().first().copied().unwrap_or(0) ^ byte);
        TABLE.get(at).copied().unwrap_or(0) ^ (sum >> 8)
    })
}

static TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, reason = "counted out before the program runs")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let (mut at, mut number) = (0, 0_u32);
    while at < 256 {
        let (mut entry, mut bit) = (number, 0);
        while bit < 8 {
            entry = if entry & 1 == 1 { (entry >> 1) ^ 0xedb8_8320 } else { entry >> 1 };
            bit += 1;
        }
        table[at] = entry;
        at += 1;
        number += 1;
    }
    table
}
