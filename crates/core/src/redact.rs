//! What may be shown of a value to those who only look on: every part with a restriction tag is masked by its name.

use crate::label::{Labels, TagTable, Tags};
use crate::value::{List, Map, Seg, Value};

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
mod tests {
    use super::*;
    use crate::label::Label;

    #[test]
    fn only_restricted_parts_are_masked() {
        let mut tags = TagTable::default();
        let pii = Label { tags: tags.intern("pii").unwrap(), ..Label::BOTTOM };
        let value = Value::map([("card", Value::from("4111")), ("id", Value::Int(1))]);
        let labels = Labels::keys(Label::BOTTOM, [("card".into(), pii.into())]);
        assert_eq!(format!("{:?}", masked(&value, &labels, &tags)), r#"{"card":"[pii]","id":1}"#);
        assert_eq!(format!("{:?}", masked(&value, &pii.into(), &tags)), r#""[pii]""#);
    }
}
