//! What a script may call: the language's own packages without those that wait, read or grow without bound. What is
//! replaced here asks before it takes, because the interpreter looks at a result's size only once it is there, and takes a
//! function for nothing, whatever it was handed.

use super::limits::{ITEMS_MAX, STRING_BYTES_MAX};
use super::value::{into_dynamic, of_dynamic};
use super::watch::{self, Stop};
use crate::call::Halt;
use crate::meter::held_bytes;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, BitFieldPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, Map, Position};
use ringmail_core::json::{JsonLimits, parse, to_string};
use std::fmt::{self, Write};
use std::sync::OnceLock;

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// Gives an engine its functions.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_global_module(packages())
        .register_fn("replace", |text: &mut ImmutableString, find: &str, put: &str| replace(text, find, put))
        .register_fn("replace", |text: &mut ImmutableString, find: &str, put: char| {
            replace(text, find, put.encode_utf8(&mut [0; 4]))
        })
        .register_fn("replace", |text: &mut ImmutableString, find: char, put: &str| {
            replace(text, find.encode_utf8(&mut [0; 4]), put)
        })
        .register_fn("replace", |text: &mut ImmutableString, find: char, put: char| {
            replace(text, find.encode_utf8(&mut [0; 4]), put.encode_utf8(&mut [0; 4]))
        })
        .register_fn("split", |text: &mut ImmutableString, by: &str| parts(text.split(by)))
        .register_fn("split", |text: &mut ImmutableString, by: char| parts(text.split(by)))
        .register_fn("split", |text: &mut ImmutableString| parts(text.split_whitespace()))
        .register_fn("split_rev", |text: &mut ImmutableString, by: &str| parts(text.rsplit(by)))
        .register_fn("split_rev", |text: &mut ImmutableString, by: char| parts(text.rsplit(by)))
        .register_fn("split", |text: &mut ImmutableString, by: &str, n: INT| {
            parts(text.splitn(segments(n), by))
        })
        .register_fn("split", |text: &mut ImmutableString, by: char, n: INT| {
            parts(text.splitn(segments(n), by))
        })
        .register_fn("split_rev", |text: &mut ImmutableString, by: &str, n: INT| {
            parts(text.rsplitn(segments(n), by))
        })
        .register_fn("split_rev", |text: &mut ImmutableString, by: char, n: INT| {
            parts(text.rsplitn(segments(n), by))
        })
        .register_fn("pad", |list: &mut Array, len: INT, item: Dynamic| pad(list, len, &item))
        .register_fn("to_chars", |text: &mut ImmutableString| {
            few(text.chars().count(), ITEMS_MAX, "list")?;
            Ok::<Array, Box<EvalAltResult>>(text.chars().map(Dynamic::from).collect())
        })
        .register_fn("parse_json", |text: &str| parse_json(text))
        .register_fn("to_json", |value: Dynamic| json(&value))
        // The language's own for maps would be nearer than the one for anything.
        .register_fn("to_json", |map: Map| json(&Dynamic::from_map(map)));
    for name in ["to_string", "to_debug"] {
        engine
            .register_fn(name, |list: Array| print(&Dynamic::from_array(list)))
            .register_fn(name, |map: Map| print(&Dynamic::from_map(map)))
            .register_fn(name, |function: FnPtr| print(&Dynamic::from(function)));
    }
    // Code that comes into being while it runs was never checked, and nobody listens to what is printed.
    engine.disable_symbol("eval").disable_symbol("print").disable_symbol("debug");
}

rhai::def_package! {
    /// One module instead of ten: where the interpreter looks a function up, it asks each in turn.
    Packages(_module):
        ArithmeticPackage,
        BasicStringPackage,
        BasicIteratorPackage,
        BasicFnPackage,
        BitFieldPackage,
        LogicPackage,
        BasicMathPackage,
        BasicArrayPackage,
        BasicMapPackage,
        MoreStringPackage
    {}
}

/// The same for every engine, and made once.
fn packages() -> rhai::Shared<rhai::Module> {
    static SHARED: OnceLock<Packages> = OnceLock::new();
    SHARED.get_or_init(Packages::new).as_shared_module()
}

fn fault(message: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into()
}

fn few(count: usize, count_max: usize, what: &str) -> Answer<()> {
    match count > count_max {
        true => Err(EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into()),
        false => Ok(()),
    }
}

fn replace(text: &mut ImmutableString, find: &str, put: &str) -> Answer<()> {
    let found = text.matches(find).count();
    let grown = text.len().saturating_add(found.saturating_mul(put.len())) - found * find.len();
    few(grown, STRING_BYTES_MAX, "text")?;
    *text = text.replace(find, put).into();
    Ok(())
}

fn parts<'t>(parts: impl Iterator<Item = &'t str>) -> Answer<Array> {
    let mut out = Array::new();
    for part in parts {
        few(out.len() + 1, ITEMS_MAX, "list")?;
        out.push(Dynamic::from(ImmutableString::from(part)));
    }
    Ok(out)
}

fn segments(asked: INT) -> usize {
    usize::try_from(asked).unwrap_or(1).max(1)
}

/// One copy is made and weighed: what hides in functions and iterators counts as nothing in the interpreter's sizes.
fn pad(list: &mut Array, len: INT, item: &Dynamic) -> Answer<()> {
    let len = usize::try_from(len).unwrap_or(0);
    let Some(more) = len.checked_sub(list.len()) else { return Ok(()) };
    few(len, ITEMS_MAX, "Size of array/BLOB")?;
    let before = held_bytes();
    let copy = item.clone();
    let weight = usize::try_from(held_bytes().wrapping_sub(before)).unwrap_or(0) + size_of::<Dynamic>();
    drop(copy);
    watch::ask(more.saturating_mul(weight));
    list.resize(len, item.clone());
    Ok(())
}

fn json(value: &Dynamic) -> Answer<String> {
    let value = of_dynamic(value, STRING_BYTES_MAX).map_err(|halt| match halt {
        Halt::Output(_) => EvalAltResult::ErrorDataTooLarge("text".into(), Position::NONE).into(),
        other => fault(other.to_string()),
    })?;
    Ok(to_string(&value))
}

/// A list, map or function as the language prints it. What is larger than any text ends the run: an error would have
/// the interpreter print it all the same.
fn print(value: &Dynamic) -> ImmutableString {
    let mut printed = Printed(String::new());
    if printed.value(value).is_err() {
        watch::stop(Stop::Large("text"));
    }
    printed.0.into()
}

struct Printed(String);

impl fmt::Write for Printed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > STRING_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl Printed {
    fn value(&mut self, value: &Dynamic) -> fmt::Result {
        if let Ok(list) = value.as_array_ref() {
            self.write_str("[")?;
            for (at, item) in list.iter().enumerate() {
                self.write_str(if at == 0 { "" } else { ", " })?;
                self.value(item)?;
            }
            return self.write_str("]");
        }
        if let Ok(map) = value.as_map_ref() {
            self.write_str("#{")?;
            for (at, (key, item)) in map.iter().enumerate() {
                write!(self, "{}{key:?}: ", if at == 0 { "" } else { ", " })?;
                self.value(item)?;
            }
            return self.write_str("}");
        }
        match (value.read_lock::<FnPtr>(), value.as_char()) {
            (Some(function), _) => write!(self, "Fn({})", function.fn_name()),
            (None, Ok(one)) => self.write_char(one),
            (None, Err(_)) => write!(self, "{value:?}"),
        }
    }
}

fn parse_json(text: &str) -> Answer<Dynamic> {
    let limits = JsonLimits { bytes_max: STRING_BYTES_MAX, ..JsonLimits::default() };
    let value = parse(text.as_bytes(), &limits).map_err(|error| fault(format!("not JSON: {error}")))?;
    Ok(into_dynamic(&value))
}
