//! What detectors see in a value: labels at the paths where something was found, and what stands on the trail.
//! Every text is looked at, keys of maps and whole numbers among them; a key's hit counts for the map.

use super::{Detectors, Gives, ORIGIN, Position, Set};
use crate::label::{Label, Labels, OriginTable, Tags};
use crate::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ops::Range;

/// Values at least this large that hold nothing are remembered, so that handing one on costs nothing.
const REMEMBERED_MIN: usize = 4 << 10;
const REMEMBERED_MAX: usize = 32;
/// Hits that one run may declassify; what is above stays restricted.
const CLEARED_MAX: usize = 1_000;

/// What one run knows of what was looked at.
#[derive(Debug, Default)]
pub(crate) struct Looker {
    /// Large values without any hit. They are held, so that no other value can come to stand in their place.
    clean: Vec<Value>,
    /// Where the next one goes.
    next: usize,
    /// What a principal declassified: digests of detector and text. It is not tagged again in this run.
    cleared: BTreeSet<[u8; 32]>,
}

/// What was found in one value.
#[derive(Debug, Default)]
pub struct Looked {
    pub(crate) labels: Labels,
    tagged: Set,
    signals: Set,
}

impl Looked {
    pub(crate) fn is_nothing(&self) -> bool {
        self.tagged.is_empty() && self.signals.is_empty()
    }

    /// The detectors that tagged a part, and those that gave advice.
    pub(crate) fn names(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let names = |set: Set| set.iter().filter_map(Position::detector).map(|known| known.name).collect();
        (names(self.tagged), names(self.signals))
    }
}

impl Looker {
    /// Looks at a value, whole.
    pub(crate) fn look(&mut self, value: &Value, detectors: &Detectors, origins: &mut OriginTable) -> Looked {
        let mut looked = Looked::default();
        if !detectors.is_empty() {
            let mut eye = Eye { looker: self, detectors, origins, looked: &mut looked };
            let labels = eye.value(value);
            looked.labels = labels;
        }
        looked
    }

    /// Lets what a principal declassified go without these tags from now on.
    pub(crate) fn clear(&mut self, value: &Value, drop: Tags, detectors: &Detectors) {
        if detectors.may_tag().both(drop).is_empty() {
            return;
        }
        let cleared = &mut self.cleared;
        texts(value, &mut |text| {
            detectors.each(text, &mut |position, _, range| {
                let dropped = !detectors.tag_of(position).both(drop).is_empty();
                if dropped && detectors.tagging.has(position) && cleared.len() < CLEARED_MAX {
                    cleared.insert(digest(position, text, range));
                }
            });
        });
    }

    fn remember(&mut self, value: &Value) {
        match self.clean.get_mut(self.next) {
            Some(place) => *place = value.clone(),
            None => self.clean.push(value.clone()),
        }
        self.next = (self.next + 1) % REMEMBERED_MAX;
    }
}

struct Eye<'e> {
    looker: &'e mut Looker,
    detectors: &'e Detectors,
    origins: &'e mut OriginTable,
    looked: &'e mut Looked,
}

impl Eye<'_> {
    fn value(&mut self, value: &Value) -> Labels {
        let large = value.bytes() >= REMEMBERED_MIN;
        if large && self.looker.clean.iter().any(|known| known.is_same(value)) {
            return Labels::default();
        }
        let before = std::mem::take(&mut self.looked.signals);
        let labels = match value {
            Value::Str(text) => self.text(text).into(),
            Value::List(list) => {
                let parts: Vec<Labels> = list.iter().map(|item| self.value(item)).collect();
                Labels::items(Label::BOTTOM, parts)
            }
            Value::Map(map) => {
                let mut own = Label::BOTTOM;
                let mut parts = Vec::new();
                for (key, inner) in map.iter() {
                    own = own.join(self.text(key));
                    let labels = self.value(inner);
                    if !labels.is_bottom() {
                        parts.push((key.clone(), labels));
                    }
                }
                Labels::keys(own, parts)
            }
            _ => match whole(value).filter(|_| self.detectors.reads_numbers()) {
                Some(number) => self.text(&number.to_string()).into(),
                None => Labels::default(),
            },
        };
        if large && labels.is_bottom() && self.looked.signals.is_empty() {
            self.looker.remember(value);
        }
        self.looked.signals = self.looked.signals.and(before);
        labels
    }

    fn text(&mut self, text: &str) -> Label {
        let Eye { looker, detectors, origins, looked } = self;
        let mut label = Label::BOTTOM;
        detectors.each(text, &mut |position, detector, range| {
            if detector.gives == Gives::Signal {
                looked.signals = looked.signals.with(position);
                return;
            }
            if !looker.cleared.is_empty() && looker.cleared.contains(&digest(position, text, range)) {
                return;
            }
            looked.tagged = looked.tagged.with(position);
            let origin = Str::from(format!("{ORIGIN}{}", detector.name));
            let (tags, origins) = (detectors.tag_of(position), origins.intern(&origin));
            label = label.join(Label { tags, origins, ..Label::BOTTOM });
        });
        label
    }
}

/// Every text in a value, as [`Eye`] reads it.
fn texts(value: &Value, tell: &mut dyn FnMut(&str)) {
    match value {
        Value::Str(text) => tell(text),
        Value::List(list) => list.iter().for_each(|item| texts(item, tell)),
        Value::Map(map) => map.iter().for_each(|(key, inner)| {
            tell(key);
            texts(inner, tell);
        }),
        _ => {
            if let Some(number) = whole(value) {
                tell(&number.to_string());
            }
        }
    }
}

/// A number that is whole and long enough to be anything.
fn whole(value: &Value) -> Option<i64> {
    const LEAST: i64 = 10_000_000;
    /// Up to here a float holds every whole number.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number = match value {
        Value::Int(int) => *int,
        #[allow(clippy::cast_possible_truncation, reason = "whole and within what a float holds exactly")]
        Value::Float(float) if float.fract() == 0.0 && float.abs() <= EXACT_MAX => *float as i64,
        _ => return None,
    };
    (number >= LEAST).then_some(number)
}

/// One digest for the same digits and letters, however they are grouped.
fn digest(position: Position, text: &str, range: Range<usize>) -> [u8; 32] {
    let plain: Vec<u8> =
        text.get(range).unwrap_or_default().bytes().filter(|byte| !matches!(byte, b' ' | b'-')).collect();
    Sha256::new().chain_update(position.0.to_be_bytes()).chain_update(plain).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::TagTable;

    #[test]
    fn a_run_holds_no_more_than_so_many_large_values() {
        let detectors = Detectors::standard(&mut TagTable::default());
        let (mut looker, mut origins) = (Looker::default(), OriginTable::default());
        for number in 0..100 {
            let text = format!("{number} ").repeat(REMEMBERED_MIN);
            looker.look(&Value::from(text), &detectors, &mut origins);
        }
        assert_eq!(looker.clean.len(), REMEMBERED_MAX);
        looker.look(&Value::from("small"), &detectors, &mut origins);
        assert_eq!(looker.clean.len(), REMEMBERED_MAX);
    }

    #[test]
    fn what_is_declassified_beyond_the_limit_stays_tagged() {
        let mut tags = TagTable::default();
        let detectors = Detectors::all(&mut tags);
        let (mut looker, mut origins) = (Looker::default(), OriginTable::default());
        let address = |number: usize| Value::from(format!("u{number}@example.com"));
        let all = Value::list((0..=CLEARED_MAX).map(address));
        let email = tags.find("email").unwrap();
        looker.clear(&all, tags.find("card").unwrap(), &detectors);
        assert!(!looker.look(&address(0), &detectors, &mut origins).is_nothing(), "another tag was dropped");
        looker.clear(&all, email, &detectors);
        let mut tagged = |number| looker.look(&address(number), &detectors, &mut origins).labels.all().tags;
        assert_eq!((tagged(0), tagged(CLEARED_MAX - 1)), (Tags::NONE, Tags::NONE));
        assert_eq!(tagged(CLEARED_MAX), email);
    }
}
