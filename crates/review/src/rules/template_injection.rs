//! Templates that somebody else writes.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

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
    looks: &[Look::Flow(Sink::Template)],
};
