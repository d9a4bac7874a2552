//! GIF: blocks up to the trailer, and nothing behind it.

use super::foreign;
use super::reader::Reader;

pub(super) const SIGNATURE: &[u8] = b"GIF8";

pub(super) fn test(bytes: &[u8]) -> Result<(), &'static str> {
    const SHORT: &str = "ends in the middle of a block";
    let mut reader = Reader::new(bytes);
    let version = reader.take(6).ok_or(SHORT)?;
    if !matches!(version, b"GIF87a" | b"GIF89a") {
        return Err("is of no known version");
    }
    let [.., flags, _, _] = reader.array::<7>().ok_or(SHORT)?;
    colours(&mut reader, flags).ok_or(SHORT)?;
    let mut pictured = false;
    loop {
        match reader.byte().ok_or(SHORT)? {
            0x21 => {
                let label = reader.byte().ok_or(SHORT)?;
                let data = blocks(&mut reader, label != 0xf9).ok_or(SHORT)?;
                foreign::beside(&data)?;
            }
            0x2c => {
                let [.., flags] = reader.array::<9>().ok_or(SHORT)?;
                colours(&mut reader, flags).ok_or(SHORT)?;
                reader.byte().ok_or(SHORT)?;
                blocks(&mut reader, false).ok_or(SHORT)?;
                pictured = true;
            }
            0x3b if !pictured => return Err("has no picture"),
            0x3b if !reader.is_done() => return Err("goes on behind its end"),
            0x3b => return foreign::whole(bytes),
            _ => return Err("has a block of no known kind"),
        }
    }
}

fn colours(reader: &mut Reader<'_>, flags: u8) -> Option<()> {
    if flags & 0x80 != 0 {
        reader.take(3 << ((flags & 7) + 1))?;
    }
    Some(())
}

/// What stands in a row of blocks, put together if it is to be looked at.
fn blocks(reader: &mut Reader<'_>, kept: bool) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let length = usize::from(reader.byte()?);
        let block = reader.take(length)?;
        if kept {
            data.extend_from_slice(block);
        }
        if length == 0 {
            return Some(data);
        }
    }
}
