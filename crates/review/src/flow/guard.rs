//! What a condition says of the values in it: that they are in a list, match a pattern, lie below a folder.

use super::eval::Key;
use super::tables::{CLEANER_WORDS, Sink};
use super::value::Sinks;
use crate::python::word_of;
use ruff_python_ast::{CmpOp, Expr};

const NAMED: Sinks = Sinks(
    Sinks::of(Sink::Sql).0
        | Sinks::of(Sink::Cypher).0
        | Sinks::of(Sink::Path).0
        | Sinks::of(Sink::Shell).0
        | Sinks::of(Sink::Import).0
        | Sinks::of(Sink::JsonPath).0
        | Sinks::of(Sink::Template).0,
);
const DEPTH_MAX: usize = 8;

/// The values that a condition checks, and for which sinks.
pub(super) fn guards<'a>(test: &'a Expr) -> Vec<(Key<'a>, Sinks)> {
    let mut out = Vec::new();
    look(test, &mut out, 0);
    out
}

fn look<'a>(test: &'a Expr, out: &mut Vec<(Key<'a>, Sinks)>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match test {
        Expr::BoolOp(both) => both.values.iter().for_each(|one| look(one, out, depth + 1)),
        Expr::UnaryOp(not) => look(&not.operand, out, depth + 1),
        Expr::Named(named) => look(&named.value, out, depth + 1),
        Expr::Await(wait) => look(&wait.value, out, depth + 1),
        Expr::Compare(compare) => {
            let ([op], [right]) = (&*compare.ops, &*compare.comparators) else { return };
            let listed = matches!(op, CmpOp::In | CmpOp::NotIn);
            match (listed, &*compare.left, right) {
                (true, Expr::StringLiteral(_), right) => mark(right, Sinks::of(Sink::Path), out, 0),
                (true, _, Expr::StringLiteral(_)) => {}
                (true, left, _) => mark(left, Sinks::ALL, out, 0),
                (false, Expr::Call(_), _) => look(&compare.left, out, depth + 1),
                (false, left, Expr::StringLiteral(_)) if matches!(op, CmpOp::Eq | CmpOp::NotEq) => {
                    mark(left, NAMED, out, 0);
                }
                _ => {}
            }
        }
        Expr::Call(call) => {
            let method = match &*call.func {
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                Expr::Name(name) => name.id.as_str(),
                _ => return,
            };
            let receiver = match &*call.func {
                Expr::Attribute(attribute) => Some(&*attribute.value),
                _ => None,
            };
            match method {
                "match" | "fullmatch" | "search" => {
                    call.arguments.args.iter().for_each(|arg| mark(arg, NAMED, out, 0));
                }
                "isidentifier" | "isalnum" | "isdigit" | "isdecimal" | "isnumeric" | "isalpha" => {
                    receiver.into_iter().for_each(|one| mark(one, Sinks::ALL, out, 0));
                }
                "is_relative_to" | "relative_to" | "startswith" => {
                    let fixed = matches!(call.arguments.args.first(), Some(Expr::StringLiteral(_)));
                    if !fixed {
                        receiver.into_iter().for_each(|one| mark(one, Sinks::of(Sink::Path), out, 0));
                    }
                }
                "commonpath" | "commonprefix" => {
                    call.arguments.args.iter().for_each(|arg| mark(arg, Sinks::of(Sink::Path), out, 0));
                }
                "any" | "all" => call.arguments.args.iter().for_each(|arg| mark(arg, NAMED, out, 0)),
                name => {
                    let sinks = cleans(name);
                    if sinks != Sinks::default() {
                        call.arguments.args.iter().for_each(|arg| mark(arg, sinks, out, 0));
                    }
                }
            }
        }
        _ => {}
    }
}

/// Whether a condition asks if somebody opted in to what is dangerous.
pub(super) fn opts_in(test: &Expr) -> bool {
    match test {
        Expr::UnaryOp(not) => opts_in(&not.operand),
        Expr::BoolOp(both) => both.values.iter().any(opts_in),
        Expr::Name(_) | Expr::Attribute(_) => is_opt_in(&word_of(test)),
        Expr::Call(call) => call.arguments.args.iter().any(opts_in),
        _ => false,
    }
}

/// Names of switches that are off until somebody turns them on.
pub(crate) fn is_opt_in(name: &str) -> bool {
    ["allow_dangerous", "allow_pickle", "allow_unsafe", "allow_deserial"]
        .iter()
        .any(|word| name.contains(word))
}

/// What a function of this name makes safe, or says to be.
pub(super) fn cleans(name: &str) -> Sinks {
    let name = name.to_ascii_lowercase();
    let mut sinks = Sinks::default();
    for (words, of) in CLEANER_WORDS {
        if words.iter().any(|word| name.contains(word)) {
            sinks = of.iter().fold(sinks, |sinks, sink| sinks.and(Sinks::of(*sink)));
        }
    }
    sinks
}

/// Every name in an expression.
fn mark<'a>(expr: &'a Expr, sinks: Sinks, out: &mut Vec<(Key<'a>, Sinks)>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    if let Some(key) = Key::of(expr) {
        out.push((key, sinks));
    }
    match expr {
        Expr::Attribute(attribute) => mark(&attribute.value, sinks, out, depth + 1),
        Expr::Subscript(subscript) => mark(&subscript.value, sinks, out, depth + 1),
        Expr::Call(call) => {
            mark(&call.func, sinks, out, depth + 1);
            call.arguments.args.iter().for_each(|arg| mark(arg, sinks, out, depth + 1));
        }
        Expr::Generator(generator) => {
            mark(&generator.elt, sinks, out, depth + 1);
            generator.generators.iter().for_each(|one| mark(&one.iter, sinks, out, depth + 1));
        }
        Expr::Compare(compare) => {
            mark(&compare.left, sinks, out, depth + 1);
            compare.comparators.iter().for_each(|one| mark(one, sinks, out, depth + 1));
        }
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|one| mark(one, sinks, out, depth + 1)),
        Expr::Starred(star) => mark(&star.value, sinks, out, depth + 1),
        _ => {}
    }
}
