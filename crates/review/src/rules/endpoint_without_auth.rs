//! Doors that anybody may use.

use crate::flow::is_route;
use crate::python::{FunctionSite, literal, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
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
    owasp: &["LLM06", "ASI03", "MCP07"],
    refusal: Some("policy-silent"),
    looks: &[Look::Function(function)],
};

const ASKS: &[&str] = &[
    "depends(",
    "security(",
    "login_required",
    "authenticate",
    "authorize",
    "api_key",
    "apikey",
    "verify_token",
    "current_user",
    "require_auth",
    "jwt",
    "permission",
    "auth_required",
    "hmac",
    "verify_signature",
    "basic_auth",
    "token_required",
    "check_auth",
    "x-api-key",
    "authorization",
];
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
const RUNS: &[&str] = &[
    ".run(",
    ".arun(",
    ".invoke(",
    ".ainvoke(",
    ".execute(",
    ".kickoff(",
    ".chat(",
    ".stream(",
    ".run_sync(",
    ".astream(",
    ".predict(",
    ".generate(",
    "workflow",
    "agent",
    ".complete(",
    ".run_async(",
];

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let route = site.def.decorator_list.iter().find(|one| is_route(one))?;
    let Expr::Call(door) = &route.expression else { return None };
    let path = door.arguments.find_argument_value("path", 0).and_then(literal).unwrap_or_default();
    let file = &site.place.program.file;
    let at = span(site.def.range());
    let text = file.text().get(at.start..at.end)?.to_ascii_lowercase();
    let runs = RUNS.iter().any(|word| text.contains(word));
    // A router or an application may ask for all of its routes.
    let all = file.text().to_ascii_lowercase();
    let guarded = [
        "dependencies=[",
        "add_middleware(auth",
        "authmiddleware",
        "before_request",
        "httpbearer",
        "authenticationmiddleware",
    ];
    let asked = ASKS.iter().any(|word| text.contains(word)) || guarded.iter().any(|word| all.contains(word));
    let public = PUBLIC.iter().any(|word| path.contains(word));
    (runs && !asked && !public)
        .then(|| Hit::medium(span(site.def.name.range()), format!("`{path}` runs for anybody who asks")))
}
