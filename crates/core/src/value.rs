//! Values: what chains carry. A value is JSON data that clones in constant time and shares its body.
//! It knows its own size and depth, so limits cost nothing to check. It never holds a NaN.
//! Every other module of the workspace speaks in these.

use std::fmt;
use std::sync::Arc;

/// A shared string.
pub type Str = Arc<str>;

/// Bytes counted for a value that lives inline.
const SCALAR_BYTES: usize = 16;

/// One JSON value. Cloning shares; nothing can change a value once it exists.
// The wide tag keeps what follows aligned: values are moved often, and a move in odd pieces stalls.
#[derive(Clone, Default)]
#[repr(u64)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// Always finite: see [`Value::float`].
    Float(f64),
    Str(Str),
    List(List),
    Map(Map),
}

impl Value {
    /// A float, or nothing for NaN and the infinities, which JSON cannot express.
    pub fn float(number: f64) -> Option<Value> {
        number.is_finite().then_some(Value::Float(number))
    }

    pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
        Value::List(List::new(items.into_iter().collect()))
    }

    /// Builds a map. The last of two equal keys wins; parsers refuse duplicates before they get here.
    pub fn map<K: Into<Str>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(Map::new(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    /// The word used for this value's type in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "map",
        }
    }

    /// Approximate bytes held, in constant time.
    pub fn bytes(&self) -> usize {
        match self {
            Value::Str(text) => SCALAR_BYTES + text.len(),
            Value::List(list) => list.0.bytes,
            Value::Map(map) => map.0.bytes,
            _ => SCALAR_BYTES,
        }
    }

    /// Whether both are one body, shared; equal values need not be.
    pub(crate) fn is_same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => Arc::ptr_eq(a, b),
            (Value::List(a), Value::List(b)) => Arc::ptr_eq(&a.0, &b.0),
            (Value::Map(a), Value::Map(b)) => Arc::ptr_eq(&a.0, &b.0),
            _ => false,
        }
    }

    /// Levels of nesting, in constant time: 0 for a scalar.
    pub fn depth(&self) -> usize {
        match self {
            Value::List(list) => list.0.depth,
            Value::Map(map) => map.0.depth,
            _ => 0,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&List> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The member `key` of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The value at a path of names and positions, or nothing where the path leaves the data.
    pub fn at(&self, path: &[Seg]) -> Option<&Value> {
        path.iter().try_fold(self, |value, seg| match (value, seg) {
            (Value::Map(map), Seg::Key(key)) => map.get(key),
            (Value::List(list), Seg::Index(index)) => list.get(*index),
            _ => None,
        })
    }
}

/// One step of a path into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seg {
    Key(Str),
    Index(usize),
}

impl fmt::Display for Seg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seg::Key(key) => f.write_str(key),
            Seg::Index(index) => write!(f, "{index}"),
        }
    }
}

/// A path in the form used by grants, refusals and messages: `body.items.0.iban`.
pub fn path_text(path: &[Seg]) -> String {
    path.iter().map(Seg::to_string).collect::<Vec<_>>().join(".")
}

/// Reads `body.items.0.iban`; a step of digits is a position.
pub fn parse_path(text: &str) -> Vec<Seg> {
    text.split('.')
        .filter(|step| !step.is_empty())
        .map(|step| step.parse().map_or_else(|_| Seg::Key(step.into()), Seg::Index))
        .collect()
}

/// A shared list.
#[derive(Clone)]
pub struct List(Arc<ListBody>);

struct ListBody {
    items: Box<[Value]>,
    bytes: usize,
    depth: usize,
}

impl List {
    pub fn new(items: Vec<Value>) -> List {
        let bytes = items.iter().fold(SCALAR_BYTES, |all, item| all.saturating_add(item.bytes()));
        let depth = items.iter().map(Value::depth).max().map_or(1, |inner| inner + 1);
        List(Arc::new(ListBody { items: items.into(), bytes, depth }))
    }

    pub fn len(&self) -> usize {
        self.0.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.items.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&Value> {
        self.0.items.get(index)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Value> {
        self.0.items.iter()
    }

    pub(crate) fn items(&self) -> &[Value] {
        &self.0.items
    }
}

/// A shared map that keeps the order its author wrote and finds a key by binary search.
#[derive(Clone)]
pub struct Map(Arc<MapBody>);

struct MapBody {
    entries: Box<[(Str, Value)]>,
    /// Positions in `entries`, by key.
    sorted: Box<[u32]>,
    bytes: usize,
    depth: usize,
}

impl Map {
    pub fn new(mut entries: Vec<(Str, Value)>) -> Map {
        let mut sorted = sort_by_key(&entries);
        let twins = sorted
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if key_of(&entries, *a) == key_of(&entries, *b)));
        if twins {
            keep_last(&mut entries);
            sorted = sort_by_key(&entries);
        }
        let entry = |key: &Str, value: &Value| (key.len() + SCALAR_BYTES).saturating_add(value.bytes());
        let bytes =
            entries.iter().fold(SCALAR_BYTES, |all, (key, value)| all.saturating_add(entry(key, value)));
        let depth = entries.iter().map(|(_, value)| value.depth()).max().map_or(1, |inner| inner + 1);
        Map(Arc::new(MapBody { entries: entries.into(), sorted: sorted.into(), bytes, depth }))
    }

    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        let found = self.0.sorted.binary_search_by(|&at| key_of(&self.0.entries, at).cmp(key)).ok()?;
        let at = *self.0.sorted.get(found)?;
        self.0.entries.get(at as usize).map(|(_, value)| value)
    }

    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Members in the order they were written.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Str, &Value)> + '_ {
        self.0.entries.iter().map(|(key, value)| (key, value))
    }

    /// Members by key, for canonical forms.
    pub(crate) fn iter_sorted(&self) -> impl Iterator<Item = (&Str, &Value)> + '_ {
        self.0
            .sorted
            .iter()
            .filter_map(|&at| self.0.entries.get(at as usize))
            .map(|(key, value)| (key, value))
    }

    /// The same map with `key` set to `value`, members kept in place.
    pub fn with(&self, key: &str, value: Value) -> Map {
        let mut entries: Vec<(Str, Value)> = self.0.entries.to_vec();
        match entries.iter_mut().find(|(name, _)| &**name == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key.into(), value)),
        }
        Map::new(entries)
    }
}

fn key_of(entries: &[(Str, Value)], at: u32) -> &str {
    entries.get(at as usize).map_or("", |(key, _)| key)
}

fn sort_by_key(entries: &[(Str, Value)]) -> Vec<u32> {
    let mut sorted: Vec<u32> = (0..u32::try_from(entries.len()).unwrap_or(u32::MAX)).collect();
    sorted.sort_by(|a, b| key_of(entries, *a).cmp(key_of(entries, *b)));
    sorted
}

fn keep_last(entries: &mut Vec<(Str, Value)>) {
    let mut seen = std::collections::BTreeSet::new();
    let mut kept: Vec<(Str, Value)> = Vec::with_capacity(entries.len());
    for (key, value) in entries.drain(..).rev() {
        if seen.insert(key.clone()) {
            kept.push((key, value));
        }
    }
    kept.reverse();
    *entries = kept;
}

/// Numbers compare by what they are worth, whichever way they are written; maps without regard to order.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => {
                int_float_order(*a, *b) == Some(std::cmp::Ordering::Equal)
            }
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::List(a), Value::List(b)) => Arc::ptr_eq(&a.0, &b.0) || a.0.items == b.0.items,
            (Value::Map(a), Value::Map(b)) => {
                Arc::ptr_eq(&a.0, &b.0) || (a.len() == b.len() && a.iter_sorted().eq(b.iter_sorted()))
            }
            _ => false,
        }
    }
}

/// Compares without rounding: a float holds integers beyond 2^53 only in steps.
pub(crate) fn int_float_order(int: i64, float: f64) -> Option<std::cmp::Ordering> {
    const EDGE: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        None
    } else if float >= EDGE {
        Some(std::cmp::Ordering::Less)
    } else if float < -EDGE {
        Some(std::cmp::Ordering::Greater)
    } else {
        let whole = float.trunc();
        #[allow(
            clippy::cast_possible_truncation,
            reason = "whole lies within i64: both edges were tested above"
        )]
        let order = int.cmp(&(whole as i64));
        Some(order.then_with(|| 0.0_f64.total_cmp(&(float - whole + 0.0))))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::json::to_string(self))
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::List(self.clone()).fmt(f)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::Map(self.clone()).fmt(f)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Str(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Str(value.into())
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Value {
        Value::Str(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_and_sizes_are_known() {
        let text: String = "x".repeat(1000);
        let value = Value::map([("a", Value::list([Value::from(text)]))]);
        assert!(value.bytes() > 1000 && value.bytes() < 1200);
        assert_eq!(value.depth(), 2);
        let (Value::Map(a), Value::Map(b)) = (&value, &value.clone()) else { panic!() };
        assert!(Arc::ptr_eq(&a.0, &b.0));
    }

    #[test]
    fn maps_keep_order_and_find_keys() {
        let value = Value::map([("b", Value::Int(1)), ("a", Value::Int(2)), ("b", Value::Int(3))]);
        assert_eq!(format!("{value:?}"), r#"{"a":2,"b":3}"#);
        assert_eq!(value.get("b"), Some(&Value::Int(3)));
        assert_eq!(value.get("c"), None);
    }

    #[test]
    fn numbers_compare_by_worth_without_rounding() {
        assert_eq!(Value::Int(1), Value::Float(1.0));
        assert_ne!(Value::Int(9_007_199_254_740_993), Value::Float(9_007_199_254_740_992.0));
        assert_eq!(int_float_order(i64::MAX, 9.3e18), Some(std::cmp::Ordering::Less));
        assert_eq!(int_float_order(-1, -1.5), Some(std::cmp::Ordering::Greater));
        assert_eq!(int_float_order(1, 1.5), Some(std::cmp::Ordering::Less));
        assert_eq!(int_float_order(0, -0.0), Some(std::cmp::Ordering::Equal));
        assert!(Value::float(f64::NAN).is_none());
    }

    #[test]
    fn paths_round_trip() {
        let path = parse_path("body.items.0.iban");
        assert_eq!(path.len(), 4);
        assert_eq!(path_text(&path), "body.items.0.iban");
    }
}
