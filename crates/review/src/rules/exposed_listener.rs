//! Servers for everybody on the network.

use crate::python::{Bind, last};
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "exposed-listener",
    area: Area::Authentication,
    title: "a server listens for the whole network",
    why: "What was meant for this machine can be called by every other, and a page in a browser can reach it.",
    mend: "listen on `127.0.0.1`, and put a gateway with TLS and authentication in front",
    file: "main.py",
    bad: "import uvicorn\n\nuvicorn.run(app, host=\"0.0.0.0\", port=8000)\n",
    good: "import uvicorn\n\nuvicorn.run(app, host=\"127.0.0.1\", port=8000)\n",
    owasp: &["LLM03", "ASI03", "MCP07"],
    refusal: None,
    looks: &[Look::Bind(bind)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    if bind.name == "share" && bind.is_true() && (bind.default || last(bind.callee) == "launch") {
        return Some(Hit::high(bind.span, "this is served to whoever has the link, from anywhere"));
    }
    let host = ["host", "bind", "listen", "server_host", "bind_host"].contains(&bind.name);
    let all = matches!(bind.text(), Some("0.0.0.0" | "::"));
    let runs =
        ["run", "FastMCP", "serve", "launch", "start_server", "create_server"].contains(&last(bind.callee));
    let certain = runs || bind.default;
    (host && all && certain).then(|| Hit::medium(bind.span, "this listens on every address of the machine"))
}
