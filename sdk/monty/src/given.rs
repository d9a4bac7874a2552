//! What a program is given, from JSON to the interpreter's own values. Its own reader keeps a table of texts that takes longer
//! to make and to throw away than most programs run.

use monty_types::MontyObject;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

pub(crate) struct Given(pub(crate) MontyObject);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Given, D::Error> {
        json.deserialize_any(Reader).map(Given)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = MontyObject;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<MontyObject, E> {
        Ok(MontyObject::none())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<MontyObject, E> {
        Ok(MontyObject::bool(truth))
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<MontyObject, E> {
        Ok(MontyObject::int(int))
    }

    fn visit_u64<E: Error>(self, int: u64) -> Result<MontyObject, E> {
        i64::try_from(int).map(MontyObject::int).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<MontyObject, E> {
        Ok(MontyObject::float(float))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<MontyObject, E> {
        Ok(MontyObject::string(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<MontyObject, A::Error> {
        let mut list = Vec::new();
        while let Some(Given(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(MontyObject::list(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<MontyObject, A::Error> {
        let mut dict = Vec::new();
        while let Some((name, Given(value))) = entries.next_entry::<String, Given>()? {
            dict.push((MontyObject::string(name), value));
        }
        Ok(MontyObject::dict(dict))
    }
}
