//! Orders to a model, written by somebody else.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "prompt-from-input",
    area: Area::Validation,
    title: "data becomes part of the instructions of a model",
    why: "A model cannot tell instructions from data that stands among them: whoever writes the data gives the orders.",
    mend: "keep instructions fixed, and give data as a message of the user, marked as data",
    file: "app.py",
    bad: "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post(\"/chat\")\ndef chat(style: str, question: str, user=Depends(who)):\n    messages = [\n        {\"role\": \"system\", \"content\": f\"You answer in the style of {style}.\"},\n        {\"role\": \"user\", \"content\": question},\n    ]\n    return ask(messages)\n",
    good: "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post(\"/chat\")\ndef chat(question: str, user=Depends(who)):\n    messages = [\n        {\"role\": \"system\", \"content\": \"You answer politely.\"},\n        {\"role\": \"user\", \"content\": question},\n    ]\n    return ask(messages)\n",
    owasp: &["LLM01", "ASI01", "MCP06"],
    refusal: Some("untrusted-argument"),
    looks: &[Look::Flow(Sink::SystemPrompt)],
};
