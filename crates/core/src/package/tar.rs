//! The archive: a plain tar, not compressed, with fixed members in a fixed order. Each header is compared with the one
//! the writer would have written, so there is one sequence of bytes for one content, and no place for a link, a device,
//! an owner, a time or a path. Nothing is allocated that the input does not already hold.

use crate::json::shorten;

const BLOCK: usize = 512;

/// One member with its content.
pub(super) type Member<'b> = (&'static str, &'b [u8]);

pub(super) fn write(members: &[Member<'_>]) -> Vec<u8> {
    let whole = members.iter().map(|(_, bytes)| BLOCK + bytes.len().next_multiple_of(BLOCK)).sum::<usize>();
    let mut out = Vec::with_capacity(whole + 2 * BLOCK);
    for (name, bytes) in members {
        out.extend_from_slice(&header(name, bytes.len() as u64));
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

/// What a header of this writer holds: name, mode, size, checksum, and nothing else.
fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut out = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        for (slot, byte) in out.iter_mut().skip(at).zip(text) {
            *slot = *byte;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = out.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    for (slot, byte) in out.iter_mut().skip(148).zip(sum.as_bytes()) {
        *slot = *byte;
    }
    out
}

/// Reads members of these names, in this order, each at most so large. Those after the first `required` may be missing.
pub(super) fn read<'b>(
    bytes: &'b [u8],
    names: &[(&'static str, usize)],
    required: usize,
) -> Result<Vec<Member<'b>>, String> {
    let (mut at, mut out) = (0, Vec::new());
    for (index, (name, size_max)) in names.iter().enumerate() {
        let block = bytes.get(at..at + BLOCK).ok_or("it ends too early")?;
        if index >= required && block.iter().all(|byte| *byte == 0) {
            break;
        }
        let size = size_of(block).filter(|size| block == header(name, *size as u64));
        let size = size.ok_or_else(|| unlike(block, name, names, index))?;
        if size > *size_max {
            return Err(format!("`{name}` has {size} bytes, more than {size_max}"));
        }
        let start = at + BLOCK;
        let content = bytes.get(start..start + size).ok_or("it ends too early")?;
        at = start + size.next_multiple_of(BLOCK);
        let padding = bytes.get(start + size..at).ok_or("it ends too early")?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(format!("there is something hidden behind `{name}`"));
        }
        out.push((*name, content));
    }
    match bytes.get(at..) {
        Some(end) if end.len() == 2 * BLOCK && end.iter().all(|byte| *byte == 0) => Ok(out),
        Some(end) if end.len() < 2 * BLOCK => Err("it ends too early".into()),
        Some(end) => Err(match end.get(..BLOCK).filter(|block| block.iter().any(|byte| *byte != 0)) {
            Some(block) => unlike(block, "", names, names.len()),
            None => "something follows its end".into(),
        }),
        None => Err("it ends too early".into()),
    }
}

fn size_of(block: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(block.get(124..135)?).ok()?;
    usize::from_str_radix(digits, 8).ok()
}

/// Why a header is not the one that was expected.
fn unlike(block: &[u8], expected: &str, names: &[(&'static str, usize)], index: usize) -> String {
    if block.starts_with(&[0x1f, 0x8b]) || block.starts_with(b"PK\x03\x04") || block.starts_with(b"BZh") {
        return "it is compressed, and packages are not".into();
    }
    if block.get(257..262) != Some(b"ustar") {
        return "it is not a package".into();
    }
    let name = block.get(..100).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let shown = shorten(&name);
    let earlier = names.iter().take(index).any(|(known, _)| *known == name);
    match block.get(156) {
        Some(b'1' | b'2') => format!("`{shown}` is a link"),
        Some(b'3' | b'4' | b'6') => format!("`{shown}` is a device"),
        Some(b'5') => format!("`{shown}` is a folder"),
        _ if name.starts_with('/') || name.contains("..") || name.contains('\\') => {
            format!("`{shown}` leads out of the package")
        }
        _ if earlier => format!("`{shown}` is in it twice"),
        _ if name.ends_with(".wasm") && name != expected => {
            format!("`{shown}` is another module, and a package has one, `plugin.wasm`")
        }
        _ if !names.iter().any(|(known, _)| *known == name) => {
            format!("`{shown}` has no place in a package")
        }
        _ if name != expected => format!("`{shown}` stands where `{expected}` should"),
        _ => format!("`{shown}` was not packed by `ringmail plugin pack`"),
    }
}
