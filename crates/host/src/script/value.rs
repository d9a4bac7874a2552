//! Values on their way into a script and out of it.

use super::limits::OUTPUT_DEEP_MAX;
use super::watch;
use crate::call::Halt;
use rhai::{Array, Dynamic, ImmutableString, Map};
use ringmail_core::value::Value;

/// A value for the run that is on this thread, which ends if it is too much for it.
pub(super) fn into_dynamic(value: &Value) -> Dynamic {
    watch::ask(0);
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => Dynamic::from_bool(*truth),
        Value::Int(int) => Dynamic::from_int(*int),
        Value::Float(float) => Dynamic::from_float(*float),
        Value::Str(text) => Dynamic::from(ImmutableString::from(&**text)),
        Value::List(list) => Dynamic::from_array(list.iter().map(into_dynamic).collect::<Array>()),
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| ((&**key).into(), into_dynamic(value)));
            Dynamic::from_map(entries.collect::<Map>())
        }
    }
}

/// What a script gives, as a value of at most so many bytes.
pub(super) fn of_dynamic(value: &Dynamic, bytes_max: usize) -> Result<Value, Halt> {
    let mut left = Left { bytes_max, bytes: bytes_max, deep: OUTPUT_DEEP_MAX };
    left.value(value)
}

struct Left {
    bytes_max: usize,
    bytes: usize,
    deep: usize,
}

impl Left {
    fn take(&mut self, bytes: usize) -> Result<(), Halt> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Halt::Output(self.bytes_max))?;
        Ok(())
    }

    fn value(&mut self, value: &Dynamic) -> Result<Value, Halt> {
        if let Ok(text) = value.as_immutable_string_ref() {
            self.take(text.len() + 2)?;
            return Ok(Value::from(text.as_str()));
        }
        self.take(1)?;
        if let Ok(list) = value.as_array_ref() {
            return self.inside(|left| {
                list.iter().map(|item| left.value(item)).collect::<Result<Vec<_>, _>>().map(Value::list)
            });
        }
        if let Ok(map) = value.as_map_ref() {
            return self.inside(|left| {
                let mut entries = Vec::with_capacity(map.len());
                for (key, value) in map.iter() {
                    left.take(key.len() + 4)?;
                    entries.push((key.as_str(), left.value(value)?));
                }
                Ok(Value::map(entries))
            });
        }
        if value.is_unit() {
            return Ok(Value::Null);
        }
        if let Ok(truth) = value.as_bool() {
            return Ok(Value::Bool(truth));
        }
        if let Ok(int) = value.as_int() {
            self.take(16)?;
            return Ok(Value::Int(int));
        }
        if let Ok(float) = value.as_float() {
            self.take(16)?;
            return Value::float(float).ok_or_else(|| failed("it gives a number that is not finite"));
        }
        if let Ok(one) = value.as_char() {
            return Ok(Value::from(one.to_string()));
        }
        Err(failed(format!("it gives a {}, which is no data", kind(value))))
    }

    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Halt>) -> Result<T, Halt> {
        self.deep = self.deep.checked_sub(1).ok_or_else(|| failed("it gives values nested too deep"))?;
        let read = read(self);
        self.deep += 1;
        read
    }
}

fn failed(why: impl Into<String>) -> Halt {
    Halt::Failed(why.into())
}

fn kind(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "Fn" => "function",
        "Vec<u8>" | "blob" => "blob",
        _ => "range",
    }
}
