//! Descriptions of tools that somebody else writes.

use crate::flow::Sink;
use crate::python::{Bind, Bound, literal, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "tool-text-passed-on",
    area: Area::Llm,
    title: "what a server says of its tools goes to the model as it is",
    why: "The description of a tool is read as instructions: a server that changes it gives orders to every agent that lists it.",
    mend: "pin descriptions that somebody read (`ringmail tool`), and refuse those that changed",
    file: "tools.py",
    bad: "from langchain_core.tools import StructuredTool\n\n\nasync def tools(session):\n    listed = await session.list_tools()\n    return [StructuredTool(name=one.name, description=one.description) for one in listed.tools]\n",
    good: "from langchain_core.tools import StructuredTool\n\nPINNED = {\"find\": \"Finds a user by name\"}\n\n\nasync def tools(session):\n    return [StructuredTool(name=name, description=PINNED[name]) for name in PINNED]\n",
    owasp: &["LLM01", "ASI04", "MCP03"],
    refusal: Some("tool-changed"),
    looks: &[Look::Flow(Sink::ToolText), Look::Bind(bind)],
};

/// In a program that speaks with such servers: a description that is read out of something becomes one.
fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let Bound::Expr(value) = bind.value else { return None };
    if bind.default || !bind.name.starts_with("description") {
        return None;
    }
    let path = bind.file.path().to_ascii_lowercase();
    if !["mcp", "plugin"].iter().any(|word| path.contains(word)) {
        return None;
    }
    let theirs = |expr: &Expr| {
        ["tool", "plugin", "schema", "spec", "def", "card", "manifest", "remote"]
            .iter()
            .any(|word| word_of(expr).contains(word))
    };
    let read = match value {
        Expr::Attribute(attribute) => attribute.attr.starts_with("description") && theirs(&attribute.value),
        Expr::Call(call) => {
            let named = call.arguments.args.iter().find_map(literal).is_some_and(|text| text == "description");
            let from = match &*call.func {
                Expr::Attribute(method) if method.attr.as_str() == "get" => Some(&*method.value),
                Expr::Name(name) if name.id.as_str() == "getattr" => call.arguments.args.first(),
                _ => None,
            };
            named && from.is_some_and(theirs)
        }
        Expr::BoolOp(both) => both.values.first().is_some_and(
            |first| matches!(first, Expr::Attribute(attribute) if attribute.attr.as_str() == "description" && theirs(&attribute.value)),
        ),
        _ => false,
    };
    read.then(|| Hit::medium(bind.span, "the model reads what a server says of its tools"))
}
