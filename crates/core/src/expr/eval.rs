//! Evaluation: a walk over the tree that spends fuel at every node and for every byte it copies.

use super::Slot;
use super::functions;
use super::parse::{Ex, Kind, Loop, Operator};
use crate::doc::Span;
use crate::label::{Label, Labeled};
use crate::value::{Map, Value, int_float_order};
use std::cmp::Ordering;

/// Where an expression's names lead during a run.
pub trait Roots {
    /// The value behind a name; nothing for a link that did not run.
    fn root(&self, slot: Slot) -> Option<&Labeled>;

    /// What decided whether the name's link ran.
    fn control(&self, slot: Slot) -> Label;
}

/// What evaluation may still spend; shared by all expressions of one link.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    fuel: u64,
}

impl Budget {
    pub const FUEL_MAX: u64 = 2_000_000;
    /// Bytes that cost one unit when copied or scanned.
    const BYTES_PER_UNIT: usize = 16;

    pub fn new(fuel: u64) -> Budget {
        Budget { fuel }
    }

    pub(crate) fn spend(&mut self, units: usize, span: Span) -> Result<(), EvalError> {
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        self.fuel = self.fuel.checked_sub(units).ok_or_else(|| EvalError {
            span,
            message: format!("the expression needs more than {} steps", Budget::FUEL_MAX),
        })?;
        Ok(())
    }

    pub(crate) fn spend_bytes(&mut self, bytes: usize, span: Span) -> Result<(), EvalError> {
        self.spend(bytes / Budget::BYTES_PER_UNIT, span)
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::new(Budget::FUEL_MAX)
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    pub span: Span,
    pub message: String,
}

type Evaluated = Result<Value, EvalError>;

pub(crate) fn eval(ex: &Ex, roots: &impl Roots, budget: &mut Budget) -> Evaluated {
    Walk { roots, budget, locals: Vec::new() }.ex(ex)
}

struct Walk<'a, R> {
    roots: &'a R,
    budget: &'a mut Budget,
    locals: Vec<Value>,
}

fn fail<T>(span: Span, message: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError { span, message: message.into() })
}

impl<R: Roots> Walk<'_, R> {
    fn ex(&mut self, ex: &Ex) -> Evaluated {
        self.budget.spend(1, ex.span)?;
        match &ex.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Root(slot) => match self.roots.root(*slot) {
                Some(whole) => Ok(whole.value.clone()),
                None => fail(ex.span, "this link did not run; test it with `done(...)` first"),
            },
            Kind::Local(at) => Ok(self.locals.get(*at).cloned().unwrap_or_default()),
            Kind::Ran(slot) => Ok(Value::Bool(self.roots.root(*slot).is_some())),
            Kind::Select(base, field) => {
                let base = self.ex(base)?;
                self.member(&base, field, ex.span)
            }
            Kind::Has(base, field) => match self.ex(base)? {
                Value::Map(map) => Ok(Value::Bool(map.contains(field))),
                other => fail(ex.span, format!("{} has no members", other.type_name())),
            },
            Kind::Index(base, index) => {
                let (base, index) = (self.ex(base)?, self.ex(index)?);
                self.index(&base, &index, ex.span)
            }
            Kind::Not(inner) => match self.ex(inner)? {
                Value::Bool(truth) => Ok(Value::Bool(!truth)),
                other => fail(ex.span, format!("`!` needs a bool, not {}", other.type_name())),
            },
            Kind::Minus(inner) => match self.ex(inner)? {
                Value::Int(int) => int
                    .checked_neg()
                    .map_or_else(|| fail(ex.span, "integer overflow"), |int| Ok(Value::Int(int))),
                Value::Float(float) => Ok(Value::Float(-float)),
                other => fail(ex.span, format!("`-` needs a number, not {}", other.type_name())),
            },
            Kind::Both(a, b) => self.logic(a, b, false),
            Kind::Either(a, b) => self.logic(a, b, true),
            Kind::If(test, yes, no) => match self.ex(test)? {
                Value::Bool(true) => self.ex(yes),
                Value::Bool(false) => self.ex(no),
                other => fail(test.span, format!("`?` needs a bool, not {}", other.type_name())),
            },
            Kind::Operate(operator, a, b) => {
                let (a, b) = (self.ex(a)?, self.ex(b)?);
                self.operate(*operator, a, b, ex.span)
            }
            Kind::List(items) => {
                let items = items.iter().map(|item| self.ex(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Value::list(items))
            }
            Kind::Map(entries) => self.map(entries, ex.span),
            Kind::Call(function, arguments) => {
                let arguments =
                    arguments.iter().map(|argument| self.ex(argument)).collect::<Result<Vec<_>, _>>()?;
                functions::call(*function, &arguments, self.budget, ex.span)
            }
            Kind::Matches(text, regex) => match self.ex(text)? {
                Value::Str(text) => {
                    self.budget.spend_bytes(text.len(), ex.span)?;
                    Ok(Value::Bool(regex.is_match(&text)))
                }
                other => fail(ex.span, format!("`matches` needs a string, not {}", other.type_name())),
            },
            Kind::Loop(kind, range, bodies) => self.comprehension(*kind, range, bodies, ex.span),
        }
    }

    fn member(&self, base: &Value, field: &str, span: Span) -> Evaluated {
        match base {
            Value::Map(map) => match map.get(field) {
                Some(value) => Ok(value.clone()),
                None => fail(span, format!("no member `{field}`")),
            },
            other => fail(span, format!("{} has no member `{field}`", other.type_name())),
        }
    }

    fn index(&self, base: &Value, index: &Value, span: Span) -> Evaluated {
        match (base, index) {
            // Messages end up in records, so they name what the chain wrote and never what it computed.
            (Value::Map(map), Value::Str(key)) => {
                map.get(key).cloned().map_or_else(|| fail(span, "there is no such member"), Ok)
            }
            (Value::List(list), Value::Int(at)) => {
                let item = usize::try_from(*at).ok().and_then(|at| list.get(at));
                item.cloned().map_or_else(|| fail(span, "there is no such item"), Ok)
            }
            (base, index) => {
                fail(span, format!("{} cannot be indexed by {}", base.type_name(), index.type_name()))
            }
        }
    }

    /// `&&` and `||`: an operand that decides the result outweighs an error in the other, as CEL says.
    fn logic(&mut self, a: &Ex, b: &Ex, decides: bool) -> Evaluated {
        let truth = |value: Evaluated, span: Span| match value {
            Ok(Value::Bool(truth)) => Ok(truth),
            Ok(other) => fail(span, format!("`&&` and `||` need bools, not {}", other.type_name())),
            Err(error) => Err(error),
        };
        let left = self.ex(a);
        let left = truth(left, a.span);
        if left == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        let right = self.ex(b);
        let right = truth(right, b.span);
        if right == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        left?;
        right?;
        Ok(Value::Bool(!decides))
    }

    fn map(&mut self, entries: &[(Ex, Ex)], span: Span) -> Evaluated {
        let mut out: Vec<(crate::value::Str, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let Value::Str(key) = self.ex(key)? else { return fail(span, "the keys of a map are strings") };
            if out.iter().any(|(known, _)| *known == key) {
                return fail(span, "a key stands twice");
            }
            out.push((key, self.ex(value)?));
        }
        Ok(Value::Map(Map::new(out)))
    }

    fn operate(&mut self, operator: Operator, a: Value, b: Value, span: Span) -> Evaluated {
        match operator {
            Operator::Equal | Operator::Unequal => {
                self.budget.spend_bytes(a.bytes().min(b.bytes()), span)?;
                Ok(Value::Bool((a == b) == (operator == Operator::Equal)))
            }
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                self.budget.spend_bytes(a.bytes().min(b.bytes()), span)?;
                match order(&a, &b) {
                    Some(order) => Ok(Value::Bool(match operator {
                        Operator::Less => order == Ordering::Less,
                        Operator::LessEqual => order != Ordering::Greater,
                        Operator::Greater => order == Ordering::Greater,
                        _ => order != Ordering::Less,
                    })),
                    None => no_overload(operator, &a, &b, span),
                }
            }
            Operator::In => match (&a, &b) {
                (needle, Value::List(list)) => {
                    self.budget.spend(list.len(), span)?;
                    self.budget.spend_bytes(list.iter().map(Value::bytes).sum(), span)?;
                    Ok(Value::Bool(list.iter().any(|item| item == needle)))
                }
                (Value::Str(key), Value::Map(map)) => Ok(Value::Bool(map.contains(key))),
                _ => no_overload(operator, &a, &b, span),
            },
            _ => self.arithmetic(operator, a, b, span),
        }
    }

    fn arithmetic(&mut self, operator: Operator, a: Value, b: Value, span: Span) -> Evaluated {
        match (&a, &b) {
            (Value::Int(x), Value::Int(y)) => {
                let result = match operator {
                    Operator::Add => x.checked_add(*y),
                    Operator::Subtract => x.checked_sub(*y),
                    Operator::Multiply => x.checked_mul(*y),
                    Operator::Divide | Operator::Remainder if *y == 0 => {
                        return fail(span, "division by zero");
                    }
                    Operator::Divide => x.checked_div(*y),
                    Operator::Remainder => x.checked_rem(*y),
                    _ => None,
                };
                result.map_or_else(|| fail(span, "integer overflow"), |int| Ok(Value::Int(int)))
            }
            (Value::Float(x), Value::Float(y)) => {
                let result = match operator {
                    Operator::Add => x + y,
                    Operator::Subtract => x - y,
                    Operator::Multiply => x * y,
                    Operator::Divide => x / y,
                    _ => return no_overload(operator, &a, &b, span),
                };
                Value::float(result).map_or_else(|| fail(span, "the result is not a finite number"), Ok)
            }
            (Value::Str(x), Value::Str(y)) if operator == Operator::Add => {
                self.budget.spend_bytes(x.len() + y.len(), span)?;
                Ok(Value::from(format!("{x}{y}")))
            }
            (Value::List(x), Value::List(y)) if operator == Operator::Add => {
                self.budget.spend(x.len() + y.len(), span)?;
                Ok(Value::list(x.iter().chain(y.iter()).cloned()))
            }
            _ => no_overload(operator, &a, &b, span),
        }
    }

    fn comprehension(&mut self, kind: Loop, range: &Ex, bodies: &[Ex], span: Span) -> Evaluated {
        let items: Vec<Value> = match self.ex(range)? {
            Value::List(list) => list.iter().cloned().collect(),
            Value::Map(map) => map.iter().map(|(key, _)| Value::Str(key.clone())).collect(),
            other => return fail(range.span, format!("{} has no items", other.type_name())),
        };
        self.budget.spend(items.len(), span)?;
        match (kind, bodies) {
            (Loop::All, [test]) => self.quantify(items, test, false),
            (Loop::Exists, [test]) => self.quantify(items, test, true),
            (Loop::ExistsOne, [test]) => {
                let found = self.keep(items, test)?;
                Ok(Value::Bool(found.len() == 1))
            }
            (Loop::Filter, [test]) => Ok(Value::list(self.keep(items, test)?)),
            (Loop::Map, [value]) => self.each(items, value),
            (Loop::Map, [test, value]) => {
                let kept = self.keep(items, test)?;
                self.each(kept, value)
            }
            _ => fail(span, "wrong number of arguments"),
        }
    }

    fn with<T>(&mut self, item: Value, body: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(item);
        let result = body(self);
        self.locals.pop();
        result
    }

    fn quantify(&mut self, items: Vec<Value>, test: &Ex, decides: bool) -> Evaluated {
        let mut error = None;
        for item in items {
            match self.with(item, |walk| walk.condition(test)) {
                Ok(truth) if truth == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(failed) => error = error.or(Some(failed)),
            }
        }
        error.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn keep(&mut self, items: Vec<Value>, test: &Ex) -> Result<Vec<Value>, EvalError> {
        let mut kept = Vec::new();
        for item in items {
            if self.with(item.clone(), |walk| walk.condition(test))? {
                kept.push(item);
            }
        }
        Ok(kept)
    }

    fn each(&mut self, items: Vec<Value>, value: &Ex) -> Evaluated {
        let mapped = items
            .into_iter()
            .map(|item| self.with(item, |walk| walk.ex(value)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Value::list(mapped))
    }

    fn condition(&mut self, test: &Ex) -> Result<bool, EvalError> {
        match self.ex(test)? {
            Value::Bool(truth) => Ok(truth),
            other => fail(test.span, format!("a condition must be true or false, not {}", other.type_name())),
        }
    }
}

/// The order of two values of one type; numbers compare across theirs.
pub(crate) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Float(b)) => int_float_order(*a, *b),
        (Value::Float(a), Value::Int(b)) => int_float_order(*b, *a).map(Ordering::reverse),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn no_overload(operator: Operator, a: &Value, b: &Value, span: Span) -> Evaluated {
    let mixed = matches!((a, b), (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)));
    let hint = if mixed { "; convert with `double(...)` or `int(...)`" } else { "" };
    fail(span, format!("`{}` does not take {} and {}{hint}", operator.sign(), a.type_name(), b.type_name()))
}
