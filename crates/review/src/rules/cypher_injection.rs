//! Cypher that is put together.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "cypher-injection",
    area: Area::Validation,
    title: "a query of a graph is put together from data",
    why: "Labels and properties cannot be parameters in Cypher, so they are often pasted in; a label with a brace in it ends the pattern and begins another query.",
    mend: "give values as parameters, and let labels be no more than letters, digits and `_` (`re.fullmatch`), or one of a fixed list",
    file: "graph.py",
    bad: "def add_label(session, label: str, key: str):\n    session.run(f\"MATCH (n {{id: $key}}) SET n:{label}\", key=key)\n",
    good: "import re\n\n\ndef add_label(session, label: str, key: str):\n    if not re.fullmatch(r\"[A-Za-z_][A-Za-z0-9_]*\", label):\n        raise ValueError(\"not a label\")\n    session.run(f\"MATCH (n {{id: $key}}) SET n:{label}\", key=key)\n",
    owasp: &["LLM10", "ASI02", "MCP05"],
    refusal: Some("untrusted-argument"),
    looks: &[Look::Flow(Sink::Cypher)],
};
