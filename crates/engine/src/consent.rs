//! What policy is asked about whoever might say yes, as it lies beside a question until somebody comes to see it: in another
//! process, and perhaps under other policies.

use ringmail_core::detect::Detector;
use ringmail_core::policy::{Action, Principal};
use ringmail_core::question::{History, Mark, Question};
use ringmail_core::value::{Seg, Str, Value};
use std::collections::BTreeSet;

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t Str>) -> Value {
    Value::list(texts.into_iter().map(|text| Value::Str(text.clone())))
}

fn mark_words(mark: &Mark) -> Value {
    Value::map([
        ("untrusted", Value::Bool(mark.untrusted)),
        ("tags", texts(&mark.tags)),
        ("from", texts(&mark.from)),
    ])
}

/// All but who is asked, and about what: that stands in the inquiry itself.
pub(crate) fn consent_words(question: &Question) -> Value {
    let History { called, counts, read, signals, steps, elapsed_ms } = &question.history;
    let seg = |seg: &Seg| match seg {
        Seg::Key(key) => Value::Str(key.clone()),
        Seg::Index(at) => number(*at as u64),
    };
    let marks = question.marks.iter();
    let marks = marks.map(|(path, mark)| Value::list([Value::list(path.iter().map(seg)), mark_words(mark)]));
    Value::map([
        ("marks", Value::list(marks)),
        ("decision", mark_words(&question.decision)),
        ("called", texts(called)),
        ("counts", Value::map(counts.iter().map(|(link, count)| (link.clone(), number(*count))))),
        ("read", texts(read)),
        ("signals", Value::list(signals.iter().map(|signal| Value::from(*signal)))),
        ("steps", number(*steps)),
        ("elapsed_ms", number(*elapsed_ms)),
    ])
}

fn list<'v>(value: &'v Value, key: &str) -> Option<impl Iterator<Item = &'v Value>> {
    Some(value.get(key)?.as_list()?.iter())
}

fn names<B: FromIterator<Str>>(value: &Value, key: &str) -> Option<B> {
    list(value, key)?.map(|name| name.as_str().map(Str::from)).collect()
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(int) => u64::try_from(*int).ok(),
        _ => None,
    }
}

fn mark(value: &Value) -> Option<Mark> {
    let untrusted = value.get("untrusted")? == &Value::Bool(true);
    Some(Mark { untrusted, tags: names::<BTreeSet<_>>(value, "tags")?, from: names(value, "from")? })
}

/// Whether somebody may say yes to `value`. Nothing if the words are not whole, which is nobody's yes.
pub(crate) fn question_of(
    words: &Value,
    link: &str,
    value: &Value,
    principal: &Principal,
) -> Option<Question> {
    let seg = |seg: &Value| match seg {
        Value::Str(key) => Some(Seg::Key(key.clone())),
        at => Some(Seg::Index(usize::try_from(whole(at)?).ok()?)),
    };
    let marks = list(words, "marks")?.map(|pair| {
        let (path, said) = (pair.at(&[Seg::Index(0)])?, pair.at(&[Seg::Index(1)])?);
        Some((path.as_list()?.iter().map(seg).collect::<Option<_>>()?, mark(said)?))
    });
    let counts = words.get("counts")?.as_map()?.iter();
    // One that is no more known advises of nothing.
    let signals = list(words, "signals")?.filter_map(|name| Some(Detector::find(name.as_str()?)?.name));
    Some(Question {
        args: Value::map([("value", value.clone())]),
        marks: marks.collect::<Option<_>>()?,
        decision: mark(words.get("decision")?)?,
        history: History {
            called: names(words, "called")?,
            counts: counts.map(|(link, count)| Some((link.clone(), whole(count)?))).collect::<Option<_>>()?,
            read: names(words, "read")?,
            signals: signals.collect(),
            steps: whole(words.get("steps")?)?,
            elapsed_ms: whole(words.get("elapsed_ms")?)?,
        },
        ..Question::new(principal.clone(), Action::Approve, link, Some("approve"))
    })
}
