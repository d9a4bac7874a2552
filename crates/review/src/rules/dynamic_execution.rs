//! Code that is made of text.

use crate::flow::Sink;
use crate::python::{CallSite, literal, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "dynamic-execution",
    area: Area::Execution,
    title: "text is run as code",
    why: "Whoever writes the text runs code with all the rights of the process. No list of forbidden words keeps Python in.",
    mend: "run it in an interpreter behind walls, or do without: a table of functions, a parser of expressions",
    file: "tool.py",
    bad: "from langchain_core.tools import tool\n\n\n@tool\ndef calculate(expression: str) -> str:\n    return str(eval(expression))\n",
    good: "import ast\n\nfrom langchain_core.tools import tool\n\n\n@tool\ndef calculate(expression: str) -> str:\n    return str(ast.literal_eval(expression))\n",
    owasp: &["LLM10", "ASI05", "MCP05"],
    refusal: Some("no-grant"),
    looks: &[Look::Flow(Sink::Code), Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let first = site.call.arguments.args.first()?;
    let runs = site.is(&["eval", "exec", "compile", "builtins.eval", "builtins.exec"]);
    // With flags, it may only parse.
    let parses = site.call.arguments.len() > 3;
    (runs && !parses && literal(first).is_none())
        .then(|| Hit::medium(span(first.range()), format!("`{}` runs a text as code", site.method())))
}
