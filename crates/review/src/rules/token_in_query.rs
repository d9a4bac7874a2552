//! Keys in addresses.

use crate::python::{Bind, Bound, CallSite, HOLE, TextSite, literal, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "token-in-query",
    area: Area::Authentication,
    title: "a key is sent in the address",
    why: "Addresses stand in logs of proxies and servers, in histories and in `Referer` headers.",
    mend: "send it in a header",
    file: "client.py",
    bad: "import requests\n\n\ndef ask(key):\n    return requests.get(f\"https://api.example.com/v1?api_key={key}\", timeout=10)\n",
    good: "import requests\n\n\ndef ask(key):\n    return requests.get(\"https://api.example.com/v1\", headers={\"x-api-key\": key}, timeout=10)\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: Some("clearance"),
    looks: &[Look::Text(text), Look::Call(call), Look::Bind(bind)],
};

const KEYS: &[&str] = &[
    "api_key",
    "apikey",
    "api-key",
    "access_token",
    "auth_token",
    "access_key",
    "appid",
    "app_key",
    "secret",
    "client_secret",
];

fn text(site: &TextSite<'_>) -> Option<Hit> {
    let given = site.text.match_indices(['?', '&']).filter_map(|(at, _)| site.text.get(at + 1..));
    let mut keys = given.filter_map(|rest| {
        let (key, value) = rest.split_once('=')?;
        let named = KEYS.contains(&key) || key == "token";
        (named && value.starts_with([HOLE, '{'])).then_some(key)
    });
    keys.next().map(|key| Hit::high(site.span, format!("`{key}` is sent in the address")))
}

fn is_key(item: &Expr) -> Option<&str> {
    literal(item).filter(|name| KEYS.contains(&name.to_ascii_lowercase().as_str()))
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let asks = ["get", "post", "put", "delete", "request", "patch", "stream"].contains(&site.method());
    let Some(Expr::Dict(params)) = site.named("params").filter(|_| asks) else { return None };
    let item = params.items.iter().find(|item| item.key.as_ref().is_some_and(|key| is_key(key).is_some()))?;
    Some(Hit::high(span(item.value.range()), "a key is sent in the address"))
}

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let Bound::Expr(Expr::Dict(params)) = bind.value else { return None };
    let query =
        ["params", "query_params", "querystring", "query"].contains(&bind.name) && bind.callee.is_empty();
    let item = params.items.iter().find(|item| item.key.as_ref().is_some_and(|key| is_key(key).is_some()))?;
    let fixed = matches!(item.value, Expr::StringLiteral(_) | Expr::NoneLiteral(_));
    (query && !fixed)
        .then(|| Hit::low(span(item.value.range()), "a key is put among the parameters of an address"))
}
