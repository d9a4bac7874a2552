//! What types an expression can have. Only what can never work is a problem; what depends on data is left to the run.

use super::Slot;
use super::parse::{Ex, Kind, Loop, Operator};
use crate::doc::{Span, suggest};
use crate::value::{Str, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The values a place can hold, as far as schemas tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// One bit a type, in the order of [`TYPE_NAMES`].
    types: u8,
    /// Known members; members not listed may exist unless `closed`.
    members: Option<Arc<BTreeMap<Str, Shape>>>,
    closed: bool,
    items: Option<Arc<Shape>>,
}

const TYPE_NAMES: [&str; 7] = ["null", "bool", "int", "float", "string", "list", "map"];
const NULL: u8 = 1;
const BOOL: u8 = 2;
const INT: u8 = 4;
const FLOAT: u8 = 8;
const TEXT: u8 = 16;
const LIST: u8 = 32;
const MAP: u8 = 64;
const NUMBER: u8 = INT | FLOAT;
const ANY: u8 = 127;

impl Shape {
    pub const ANY: Shape = Shape::of(ANY);

    const fn of(types: u8) -> Shape {
        Shape { types, members: None, closed: false, items: None }
    }

    /// The types named as in JSON Schema; `integer` holds within `number`.
    pub fn json_types<'t>(names: impl IntoIterator<Item = &'t str>) -> Shape {
        let bits = names.into_iter().fold(0, |bits, name| {
            bits | match name {
                "null" => NULL,
                "boolean" => BOOL,
                "integer" | "number" => NUMBER,
                "string" => TEXT,
                "array" => LIST,
                "object" => MAP,
                _ => ANY,
            }
        });
        Shape::of(bits)
    }

    pub fn map_of(members: BTreeMap<Str, Shape>, closed: bool) -> Shape {
        Shape { types: MAP, members: Some(Arc::new(members)), closed, items: None }
    }

    pub fn list_of(items: Shape) -> Shape {
        Shape { types: LIST, members: None, closed: false, items: Some(Arc::new(items)) }
    }

    pub fn text() -> Shape {
        Shape::of(TEXT)
    }

    pub fn bool() -> Shape {
        Shape::of(BOOL)
    }

    pub fn number() -> Shape {
        Shape::of(NUMBER)
    }

    pub fn of_value(value: &Value) -> Shape {
        match value {
            Value::Null => Shape::of(NULL),
            Value::Bool(_) => Shape::of(BOOL),
            Value::Int(_) => Shape::of(INT),
            Value::Float(_) => Shape::of(FLOAT),
            Value::Str(_) => Shape::of(TEXT),
            Value::List(list) => {
                Shape::list_of(list.iter().map(Shape::of_value).reduce(|a, b| a.or(&b)).unwrap_or(Shape::ANY))
            }
            Value::Map(map) => Shape::map_of(
                map.iter().map(|(key, value)| (key.clone(), Shape::of_value(value))).collect(),
                true,
            ),
        }
    }

    /// Either of two shapes.
    #[must_use]
    pub fn or(&self, other: &Shape) -> Shape {
        let types = self.types | other.types;
        let maps = (self.types & MAP != 0, other.types & MAP != 0);
        let (members, closed) = match maps {
            (true, false) => (self.members.clone(), self.closed),
            (false, true) => (other.members.clone(), other.closed),
            _ => match (&self.members, &other.members) {
                (Some(a), Some(b)) => {
                    let mut members = (**a).clone();
                    for (key, shape) in &**b {
                        let merged = members.get(key).map_or_else(|| shape.clone(), |known| known.or(shape));
                        members.insert(key.clone(), merged);
                    }
                    (Some(Arc::new(members)), self.closed && other.closed)
                }
                _ => (None, false),
            },
        };
        let items = match (self.types & LIST != 0, other.types & LIST != 0, &self.items, &other.items) {
            (true, false, items, _) | (false, true, _, items) => items.clone(),
            (_, _, Some(a), Some(b)) => Some(Arc::new(a.or(b))),
            _ => None,
        };
        Shape { types, members, closed, items }
    }

    /// Whether some value fits both.
    pub fn meets(&self, other: &Shape) -> bool {
        self.types & other.types != 0
    }

    /// Why no value of `given` can fit, if that is certain.
    pub fn refuses(&self, given: &Shape) -> Option<String> {
        if !self.meets(given) {
            return Some(format!("it needs {}, and this is {}", self.words(), given.words()));
        }
        let only_maps = self.types == MAP && given.types == MAP;
        let (Some(wanted), Some(members), true) = (&self.members, &given.members, only_maps) else {
            return None;
        };
        members.iter().find_map(|(name, shape)| match wanted.get(name) {
            Some(inner) => inner.refuses(shape).map(|why| format!("`{name}`: {why}")),
            None if self.closed => {
                let near = suggest(name, wanted.keys().map(|key| &**key));
                let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                Some(format!("it has no member `{name}`{hint}"))
            }
            None => None,
        })
    }

    pub fn words(&self) -> String {
        if self.types == ANY {
            return "anything".into();
        }
        let names = TYPE_NAMES
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.types >> bit & 1 == 1)
            .map(|(_, name)| *name);
        names.collect::<Vec<_>>().join(" or ")
    }

    pub fn items(&self) -> Shape {
        self.items.as_deref().cloned().unwrap_or(Shape::ANY)
    }

    /// The shape of a member; an error says why there can be none.
    pub fn member(&self, name: &str) -> Result<Shape, (String, Option<String>)> {
        if self.types & MAP == 0 {
            return Err((format!("{} has no member `{name}`", self.words()), None));
        }
        let Some(members) = &self.members else { return Ok(Shape::ANY) };
        match members.get(name) {
            Some(shape) => Ok(shape.clone()),
            None if !self.closed => Ok(Shape::ANY),
            None => {
                let near = suggest(name, members.keys().map(|key| &**key));
                Err((format!("no member `{name}` here"), near.map(|near| format!("did you mean `{near}`?"))))
            }
        }
    }
}

pub(crate) fn infer(ex: &Ex, root: &dyn Fn(Slot) -> Shape, problems: &mut Vec<(Span, String)>) -> Shape {
    Infer { root, problems, locals: Vec::new() }.ex(ex)
}

struct Infer<'a> {
    root: &'a dyn Fn(Slot) -> Shape,
    problems: &'a mut Vec<(Span, String)>,
    locals: Vec<Shape>,
}

impl Infer<'_> {
    fn wrong(&mut self, span: Span, message: String) -> Shape {
        self.problems.push((span, message));
        Shape::ANY
    }

    fn need(&mut self, ex: &Ex, wanted: &Shape, by: &str) {
        let shape = self.ex(ex);
        if !shape.meets(wanted) {
            self.wrong(ex.span, format!("{by} needs {}, and this is {}", wanted.words(), shape.words()));
        }
    }

    fn ex(&mut self, ex: &Ex) -> Shape {
        match &ex.kind {
            Kind::Literal(value) => Shape::of_value(value),
            Kind::Root(slot) => (self.root)(*slot),
            Kind::Local(at) => self.locals.get(*at).cloned().unwrap_or(Shape::ANY),
            Kind::Ran(_) => Shape::bool(),
            Kind::Select(base, field) => {
                let base = self.ex(base);
                self.member(&base, field, ex.span)
            }
            Kind::Has(base, _) => {
                self.need(base, &Shape::of(MAP), "`has`");
                Shape::bool()
            }
            Kind::Index(base, index) => self.index(base, index, ex.span),
            Kind::Not(inner) => {
                self.need(inner, &Shape::bool(), "`!`");
                Shape::bool()
            }
            Kind::Minus(inner) => {
                self.need(inner, &Shape::number(), "`-`");
                Shape::number()
            }
            Kind::Both(a, b) | Kind::Either(a, b) => {
                self.need(a, &Shape::bool(), "`&&` and `||`");
                self.need(b, &Shape::bool(), "`&&` and `||`");
                Shape::bool()
            }
            Kind::If(test, yes, no) => {
                self.need(test, &Shape::bool(), "`?`");
                let (yes, no) = (self.ex(yes), self.ex(no));
                yes.or(&no)
            }
            Kind::Operate(operator, a, b) => self.operate(*operator, a, b, ex.span),
            Kind::List(items) => {
                let shapes: Vec<Shape> = items.iter().map(|item| self.ex(item)).collect();
                Shape::list_of(shapes.into_iter().reduce(|a, b| a.or(&b)).unwrap_or(Shape::ANY))
            }
            Kind::Map(entries) => self.map(entries),
            Kind::Call(function, arguments) => {
                arguments.iter().for_each(|argument| {
                    self.ex(argument);
                });
                result_of(function.name())
            }
            Kind::Matches(text, _) => {
                self.need(text, &Shape::text(), "`matches`");
                Shape::bool()
            }
            Kind::Loop(kind, range, bodies) => self.comprehension(*kind, range, bodies),
        }
    }

    fn member(&mut self, base: &Shape, field: &str, span: Span) -> Shape {
        match base.member(field) {
            Ok(shape) => shape,
            Err((message, help)) => {
                let message = help.map_or(message.clone(), |help| format!("{message}; {help}"));
                self.wrong(span, message)
            }
        }
    }

    fn index(&mut self, base: &Ex, index: &Ex, span: Span) -> Shape {
        let (base, shape) = (self.ex(base), self.ex(index));
        if let Kind::Literal(Value::Str(key)) = &index.kind {
            return self.member(&base, key, span);
        }
        let list = base.types & LIST != 0 && shape.types & NUMBER != 0;
        let map = base.types & MAP != 0 && shape.types & TEXT != 0;
        match (list, map) {
            (true, false) => base.items(),
            (false, false) => {
                self.wrong(span, format!("{} cannot be indexed by {}", base.words(), shape.words()))
            }
            _ => Shape::ANY,
        }
    }

    fn map(&mut self, entries: &[(Ex, Ex)]) -> Shape {
        let mut members = BTreeMap::new();
        let mut fixed = true;
        for (key, value) in entries {
            self.need(key, &Shape::text(), "a key");
            let shape = self.ex(value);
            match &key.kind {
                Kind::Literal(Value::Str(key)) => {
                    members.insert(key.clone(), shape);
                }
                _ => fixed = false,
            }
        }
        Shape::map_of(members, fixed)
    }

    fn operate(&mut self, operator: Operator, a: &Ex, b: &Ex, span: Span) -> Shape {
        let (left, right) = (self.ex(a), self.ex(b));
        let common = left.types & right.types;
        // A schema's `number` may hold whole numbers and others, so int and float meet in it.
        let result = match operator {
            Operator::Equal | Operator::Unequal => return Shape::bool(),
            Operator::In => {
                let takes = right.types & LIST != 0 || (right.types & MAP != 0 && left.types & TEXT != 0);
                return if takes { Shape::bool() } else { self.mismatch(operator, &left, &right, span) };
            }
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                let numbers = left.types & NUMBER != 0 && right.types & NUMBER != 0;
                let takes = numbers || common & (TEXT | BOOL) != 0;
                return if takes { Shape::bool() } else { self.mismatch(operator, &left, &right, span) };
            }
            Operator::Add => common & (NUMBER | TEXT | LIST),
            Operator::Remainder => common & INT,
            _ => common & NUMBER,
        };
        if result == 0 { self.mismatch(operator, &left, &right, span) } else { Shape::of(result) }
    }

    fn mismatch(&mut self, operator: Operator, left: &Shape, right: &Shape, span: Span) -> Shape {
        let mixed = left.types & NUMBER != 0 && right.types & NUMBER != 0;
        let hint = if mixed { "; convert with `double(...)` or `int(...)`" } else { "" };
        let message =
            format!("`{}` does not take {} and {}{hint}", operator.sign(), left.words(), right.words());
        self.wrong(span, message)
    }

    fn comprehension(&mut self, kind: Loop, range: &Ex, bodies: &[Ex]) -> Shape {
        let shape = self.ex(range);
        if shape.types & (LIST | MAP) == 0 {
            return self.wrong(range.span, format!("{} has no items", shape.words()));
        }
        let item = if shape.types & MAP == 0 { shape.items() } else { Shape::ANY };
        self.locals.push(item.clone());
        let results: Vec<Shape> = bodies.iter().map(|body| self.ex(body)).collect();
        self.locals.pop();
        let tests = if kind == Loop::Map { results.len() - 1 } else { results.len() };
        for (body, result) in bodies.iter().zip(&results).take(tests) {
            if !result.meets(&Shape::bool()) {
                self.wrong(
                    body.span,
                    format!("a condition must be true or false, and this is {}", result.words()),
                );
            }
        }
        match kind {
            Loop::All | Loop::Exists | Loop::ExistsOne => Shape::bool(),
            Loop::Filter => Shape::list_of(item),
            Loop::Map => Shape::list_of(results.into_iter().last().unwrap_or(Shape::ANY)),
        }
    }
}

fn result_of(function: &str) -> Shape {
    match function {
        "size" | "int" | "indexOf" => Shape::of(INT),
        "double" => Shape::of(FLOAT),
        "string" | "json" | "lowerAscii" | "upperAscii" | "trim" | "join" | "replace" | "substring" => {
            Shape::text()
        }
        "bool" | "contains" | "startsWith" | "endsWith" => Shape::bool(),
        "split" => Shape::list_of(Shape::text()),
        _ => Shape::ANY,
    }
}
