//! Tokens to a tree, names resolved on the way. Depth is limited, so nothing that walks the tree can overflow.

use super::functions::Function;
use super::lex::{Token, tokens};
use super::{DEPTH_MAX, SOURCE_BYTES_MAX, Slot};
use crate::doc::{Span, suggest};
use crate::value::{Str, Value};
use std::sync::Arc;

/// Why an expression cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
}

/// Which names an expression may use where it stands.
pub trait Names {
    fn slot(&mut self, name: &str) -> Option<Slot>;
    /// What could have been meant, for suggestions.
    fn known(&self) -> Vec<Str>;
}

#[derive(Clone, Debug)]
pub(crate) struct Ex {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Literal(Value),
    Root(Slot),
    /// A variable of an enclosing macro, counted from the outermost.
    Local(usize),
    Select(Box<Ex>, Str),
    Index(Box<Ex>, Box<Ex>),
    /// `has(value.field)`
    Has(Box<Ex>, Str),
    /// `done(link)`
    Ran(Slot),
    Not(Box<Ex>),
    Minus(Box<Ex>),
    Both(Box<Ex>, Box<Ex>),
    Either(Box<Ex>, Box<Ex>),
    If(Box<Ex>, Box<Ex>, Box<Ex>),
    Operate(Operator, Box<Ex>, Box<Ex>),
    List(Vec<Ex>),
    Map(Vec<(Ex, Ex)>),
    Call(Function, Vec<Ex>),
    /// `value.matches('literal')`; the pattern is compiled once and matches in linear time.
    Matches(Box<Ex>, Arc<regex::Regex>),
    Loop(Loop, Box<Ex>, Vec<Ex>),
}

impl Kind {
    /// A root, or members and fixed positions of one.
    pub(crate) fn is_path(&self) -> bool {
        match self {
            Kind::Root(_) => true,
            Kind::Select(base, _) => base.kind.is_path(),
            Kind::Index(base, index) => {
                base.kind.is_path()
                    && matches!(index.kind, Kind::Literal(Value::Int(0..)) | Kind::Literal(Value::Str(_)))
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

impl Operator {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Equal => "==",
            Operator::Unequal => "!=",
            Operator::Less => "<",
            Operator::LessEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterEqual => ">=",
            Operator::In => "in",
        }
    }
}

/// Operators by how tightly they bind, loosest first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::LessEqual),
        (">=", Operator::GreaterEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("in", Operator::In),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loop {
    All,
    Exists,
    ExistsOne,
    /// `map(x, value)` or `map(x, condition, value)`
    Map,
    Filter,
}

impl Loop {
    fn named(name: &str, arguments: usize) -> Option<Loop> {
        match (name, arguments) {
            ("all", 2) => Some(Loop::All),
            ("exists", 2) => Some(Loop::Exists),
            ("exists_one", 2) => Some(Loop::ExistsOne),
            ("map", 2 | 3) => Some(Loop::Map),
            ("filter", 2) => Some(Loop::Filter),
            _ => None,
        }
    }
}

pub(crate) fn parse(text: &str, base: usize, names: &mut dyn Names) -> Result<Ex, ParseError> {
    let whole = Span { start: base, end: base + text.len() };
    if text.len() > SOURCE_BYTES_MAX {
        let message = format!("an expression is at most {SOURCE_BYTES_MAX} bytes long");
        return Err(ParseError { span: whole, message, help: None });
    }
    let mut parser = Parser { tokens: tokens(text, base)?, at: 0, depth: 0, locals: Vec::new(), names };
    let ex = parser.ternary()?;
    match parser.peek() {
        Token::End => Ok(ex),
        _ => parser.fail("expected the expression to end here"),
    }
}

struct Parser<'n> {
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
    locals: Vec<Str>,
    names: &'n mut dyn Names,
}

type Parsed = Result<Ex, ParseError>;

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(Span::default(), |(_, span)| *span)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError { span: self.span(), message: message.into(), help: None })
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(found) if *found == mark);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), ParseError> {
        if self.take(mark) { Ok(()) } else { self.fail(format!("expected `{mark}`")) }
    }

    fn ident(&mut self) -> Result<Str, ParseError> {
        match self.peek() {
            Token::Ident(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.fail("expected a name"),
        }
    }

    /// A node that covers everything from `start` to the token just taken.
    fn node(&self, start: Span, kind: Kind) -> Ex {
        let end = self.tokens.get(self.at.saturating_sub(1)).map_or(start.end, |(_, span)| span.end);
        Ex { kind, span: Span { start: start.start, end: end.max(start.end) } }
    }

    fn ternary(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(format!("an expression nests at most {DEPTH_MAX} levels"));
        }
        let start = self.span();
        let test = self.either()?;
        let ex = if self.take("?") {
            let yes = self.either()?;
            self.expect(":")?;
            let no = self.ternary()?;
            self.node(start, Kind::If(Box::new(test), Box::new(yes), Box::new(no)))
        } else {
            test
        };
        self.depth -= 1;
        Ok(ex)
    }

    fn either(&mut self) -> Parsed {
        let start = self.span();
        let mut terms = vec![self.both()?];
        while self.take("||") {
            terms.push(self.both()?);
        }
        self.balance(start, terms, Kind::Either)
    }

    fn both(&mut self) -> Parsed {
        let start = self.span();
        let mut terms = vec![self.level(0)?];
        while self.take("&&") {
            terms.push(self.level(0)?);
        }
        self.balance(start, terms, Kind::Both)
    }

    /// `a && b && c && d` as a tree of logarithmic depth, as the CEL parsers do.
    fn balance(&self, start: Span, mut terms: Vec<Ex>, join: fn(Box<Ex>, Box<Ex>) -> Kind) -> Parsed {
        while terms.len() > 1 {
            let mut pairs = Vec::with_capacity(terms.len().div_ceil(2));
            let mut rest = terms.into_iter();
            while let Some(left) = rest.next() {
                match rest.next() {
                    Some(right) => pairs.push(self.node(start, join(Box::new(left), Box::new(right)))),
                    None => pairs.push(left),
                }
            }
            terms = pairs;
        }
        match terms.pop() {
            Some(ex) => Ok(ex),
            None => self.fail("expected an expression"),
        }
    }

    fn level(&mut self, level: usize) -> Parsed {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let start = self.span();
        let mut left = self.level(level + 1)?;
        let mut steps = 0;
        while let Some((_, operator)) = operators.iter().find(|(mark, _)| self.take(mark)) {
            steps += 1;
            if steps > DEPTH_MAX {
                return self
                    .fail(format!("more than {DEPTH_MAX} operators in a row; use parentheses or a list"));
            }
            let right = self.level(level + 1)?;
            left = self.node(start, Kind::Operate(*operator, Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.span();
        let mut signs = Vec::new();
        while let Token::Mark(mark @ ("!" | "-")) = *self.peek() {
            if signs.last().is_some_and(|last| *last != mark) || signs.len() >= DEPTH_MAX {
                return self.fail(format!("`{mark}` cannot stand here"));
            }
            signs.push(mark);
            self.at += 1;
        }
        let mut ex = self.member()?;
        for mark in signs {
            let inner = Box::new(ex);
            ex = self.node(start, if mark == "!" { Kind::Not(inner) } else { Kind::Minus(inner) });
        }
        Ok(ex)
    }

    fn member(&mut self) -> Parsed {
        let start = self.span();
        let mut ex = self.primary()?;
        let mut steps = 0;
        loop {
            steps += 1;
            if steps > DEPTH_MAX {
                return self.fail(format!("a path has at most {DEPTH_MAX} steps"));
            }
            if self.take(".") {
                let name = self.ident()?;
                ex = if self.take("(") {
                    self.method(start, ex, &name)?
                } else {
                    self.node(start, Kind::Select(Box::new(ex), name))
                };
            } else if self.take("[") {
                let index = self.ternary()?;
                self.expect("]")?;
                ex = self.node(start, Kind::Index(Box::new(ex), Box::new(index)));
            } else {
                return Ok(ex);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let start = self.span();
        match self.peek().clone() {
            Token::Literal(value) => {
                self.at += 1;
                Ok(self.node(start, Kind::Literal(value)))
            }
            Token::Ident(name) => {
                self.at += 1;
                if self.take("(") { self.call(start, &name) } else { self.name(start, &name) }
            }
            Token::Mark("(") => {
                self.at += 1;
                let ex = self.ternary()?;
                self.expect(")")?;
                Ok(ex)
            }
            Token::Mark("[") => {
                self.at += 1;
                let items = self.sequence("]", |parser| parser.ternary())?;
                Ok(self.node(start, Kind::List(items)))
            }
            Token::Mark("{") => {
                self.at += 1;
                let entries = self.sequence("}", |parser| {
                    let key = parser.ternary()?;
                    parser.expect(":")?;
                    Ok((key, parser.ternary()?))
                })?;
                Ok(self.node(start, Kind::Map(entries)))
            }
            Token::End => self.fail("expected a value, and the expression ends"),
            Token::Mark(mark) => self.fail(format!("expected a value before `{mark}`")),
        }
    }

    /// Items up to `close`, a trailing comma allowed.
    fn sequence<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(item(self)?);
            if !self.take(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(items)
    }

    fn name(&mut self, span: Span, name: &Str) -> Parsed {
        if name.starts_with("__") {
            return Err(ParseError { span, message: format!("`{name}` is a reserved name"), help: None });
        }
        if let Some(local) = self.locals.iter().rposition(|known| known == name) {
            return Ok(self.node(span, Kind::Local(local)));
        }
        if let Some(slot) = self.names.slot(name) {
            return Ok(self.node(span, Kind::Root(slot)));
        }
        let known = self.names.known();
        let help = match suggest(name, known.iter().map(|known| &**known)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        Err(ParseError { span, message: format!("unknown name `{name}`"), help: Some(help) })
    }

    fn call(&mut self, start: Span, name: &str) -> Parsed {
        match name {
            "has" => {
                let argument = self.ternary()?;
                self.expect(")")?;
                match argument.kind {
                    Kind::Select(base, field) => Ok(self.node(start, Kind::Has(base, field))),
                    _ => Err(ParseError {
                        span: argument.span,
                        message: "`has` takes a member, such as `has(input.name)`".into(),
                        help: None,
                    }),
                }
            }
            "done" => {
                let argument = self.ternary()?;
                self.expect(")")?;
                match argument.kind {
                    Kind::Root(slot) => Ok(self.node(start, Kind::Ran(slot))),
                    _ => Err(ParseError {
                        span: argument.span,
                        message: "`done` takes the name of a link".into(),
                        help: None,
                    }),
                }
            }
            _ => {
                let arguments = self.sequence(")", |parser| parser.ternary())?;
                self.function(start, name, false, arguments)
            }
        }
    }

    fn method(&mut self, start: Span, receiver: Ex, name: &str) -> Parsed {
        let loops = matches!(name, "all" | "exists" | "exists_one" | "map" | "filter");
        if loops {
            return self.comprehension(start, receiver, name);
        }
        let mut arguments = self.sequence(")", |parser| parser.ternary())?;
        if name == "matches" {
            return self.matches(start, receiver, arguments);
        }
        arguments.insert(0, receiver);
        self.function(start, name, true, arguments)
    }

    fn comprehension(&mut self, start: Span, range: Ex, name: &str) -> Parsed {
        let variable = self.ident()?;
        self.expect(",")?;
        self.locals.push(variable);
        let bodies = self.sequence(")", |parser| parser.ternary())?;
        self.locals.pop();
        match Loop::named(name, bodies.len() + 1) {
            Some(kind) => Ok(self.node(start, Kind::Loop(kind, Box::new(range), bodies))),
            None => {
                self.fail(format!("`{name}` takes a name and a condition, such as `items.{name}(x, x > 0)`"))
            }
        }
    }

    fn matches(&mut self, start: Span, receiver: Ex, arguments: Vec<Ex>) -> Parsed {
        const COMPILED_BYTES_MAX: usize = 1 << 20;
        let pattern = match arguments.as_slice() {
            [Ex { kind: Kind::Literal(Value::Str(pattern)), .. }] => pattern.clone(),
            _ => return self.fail("the pattern of `matches` must be one literal string"),
        };
        match regex::RegexBuilder::new(&pattern).size_limit(COMPILED_BYTES_MAX).build() {
            Ok(regex) => Ok(self.node(start, Kind::Matches(Box::new(receiver), Arc::new(regex)))),
            Err(_) => self.fail(format!("`{}` is not a regular expression", crate::json::shorten(&pattern))),
        }
    }

    fn function(&self, start: Span, name: &str, method: bool, arguments: Vec<Ex>) -> Parsed {
        match Function::find(name, method, arguments.len()) {
            Ok(function) => Ok(self.node(start, Kind::Call(function, arguments))),
            Err((message, help)) => {
                Err(ParseError { span: self.node(start, Kind::List(vec![])).span, message, help })
            }
        }
    }
}
