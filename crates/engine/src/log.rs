//! Where `log` links write to.

use ringmail_core::value::{Str, Value};

/// One line a chain logs; it passed the gate, so it holds only what the log may see.
#[derive(Clone, Debug)]
pub struct LogLine {
    pub run: Str,
    pub link: Str,
    pub level: Str,
    pub message: Str,
    pub fields: Value,
}

pub trait LogSink: Send + Sync {
    fn write(&self, line: &LogLine);
}

/// Without a log sink, what is logged is on the trail and nowhere else.
pub(crate) struct Silent;

impl LogSink for Silent {
    fn write(&self, _: &LogLine) {}
}
