//! What an expression is worth: where its data came from and what is known of it.

use super::statement::{is_clause, makes_clauses};
use super::tables::{Origin, SOURCE_NAMES, Sink, is};
use super::value::{Closure, From, Piece, Sinks, Step, Taint, Val};
use super::{Followed, Kept, Summary};
use crate::python::{BYTES_MAX, HOLE, Index, Names, folded, literal, number, span};
use foldhash::HashMap;
use ringmail_core::doc::Span;
use ruff_python_ast::{Comprehension, Expr, InterpolatedStringElement, Operator};
use ruff_text_size::Ranged;
use std::sync::Arc;

/// What can hold a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Name(&'a str),
    Attr(&'a str, &'a str),
}

impl<'a> Key<'a> {
    pub(super) fn of(expr: &'a Expr) -> Option<Key<'a>> {
        match expr {
            Expr::Name(name) => Some(Key::Name(name.id.as_str())),
            Expr::Attribute(attribute) => match &*attribute.value {
                Expr::Name(name) => Some(Key::Attr(name.id.as_str(), attribute.attr.as_str())),
                _ => None,
            },
            _ => None,
        }
    }
}

pub(super) struct Run<'r, 'a> {
    pub(super) index: &'r Index<'a>,
    pub(super) summaries: &'r [Summary],
    pub(super) kept: &'r Kept,
    pub(super) program: usize,
    pub(super) class: Option<usize>,
    pub(super) names: &'r Names,
    pub(super) env: HashMap<Key<'a>, Val>,
    pub(super) out: Followed,
    /// How many are left.
    pub(super) steps: usize,
    /// How many functions deep this is in the one that is followed.
    pub(super) around: usize,
    /// The function that is followed, if it is not a file.
    pub(super) func: Option<usize>,
}

/// The piece of a container that an index or a key names, where that is known.
pub(super) fn piece_of(key: &Expr) -> Option<Piece> {
    match literal(key) {
        Some(text) => Some(Piece::named(text)),
        None => number(key).and_then(|place| usize::try_from(place).ok()).map(Piece::at),
    }
}

/// Whether a name is this word, or ends in it.
pub(crate) fn ends_in(name: &str, word: &str) -> bool {
    name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
}

/// The words that a name is made of when it holds what nobody should read.
pub(crate) fn is_secret_name(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "secret",
        "api_key",
        "apikey",
        "secret_key",
        "private_key",
        "access_token",
        "auth_token",
        "bearer_token",
        "refresh_token",
        "client_secret",
        "access_key",
        "secret_access_key",
        "api_token",
        "api_secret",
    ];
    let name = name.to_ascii_lowercase();
    let name = name.trim_start_matches('_');
    WORDS.iter().any(|word| ends_in(name, word))
}

impl<'a> Run<'_, 'a> {
    pub(super) fn outside(&self, origin: Origin, span: Span) -> Val {
        let note = match origin {
            Origin::Secret => "a secret is read".to_string(),
            origin => format!("{} comes in", origin.words()),
        };
        let way = Step::after(None, self.program, span, note);
        Val::tainted(Taint { from: From::Outside(origin), clean: Sinks::default(), part: false, way })
    }

    /// Takes steps; whether there were that many left.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        self.out.cut |= left.is_none();
        left.is_some()
    }

    pub(super) fn eval(&mut self, expr: &'a Expr) -> Val {
        if !self.spend(1) {
            return Val::default();
        }
        match expr {
            Expr::Name(_) | Expr::Attribute(_) => self.read(expr),
            Expr::StringLiteral(text) => Val { text: Some(text.value.to_str().into()), ..Val::default() },
            Expr::FString(_) => self.fstring(expr),
            Expr::BinOp(binary) => {
                let (left, right) = (self.eval(&binary.left), self.eval(&binary.right));
                self.binary(expr, binary.op, left, right)
            }
            Expr::Call(call) => self.call(call),
            Expr::Await(wait) => self.eval(&wait.value),
            Expr::Subscript(subscript) => {
                let mut base = self.eval(&subscript.value);
                self.eval(&subscript.slice);
                if let Some(origin) = self.named_source(&subscript.value) {
                    return self.outside(origin, span(expr.range()));
                }
                if matches!(&*subscript.slice, Expr::Slice(_)) {
                    // A piece of a secret is shown so that people can tell secrets apart.
                    base = base.cleaned(Sinks::of(Sink::Log));
                }
                match piece_of(&subscript.slice) {
                    Some(piece) => base.piece(piece),
                    None => base.plain(),
                }
            }
            Expr::If(choice) => {
                self.eval(&choice.test);
                let guarded = super::guard::guards(&choice.test);
                let mut body = self.eval(&choice.body);
                if !guarded.is_empty() {
                    let clean = guarded.iter().fold(Sinks::default(), |all, (_, sinks)| all.and(*sinks));
                    body = body.cleaned(clean);
                }
                body.join(self.eval(&choice.orelse))
            }
            Expr::BoolOp(both) => {
                let mut out = Val::default();
                for one in &both.values {
                    out = out.join(self.eval(one));
                }
                out
            }
            Expr::Named(named) => {
                let value = self.eval(&named.value);
                self.bind(&named.target, value.clone());
                value
            }
            Expr::Dict(dict) => self.dict(dict),
            Expr::List(list) => self.places(&list.elts),
            Expr::Tuple(tuple) => self.places(&tuple.elts),
            Expr::Set(set) => self.all(&set.elts),
            Expr::Starred(star) => self.eval(&star.value),
            Expr::ListComp(list) => self.comprehension(&list.generators, &list.elt, None),
            Expr::SetComp(set) => self.comprehension(&set.generators, &set.elt, None),
            Expr::Generator(made) => self.comprehension(&made.generators, &made.elt, None),
            Expr::DictComp(dict) => self.comprehension(&dict.generators, &dict.value, dict.key.as_deref()),
            Expr::Lambda(lambda) => {
                let names = lambda.parameters.iter().flat_map(|all| all.iter());
                let names: Vec<Key<'a>> = names.map(|one| Key::Name(one.name().as_str())).collect();
                let before: Vec<Option<Val>> = names.iter().map(|name| self.env.remove(name)).collect();
                self.eval(&lambda.body);
                for (name, value) in names.into_iter().zip(before) {
                    self.env.extend(value.map(|value| (name, value)));
                }
                Val::default()
            }
            Expr::Compare(compare) => {
                self.eval(&compare.left);
                compare.comparators.iter().for_each(|one| drop(self.eval(one)));
                Val::default()
            }
            Expr::UnaryOp(unary) => {
                self.eval(&unary.operand);
                Val::default()
            }
            Expr::Yield(one) => {
                let value = one.value.as_ref().map(|value| self.eval(value)).unwrap_or_default();
                self.returned(value);
                Val::default()
            }
            Expr::YieldFrom(one) => {
                let value = self.eval(&one.value);
                self.returned(value);
                Val::default()
            }
            _ => Val::default(),
        }
    }

    /// A name or an attribute.
    fn read(&mut self, expr: &'a Expr) -> Val {
        if let Some(known) = Key::of(expr).and_then(|key| self.env.get(&key)) {
            return known.clone();
        }
        if let Some(origin) = self.named_source(expr) {
            return self.outside(origin, span(expr.range()));
        }
        let mut out = match expr {
            Expr::Attribute(attribute) => match &*attribute.value {
                Expr::Name(name) if name.id.as_str() == "self" => self.own(attribute.attr.as_str()),
                base => {
                    let mut base = self.eval(base);
                    let telling =
                        ["args", "message", "detail", "stderr", "output", "strerror", "msg", "reason"];
                    if !telling.contains(&attribute.attr.as_str()) {
                        base.taints.retain(|taint| taint.from != From::Outside(Origin::Fault));
                    }
                    base.piece(Piece::named(attribute.attr.as_str()))
                }
            },
            Expr::Name(_) => {
                let func = self.names.resolve(expr).and_then(|name| self.index.func_named(&name));
                let func = func.map(|func| Arc::new(Closure { func, around: Val::default() }));
                Val { func, ..Val::default() }
            }
            _ => Val::default(),
        };
        let name = match expr {
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            Expr::Name(name) => name.id.as_str(),
            _ => "",
        };
        if is_secret_name(name) && !name.chars().next().is_some_and(char::is_uppercase) {
            out.take(&self.outside(Origin::Secret, span(expr.range())));
        }
        out
    }

    /// An attribute of the object itself.
    fn own(&self, attribute: &str) -> Val {
        let Some(class) = self.class else { return Val::default() };
        let mut out = Val { made: self.index.made(class, attribute).map(Arc::from), ..Val::default() };
        out.text = self.index.constant(class, attribute).map(Arc::from);
        if let Some(kept) = self.kept.get(&(class, attribute.to_string())) {
            kept.iter().for_each(|taint| out.add(taint.clone()));
        }
        out
    }

    fn named_source(&self, expr: &Expr) -> Option<Origin> {
        if !matches!(expr, Expr::Attribute(_)) {
            return None;
        }
        let name = self.names.resolve(expr)?;
        SOURCE_NAMES.iter().find(|(pattern, _)| is(pattern, &name)).map(|(_, origin)| *origin)
    }

    fn all(&mut self, items: &'a [Expr]) -> Val {
        let mut out = Val::default();
        for item in items {
            let value = self.eval(item);
            out.take(&value);
        }
        out
    }

    /// A list, each item with its place.
    fn places(&mut self, items: &'a [Expr]) -> Val {
        if items.iter().any(Expr::is_starred_expr) {
            return self.all(items);
        }
        let known = items.iter().enumerate().map(|(at, item)| (Piece::at(at), self.eval(item))).collect();
        Val::holding(known, Val::default())
    }

    fn dict(&mut self, dict: &'a ruff_python_ast::ExprDict) -> Val {
        let (mut known, mut rest) = (Vec::new(), Val::default());
        let key = |item: &'a ruff_python_ast::DictItem| item.key.as_ref().and_then(literal);
        let role =
            dict.items.iter().find(|item| key(item) == Some("role")).and_then(|item| literal(&item.value));
        for item in &dict.items {
            let value = self.eval(&item.value);
            if key(item) == Some("content") && matches!(role, Some("system" | "developer")) {
                self.arrive(Sink::SystemPrompt, &value, span(item.value.range()));
            }
            match item.key.as_ref().and_then(piece_of) {
                Some(piece) => known.push((piece, value)),
                None => rest.take(&value),
            }
        }
        Val::holding(known, rest)
    }

    fn comprehension(
        &mut self,
        generators: &'a [Comprehension],
        value: &'a Expr,
        key: Option<&'a Expr>,
    ) -> Val {
        for one in generators {
            let items = self.eval(&one.iter);
            self.bind(&one.target, items.plain());
            for test in &one.ifs {
                self.eval(test);
                self.guard(test);
            }
        }
        let mut out = self.eval(value);
        if let Some(key) = key {
            let key = self.eval(key);
            out.take(&key);
        }
        out.plain()
    }

    fn fstring(&mut self, expr: &'a Expr) -> Val {
        let Expr::FString(text) = expr else { return Val::default() };
        let (mut out, mut before) = (Val::default(), String::new());
        for part in text.value.iter() {
            let ruff_python_ast::FStringPart::FString(text) = part else {
                if let ruff_python_ast::FStringPart::Literal(text) = part {
                    before.push_str(&text.value);
                }
                continue;
            };
            for element in &text.elements {
                match element {
                    InterpolatedStringElement::Literal(text) => before.push_str(&text.value),
                    InterpolatedStringElement::Interpolation(inner) => {
                        let value = self.eval(&inner.expression);
                        let numeric = inner.format_spec.as_ref().is_some_and(|spec| {
                            spec.elements.literals().any(|text| text.value.ends_with(['d', 'f', '%', 'x']))
                        });
                        if !numeric {
                            out.take(&placed(value, &before));
                        }
                        before.push(HOLE);
                    }
                }
            }
        }
        out.part();
        out.text = folded(expr).map(Arc::from);
        self.step(&mut out, span(expr.range()), "is put into a text");
        self.clause(out, span(expr.range()))
    }

    /// A condition that is put together in a function that says that it makes one: whoever runs it believes it.
    fn clause(&mut self, value: Val, at: Span) -> Val {
        let func = self.func.and_then(|func| self.index.funcs.get(func));
        let makes = func.is_some_and(|func| makes_clauses(func.def.name.as_str()));
        if !makes || !value.text.as_deref().is_some_and(is_clause) {
            return value;
        }
        self.arrive(Sink::Sql, &value, at);
        value.cleaned(Sinks::of(Sink::Sql).and(Sinks::of(Sink::Cypher)))
    }

    fn binary(&mut self, expr: &'a Expr, op: Operator, left: Val, right: Val) -> Val {
        let mut out = Val::default();
        match op {
            Operator::Add | Operator::Mod => {
                let before = left.text.as_deref().map_or_else(|| HOLE.to_string(), String::from);
                let before = if left.taints.is_empty() { before } else { format!("{HOLE}{before}") };
                let composed = left.text.is_some() || right.text.is_some();
                let at_start = !left.taints.is_empty();
                let right = if at_start && left.text.is_none() { right } else { placed(right, &before) };
                let left =
                    if op == Operator::Mod { Val { taints: left.taints, ..Val::default() } } else { left };
                out.text = match op {
                    Operator::Add => joined(left.text.as_deref(), right.text.as_deref()),
                    _ => folded(expr).map(Arc::from),
                };
                out.take(&left);
                out.take(&right);
                if composed {
                    out.part();
                }
                if out.text.is_some() {
                    self.step(&mut out, span(expr.range()), "is put into a text");
                    out = self.clause(out, span(expr.range()));
                }
            }
            // Paths are joined by it.
            Operator::Div => {
                let (mut right, below) = (right, left.taints.is_empty());
                if below {
                    right.part();
                }
                out.take(&left);
                out.take(&right);
                out.made = left.made;
            }
            Operator::BitOr => {
                out.take(&left);
                out.take(&right);
            }
            _ => {}
        }
        out
    }

    /// Notes a step on the way of all data in a value.
    pub(super) fn step(&self, value: &mut Val, at: Span, note: &str) {
        for taint in &mut value.taints {
            taint.way = Step::after(Some(&taint.way), self.program, at, note.to_string());
        }
    }
}

/// Two texts one after the other, as far as either is known.
pub(super) fn joined(left: Option<&str>, right: Option<&str>) -> Option<Arc<str>> {
    const HOLED: &str = "\0";
    let fits = left.map_or(0, str::len) + right.map_or(0, str::len) <= BYTES_MAX;
    let known = fits && (left.is_some() || right.is_some());
    known.then(|| format!("{}{}", left.unwrap_or(HOLED), right.unwrap_or(HOLED)).into())
}

/// Data that comes after this much of an address does not choose the host.
pub(super) fn placed(value: Val, before: &str) -> Val {
    let (_, rest) = before.split_once("://").unwrap_or(("", before));
    let relative = before.starts_with(HOLE)
        || before.starts_with('/')
        || before.contains("://") && rest.contains(['/', HOLE]);
    match relative && !before.is_empty() {
        true => value.cleaned(Sinks::of(Sink::Url).and(Sinks::of(Sink::Redirect))),
        false => value,
    }
}
