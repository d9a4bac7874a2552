//! What may be shown to those who only look on, decided in one place: by label first, then by values that are known, then by
//! what things are called and by what they look like. Every writer of logs, records, errors and last words asks here.

mod known;
mod names;

use crate::detect::{DETECTORS, Detectors};
use crate::label::{Labels, TagTable, Tags};
use crate::value::{List, Map, Seg, Str, Value};
pub use known::KNOWN_BYTES_MIN;
use known::Known;
use std::borrow::Cow;
use std::ops::Range;

/// Detectors whose hits are of use to nobody who looks on, whatever a project calls them.
const CREDENTIALS: &[&str] = &["token", "private_key", "jwt", "url_credentials", "authorization"];
/// What stands for a value that is hidden for what it is called.
const HIDDEN: &str = "hidden";

/// What was found in a text, and what stands in its place.
struct Mark {
    range: Range<usize>,
    /// In brackets: a secret by its name, a detector, or that something was here.
    name: Cow<'static, str>,
}

impl Mark {
    fn known(range: Range<usize>, name: &Str) -> Mark {
        Mark { range, name: crate::label::secret_tag(name).into() }
    }

    fn named(range: Range<usize>) -> Mark {
        Mark { range, name: Cow::Borrowed(HIDDEN) }
    }
}

/// Hides in texts what may not be seen.
pub struct Redactor {
    known: Known,
    /// For what a gate has let through: what it holds besides credentials was judged.
    credentials: Detectors,
    all: Detectors,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// With these values, each with the name of its secret.
    pub fn new<'v>(values: impl Iterator<Item = (&'v Str, &'v str)>) -> Redactor {
        let mut tags = TagTable::default();
        let mut credentials = Detectors::none();
        for name in CREDENTIALS {
            credentials.tag(name, tags.intern(name).unwrap_or(Tags::ALL));
        }
        let mut all = Detectors::none();
        for detector in DETECTORS.iter().filter(|detector| detector.is_tagging()) {
            all.tag(detector.name, tags.intern(detector.name).unwrap_or(Tags::ALL));
        }
        Redactor { known: Known::new(values), credentials, all }
    }

    /// A text that no gate has seen, such as why something failed.
    pub fn unjudged<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.hidden(text, &self.all)
    }

    /// A text that was let through, or that this program says of itself.
    pub fn judged<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.hidden(text, &self.credentials)
    }

    /// A text of which nothing is hidden but the values that are known.
    pub fn without_known<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut marks = Vec::new();
        if !self.known.is_empty() {
            self.known.find(text, &mut marks);
        }
        replaced(text, marks)
    }

    fn hidden<'t>(&self, text: &'t str, detectors: &Detectors) -> Cow<'t, str> {
        let mut marks = Vec::new();
        if !self.known.is_empty() {
            self.known.find(text, &mut marks);
        }
        names::find(text, &mut marks);
        detectors.each(text, &mut |_, detector, range| {
            marks.push(Mark { range, name: Cow::Borrowed(detector.name) });
        });
        replaced(text, marks)
    }

    /// Every text of a value, keys among them; `judged` or not as a text is.
    pub fn value(&self, value: &Value, judged: bool) -> Value {
        let shown = |text: &str| match judged {
            true => Str::from(&*self.judged(text)),
            false => Str::from(&*self.unjudged(text)),
        };
        match value {
            Value::Str(text) => Value::Str(shown(text)),
            Value::Map(map) => Value::Map(Map::new(
                map.iter().map(|(key, inner)| (shown(key), self.value(inner, judged))).collect(),
            )),
            Value::List(list) => {
                Value::List(List::new(list.iter().map(|item| self.value(item, judged)).collect()))
            }
            other => other.clone(),
        }
    }
}

/// The text with a name in the place of each mark. Of two that overlap, what was known stands for both.
fn replaced(text: &str, mut marks: Vec<Mark>) -> Cow<'_, str> {
    if marks.is_empty() {
        return Cow::Borrowed(text);
    }
    marks.sort_by_key(|mark| (mark.range.start, std::cmp::Reverse(mark.range.end)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut marks = marks.into_iter().peekable();
    while let Some(mut mark) = marks.next() {
        while let Some(other) = marks.next_if(|other| other.range.start < mark.range.end) {
            mark.range.end = mark.range.end.max(other.range.end);
            if other.name.starts_with("secret:") && !mark.name.starts_with("secret:") {
                mark.name = other.name;
            }
        }
        let (start, end) = (floor(text, mark.range.start), ceil(text, mark.range.end));
        out.push_str(text.get(at..start).unwrap_or_default());
        out.push('[');
        out.push_str(&mark.name);
        out.push(']');
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// The value with each restricted part replaced by the names of its tags.
pub fn masked(value: &Value, labels: &Labels, tags: &TagTable) -> Value {
    if labels.all().tags.is_empty() {
        return value.clone();
    }
    let own = labels.own().tags;
    if !own.is_empty() {
        return mask(own, tags);
    }
    let part = |seg: Seg, inner: &Value| masked(inner, &labels.at(&[seg]), tags);
    match value {
        Value::Map(map) => Value::Map(Map::new(
            map.iter().map(|(key, inner)| (key.clone(), part(Seg::Key(key.clone()), inner))).collect(),
        )),
        Value::List(list) => Value::List(List::new(
            list.iter().enumerate().map(|(at, inner)| part(Seg::Index(at), inner)).collect(),
        )),
        _ => mask(labels.all().tags, tags),
    }
}

fn mask(found: Tags, tags: &TagTable) -> Value {
    Value::from(format!("[{}]", tags.names(found).join(", ")))
}

#[cfg(test)]
mod tests;
