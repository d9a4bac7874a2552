//! Servers that show their insides.

use crate::python::{Bind, last};
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "debug-server",
    area: Area::Network,
    title: "a server runs in debug mode",
    why: "The debugger of Flask runs code for whoever reaches the page of an error; tracebacks tell the rest.",
    mend: "turn it on by the environment, on a developer's machine only",
    file: "main.py",
    bad: "from flask import Flask\n\napp = Flask(__name__)\napp.run(debug=True)\n",
    good: "from flask import Flask\n\napp = Flask(__name__)\napp.run()\n",
    owasp: &["LLM02", "ASI05", "MCP10"],
    refusal: None,
    looks: &[Look::Bind(bind)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let server = ["run", "launch", "Flask", "FastAPI", "Starlette", "Quart"].contains(&last(bind.callee))
        && bind.callee.contains(['.', 'F', 'S', 'Q']);
    (bind.name == "debug" && bind.is_true() && server)
        .then(|| Hit::high(bind.span, "this server shows its insides").edit(bind.span, "False"))
}
