//! Path expressions that callers write.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "jsonpath-from-input",
    area: Area::Validation,
    title: "a caller writes the path expression",
    why: "`$..*` reads everything in the document, other people's parts and secrets too, and some readers run filters as code.",
    mend: "keep expressions in the workflow, and let callers choose among names",
    file: "app.py",
    bad: "from flask import request\nfrom jsonpath_ng import parse\n\n\ndef pick(document):\n    return parse(request.args[\"path\"]).find(document)\n",
    good: "from jsonpath_ng import parse\n\n\ndef pick(document):\n    return parse(\"$.order.id\").find(document)\n",
    owasp: &["LLM10", "ASI02", "MCP10"],
    refusal: Some("untrusted-argument"),
    looks: &[Look::Flow(Sink::JsonPath)],
};
