//! What rules ask of the body of one function: its expressions and statements, each once, those of functions inside
//! of it only as deep as is asked, so that the work stays with the length of the file.

use super::walk::word_of;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt};

/// A thing of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Thing<'p> {
    Stmt(&'p Stmt),
    Expr(&'p Expr),
}

struct Scan<'p, 'l> {
    look: &'l mut dyn FnMut(Thing<'p>),
    inner: usize,
}

impl<'p> Visitor<'p> for Scan<'p, '_> {
    fn visit_stmt(&mut self, statement: &'p Stmt) {
        (self.look)(Thing::Stmt(statement));
        let deeper = matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_));
        if deeper && self.inner == 0 {
            return;
        }
        self.inner -= usize::from(deeper);
        walk_stmt(self, statement);
        self.inner += usize::from(deeper);
    }

    fn visit_annotation(&mut self, _: &'p Expr) {}

    fn visit_expr(&mut self, expr: &'p Expr) {
        (self.look)(Thing::Expr(expr));
        walk_expr(self, expr);
    }
}

/// Everything in a body, and in functions inside of it down to so many levels.
pub(crate) fn scan<'p>(body: &'p [Stmt], inner: usize, look: &mut dyn FnMut(Thing<'p>)) {
    Scan { look, inner }.visit_body(body);
}

/// Every expression in one.
pub(crate) fn scan_expr<'p>(expr: &'p Expr, look: &mut dyn FnMut(&'p Expr)) {
    let mut each = |thing| {
        if let Thing::Expr(expr) = thing {
            look(expr);
        }
    };
    Scan { look: &mut each, inner: 0 }.visit_expr(expr);
}

/// All calls in a body.
pub(crate) fn calls_in(body: &[Stmt], inner: usize) -> Vec<&ExprCall> {
    let mut calls = Vec::new();
    scan(body, inner, &mut |thing| {
        if let Thing::Expr(Expr::Call(call)) = thing {
            calls.push(call);
        }
    });
    calls
}

/// Every name in an expression, attributes by their last word.
pub(crate) fn names_in(expr: &Expr) -> Vec<&str> {
    struct Names<'p>(Vec<&'p str>);
    impl<'p> Visitor<'p> for Names<'p> {
        fn visit_expr(&mut self, expr: &'p Expr) {
            match expr {
                Expr::Name(name) => self.0.push(name.id.as_str()),
                Expr::Attribute(attribute) => self.0.push(attribute.attr.as_str()),
                _ => {}
            }
            walk_expr(self, expr);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_expr(expr);
    names.0
}

pub(crate) fn mentions(expr: &Expr, wanted: &[&str]) -> bool {
    names_in(expr).iter().any(|name| wanted.contains(name))
}

/// What a call is of, its last word.
pub(crate) fn method_of(call: &ExprCall) -> &str {
    match &*call.func {
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => "",
    }
}

/// The names that an assignment gives a value to, those of a tuple each.
pub(crate) fn targets(target: &Expr) -> Vec<&str> {
    match target {
        Expr::Name(name) => vec![name.id.as_str()],
        Expr::Attribute(attribute) => vec![attribute.attr.as_str()],
        Expr::Tuple(tuple) => tuple.elts.iter().flat_map(targets).collect(),
        Expr::List(list) => list.elts.iter().flat_map(targets).collect(),
        Expr::Starred(star) => targets(&star.value),
        _ => Vec::new(),
    }
}

/// Assignments of a body: the names, and what they are given.
pub(crate) fn assigned(body: &[Stmt], inner: usize) -> Vec<(Vec<&str>, &Expr)> {
    let mut out: Vec<(Vec<&str>, &Expr)> = Vec::new();
    scan(body, inner, &mut |thing| match thing {
        Thing::Stmt(Stmt::Assign(assign)) => {
            out.push((assign.targets.iter().flat_map(targets).collect(), &assign.value));
        }
        Thing::Stmt(Stmt::AnnAssign(assign)) => {
            out.extend(assign.value.as_ref().map(|value| (targets(&assign.target), &**value)));
        }
        Thing::Stmt(Stmt::With(with)) => {
            for item in &with.items {
                let target = item.optional_vars.as_ref();
                out.extend(target.map(|target| (targets(target), &item.context_expr)));
            }
        }
        Thing::Expr(Expr::Named(named)) => out.push((targets(&named.target), &named.value)),
        _ => {}
    });
    out
}

/// Whether a name is made of such a word: `verify_token` of `token`, `tokens` not.
pub(crate) fn has_word(name: &str, words: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    name.split(['_', '-', '.']).any(|part| words.contains(&part))
        || words.iter().any(|word| word.contains('_') && name.contains(word))
}

/// The last word of what a method is called on; empty for a function.
pub(crate) fn receiver_of(call: &ExprCall) -> String {
    match &*call.func {
        Expr::Attribute(attribute) => word_of(&attribute.value),
        _ => String::new(),
    }
}
