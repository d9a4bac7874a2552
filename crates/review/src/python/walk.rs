//! Every thing of a program, shown once to the rules that look at things of its sort.

use super::index::{Index, last};
use super::parse::Program;
use super::text::{folded, literal, number, span};
use crate::file::Looked;
use crate::rule::{Hit, Look, ReviewRule};
use crate::rules::RULES;
use ringmail_core::doc::Span;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;
use std::sync::LazyLock;

/// Where in a program something stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p, 'a> {
    pub(crate) index: &'p Index<'a>,
    pub(crate) program: &'p Program,
    pub(crate) func: Option<usize>,
    pub(crate) class: Option<usize>,
}

pub(crate) struct CallSite<'p, 'a> {
    pub(crate) place: Place<'p, 'a>,
    pub(crate) call: &'p ExprCall,
    /// The dotted name of what is called, as far as it is known.
    pub(crate) name: String,
}

pub(crate) struct Bind<'p> {
    pub(crate) file: &'p Looked,
    pub(crate) name: &'p str,
    pub(crate) value: Bound<'p>,
    pub(crate) span: Span,
    /// What is called with it, for an argument; empty for anything else.
    pub(crate) callee: &'p str,
    /// It is what holds unless somebody says otherwise.
    pub(crate) default: bool,
}

/// What a name is given, as far as rules ask.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound<'p> {
    Text(&'p str),
    Bool(bool),
    Nothing,
    Expr(&'p Expr),
    Other,
}

pub(crate) struct ClassSite<'p, 'a> {
    pub(crate) place: Place<'p, 'a>,
    pub(crate) class: usize,
    pub(crate) def: &'p StmtClassDef,
}

pub(crate) struct FunctionSite<'p, 'a> {
    pub(crate) place: Place<'p, 'a>,
    pub(crate) def: &'p StmtFunctionDef,
}

pub(crate) struct TextSite<'p> {
    pub(crate) text: &'p str,
    /// Its holes are what is not known.
    pub(crate) span: Span,
}

pub(crate) struct CommentSite<'p> {
    pub(crate) text: &'p str,
    pub(crate) span: Span,
}

impl<'p> CallSite<'p, '_> {
    pub(crate) fn span(&self) -> Span {
        span(self.call.range())
    }

    pub(crate) fn arg(&self, name: &str, position: usize) -> Option<&'p Expr> {
        self.call.arguments.find_argument_value(name, position)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&'p Expr> {
        self.call.arguments.find_keyword(name).map(|keyword| &keyword.value)
    }

    /// Whether it takes a mapping whole, so that arguments may be there unseen.
    pub(crate) fn spreads(&self) -> bool {
        self.call.arguments.keywords.iter().any(|keyword| keyword.arg.is_none())
    }

    /// The last word of what is called.
    pub(crate) fn method(&self) -> &'p str {
        match &*self.call.func {
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            Expr::Name(name) => name.id.as_str(),
            _ => "",
        }
    }

    pub(crate) fn receiver(&self) -> Option<&'p Expr> {
        match &*self.call.func {
            Expr::Attribute(attribute) => Some(&attribute.value),
            _ => None,
        }
    }

    /// The last name of what the method is called on, in lower case.
    pub(crate) fn receiver_word(&self) -> String {
        self.receiver().map_or_else(String::new, word_of)
    }

    pub(crate) fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    pub(crate) fn text_of(&self, at: Span) -> &'p str {
        self.place.program.file.text().get(at.start..at.end).unwrap_or_default()
    }
}

/// The last name in an expression, in lower case: `self._db.cursor()` is `cursor`.
pub(crate) fn word_of(expr: &Expr) -> String {
    match expr {
        Expr::Name(name) => name.id.as_str().to_ascii_lowercase(),
        Expr::Attribute(attribute) => attribute.attr.as_str().to_ascii_lowercase(),
        Expr::Call(call) => word_of(&call.func),
        Expr::Subscript(subscript) => word_of(&subscript.value),
        Expr::Await(wait) => word_of(&wait.value),
        _ => String::new(),
    }
}

impl<'p> Bind<'p> {
    pub(crate) fn text(&self) -> Option<&'p str> {
        match self.value {
            Bound::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_false(&self) -> bool {
        matches!(self.value, Bound::Bool(false))
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self.value, Bound::Bool(true))
    }
}

impl<'p> Bound<'p> {
    pub(crate) fn of(expr: &'p Expr) -> Bound<'p> {
        match expr {
            Expr::BooleanLiteral(truth) => Bound::Bool(truth.value),
            Expr::NoneLiteral(_) => Bound::Nothing,
            expr => match (literal(expr), number(expr)) {
                (Some(text), _) => Bound::Text(text),
                (None, Some(_)) => Bound::Other,
                (None, None) => Bound::Expr(expr),
            },
        }
    }
}

/// What was found, and by which rule.
pub(crate) type Hits = Vec<(&'static ReviewRule, Hit)>;

macro_rules! looks {
    ($($list:ident $look:ident $look_fn:ty,)*) => {
        /// The looks of all rules, by what they look at.
        pub(crate) struct Looks { $(pub(crate) $list: Vec<(&'static ReviewRule, $look_fn)>,)* }

        pub(crate) static LOOKS: LazyLock<Looks> = LazyLock::new(|| {
            let mut looks = Looks { $($list: Vec::new(),)* };
            for rule in RULES {
                for look in rule.looks {
                    match look {
                        $(Look::$look(look) => looks.$list.push((rule, *look)),)*
                        Look::Flow(_) | Look::FlowOf(..) | Look::Asked => {}
                    }
                }
            }
            looks
        });
    };
}

looks! {
    calls Call fn(&CallSite<'_, '_>) -> Option<Hit>,
    binds Bind fn(&Bind<'_>) -> Option<Hit>,
    classes Class fn(&ClassSite<'_, '_>) -> Option<Hit>,
    functions Function fn(&FunctionSite<'_, '_>) -> Option<Hit>,
    texts Text fn(&TextSite<'_>) -> Option<Hit>,
    comments Comment fn(&CommentSite<'_>) -> Option<Hit>,
    entries Entry fn(&crate::data::Entry<'_>) -> Option<Hit>,
    files File fn(&Looked) -> Vec<Hit>,
}

/// Shows a program to the rules.
pub(crate) fn walk(index: &Index<'_>, program: &Program) -> Hits {
    let place = Place { index, program, func: None, class: None };
    let mut walker = Walker { place, hits: Vec::new() };
    walker.visit_body(&program.body);
    for comment in &program.comments {
        let text = program.file.text().get(comment.span.start..comment.span.end).unwrap_or_default();
        let site = CommentSite { text, span: comment.span };
        for (rule, look) in &LOOKS.comments {
            walker.hits.extend(look(&site).map(|hit| (*rule, hit)));
        }
    }
    walker.hits
}

struct Walker<'p, 'a> {
    place: Place<'p, 'a>,
    hits: Hits,
}

impl<'p> Walker<'p, '_> {
    fn bind(&mut self, name: &'p str, value: &'p Expr, callee: &str, default: bool) {
        let file = &*self.place.program.file;
        let bind = Bind { file, name, value: Bound::of(value), span: span(value.range()), callee, default };
        for (rule, look) in &LOOKS.binds {
            self.hits.extend(look(&bind).map(|hit| (*rule, hit)));
        }
    }

    fn call(&mut self, call: &'p ExprCall) {
        let name = self.callee(&call.func).unwrap_or_default();
        for keyword in &call.arguments.keywords {
            if let Some(arg) = &keyword.arg {
                self.bind(arg.as_str(), &keyword.value, &name, false);
            }
        }
        // A field that is declared by a call: `name: str = Field(default=...)` binds through its keyword above.
        let site = CallSite { place: self.place, call, name };
        for (rule, look) in &LOOKS.calls {
            self.hits.extend(look(&site).map(|hit| (*rule, hit)));
        }
    }

    /// What is called; a method of an attribute of `self` by the class that the attribute is made of.
    fn callee(&self, func: &'p Expr) -> Option<String> {
        if let Expr::Attribute(method) = func
            && let Expr::Attribute(attribute) = &*method.value
            && matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == "self")
            && let Some(made) =
                self.place.class.and_then(|class| self.place.index.made(class, attribute.attr.as_str()))
        {
            return Some(format!("{made}.{}", method.attr));
        }
        self.place.program.names.resolve(func)
    }

    fn text(&mut self, text: &str, expr: &Expr) {
        let site = TextSite { text, span: span(expr.range()) };
        for (rule, look) in &LOOKS.texts {
            self.hits.extend(look(&site).map(|hit| (*rule, hit)));
        }
    }

    fn function(&mut self, def: &'p StmtFunctionDef) {
        let site = FunctionSite { place: self.place, def };
        for (rule, look) in &LOOKS.functions {
            self.hits.extend(look(&site).map(|hit| (*rule, hit)));
        }
        let parameters = &def.parameters;
        for one in parameters.iter_non_variadic_params() {
            if let Some(default) = &one.default {
                self.bind(one.parameter.name.as_str(), default, "", true);
            }
        }
    }

    fn class(&mut self, def: &'p StmtClassDef, class: usize) {
        let site = ClassSite { place: self.place, class, def };
        for (rule, look) in &LOOKS.classes {
            self.hits.extend(look(&site).map(|hit| (*rule, hit)));
        }
    }
}

fn target_name(target: &Expr) -> Option<&str> {
    match target {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        Expr::Subscript(subscript) => literal(&subscript.slice),
        _ => None,
    }
}

impl<'p> Visitor<'p> for Walker<'p, '_> {
    fn visit_stmt(&mut self, statement: &'p Stmt) {
        let before = self.place;
        match statement {
            // What a function or class says of itself is for people.
            Stmt::Expr(said) if said.value.is_string_literal_expr() => return,
            Stmt::FunctionDef(def) => {
                self.place.func = self.place.index.func_of(def);
                self.function(def);
            }
            Stmt::ClassDef(def) => {
                self.place.class = self.place.index.class_of(def);
                if let Some(class) = self.place.class {
                    self.class(def, class);
                }
            }
            Stmt::Assign(assign) => {
                for name in assign.targets.iter().filter_map(target_name) {
                    self.bind(name, &assign.value, "", before.func.is_none() && before.class.is_some());
                }
            }
            Stmt::AnnAssign(assign) => {
                if let (Some(name), Some(value)) = (target_name(&assign.target), &assign.value) {
                    self.bind(name, value, "", before.func.is_none() && before.class.is_some());
                    if let Expr::Call(call) = &**value
                        && last(&self.callee(&call.func).unwrap_or_default()) == "Field"
                        && let Some(default) = call.arguments.find_argument_value("default", 0)
                    {
                        self.bind(name, default, "", true);
                    }
                }
            }
            _ => {}
        }
        walk_stmt(self, statement);
        self.place = before;
    }

    fn visit_annotation(&mut self, _: &'p Expr) {}

    fn visit_expr(&mut self, expr: &'p Expr) {
        match expr {
            Expr::Call(call) => self.call(call),
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if let Some(name) = item.key.as_ref().and_then(literal) {
                        self.bind(name, &item.value, "", false);
                    }
                }
            }
            Expr::StringLiteral(text) => self.text(text.value.to_str(), expr),
            Expr::FString(_) => {
                if let Some(text) = folded(expr) {
                    self.text(&text, expr);
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}
