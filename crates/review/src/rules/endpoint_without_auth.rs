//! Doors that anybody may use.

use crate::flow::is_route;
use crate::python::{
    CallSite, FunctionSite, Index, Place, asks, calls_in, literal, mentions, method_of, names_in,
    receiver_of, span,
};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, ExprCall, StmtFunctionDef};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "endpoint-without-auth",
    area: Area::Authentication,
    title: "an endpoint runs an agent for anybody",
    why: "Each call costs money and acts with the rights of the service. Without a check of who asks, anybody on the network has both.",
    mend: "ask who is calling: a dependency of the route or the router, or a gateway such as `ringmail serve` in front",
    file: "app.py",
    bad: "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post(\"/run\")\ndef run(question: str):\n    return agent.run(question)\n",
    good: "from fastapi import Depends, FastAPI\n\napp = FastAPI()\n\n\n@app.post(\"/run\")\ndef run(question: str, user=Depends(who)):\n    return agent.run(question)\n",
    owasp: &["LLM03", "ASI03", "MCP07"],
    refusal: Some("policy-silent"),
    looks: &[Look::Function(function), Look::Call(call)],
};

const PUBLIC: &[&str] = &[
    "health",
    "ready",
    "live",
    "ping",
    "status",
    "docs",
    "openapi",
    "metrics",
    "login",
    "token",
    "favicon",
    "static",
    "version",
    "callback",
    "oauth",
    ".well-known",
    "register",
    "signup",
];
/// Methods that set something going, on what is called so.
const RUNS: &[&str] = &[
    "run",
    "arun",
    "invoke",
    "ainvoke",
    "execute",
    "kickoff",
    "kickoff_async",
    "chat",
    "achat",
    "stream",
    "astream",
    "run_sync",
    "run_async",
    "run_stream",
    "predict",
    "apredict",
    "generate",
    "agenerate",
    "complete",
    "acomplete",
    "query",
    "aquery",
    "process",
    "start",
    "call",
    "iter",
    "batch",
];
const AGENTS: &[&str] = &[
    "agent",
    "workflow",
    "chain",
    "crew",
    "graph",
    "llm",
    "model",
    "flow",
    "pipeline",
    "runner",
    "bot",
    "assistant",
    "team",
    "swarm",
    "orchestrator",
    "query_engine",
    "chat_engine",
    "rag",
    "copilot",
    "runtime",
];
/// A door hands on what it runs through no more functions than this.
const CALLS_MAX: usize = 3;

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let route = site.def.decorator_list.iter().find(|one| is_route(one))?;
    let Expr::Call(door) = &route.expression else { return None };
    let Expr::Attribute(method) = &*door.func else { return None };
    let path = door.arguments.find_argument_value("path", 0).and_then(literal).unwrap_or_default();
    judge(site.place, site.def, path, Some(&method.value), span(site.def.name.range()))
}

/// Doors that are named elsewhere: `app.add_api_route("/run", run)`, `Route("/run", run)`.
fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    const NAMES: &[&str] = &[
        "add_api_route",
        "add_route",
        "add_post",
        "add_get",
        "add_url_rule",
        "Route",
        "WebSocketRoute",
        "add_api_websocket_route",
    ];
    let path =
        site.call.arguments.args.first().filter(|_| NAMES.contains(&site.method())).and_then(literal)?;
    let index = site.place.index;
    let all =
        site.call.arguments.args.iter().chain(site.call.arguments.keywords.iter().map(|one| &one.value));
    let named = all.filter_map(|one| site.place.program.names.resolve(one));
    let func = named.filter_map(|name| index.func_named(&name)).next()?;
    let def = index.funcs.get(func)?.def;
    let asked = site
        .call
        .arguments
        .keywords
        .iter()
        .any(|one| names_in(&one.value).iter().any(|name| crate::look::is_auth(name)));
    if asked { None } else { judge(site.place, def, path, site.receiver(), site.span()) }
}

fn judge(
    place: Place<'_, '_>,
    def: &StmtFunctionDef,
    path: &str,
    on: Option<&Expr>,
    at: ringmail_core::doc::Span,
) -> Option<Hit> {
    let index = place.index;
    let lower = path.to_ascii_lowercase();
    if PUBLIC.iter().any(|word| lower.contains(word)) || asks(index, def) {
        return None;
    }
    let func = index.func_of(def).and_then(|at| index.funcs.get(at))?;
    let program = index.programs.get(func.program)?;
    let here = index.programs.iter().position(|one| std::ptr::eq(one, place.program)).unwrap_or(func.program);
    let asked = on.is_some_and(|on| index.doors().ask(here, &place.program.names, on));
    (!asked && runs(index, &program.names, def, 0))
        .then(|| Hit::medium(at, format!("`{path}` runs for anybody who asks")))
}

/// Whether a function sets an agent going, itself or by what it calls.
fn runs(index: &Index<'_>, names: &crate::python::Names, def: &StmtFunctionDef, calls: usize) -> bool {
    let called = calls_in(&def.body, 1);
    if called.iter().any(|call| starts(call)) {
        return true;
    }
    calls < CALLS_MAX
        && called
            .iter()
            .filter_map(|call| names.resolve(&call.func))
            .filter_map(|name| index.func_named(&name))
            .take(8)
            .any(|func| {
                let Some(func) = index.funcs.get(func) else { return false };
                index
                    .programs
                    .get(func.program)
                    .is_some_and(|program| runs(index, &program.names, func.def, calls + 1))
            })
}

fn starts(call: &ExprCall) -> bool {
    let method = method_of(call);
    let on = receiver_of(call);
    let agent = |name: &str| {
        let name = name.to_ascii_lowercase();
        AGENTS.iter().any(|word| {
            name == *word || name.ends_with(&format!("_{word}")) || name.starts_with(&format!("{word}_"))
        }) || name.ends_with("agent")
            || name.ends_with("workflow")
    };
    let asked = method == "create" && mentions(&call.func, &["completions", "responses", "messages"]);
    let handed =
        || call.arguments.args.iter().any(|one| matches!(one, Expr::Name(name) if agent(name.id.as_str())));
    let run = RUNS.contains(&method) && !on.is_empty() && (agent(&on) || handed());
    let named = on.is_empty()
        && ["run_", "invoke_", "execute_"].iter().any(|word| method.starts_with(word))
        && agent(method.split_once('_').map_or("", |(_, rest)| rest));
    asked || method == "kickoff" || run || named
}
