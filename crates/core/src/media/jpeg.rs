//! JPEG: segments up to a scan, scans up to the end of the image, and nothing behind it.

use super::foreign;
use super::reader::Reader;

pub(super) const SIGNATURE: &[u8] = b"\xff\xd8\xff";

pub(super) fn test(bytes: &[u8]) -> Result<(), &'static str> {
    const SHORT: &str = "ends in the middle of a segment";
    let mut reader = Reader::new(bytes);
    reader.take(2).ok_or(SHORT)?;
    let (mut framed, mut scanned) = (false, false);
    loop {
        if reader.byte().ok_or(SHORT)? != 0xff {
            return Err("has bytes between its segments");
        }
        let mut marker = reader.byte().ok_or(SHORT)?;
        while marker == 0xff {
            marker = reader.byte().ok_or(SHORT)?;
        }
        if marker == 0xd9 {
            return match (framed && scanned, reader.is_done()) {
                (false, _) => Err("has no picture"),
                (true, false) => Err("goes on behind its end"),
                (true, true) => foreign::whole(bytes),
            };
        }
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            return Err("has a mark where none may be");
        }
        let length = reader.be16().and_then(|length| length.checked_sub(2)).ok_or(SHORT)?;
        let data = reader.take(length).ok_or(SHORT)?;
        match marker {
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => framed = true,
            0xe0..=0xef | 0xfe => foreign::beside(data)?,
            0xda if !framed => return Err("has a picture of no size"),
            0xda => {
                scanned = true;
                scan(&mut reader).ok_or(SHORT)?;
            }
            _ => {}
        }
    }
}

/// Leaves the reader at the mark behind a scan.
fn scan(reader: &mut Reader<'_>) -> Option<()> {
    loop {
        reader.until(0xff)?;
        let mut ahead = Reader::new(reader.rest());
        ahead.byte()?;
        // A stuffed zero and restarts belong to the scan.
        match ahead.byte()? {
            0x00 | 0xd0..=0xd7 => reader.take(2)?,
            _ => return Some(()),
        };
    }
}
