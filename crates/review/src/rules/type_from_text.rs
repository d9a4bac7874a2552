//! Code that is loaded by a name from outside.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "type-from-text",
    area: Area::Serialization,
    title: "text chooses which module is loaded",
    why: "Loading a module runs it, and a class that any text may name is made with whatever arguments the text gives.",
    mend: "let text choose among names of a table",
    file: "app.py",
    bad: "import importlib\n\nfrom flask import request\n\n\ndef load():\n    return importlib.import_module(request.args[\"module\"])\n",
    good: "from flask import request\n\nfrom nodes import Http, Sql\n\nKINDS = {\"http\": Http, \"sql\": Sql}\n\n\ndef load():\n    return KINDS[request.args[\"kind\"]]\n",
    owasp: &["LLM04", "ASI05", "MCP05"],
    refusal: None,
    looks: &[Look::Flow(Sink::Import)],
};
