//! Interpreters that run what a model writes beside everything else.

use crate::python::{Bind, CallSite, last};
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "sandbox-off",
    area: Area::Execution,
    title: "code that a model wrote runs in the process itself",
    why: "A page or a mail that the model reads can have it write code that reads keys and sends them away.",
    mend: "run it in a sandbox of its own: a container, a virtual machine, or a `python` link of Ringmail",
    file: "agent.py",
    bad: "from langchain_experimental.agents import create_csv_agent\n\nagent = create_csv_agent(llm, \"data.csv\", allow_dangerous_code=True)\n",
    good: "from langchain_experimental.agents import create_csv_agent\n\nagent = create_csv_agent(llm, \"data.csv\")\n",
    owasp: &["LLM03", "ASI05", "MCP05"],
    refusal: Some("no-grant"),
    looks: &[Look::Bind(bind), Look::Call(call)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let on = ["allow_dangerous_code", "allow_code_execution", "unsafe_mode", "allow_delegation_to_shell"];
    let off = ["use_docker", "use_sandbox", "sandboxed"];
    let hit = on.contains(&bind.name) && bind.is_true() && !bind.default
        || off.contains(&bind.name) && bind.is_false();
    hit.then(|| Hit::high(bind.span, format!("`{}` lets code run in the process itself", bind.name)))
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let name = last(&site.name);
    let container = ["run", "create"].contains(&name) && site.receiver_word() == "containers";
    let closed = ["network_disabled", "network_mode", "network"].iter().any(|one| site.named(one).is_some());
    if container && !closed && !site.spreads() {
        return Some(Hit::medium(site.span(), "what runs in this container reaches the network"));
    }
    let runs = [
        "PythonREPL",
        "PythonREPLTool",
        "PythonAstREPLTool",
        "LocalPythonExecutor",
        "ShellTool",
        "UnsafeLocalCodeExecutor",
        "LocalCommandLineCodeExecutor",
    ];
    let known = site.name.contains('.') && runs.contains(&name);
    known.then(|| Hit::medium(site.span(), format!("`{name}` runs in the process itself")))
}
