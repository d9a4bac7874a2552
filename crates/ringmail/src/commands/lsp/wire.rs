//! Messages of an editor: a head that says how long, and JSON. What is longer than any editor sends, or is no message,
//! ends the connection: nobody knows where the next one would begin.

use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use ringmail_engine::core::value::Value;
use std::io::{BufRead, Read, Write};

/// An editor sends a whole file with each change.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 << 20;
const HEAD_BYTES_MAX: u64 = 4096;

/// What came in.
pub(super) enum Came {
    Message(Value),
    /// Whole, and not JSON.
    Garbled,
}

/// The next message; nothing once the editor has gone.
pub(super) fn read(from: &mut impl BufRead) -> Result<Option<Came>, String> {
    let mut length: Option<usize> = None;
    let mut head = from.by_ref().take(HEAD_BYTES_MAX);
    loop {
        let mut line = String::new();
        let count = head.read_line(&mut line).map_err(|error| error.to_string())?;
        if count == 0 {
            let cut = head.limit() == 0 || length.is_some();
            return if cut { Err("the head of a message has no end".into()) } else { Ok(None) };
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let length = length.ok_or("a message does not say how long it is")?;
    if length > MESSAGE_BYTES_MAX {
        return Err(format!("a message of {length} bytes is longer than {MESSAGE_BYTES_MAX}"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).map_err(|_| "a message ends before its length".to_string())?;
    Ok(Some(parse(&body, &JsonLimits::default()).map_or(Came::Garbled, Came::Message)))
}

pub(super) fn write(to: &mut impl Write, message: &Value) -> std::io::Result<()> {
    let body = to_string(message);
    write!(to, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    to.flush()
}
