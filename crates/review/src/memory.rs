//! What was seen before, for who reviews again: kept under the digest of everything it was seen in, so that there is
//! nothing to go stale. Where it is kept is the caller's; what does not read as it should counts as forgotten.

use crate::file::Looked;
use crate::finding::{Certainty, Edit, FlowStep};
use crate::rule::{Hit, ReviewRule};
use crate::seen::{Seen, Sight};
use foldhash::HashMap;
use ringmail_core::doc::Span;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::{List, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;

/// Keeps texts under keys. It must tell apart by itself what different versions of the rules keep.
pub trait ReviewMemory: Sync {
    fn recall(&self, key: &str) -> Option<String>;
    fn keep(&self, key: &str, text: &str);
}

/// What was seen in these files, from memory if it is there.
pub(crate) fn remembered(
    memory: Option<&dyn ReviewMemory>,
    files: &[Arc<Looked>],
    look: impl FnOnce() -> Seen,
) -> Seen {
    let Some(memory) = memory else { return look() };
    let key = key(files);
    if let Some(seen) = memory.recall(&key).and_then(|text| read(&text, files)) {
        return seen;
    }
    let seen = look();
    if let Some(text) = write(&seen, files) {
        memory.keep(&key, &text);
    }
    seen
}

/// The digest of names and texts, with their lengths, so that none runs into the next.
fn key(files: &[Arc<Looked>]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        for text in [file.path(), file.text()] {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        }
    }
    hash.finalize().iter().fold(String::new(), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

fn number(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn write(seen: &Seen, files: &[Arc<Looked>]) -> Option<String> {
    let places: HashMap<&str, usize> = files.iter().enumerate().map(|(at, file)| (file.path(), at)).collect();
    let place = |path: &str| places.get(path).map(|at| number(*at));
    let ends = |span: Span| [number(span.start), number(span.end)];
    let mut sights = Vec::new();
    for sight in &seen.sights {
        let edits = sight.hit.edits.iter();
        let edits = edits
            .map(|edit| Value::list(ends(edit.span).into_iter().chain([Value::from(edit.text.as_str())])));
        let mut steps = Vec::new();
        for step in &sight.steps {
            let [start, end] = ends(step.span);
            steps.push(Value::list([place(&step.source.name)?, start, end, Value::from(step.note.as_str())]));
        }
        let [start, end] = ends(sight.hit.span);
        sights.push(Value::list([
            Value::from(sight.rule.id),
            place(sight.file.path())?,
            start,
            end,
            Value::from(sight.hit.certainty.name()),
            Value::from(sight.hit.message.as_str()),
            Value::list(edits),
            Value::list(steps),
        ]));
    }
    let mut unread = Vec::new();
    for (path, line, why) in &seen.unread {
        unread.push(Value::list([place(path)?, number(*line), Value::from(why.as_str())]));
    }
    Some(to_string(&Value::list([Value::list(sights), Value::list(unread)])))
}

fn read(text: &str, files: &[Arc<Looked>]) -> Option<Seen> {
    let value = parse(text.as_bytes(), &JsonLimits::default()).ok()?;
    let all = value.as_list()?;
    let sights = all.get(0)?.as_list()?.iter().map(|sight| self::sight(sight.as_list()?, files));
    let unread = all.get(1)?.as_list()?.iter().map(|one| {
        let one = one.as_list()?;
        Some((file(one, 0, files)?.path().to_string(), at(one, 1)?, one.get(2)?.as_str()?.to_string()))
    });
    Some(Seen { sights: sights.collect::<Option<_>>()?, unread: unread.collect::<Option<_>>()? })
}

fn sight(one: &List, files: &[Arc<Looked>]) -> Option<Sight> {
    let rule = ReviewRule::find(one.get(0)?.as_str()?)?;
    let of = file(one, 1, files)?;
    let name = one.get(4)?.as_str()?;
    let certainty = Certainty::ALL.into_iter().find(|certainty| certainty.name() == name)?;
    let mut hit = Hit::new(span(one, 2, of)?, certainty, one.get(5)?.as_str()?);
    for edit in one.get(6)?.as_list()?.iter() {
        let edit = edit.as_list()?;
        hit.edits.push(Edit { span: span(edit, 0, of)?, text: edit.get(2)?.as_str()?.to_string() });
    }
    let steps = one.get(7)?.as_list()?.iter().map(|step| {
        let step = step.as_list()?;
        let of = file(step, 0, files)?;
        let note = step.get(3)?.as_str()?.to_string();
        Some(FlowStep { source: of.source.clone(), span: span(step, 1, of)?, note })
    });
    let steps = steps.collect::<Option<_>>()?;
    Some(Sight { steps, ..Sight::new(rule, of, hit) })
}

fn at(list: &List, place: usize) -> Option<usize> {
    match list.get(place)? {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

fn file<'f>(list: &List, place: usize, files: &'f [Arc<Looked>]) -> Option<&'f Arc<Looked>> {
    files.get(at(list, place)?)
}

/// Two numbers that lie in the text.
fn span(list: &List, place: usize, file: &Looked) -> Option<Span> {
    let span = Span { start: at(list, place)?, end: at(list, place + 1)? };
    file.text().get(span.start..span.end).map(|_| span)
}
