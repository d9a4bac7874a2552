//! Keys in addresses.

use crate::flow::is_secret_name;
use crate::python::{CallSite, FunctionSite, HOLE, TextSite, Thing, literal, scan, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{DictItem, Expr, Stmt};
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
    looks: &[Look::Text(text), Look::Call(call), Look::Function(function)],
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

/// A key by what the parameter is called, or by what it is given.
fn is_told(item: &DictItem) -> bool {
    let named = item.key.as_ref().is_some_and(|key| is_key(key).is_some());
    let fixed = matches!(item.value, Expr::StringLiteral(_) | Expr::NoneLiteral(_));
    let counts = item.key.as_ref().and_then(literal).is_some();
    counts && !fixed && (named || holds_key(&item.value))
}

fn holds_key(value: &Expr) -> bool {
    matches!(value, Expr::Name(_) | Expr::Attribute(_)) && is_secret_name(&word_of(value))
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let asks = ["get", "post", "put", "delete", "request", "patch", "stream"].contains(&site.method());
    let Some(Expr::Dict(params)) = site.named("params").filter(|_| asks) else { return None };
    let item = params
        .items
        .iter()
        .find(|item| item.key.as_ref().is_some_and(|key| is_key(key).is_some()) || is_told(item))?;
    Some(Hit::high(span(item.value.range()), "a key is sent in the address"))
}

/// Parameters that have a name before they are sent.
fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let mut put: Vec<(&str, &Expr)> = Vec::new();
    let mut sent: Vec<&str> = Vec::new();
    scan(&site.def.body, 0, &mut |thing| match thing {
        Thing::Stmt(Stmt::Assign(assign)) => match (assign.targets.as_slice(), &*assign.value) {
            ([Expr::Name(name)], Expr::Dict(dict)) => {
                put.extend(
                    dict.items.iter().find(|item| is_told(item)).map(|item| (name.id.as_str(), &item.value)),
                );
            }
            ([Expr::Subscript(place)], value) => {
                if let Expr::Name(name) = &*place.value
                    && (is_key(&place.slice).is_some() || holds_key(value))
                    && !matches!(value, Expr::StringLiteral(_) | Expr::NoneLiteral(_))
                {
                    put.push((name.id.as_str(), value));
                }
            }
            _ => {}
        },
        Thing::Stmt(Stmt::AnnAssign(assign)) => {
            if let (Expr::Name(name), Some(Expr::Dict(dict))) = (&*assign.target, assign.value.as_deref()) {
                put.extend(
                    dict.items.iter().find(|item| is_told(item)).map(|item| (name.id.as_str(), &item.value)),
                );
            }
        }
        Thing::Expr(Expr::Call(call)) => {
            let params = call.arguments.find_keyword("params").map(|keyword| &keyword.value);
            if let Some(Expr::Name(name)) = params {
                sent.push(name.id.as_str());
            }
        }
        _ => {}
    });
    let (_, at) = put.into_iter().find(|(name, _)| sent.contains(name))?;
    Some(Hit::high(span(at.range()), "a key is sent in the address"))
}
