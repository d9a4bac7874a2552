//! Templates that somebody else writes.

use crate::flow::Sink;
use crate::python::{CallSite, folded, literal};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "template-injection",
    area: Area::Validation,
    title: "data becomes the text of a template",
    why: "Templates of Jinja and Mako are programs: one that somebody else writes reads attributes up to the operating system.",
    mend: "keep templates fixed and give data as values; where a user must write one, use `SandboxedEnvironment`",
    file: "app.py",
    bad: "from flask import Flask, request\nfrom jinja2 import Template\n\n\ndef greet():\n    return Template(request.args[\"greeting\"]).render(name=\"Ada\")\n",
    good: "from flask import Flask, request\nfrom jinja2 import Template\n\n\ndef greet():\n    return Template(\"Hello {{ name }}\").render(name=request.args[\"name\"])\n",
    owasp: &["LLM10", "ASI05", "MCP05"],
    refusal: Some("untrusted-argument"),
    looks: &[Look::Flow(Sink::Template), Look::Call(unsandboxed)],
};

/// An environment that texts are rendered in that are no files of the project, and that lets them do what they like.
fn unsandboxed(site: &CallSite<'_, '_>) -> Option<Hit> {
    let text = site.place.program.file.text();
    if site.is(&["jinja2.Environment", "jinja2.NativeEnvironment", "jinja2.nativetypes.NativeEnvironment"]) {
        let renders = text.contains(".from_string(") && !text.contains("SandboxedEnvironment");
        return renders.then(|| {
            Hit::medium(site.span(), "what is rendered in it may read attributes up to the operating system")
        });
    }
    if !site.is(&["jinja2.Template"]) {
        return None;
    }
    let given = site.arg("source", 0)?;
    let constant =
        |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
    let fixed = match given {
        Expr::Name(name) => constant(name.id.as_str()),
        Expr::Attribute(attribute) => constant(attribute.attr.as_str()),
        given => literal(given).is_some() || folded(given).is_some(),
    };
    (!fixed).then(|| Hit::medium(site.span(), "a text that is not fixed is rendered without a sandbox"))
}
