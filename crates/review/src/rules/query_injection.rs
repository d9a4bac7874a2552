//! SQL that is put together.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "query-injection",
    area: Area::Validation,
    title: "a statement of SQL is put together from data",
    why: "Data that is read as SQL reads, changes and drops what it likes. Names of tables and columns are data, too, where somebody else chooses them.",
    mend: "give values as parameters; hold names against a fixed list or quote them with the driver's own `Identifier`",
    file: "tool.py",
    bad: "from agents import function_tool\n\n\n@function_tool\ndef find(name: str) -> list:\n    cursor = connection.cursor()\n    cursor.execute(f\"SELECT * FROM users WHERE name = '{name}'\")\n    return cursor.fetchall()\n",
    good: "from agents import function_tool\n\n\n@function_tool\ndef find(name: str) -> list:\n    cursor = connection.cursor()\n    cursor.execute(\"SELECT * FROM users WHERE name = %s\", (name,))\n    return cursor.fetchall()\n",
    owasp: &["LLM10", "ASI02", "MCP05"],
    refusal: Some("untrusted-argument"),
    looks: &[Look::Flow(Sink::Sql), Look::Flow(Sink::Filter)],
};
