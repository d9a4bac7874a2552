//! Values as the schema crate reads them: by reference, nothing converted and nothing copied.

use crate::value::{List, Map, Str, Value};
use jsonschema::json as js;
use serde_json::Value as Json;
use std::borrow::Cow;

pub(super) struct Values;

impl js::Json for Values {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = Value;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Value, string: &str, f: impl FnOnce(&Value) -> T) -> T {
        *buffer = Value::from(string);
        f(buffer)
    }
}

pub(super) enum Number {
    Int(i64),
    Float(f64),
}

impl js::JsonNumber for Number {
    fn as_u64(&self) -> Option<u64> {
        match self {
            Number::Int(int) => u64::try_from(*int).ok(),
            Number::Float(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(*int),
            Number::Float(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            #[allow(
                clippy::cast_precision_loss,
                reason = "asked for as a float; exact comparisons use as_i64"
            )]
            Number::Int(int) => Some(*int as f64),
            Number::Float(float) => Some(*float),
        }
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(match self {
            Number::Int(int) => int.to_string(),
            Number::Float(float) => crate::json::float_text(*float),
        })
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(match self {
            Number::Int(int) => (*int).into(),
            Number::Float(float) => serde_json::Number::from_f64(*float).unwrap_or_else(|| 0.into()),
        })
    }
}

impl<'a> js::Node<'a, Values> for &'a Value {
    type Object = &'a Map;
    type Array = &'a List;
    type Number = Number;

    fn as_object(&self) -> Option<&'a Map> {
        self.as_map()
    }

    fn as_array(&self) -> Option<&'a List> {
        self.as_list()
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Number> {
        match self {
            Value::Int(int) => Some(Number::Int(*int)),
            Value::Float(float) => Some(Number::Float(*float)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    fn json_type(&self) -> jsonschema::JsonType {
        match self {
            Value::Null => jsonschema::JsonType::Null,
            Value::Bool(_) => jsonschema::JsonType::Boolean,
            Value::Int(_) | Value::Float(_) => jsonschema::JsonType::Number,
            Value::Str(_) => jsonschema::JsonType::String,
            Value::List(_) => jsonschema::JsonType::Array,
            Value::Map(_) => jsonschema::JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'a, Json> {
        Cow::Owned(Json::from(*self))
    }

    fn identity(&self) -> Option<js::NodeIdentity> {
        Some(js::NodeIdentity::new(std::ptr::from_ref::<Value>(self) as usize))
    }
}

pub(super) struct Members<'a>(Box<dyn Iterator<Item = (&'a Str, &'a Value)> + 'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (&**key, value))
    }
}

impl<'a> js::Object<'a, Values> for &'a Map {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Map::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value> {
        Map::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(Box::new(self.iter()))
    }
}

impl<'a> js::Array<'a, Values> for &'a List {
    type Node = &'a Value;
    type ElementsIter = std::slice::Iter<'a, Value>;

    fn len(&self) -> usize {
        List::len(self)
    }

    fn elements(&self) -> std::slice::Iter<'a, Value> {
        self.iter()
    }
}
