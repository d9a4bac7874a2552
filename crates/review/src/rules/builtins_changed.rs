//! What every program stands on, changed or handed to code that should not have it.

use crate::file::{Format, Looked};
use crate::python::{Bind, Bound};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Span;
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "builtins-changed",
    area: Area::Execution,
    title: "`__builtins__` is changed or handed on",
    why: "Code that has the builtins has `open`, `eval` and `__import__`; a builtin that is replaced changes every module.",
    mend: "give code a map of its own with the few functions that it needs, and change no builtin",
    file: "sandbox.py",
    bad: "def run(code):\n    scope = {\"__builtins__\": __builtins__}\n    return scope\n",
    good: "def run(code):\n    scope = {\"__builtins__\": {\"len\": len}}\n    return scope\n",
    owasp: &["LLM10", "ASI05", "MCP05"],
    refusal: Some("no-grant"),
    looks: &[Look::Bind(bind), Look::File(file)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let whole = match bind.value {
        Bound::Expr(Expr::Name(name)) => ["__builtins__", "builtins"].contains(&name.id.as_str()),
        Bound::Expr(Expr::Attribute(name)) => name.attr.as_str() == "__dict__",
        _ => false,
    };
    (bind.name == "__builtins__" && whole).then(|| Hit::high(bind.span, "code is given all builtins"))
}

fn file(file: &Looked) -> Vec<Hit> {
    let mut hits = Vec::new();
    if file.format != Format::Python {
        return hits;
    }
    for at in memchr::memmem::find_iter(file.text().as_bytes(), "__builtins__[") {
        let line = file.lines.text(file.text(), file.lines.line(at));
        let assigned = line.split_once("__builtins__[").and_then(|(_, rest)| rest.split_once(']'));
        if assigned.is_some_and(|(_, rest)| {
            rest.trim_start().starts_with('=') && !rest.trim_start().starts_with("==")
        }) && !line.trim_start().starts_with('#')
        {
            hits.push(Hit::high(Span { start: at, end: at + 12 }, "a builtin is replaced"));
        }
    }
    hits
}
