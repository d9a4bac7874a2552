//! WebP: a RIFF as long as it says, whose first chunk is a picture.

use super::foreign;
use super::reader::Reader;

pub(super) const SIGNATURE: &[u8] = b"RIFF";

pub(super) fn test(bytes: &[u8]) -> Result<(), &'static str> {
    const SHORT: &str = "ends in the middle of a chunk";
    let mut reader = Reader::new(bytes);
    reader.take(SIGNATURE.len()).ok_or(SHORT)?;
    let length = reader.le32().ok_or(SHORT)?;
    match bytes.len().checked_sub(8) {
        Some(rest) if rest == length => {}
        Some(rest) if rest > length => return Err("goes on behind its end"),
        _ => return Err(SHORT),
    }
    if reader.take(4) != Some(b"WEBP") {
        return Err("is a RIFF of something else");
    }
    let (mut first, mut pictured) = (true, false);
    while !reader.is_done() {
        let kind: [u8; 4] = reader.array().ok_or(SHORT)?;
        let length = reader.le32().ok_or(SHORT)?;
        let data = reader.take(length).ok_or(SHORT)?;
        reader.take(length % 2).ok_or(SHORT)?;
        match &kind {
            b"VP8 " | b"VP8L" | b"ANMF" => pictured = true,
            b"ALPH" | b"ANIM" => {}
            b"VP8X" if first => {}
            _ if first => return Err("does not begin with a picture"),
            _ => foreign::beside(data)?,
        }
        first = false;
    }
    if pictured { foreign::whole(bytes) } else { Err("has no picture") }
}
