//! Descriptions of tools that somebody else writes.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

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
    looks: &[Look::Flow(Sink::ToolText)],
};
