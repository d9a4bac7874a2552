//! Expressions: parsing and evaluation end with a value or an error within the budget, and evaluation depends on
//! nothing but what the expression is known to read, since labels follow exactly that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::expr::{Budget, EvalError, Expr, Names, Read, Ref, Roots, Shape, Slot};
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::label::{Label, Labeled};
use ringmail_core::value::{Seg, Str, Value};
use std::sync::LazyLock;

const FUEL: u64 = 20_000;
const DATA: &str = r#"{"i": 7, "j": -2, "f": 2.5, "s": "héllo", "t": "lo", "b": true, "n": null, "l": [1, 2, 3],
    "m": {"a": 1, "b c": {"d": "x"}, "e": [{"k": "v"}, {"k": "w"}]}, "words": ["x", "y"]}"#;

/// Names with their values; the slot after the last is a link that did not run.
#[derive(Clone)]
struct Table(Vec<(Str, Labeled)>);

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let data = parse(DATA.as_bytes(), &JsonLimits::default()).expect("the data is JSON");
    let members = data.as_map().into_iter().flat_map(|map| map.iter());
    Table(members.map(|(name, value)| (name.clone(), Labeled::new(value.clone(), Label::BOTTOM))).collect())
});

impl Table {
    fn at(&self, slot: Slot) -> Option<&Labeled> {
        self.0.get(slot.0 as usize).map(|(_, value)| value)
    }
}

impl Names for Table {
    fn slot(&mut self, name: &str) -> Option<Slot> {
        let at = self.0.iter().position(|(known, _)| &**known == name);
        let at = at.or_else(|| (name == "gone").then_some(self.0.len()))?;
        u32::try_from(at).ok().map(Slot)
    }

    fn known(&self) -> Vec<Str> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Roots for Table {
    fn root(&self, slot: Slot) -> Option<&Labeled> {
        self.at(slot)
    }

    fn control(&self, _: Slot) -> Label {
        Label::BOTTOM
    }
}

fuzz_target!(|text: &str| {
    let mut names = TABLE.clone();
    let expr = match Expr::parse(text, 0, &mut names) {
        Ok(expr) => expr,
        Err(error) => {
            assert!(text.get(error.span.start..error.span.end).is_some(), "{error:?} leaves the text");
            return;
        }
    };
    let result = eval(&expr, &names);
    if let Err(error) = &result {
        assert!(text.get(error.span.start..error.span.end).is_some(), "{error:?} leaves the text");
    }
    assert_eq!(result, eval(&expr, &names), "evaluation is a function");
    let blurred = names.0.iter().zip(0..).map(|((name, value), at)| {
        let value = blur(&value.value, &mut Vec::new(), Slot(at), expr.refs());
        (name.clone(), Labeled::new(value, Label::BOTTOM))
    });
    assert_eq!(
        result,
        eval(&expr, &Table(blurred.collect())),
        "something else was read than {:?}",
        expr.refs()
    );
    expr.shape(&|_| Shape::ANY, &mut Vec::new());
});

fn eval(expr: &Expr, names: &Table) -> Result<String, EvalError> {
    expr.eval(names, &mut Budget::new(FUEL)).map(|result| to_string(&result.value))
}

/// The value with every scalar changed that no reference covers; types, keys and lengths stay.
fn blur(value: &Value, path: &mut Vec<Seg>, slot: Slot, refs: &[Ref]) -> Value {
    let read = |known: &Ref| known.slot == slot && known.read == Read::Whole && path.starts_with(&known.path);
    if refs.iter().any(read) {
        return value.clone();
    }
    let mut below = |seg: Seg, inner: &Value| {
        path.push(seg);
        let blurred = blur(inner, path, slot, refs);
        path.pop();
        blurred
    };
    match value {
        Value::Null => Value::Null,
        Value::Bool(truth) => Value::Bool(!truth),
        Value::Int(int) => Value::Int(int + 1_000),
        Value::Float(float) => Value::Float(float + 1_000.0),
        Value::Str(text) => Value::from(format!("not {text}")),
        Value::List(list) => {
            Value::list(list.iter().enumerate().map(|(at, inner)| below(Seg::Index(at), inner)))
        }
        Value::Map(map) => {
            Value::map(map.iter().map(|(key, inner)| (key.clone(), below(Seg::Key(key.clone()), inner))))
        }
    }
}
