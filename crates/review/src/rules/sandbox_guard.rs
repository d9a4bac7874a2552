//! Guards of RestrictedPython and its like that are none.

use crate::python::{Bind, Bound};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "sandbox-guard",
    area: Area::Execution,
    title: "a guard of a sandbox is the function that it should guard",
    why: "With the plain `getattr`, `setattr`, `type` or `vars` in its hands, sandboxed code reaches `__subclasses__` and everything else.",
    mend: "use `safer_getattr`, `full_write_guard` and `guarded_iter_unpack_sequence`; better, an interpreter behind walls",
    file: "sandbox.py",
    bad: "GLOBALS = {\"_getattr_\": getattr, \"_getitem_\": lambda value, key: value[key]}\n",
    good: "from RestrictedPython.Guards import safer_getattr\n\nGLOBALS = {\"_getattr_\": safer_getattr}\n",
    owasp: &["LLM10", "ASI05", "MCP05"],
    refusal: Some("no-grant"),
    looks: &[Look::Bind(bind)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    const GUARDS: &[&str] = &[
        "_getattr_",
        "_setattr_",
        "_write_",
        "getattr",
        "setattr",
        "delattr",
        "type",
        "vars",
        "open",
        "__import__",
        "eval",
        "exec",
    ];
    let Bound::Expr(Expr::Name(given)) = bind.value else { return None };
    let plain =
        ["getattr", "setattr", "delattr", "vars", "type", "__import__", "eval", "exec", "open", "object"];
    let map = bind.callee.is_empty()
        && !bind.default
        && bind
            .file
            .text()
            .get(..bind.span.start)
            .is_some_and(|before| before.trim_end().ends_with(':') || before.trim_end().ends_with("] ="));
    if !GUARDS.contains(&bind.name) || !map || !plain.contains(&given.id.as_str()) {
        return None;
    }
    let runs = ["sandbox", "interpreter", "executor", "restricted"];
    let path = bind.file.path().to_ascii_lowercase();
    let own = bind.name.starts_with('_')
        || runs.iter().any(|word| path.contains(word))
        || bind.file.text().contains("safe_builtins")
        || bind.file.text().contains("RestrictedPython");
    own.then(|| {
        Hit::high(bind.span, format!("sandboxed code gets the plain `{}` as `{}`", given.id, bind.name))
    })
}
