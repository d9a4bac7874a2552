//! What was known when somebody decided to look at new findings only: marks that stay while lines move.

use crate::finding::Finding;
use ringmail_core::json::{JsonLimits, parse, to_pretty};
use ringmail_core::value::Value;
use std::collections::BTreeSet;

/// The marks of findings that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline(BTreeSet<String>);

impl Baseline {
    pub fn of(findings: &[Finding]) -> Baseline {
        Baseline(findings.iter().map(|finding| finding.mark.clone()).collect())
    }

    pub fn read(text: &str) -> Result<Baseline, String> {
        let value = parse(text.as_bytes(), &JsonLimits::default()).map_err(|error| error.to_string())?;
        let marks = value.get("known").and_then(Value::as_list);
        let marks = marks.ok_or("it is no baseline of a review: it has no list `known`")?;
        marks
            .iter()
            .map(|mark| mark.as_str().map(String::from).ok_or_else(|| "a mark is a text".to_string()))
            .collect::<Result<BTreeSet<String>, String>>()
            .map(Baseline)
    }

    pub fn write(&self) -> String {
        let marks = self.0.iter().map(|mark| Value::from(mark.as_str()));
        to_pretty(&Value::map([("known", Value::list(marks))])) + "\n"
    }

    pub(crate) fn knows(&self, mark: &str) -> bool {
        self.0.contains(mark)
    }

    /// FNV-1a: the same on every machine.
    pub(crate) fn hash(parts: &[&str]) -> u64 {
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}
