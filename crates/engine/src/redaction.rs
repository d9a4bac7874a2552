//! What this process must not say, whoever speaks: the values of all secrets it has read, as long as they count. One for all
//! engines of a process, because a log line or a panic does not know which of them it is about.

use crate::secrets::Secrets;
use ringmail_core::redact::Redactor;
use ringmail_core::value::{Str, Value};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use zeroize::Zeroizing;

struct Known {
    /// Those whose values are hidden.
    engines: Mutex<Vec<Weak<Secrets>>>,
    /// Made anew when a value comes; nothing until something was said.
    redactor: RwLock<Option<Arc<Redactor>>>,
}

static KNOWN: Known = Known { engines: Mutex::new(Vec::new()), redactor: RwLock::new(None) };

/// Hides the values of an engine from now on, also while it is being built.
pub(crate) fn hide(secrets: &Arc<Secrets>) {
    let mut engines = KNOWN.engines.lock().unwrap_or_else(PoisonError::into_inner);
    engines.retain(|known| known.strong_count() > 0);
    engines.push(Arc::downgrade(secrets));
    drop(engines);
    values_changed();
}

/// Some engine has other values than before.
pub(crate) fn values_changed() {
    *KNOWN.redactor.write().unwrap_or_else(PoisonError::into_inner) = None;
}

fn redactor() -> Arc<Redactor> {
    if let Some(known) = &*KNOWN.redactor.read().unwrap_or_else(PoisonError::into_inner) {
        return known.clone();
    }
    // Held until it is there: a value that comes meanwhile waits, and empties it again.
    let mut made = KNOWN.redactor.write().unwrap_or_else(PoisonError::into_inner);
    let engines = KNOWN.engines.lock().unwrap_or_else(PoisonError::into_inner);
    let values: Vec<(Str, Zeroizing<String>)> =
        engines.iter().filter_map(Weak::upgrade).flat_map(|secrets| secrets.hidden()).collect();
    drop(engines);
    let new = Arc::new(Redactor::new(values.iter().map(|(name, value)| (name, value.as_str()))));
    *made = Some(new.clone());
    new
}

/// A text that no gate has seen, such as why something failed, without what may not be seen.
pub fn unjudged(text: &str) -> Cow<'_, str> {
    match redactor().unjudged(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text),
    }
}

/// A text that a gate let through, or that this program says of itself, without secrets and credentials.
pub fn judged(text: &str) -> Cow<'_, str> {
    match redactor().judged(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text),
    }
}

/// A result without values of secrets; all else in it was asked for.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    match redactor().without_known(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text),
    }
}

/// Every text of a value, keys among them, as one that no gate has seen.
pub(crate) fn unjudged_value(value: &Value) -> Value {
    redactor().value(value, false)
}

/// The same of a value whose people may be named.
pub(crate) fn judged_value(value: &Value) -> Value {
    redactor().value(value, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_makes_it_walk_a_text_again_and_again() {
        let name = Str::from("bank");
        let redactor = Redactor::new([(&name, "pass/w\u{f6}rd+x")].into_iter());
        for piece in
            ["\\", "%", "\"", "=", "password=", "\"password\":\"", "\\\"", "pass/w", "\\u0070", "%70%61%73"]
        {
            let time = |length: usize| {
                let text = piece.repeat(length / piece.len());
                let begun = std::time::Instant::now();
                std::hint::black_box(redactor.unjudged(&text));
                begun.elapsed()
            };
            time(1 << 12);
            let (small, large) = (time(1 << 15), time(1 << 19));
            // Sixteen times the text; four times more than that is no longer noise.
            assert!(
                large < small * 100 + std::time::Duration::from_millis(200),
                "{piece:?}: {small:?}, {large:?}"
            );
        }
    }
}
