//! Detectors: which parts of a text are a card number, a token, an attempt to give orders. One file each. They only
//! find; what a hit means is the project's to say (`[detect]`) and the gate's to do. Called by the gates for every
//! value that comes in, is made or goes out, so all of it is linear in the text and costs a look at each byte.

mod bytes;
mod look;
mod setting;
#[cfg(test)]
mod tests;

use crate::doc::form::{Form, Key};
use crate::label::{TagTable, Tags};
use crate::value::Str;
use bytes::{before, byte};
use std::ops::Range;

pub use look::Looked;
pub(crate) use look::Looker;

/// Something that may stand in a text.
#[derive(Debug)]
pub struct Detector {
    pub name: &'static str,
    pub doc: &'static str,
    pub gives: Gives,
    /// Bytes of which every hit has one, and what may stand before and after it there; 0 is the end of the text.
    triggers: &'static [u8],
    before: fn(u8) -> bool,
    after: fn(u8) -> bool,
    /// Where a hit lies that has one of the triggers there. What it looks at before and after is bounded, or belongs
    /// to no other trigger, so that a whole text costs no more than its length.
    at: fn(&str, usize) -> Option<Range<usize>>,
}

/// What a hit does, unless the project says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// It tags the value; with this tag, or only if the project names one.
    Tag(Option<&'static str>),
    /// It is advice: it stands on the trail and decides nothing.
    Signal,
}

const TAG: Form = Form::Either(&[Form::Text, Form::Bool]);

macro_rules! detectors {
    ($($name:ident,)*) => {
        $(mod $name;)*

        pub static DETECTORS: &[&Detector] = &[$(&$name::DETECTOR),*];

        /// The keys of `[detect]`, one a detector.
        pub const DETECT_KEYS: &[Key] = &[
            $(Key::new($name::DETECTOR.name, $name::DETECTOR.form(), $name::DETECTOR.doc)),*
        ];
    };
}

detectors! {
    token,
    private_key,
    jwt,
    url_credentials,
    authorization,
    email,
    phone,
    card,
    iban,
    ssn,
    injection,
    chat_markup,
    hidden_text,
}

/// A detector by its place in [`DETECTORS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u32);

/// Detectors by their positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Set(u32);

impl Set {
    fn with(self, position: Position) -> Set {
        Set(self.0 | 1 << position.0)
    }

    fn and(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }

    fn has(self, position: Position) -> bool {
        self.0 >> position.0 & 1 == 1
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn iter(self) -> impl Iterator<Item = Position> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let first = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (first < u32::BITS).then_some(Position(first))
        })
    }
}

impl Position {
    fn detector(self) -> Option<&'static Detector> {
        DETECTORS.get(self.0 as usize).copied()
    }
}

impl Detector {
    const fn form(&self) -> Form {
        match self.gives {
            Gives::Tag(_) => TAG,
            Gives::Signal => Form::Bool,
        }
    }

    /// Whether a hit restricts where a value may go.
    pub(crate) fn is_tagging(&self) -> bool {
        matches!(self.gives, Gives::Tag(_))
    }

    pub fn find(name: &str) -> Option<&'static Detector> {
        DETECTORS.iter().find(|detector| detector.name == name).copied()
    }
}

/// A part of a text that a detector knows.
#[derive(Clone, Debug)]
pub struct Found {
    pub detector: &'static Detector,
    /// In bytes, on the borders of characters.
    pub range: Range<usize>,
    position: Position,
}

/// The detectors that are on, and the tag each gives.
#[derive(Clone, Debug)]
pub struct Detectors {
    tags: Vec<Tags>,
    tagging: Set,
    signals: Set,
    /// Which of those that are on want to look where a byte stands, and of all, which may find something before or
    /// after it.
    wanted: Box<[u32; 256]>,
    before: Box<[u32; 256]>,
    after: Box<[u32; 256]>,
}

impl Detectors {
    /// Without any: nothing is looked at.
    pub fn none() -> Detectors {
        Detectors {
            tags: vec![Tags::NONE; DETECTORS.len()],
            tagging: Set::default(),
            signals: Set::default(),
            wanted: Box::new([0; 256]),
            before: table(|detector| detector.before),
            after: table(|detector| detector.after),
        }
    }

    /// Those that are on where a project says nothing.
    pub fn standard(tags: &mut TagTable) -> Detectors {
        let mut all = Detectors::none();
        for detector in DETECTORS {
            match detector.gives {
                Gives::Tag(Some(tag)) => {
                    // Without room for the tag, what is found may go nowhere.
                    let tag = tags.intern(tag).unwrap_or(Tags::ALL);
                    all.tag(detector.name, tag);
                }
                Gives::Tag(None) => {}
                Gives::Signal => all.signal(detector.name),
            }
        }
        all
    }

    /// Every detector, each with a tag of its own name, for those who look for ranges.
    pub fn all(tags: &mut TagTable) -> Detectors {
        let mut all = Detectors::none();
        for detector in DETECTORS {
            match detector.gives {
                Gives::Tag(_) => all.tag(detector.name, tags.intern(detector.name).unwrap_or(Tags::ALL)),
                Gives::Signal => all.signal(detector.name),
            }
        }
        all
    }

    pub fn tag(&mut self, name: &str, tag: Tags) {
        let Some((position, detector)) = known(name) else { return };
        if let Some(slot) = self.tags.get_mut(position.0 as usize) {
            *slot = tag;
        }
        self.tagging = self.tagging.with(position);
        self.want(position, detector);
    }

    fn signal(&mut self, name: &str) {
        let Some((position, detector)) = known(name) else { return };
        self.signals = self.signals.with(position);
        self.want(position, detector);
    }

    pub fn off(&mut self, name: &str) {
        let Some((position, _)) = known(name) else { return };
        let rest = |set: Set| Set(set.0 & !(1 << position.0));
        (self.tagging, self.signals) = (rest(self.tagging), rest(self.signals));
        self.wanted.iter_mut().for_each(|set| *set &= !(1 << position.0));
    }

    fn want(&mut self, position: Position, detector: &Detector) {
        for byte in detector.triggers {
            if let Some(set) = self.wanted.get_mut(usize::from(*byte)) {
                *set |= 1 << position.0;
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.tagging.is_empty() && self.signals.is_empty()
    }

    /// Whether any of them looks for digits.
    fn reads_numbers(&self) -> bool {
        self.wanted.get(usize::from(b'4')).is_some_and(|set| *set != 0)
    }

    /// All tags that any detector may give.
    pub fn may_tag(&self) -> Tags {
        self.tagging.iter().fold(Tags::NONE, |all, position| all.with(self.tag_of(position)))
    }

    fn tag_of(&self, position: Position) -> Tags {
        self.tags.get(position.0 as usize).copied().unwrap_or(Tags::ALL)
    }

    /// Every hit in a text, by its start. Hits of one detector do not overlap; those of two may.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        self.each(text, &mut |position, detector, range| found.push(Found { detector, range, position }));
        found.sort_by_key(|one| (one.range.start, one.position));
        found
    }

    pub(crate) fn each(&self, text: &str, tell: &mut dyn FnMut(Position, &'static Detector, Range<usize>)) {
        let bytes = text.as_bytes();
        let mut ends = [0_usize; u32::BITS as usize];
        let mut from = 0;
        while let Some((at, set)) = self.next(bytes, from) {
            for position in set.iter() {
                let Some(end) = ends.get_mut(position.0 as usize) else { continue };
                let Some(detector) = position.detector().filter(|_| at >= *end) else { continue };
                if let Some(range) = (detector.at)(text, at) {
                    // A hit that reaches back into the one before is part of it.
                    if range.start >= *end {
                        *end = range.end.max(at + 1);
                        tell(position, detector, range);
                    }
                }
            }
            from = at + 1;
        }
    }

    /// The next byte that anybody wants to look at.
    fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, Set)> {
        let mut from = from;
        if from == 0 {
            let first = self.at(bytes, 0);
            if !first.is_empty() {
                return Some((0, first));
            }
            from = 1;
        }
        let mut windows = bytes.get(from - 1..)?.windows(3);
        let step = windows.position(|window| match window {
            [before, here, after] => !self.between(*before, *here, *after).is_empty(),
            _ => false,
        });
        let at = step.map_or(bytes.len().saturating_sub(1), |step| from + step);
        let set = self.at(bytes, at);
        (at >= from && !set.is_empty()).then_some((at, set))
    }

    fn at(&self, bytes: &[u8], at: usize) -> Set {
        self.between(before(bytes, at), byte(bytes, at), byte(bytes, at + 1))
    }

    /// Without a branch, because what a byte is cannot be guessed.
    fn between(&self, before: u8, here: u8, after: u8) -> Set {
        let of = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
        Set(of(&self.before, before) & of(&self.wanted, here) & of(&self.after, after))
    }

    /// The detectors among these origins that gave one of these tags.
    pub(crate) fn among(&self, origins: &[Str], tags: Tags) -> Vec<&'static str> {
        let gave = |name: &str| {
            let (position, detector) = known(name)?;
            let gives = self.tagging.has(position) && !self.tag_of(position).both(tags).is_empty();
            gives.then_some(detector.name)
        };
        origins.iter().filter_map(|origin| gave(origin.strip_prefix(ORIGIN)?)).collect()
    }
}

/// How a detector is called among the origins of a label.
const ORIGIN: &str = "detector:";

/// Whether an origin is a detector, and no place that data came from.
pub fn is_detector_origin(origin: &str) -> bool {
    origin.starts_with(ORIGIN)
}

/// For each byte, the detectors that let it stand there.
fn table(fits: fn(&Detector) -> fn(u8) -> bool) -> Box<[u32; 256]> {
    let mut table = Box::new([0; 256]);
    for (byte, set) in (0..=u8::MAX).zip(table.iter_mut()) {
        for (at, detector) in DETECTORS.iter().enumerate() {
            *set |= u32::from(fits(detector)(byte)) << at;
        }
    }
    table
}

fn known(name: &str) -> Option<(Position, &'static Detector)> {
    let at = DETECTORS.iter().position(|detector| detector.name == name)?;
    let position = Position(u32::try_from(at).ok()?);
    Some((position, position.detector()?))
}
