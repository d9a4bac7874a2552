//! The functions of the language: one row each in a table, so that parser, evaluator, types and the reference page
//! cannot disagree.

use super::eval::{Budget, EvalError, order};
use crate::doc::{Span, suggest};
use crate::value::Value;
use std::cmp::Ordering;

/// A function by its row in [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Function(usize);

pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Written `value.name(...)`; the value is the first argument.
    pub(crate) method: bool,
    pub(crate) arguments: std::ops::RangeInclusive<usize>,
    pub(crate) doc: &'static str,
    run: fn(&[Value], &mut Budget, Span) -> Result<Value, EvalError>,
}

const ARGUMENTS_MAX: usize = 32;

const fn row(
    name: &'static str,
    method: bool,
    arguments: std::ops::RangeInclusive<usize>,
    doc: &'static str,
    run: fn(&[Value], &mut Budget, Span) -> Result<Value, EvalError>,
) -> Row {
    Row { name, method, arguments, doc, run }
}

pub(crate) static TABLE: &[Row] = &[
    row("size", false, 1..=1, "length of a string (in characters), list or map", size),
    row("size", true, 1..=1, "the same, as a method", size),
    row("int", false, 1..=1, "a whole number from a float (towards zero) or a string", int),
    row("double", false, 1..=1, "a float from a whole number or a string", double),
    row("string", false, 1..=1, "a string from a scalar", string),
    row("bool", false, 1..=1, "a bool from `\"true\"` or `\"false\"`", boolean),
    row("json", false, 1..=1, "the value as JSON text", json),
    row("greatest", false, 1..=ARGUMENTS_MAX, "the largest of its arguments, or of one list", greatest),
    row("least", false, 1..=ARGUMENTS_MAX, "the smallest of its arguments, or of one list", least),
    row("contains", true, 2..=2, "whether a string contains another", contains),
    row("startsWith", true, 2..=2, "whether a string starts with another", starts_with),
    row("endsWith", true, 2..=2, "whether a string ends with another", ends_with),
    row("lowerAscii", true, 1..=1, "ASCII letters to lower case", lower_ascii),
    row("upperAscii", true, 1..=1, "ASCII letters to upper case", upper_ascii),
    row("trim", true, 1..=1, "without white space at both ends", trim),
    row("split", true, 2..=3, "the parts between a separator, at most as many as the third argument", split),
    row("join", true, 1..=2, "a list of strings as one, with a separator between", join),
    row("replace", true, 3..=3, "every occurrence of the second replaced by the third", replace),
    row("substring", true, 2..=3, "characters from a position, up to another", substring),
    row("indexOf", true, 2..=2, "position of the first occurrence in characters, or -1", index_of),
];

/// Every function as it is written, with what it gives; for the reference.
pub fn functions() -> impl Iterator<Item = (String, &'static str)> {
    TABLE.iter().map(|row| {
        let receiver = usize::from(row.method);
        let (least, most) = (row.arguments.start() - receiver, row.arguments.end() - receiver);
        let mut arguments = String::new();
        for (at, name) in ["a", "b", "c"].into_iter().skip(receiver).take(most).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            match at < least {
                true => arguments.push_str(&format!("{comma}{name}")),
                false => arguments.push_str(&format!("[{comma}{name}]")),
            }
        }
        let name = if row.method { format!("a.{}", row.name) } else { row.name.to_string() };
        match most == ARGUMENTS_MAX {
            true => (format!("{name}(a, ...)"), row.doc),
            false => (format!("{name}({arguments})"), row.doc),
        }
    })
}

impl Function {
    pub(crate) fn find(
        name: &str,
        method: bool,
        arguments: usize,
    ) -> Result<Function, (String, Option<String>)> {
        let named = |row: &&Row| row.name == name && row.method == method;
        if let Some(at) = TABLE.iter().position(|row| named(&row) && row.arguments.contains(&arguments)) {
            return Ok(Function(at));
        }
        if TABLE.iter().any(|row| named(&row)) {
            return Err((
                format!("`{name}` does not take {} arguments", arguments - usize::from(method)),
                None,
            ));
        }
        if TABLE.iter().any(|row| row.name == name) {
            let help =
                if method { format!("write `{name}(value)`") } else { format!("write `value.{name}(...)`") };
            return Err((format!("`{name}` is not called this way"), Some(help)));
        }
        let near = suggest(name, TABLE.iter().filter(|row| row.method == method).map(|row| row.name));
        Err((format!("unknown function `{name}`"), near.map(|near| format!("did you mean `{near}`?"))))
    }

    pub(crate) fn name(self) -> &'static str {
        TABLE.get(self.0).map_or("", |row| row.name)
    }
}

pub(crate) fn call(
    function: Function,
    arguments: &[Value],
    budget: &mut Budget,
    span: Span,
) -> Result<Value, EvalError> {
    budget.spend_bytes(arguments.iter().map(Value::bytes).sum(), span)?;
    match TABLE.get(function.0) {
        Some(row) => (row.run)(arguments, budget, span),
        None => wrong(function.name(), arguments, span),
    }
}

/// The text a number has inside strings: whole floats without a fraction, very large ones with an exponent.
pub(crate) fn number_text(number: f64) -> String {
    const PLAIN_MAX: f64 = 1e15;
    if number.abs() < PLAIN_MAX { format!("{number}") } else { format!("{number:e}") }
}

type Called = Result<Value, EvalError>;

fn wrong(name: &str, arguments: &[Value], span: Span) -> Called {
    let types = arguments.iter().map(Value::type_name).collect::<Vec<_>>().join(", ");
    Err(EvalError { span, message: format!("`{name}` does not take ({types})") })
}

fn size(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    let size = match arguments {
        [Value::Str(text)] => text.chars().count(),
        [Value::List(list)] => list.len(),
        [Value::Map(map)] => map.len(),
        _ => return wrong("size", arguments, span),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn int(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    let int = match arguments {
        [Value::Int(int)] => Some(*int),
        [Value::Float(float)] => {
            let whole = float.trunc();
            #[allow(clippy::cast_possible_truncation, reason = "compared with the original below")]
            let int = whole as i64;
            (crate::value::int_float_order(int, whole) == Some(Ordering::Equal)).then_some(int)
        }
        [Value::Str(text)] => text.parse().ok(),
        _ => return wrong("int", arguments, span),
    };
    int.map(Value::Int).ok_or_else(|| EvalError { span, message: "not a 64-bit integer".into() })
}

fn double(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    let float = match arguments {
        #[allow(clippy::cast_precision_loss, reason = "CEL's double() rounds to the nearest float")]
        [Value::Int(int)] => Value::float(*int as f64),
        [Value::Float(float)] => Value::float(*float),
        [Value::Str(text)] => text.parse().ok().and_then(Value::float),
        _ => return wrong("double", arguments, span),
    };
    float.ok_or_else(|| EvalError { span, message: "not a number".into() })
}

fn string(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [value @ (Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Str(_))] => {
            Ok(Value::Str(super::text_of(value)))
        }
        _ => wrong("string", arguments, span),
    }
}

fn boolean(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Bool(truth)] => Ok(Value::Bool(*truth)),
        [Value::Str(text)] if &**text == "true" => Ok(Value::Bool(true)),
        [Value::Str(text)] if &**text == "false" => Ok(Value::Bool(false)),
        _ => wrong("bool", arguments, span),
    }
}

fn json(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [value] => Ok(Value::from(crate::json::to_string(value))),
        _ => wrong("json", arguments, span),
    }
}

fn greatest(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    extreme("greatest", arguments, Ordering::Greater, span)
}

fn least(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    extreme("least", arguments, Ordering::Less, span)
}

fn extreme(name: &str, arguments: &[Value], wanted: Ordering, span: Span) -> Called {
    let items = match arguments {
        [Value::List(list)] => list.items(),
        other => other,
    };
    let mut best: Option<&Value> = None;
    for item in items {
        match best.map(|best| order(item, best)) {
            None => best = Some(item),
            Some(Some(order)) if order == wanted => best = Some(item),
            Some(Some(_)) => {}
            Some(None) => return wrong(name, items, span),
        }
    }
    best.cloned().map_or_else(|| wrong(name, arguments, span), Ok)
}

fn contains(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text), Value::Str(part)] => Ok(Value::Bool(text.contains(&**part))),
        _ => wrong("contains", arguments, span),
    }
}

fn starts_with(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text), Value::Str(part)] => Ok(Value::Bool(text.starts_with(&**part))),
        _ => wrong("startsWith", arguments, span),
    }
}

fn ends_with(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text), Value::Str(part)] => Ok(Value::Bool(text.ends_with(&**part))),
        _ => wrong("endsWith", arguments, span),
    }
}

fn lower_ascii(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text)] => Ok(Value::from(text.to_ascii_lowercase())),
        _ => wrong("lowerAscii", arguments, span),
    }
}

fn upper_ascii(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text)] => Ok(Value::from(text.to_ascii_uppercase())),
        _ => wrong("upperAscii", arguments, span),
    }
}

fn trim(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text)] => Ok(Value::from(text.trim())),
        _ => wrong("trim", arguments, span),
    }
}

fn split(arguments: &[Value], budget: &mut Budget, span: Span) -> Called {
    let (text, mark, most) = match arguments {
        [Value::Str(text), Value::Str(mark)] => (text, mark, usize::MAX),
        [Value::Str(text), Value::Str(mark), Value::Int(most @ 0..)] => {
            (text, mark, usize::try_from(*most).unwrap_or(usize::MAX))
        }
        _ => return wrong("split", arguments, span),
    };
    if most == 0 {
        return Ok(Value::list([]));
    }
    let parts: Vec<Value> = if mark.is_empty() {
        budget.spend(text.len(), span)?;
        let cut = text.char_indices().nth(most.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
        let (single, rest) = text.split_at_checked(cut).unwrap_or((text, ""));
        let single = single.chars().map(|c| Value::from(c.to_string()));
        single.chain((!rest.is_empty()).then(|| Value::from(rest))).collect()
    } else {
        text.splitn(most, &**mark).map(Value::from).collect()
    };
    budget.spend(parts.len(), span)?;
    Ok(Value::list(parts))
}

fn join(arguments: &[Value], budget: &mut Budget, span: Span) -> Called {
    let (list, mark) = match arguments {
        [Value::List(list)] => (list, ""),
        [Value::List(list), Value::Str(mark)] => (list, &**mark),
        _ => return wrong("join", arguments, span),
    };
    budget.spend_bytes(mark.len().saturating_mul(list.len()), span)?;
    let parts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    match parts {
        Some(parts) => Ok(Value::from(parts.join(mark))),
        None => Err(EvalError { span, message: "`join` needs a list of strings".into() }),
    }
}

fn replace(arguments: &[Value], budget: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text), Value::Str(from), Value::Str(to)] => {
            // Charged before it is built: a short text can grow to the product of both lengths.
            let hits = if from.is_empty() { text.chars().count() + 1 } else { text.matches(&**from).count() };
            budget.spend_bytes(hits.saturating_mul(to.len()), span)?;
            Ok(Value::from(text.replace(&**from, to)))
        }
        _ => wrong("replace", arguments, span),
    }
}

fn substring(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    let (text, from, to) = match arguments {
        [Value::Str(text), Value::Int(from)] => (text, *from, None),
        [Value::Str(text), Value::Int(from), Value::Int(to)] => (text, *from, Some(*to)),
        _ => return wrong("substring", arguments, span),
    };
    let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let to = to.unwrap_or(chars);
    if from < 0 || to < from || to > chars {
        return Err(EvalError { span, message: "there is no such substring".into() });
    }
    let skip = usize::try_from(from).unwrap_or(0);
    let take = usize::try_from(to - from).unwrap_or(0);
    Ok(Value::from(text.chars().skip(skip).take(take).collect::<String>()))
}

fn index_of(arguments: &[Value], _: &mut Budget, span: Span) -> Called {
    match arguments {
        [Value::Str(text), Value::Str(part)] => {
            let before = text.find(&**part).and_then(|at| text.get(..at));
            let at = before.map_or(-1, |before| i64::try_from(before.chars().count()).unwrap_or(-1));
            Ok(Value::Int(at))
        }
        _ => wrong("indexOf", arguments, span),
    }
}
