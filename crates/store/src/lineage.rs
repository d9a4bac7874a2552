//! Whose signatures count for a log: one key, or several of which each took the log over from the one before. That is a checkpoint
//! which names both and which both signed, so nobody without the old key can follow it, and the old one signs for nothing later.

use crate::note::{checked, extended};
use crate::tree::Hash;
use crate::{LogError, Signs};
use std::io::ErrorKind;
use std::path::Path;

/// Where the takings-over of a log stand, one after the other.
pub(crate) const FILE: &str = "keys";
const FROM: &str = "from ";
const TO: &str = "to ";

/// A key, and up to which size of the log it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    key: [u8; 32],
    until: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    origin: String,
    /// The newest last. There always is one.
    spans: Vec<Span>,
}

impl Lineage {
    /// That of the log in a folder, as far as the host with this key is concerned. The log is called `origin` if nobody ever took
    /// it over.
    pub fn read(folder: &Path, origin: &str, key: [u8; 32]) -> Result<Lineage, LogError> {
        let first = Lineage { origin: origin.into(), spans: vec![Span { key, until: u64::MAX }] };
        let text = match std::fs::read_to_string(folder.join(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(first),
            text => text.map_err(crate::log::disk("read whose log this is"))?,
        };
        let changed = || LogError::Changed("what says who took it over is not what was signed".into());
        let lineage = Lineage::parse(&text).ok_or_else(changed)?;
        // The last one signed for the one before it, and so on: whose key is here knows all of them.
        let is_here = lineage.spans.last().is_some_and(|last| last.key == key);
        is_here.then_some(lineage).ok_or(LogError::TakenOver)
    }

    fn parse(text: &str) -> Option<Lineage> {
        let mut all: Option<Lineage> = None;
        for taken in extended(text) {
            let (from, to) = (taken.key(FROM)?, taken.key(TO)?);
            let both = checked(&taken.note, &from) && checked(&taken.note, &to);
            let lineage = all.get_or_insert_with(|| Lineage {
                origin: taken.note.origin.clone(),
                spans: vec![Span { key: from, until: u64::MAX }],
            });
            let before = lineage.spans.len().checked_sub(2).and_then(|at| lineage.spans.get(at));
            let grows = before.is_none_or(|before| before.until <= taken.note.size);
            let last = lineage.spans.last_mut().filter(|last| last.key == from)?;
            if !both || !grows || lineage.origin != taken.note.origin {
                return None;
            }
            last.until = taken.note.size;
            lineage.spans.push(Span { key: to, until: u64::MAX });
        }
        all
    }

    pub fn was_taken_over(&self) -> bool {
        self.spans.len() > 1
    }

    /// What the log calls itself.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The largest checkpoint of this log in a text that may hold several, each behind an empty line: its size and root. What
    /// somebody else signed, or is there in part, counts for nothing.
    pub fn newest_note(&self, text: &str) -> Option<(u64, Hash)> {
        let own = extended(text).filter(|found| {
            let note = &found.note;
            let counts = |span: &Span| note.size <= span.until && checked(note, &span.key);
            note.origin == self.origin && self.spans.iter().any(counts)
        });
        own.map(|found| (found.note.size, found.note.root)).max_by_key(|(size, _)| *size)
    }
}

/// What says that `to` takes over what `from` signed for so far.
pub(crate) fn taken_over(origin: &str, size: u64, root: &Hash, from: &dyn Signs, to: &dyn Signs) -> String {
    let hex = |key: [u8; 32]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let said = format!("{FROM}{}\n{TO}{}\n", hex(from.public()), hex(to.public()));
    crate::note::note(origin, size, root, &said, &[from, to])
}
