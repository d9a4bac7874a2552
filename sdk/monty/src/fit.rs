//! Whether a program means the same to Monty as to CPython. Most that Monty does not know it refuses by itself; what it
//! would run differently is found here.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_python_parser::parse_module;

/// Functions that use up what they are given, so that it is the same whether it was made at once or bit by bit.
const EAGER: &[&str] = &["dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"];
/// Names that only the runner of CPython gives, or that look into the interpreter.
const ELSEWHERE: &[&str] = &[
    "ToolError",
    "ToolRefused",
    "__builtins__",
    "__name__",
    "dir",
    "eval",
    "exec",
    "globals",
    "hash",
    "help",
    "id",
    "locals",
    "vars",
];

/// Functions that call another one when their next value is wanted, and a module full of them. Sums of floats are given up on,
/// which must not happen after a tool was called: Monty does not carry what gets lost.
const LAZY: &[&str] = &["filter", "map", "sum"];
const LAZY_MODULE: &str = "itertools";

struct Fit<'t> {
    tools: &'t [String],
    unfit: Option<&'static str>,
    catches: bool,
    lazy: bool,
    names_tool: bool,
}

/// Says why a program is not for Monty.
pub(crate) fn judge(code: &str, tools: &[String]) -> Result<(), String> {
    let parsed = parse_module(code).map_err(|error| error.to_string())?;
    let mut fit = Fit { tools, unfit: None, catches: false, lazy: false, names_tool: false };
    fit.visit_body(parsed.suite());
    if fit.catches && fit.names_tool {
        // A tool that brings nothing raises a class of its own.
        fit.unfit = Some("it may catch what a tool raises");
    }
    if fit.lazy && fit.names_tool {
        fit.unfit = Some("it may call a tool later, or never");
    }
    if code.to_ascii_lowercase().contains("\\ud") {
        fit.unfit = Some("it may write half of a character");
    }
    fit.unfit.map_or(Ok(()), |why| Err(why.into()))
}

impl Fit<'_> {
    fn consumes(&self, function: &Expr) -> bool {
        match function {
            Expr::Name(name) => EAGER.contains(&name.id.as_str()),
            Expr::Attribute(attribute) => attribute.attr.as_str() == "join",
            _ => false,
        }
    }
}

/// What lies in the middle, Monty rounds as it is written and CPython as it is.
fn rounds_to_a_place(call: &ExprCall) -> bool {
    matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "round") && call.arguments.len() > 1
}

fn brings_lazy(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Import(import) => import.names.iter().any(|alias| alias.name.as_str() == LAZY_MODULE),
        Stmt::ImportFrom(import) => {
            import.module.as_ref().is_some_and(|module| module.as_str() == LAZY_MODULE)
        }
        _ => false,
    }
}

impl<'a> Visitor<'a> for Fit<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::ClassDef(_) | Stmt::With(_) => self.unfit = Some("it uses more of the language"),
            _ => {
                self.catches |= matches!(stmt, Stmt::Try(_));
                self.lazy |= brings_lazy(stmt);
                walk_stmt(self, stmt);
            }
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) if rounds_to_a_place(call) => self.unfit = Some("it rounds to a place"),
            Expr::Call(call) if self.consumes(&call.func) => {
                self.visit_expr(&call.func);
                for argument in &call.arguments.args {
                    match argument {
                        Expr::Generator(inner) => {
                            self.visit_expr(&inner.elt);
                            inner.generators.iter().for_each(|part| self.visit_comprehension(part));
                        }
                        other => self.visit_expr(other),
                    }
                }
                call.arguments.keywords.iter().for_each(|keyword| self.visit_keyword(keyword));
            }
            // Monty makes all of it at once.
            Expr::Generator(_) => self.unfit = Some("it makes values bit by bit"),
            Expr::Name(name) if ELSEWHERE.contains(&name.id.as_str()) => {
                self.unfit = Some("it looks at the interpreter");
            }
            Expr::Name(name) => {
                self.lazy |= LAZY.contains(&name.id.as_str());
                self.names_tool |= self.tools.iter().any(|tool| tool == name.id.as_str());
            }
            _ => walk_expr(self, expr),
        }
    }
}
