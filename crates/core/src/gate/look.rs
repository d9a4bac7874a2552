//! Where detectors look: at what comes in, at what a link made, at the arguments of calls with a way out, and at what
//! the caller is answered. What they tag is labelled at its path and is from then on like any other label; what they
//! found is on the trail, without a word of the data.

use super::Moment;
use crate::detect::Detectors;
use crate::label::{Label, Labeled, Labels};
use crate::run::Run;
use crate::trail::Stage;
use crate::value::{Str, Value};

/// The labels that detectors add to a value that is new. Recorded for the link, or for the chain at its entry.
pub(super) fn look(
    value: &Value,
    link: &Str,
    detectors: &Detectors,
    run: &mut Run,
    moment: Moment,
) -> Labels {
    look_for_more(value, None, link, detectors, run, moment)
}

/// The same of a value that was put together of others, whose label is known: what is no news is not recorded again.
pub(super) fn look_again(
    labeled: &Labeled,
    link: &Str,
    detectors: &Detectors,
    run: &mut Run,
    moment: Moment,
) -> Labels {
    look_for_more(&labeled.value, Some(labeled.labels.all()), link, detectors, run, moment)
}

fn look_for_more(
    value: &Value,
    known: Option<Label>,
    link: &Str,
    detectors: &Detectors,
    run: &mut Run,
    moment: Moment,
) -> Labels {
    let looked = run.look(value, detectors);
    if looked.is_nothing() {
        return Labels::default();
    }
    let (tagged, signals) = looked.names();
    let is_news = known.is_none_or(|known| {
        !looked.labels.all().within(known)
            || signals.iter().any(|name| !run.signals().any(|known| known == *name))
    });
    if is_news {
        run.note_signals(&signals);
        run.record(moment.at_us, link, Stage::Found { tagged, signals });
    }
    looked.labels
}

/// A value with what detectors add to its labels.
pub(super) fn with(labeled: Labeled, found: &Labels) -> Labeled {
    match found.is_bottom() {
        true => labeled,
        false => Labeled { labels: labeled.labels.merged(found), value: labeled.value },
    }
}
