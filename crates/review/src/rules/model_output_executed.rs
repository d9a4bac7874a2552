//! What a model says, done without asking.

use crate::flow::{Origin, Sink};
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "model-output-executed",
    area: Area::Llm,
    title: "what a model says is run",
    why: "Whoever writes what a model reads writes what it says. Run as code, as a command or as SQL, that is theirs to do what they like.",
    mend: "hold it against a closed schema and choose among fixed actions; let code run behind walls",
    file: "agent.py",
    bad: "from openai import OpenAI\n\nclient = OpenAI()\n\n\ndef act(question):\n    answer = client.chat.completions.create(model=\"m\", messages=[{\"role\": \"user\", \"content\": question}])\n    exec(answer.choices[0].message.content)\n",
    good: "from openai import OpenAI\n\nclient = OpenAI()\nACTIONS = {\"open\": open_ticket, \"close\": close_ticket}\n\n\ndef act(question):\n    answer = client.chat.completions.create(model=\"m\", messages=[{\"role\": \"user\", \"content\": question}])\n    return ACTIONS[answer.choices[0].message.content]()\n",
    owasp: &["LLM10", "ASI05", "MCP05"],
    refusal: Some("untrusted-argument"),
    looks: &[
        Look::FlowOf(Origin::Model, Sink::Code),
        Look::FlowOf(Origin::Model, Sink::Shell),
        Look::FlowOf(Origin::Model, Sink::Sql),
        Look::FlowOf(Origin::Model, Sink::Cypher),
        Look::FlowOf(Origin::Model, Sink::Template),
        Look::FlowOf(Origin::Model, Sink::Deserializer),
    ],
};
