//! Closed ranges: what an extract link may lower a label to. Whatever comes out has so few possible values that
//! untrusted data can choose among them and nothing else.

use crate::doc::form::date_ms;
use crate::value::{Str, Value};

/// A range with more values than these tells too much to drop a tag.
pub const DROP_VALUES_MAX: u64 = 256;

#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    Bool,
    Enum(Vec<Str>),
    Int {
        min: i64,
        max: i64,
    },
    /// `2026-12-31`
    Date,
    /// One of a trusted list handed to the link as `among`.
    Id,
}

impl Range {
    /// The value of the range that `from` plainly states; nothing if it states none.
    pub fn convert(&self, from: &Value, among: Option<&Value>) -> Option<Value> {
        let trimmed = from.as_str().map(str::trim);
        let value = match (self, from, trimmed) {
            (Range::Bool, Value::Bool(truth), _) => Value::Bool(*truth),
            (Range::Bool, _, Some("true")) => Value::Bool(true),
            (Range::Bool, _, Some("false")) => Value::Bool(false),
            (Range::Int { .. }, Value::Int(int), _) => Value::Int(*int),
            (Range::Int { .. }, _, Some(text)) => Value::Int(text.parse().ok()?),
            (Range::Enum(_) | Range::Date | Range::Id, _, Some(text)) => Value::from(text),
            _ => return None,
        };
        self.holds(&value, among).then_some(value)
    }

    /// Whether a value lies in the range; the gate asks again before it lowers a label.
    pub fn holds(&self, value: &Value, among: Option<&Value>) -> bool {
        match (self, value) {
            (Range::Bool, Value::Bool(_)) => true,
            (Range::Int { min, max }, Value::Int(int)) => min <= int && int <= max,
            (Range::Enum(known), Value::Str(text)) => known.contains(text),
            (Range::Date, Value::Str(text)) => text.len() == 10 && date_ms(text).is_ok(),
            (Range::Id, Value::Str(_)) => {
                among.and_then(Value::as_list).is_some_and(|list| list.iter().any(|id| id == value))
            }
            _ => false,
        }
    }

    /// How many values it has; nothing where that is not known when the chain is loaded, or is many.
    pub fn count(&self) -> Option<u64> {
        match self {
            Range::Bool => Some(2),
            Range::Enum(known) => u64::try_from(known.len()).ok(),
            Range::Int { min, max } => max.abs_diff(*min).checked_add(1),
            Range::Date | Range::Id => None,
        }
    }

    pub fn words(&self) -> String {
        match self {
            Range::Bool => "true or false".into(),
            Range::Enum(known) => format!("one of {}", known.join(", ")),
            Range::Int { min, max } => format!("a whole number from {min} to {max}"),
            Range::Date => "a date".into(),
            Range::Id => "an id of the trusted list".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_range_holds_comes_out() {
        let range = Range::Int { min: 1, max: 100 };
        assert_eq!(range.convert(&Value::from(" 42 "), None), Some(Value::Int(42)));
        for wrong in ["0", "101", "42; drop", "4e1", "", "0x10", "99999999999999999999"] {
            assert_eq!(range.convert(&Value::from(wrong), None), None, "{wrong}");
        }
        assert_eq!(Range::Bool.convert(&Value::from("true"), None), Some(Value::Bool(true)));
        assert_eq!(Range::Bool.convert(&Value::from("yes, pay"), None), None);
        let kinds = Range::Enum(vec!["refund".into(), "question".into()]);
        assert_eq!(kinds.convert(&Value::from("refund"), None), Some(Value::from("refund")));
        assert_eq!(kinds.convert(&Value::from("refund now"), None), None);
        assert_eq!(Range::Date.convert(&Value::from("2026-02-30"), None), None);
        assert_eq!(Range::Date.convert(&Value::from("2026-02-28T10:00:00Z"), None), None);
        let list = Value::list([Value::from("c1"), Value::from("c2")]);
        assert_eq!(Range::Id.convert(&Value::from("c2"), Some(&list)), Some(Value::from("c2")));
        assert_eq!(Range::Id.convert(&Value::from("c3"), Some(&list)), None);
        assert_eq!(Range::Id.convert(&Value::from("c2"), None), None);
    }
}
