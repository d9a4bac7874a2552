//! What a script may call: the language's own packages without those that wait, read or grow without bound. What is
//! replaced here asks before it takes, because the interpreter looks at a result's size only once it is there.

use super::limits::{ITEMS_MAX, STRING_BYTES_MAX};
use super::value::{into_dynamic, of_dynamic};
use crate::call::Halt;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, BitFieldPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Position};
use ringmail_core::json::{JsonLimits, parse, to_string};
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
        .register_fn("to_chars", |text: &mut ImmutableString| {
            few(text.chars().count(), ITEMS_MAX, "list")?;
            Ok::<Array, Box<EvalAltResult>>(text.chars().map(Dynamic::from).collect())
        })
        .register_fn("parse_json", |text: &str| parse_json(text))
        .register_fn("to_json", |value: Dynamic| {
            let value = of_dynamic(&value, STRING_BYTES_MAX).map_err(|halt| match halt {
                Halt::Output(_) => EvalAltResult::ErrorDataTooLarge("text".into(), Position::NONE).into(),
                other => fault(other.to_string()),
            })?;
            Ok::<String, Box<EvalAltResult>>(to_string(&value))
        });
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

fn parse_json(text: &str) -> Answer<Dynamic> {
    let limits = JsonLimits { bytes_max: STRING_BYTES_MAX, ..JsonLimits::default() };
    let value = parse(text.as_bytes(), &limits).map_err(|error| fault(format!("not JSON: {error}")))?;
    Ok(into_dynamic(&value))
}
