//! Ids that are made once for everybody.

use crate::python::{Bind, Bound, CallSite, method_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "shared-identity",
    area: Area::VectorStores,
    title: "an id that should be new each time is made once",
    why: "A default is worked out when the file is loaded: every conversation, session or user of the process has the same id, and reads what the others said.",
    mend: "make it where an object is made: `default_factory=lambda: uuid4().hex`",
    file: "memory.py",
    bad: "from uuid import uuid4\n\n\nclass Memory:\n    def __init__(self, conversation_id: str = uuid4().hex):\n        self.conversation_id = conversation_id\n",
    good: "from uuid import uuid4\n\n\nclass Memory:\n    def __init__(self, conversation_id: str | None = None):\n        self.conversation_id = conversation_id or uuid4().hex\n",
    owasp: &["LLM09", "ASI03", "MCP10"],
    refusal: Some("foreign-tenant"),
    looks: &[Look::Bind(bind), Look::Call(call)],
};

const RANDOM: &[&str] = &["uuid1", "uuid4", "uuid7", "token_hex", "token_urlsafe", "ulid"];

/// `uuid4()`, `str(uuid4())` and `uuid4().hex`.
fn is_random(expr: &Expr) -> bool {
    match expr {
        Expr::Attribute(attribute) => is_random(&attribute.value),
        Expr::Call(call) => {
            RANDOM.contains(&method_of(call))
                || method_of(call) == "str" && call.arguments.args.first().is_some_and(is_random)
        }
        Expr::FString(text) => text.value.elements().any(|element| match element {
            ruff_python_ast::InterpolatedStringElement::Interpolation(inner) => is_random(&inner.expression),
            ruff_python_ast::InterpolatedStringElement::Literal(_) => false,
        }),
        _ => false,
    }
}

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let Bound::Expr(value) = bind.value else { return None };
    let id = bind.name == "id" || bind.name.ends_with("_id") || bind.name == "uuid" || bind.name == "session";
    (bind.default && id && is_random(value))
        .then(|| Hit::high(bind.span, format!("`{}` is made once, when the file is loaded", bind.name)))
}

/// A field that is declared with a value instead of a way to make one.
fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let field = ["field", "Field", "ib", "attrib", "mapped_column"].contains(&site.method());
    let value = site.named("default").filter(|value| field && is_random(value))?;
    let span = crate::python::span(ruff_text_size::Ranged::range(value));
    (site.place.func.is_none()).then(|| Hit::high(span, "this is made once, when the file is loaded"))
}
