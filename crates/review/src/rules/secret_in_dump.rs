//! Dumps that keep secrets in.

use crate::flow::is_secret_name;
use crate::python::{Bind, CallSite, FunctionSite, Thing, method_of, scan, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, InterpolatedStringElement};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-in-dump",
    area: Area::Credentials,
    title: "an object is dumped with its secrets",
    why: "What `to_dict` gives goes into traces, files and answers; with the secrets in it they go there, too.",
    mend: "dump with `include_secure_params=False`, and leave secrets out by default",
    file: "node.py",
    bad: "def to_dict(self, include_secure_params: bool = True, **kwargs):\n    return self.dump(include_secure_params=include_secure_params, **kwargs)\n",
    good: "def to_dict(self, include_secure_params: bool = False, **kwargs):\n    return self.dump(include_secure_params=include_secure_params, **kwargs)\n",
    owasp: &["LLM02", "ASI03", "MCP10"],
    refusal: Some("clearance"),
    looks: &[Look::Bind(bind), Look::Call(call), Look::Function(function)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let named =
        ["include_secure_params", "include_secrets", "show_secrets", "include_credentials", "with_secrets"]
            .contains(&bind.name);
    (named && bind.is_true())
        .then(|| Hit::high(bind.span, format!("`{}` keeps the secrets in what is dumped", bind.name)))
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let dumps = ["model_dump", "dict", "model_dump_json", "json", "to_dict"].contains(&site.method());
    let word = site.receiver().map(word_of).unwrap_or_default();
    let holds = ["connection", "credentials", "conn_params"].contains(&word.as_str());
    let masked = ["exclude", "include", "include_secure_params", "for_tracing"]
        .iter()
        .any(|name| site.named(name).is_some());
    let hit = dumps && holds && !masked && !site.spreads();
    hit.then(|| Hit::medium(site.span(), format!("`{word}` is dumped with the secrets in it")))
}

/// What others take for a description of an object: it goes to files, caches and traces.
const DESCRIBES: &[&str] = &[
    "to_dict",
    "dict",
    "as_dict",
    "to_json",
    "serialize",
    "get_config",
    "_identifying_params",
    "_default_params",
    "_lc_kwargs",
    "__getstate__",
    "__repr__",
    "__str__",
];

/// Addresses that hold a password, as those of databases do.
pub(super) fn is_connection(name: &str) -> bool {
    [
        "connection_string",
        "connection_uri",
        "connection_url",
        "conn_string",
        "db_url",
        "database_url",
        "db_uri",
        "dsn",
        "redis_url",
        "mongo_uri",
        "mongodb_uri",
        "postgres_url",
        "http_auth",
        "basic_auth",
    ]
    .contains(&name.trim_start_matches('_').to_ascii_lowercase().as_str())
}

/// Tokens are keys, too, unless they are words of a model or places in a list.
pub(super) fn is_secret(name: &str) -> bool {
    const OTHERS: &[&str] = &[
        "page",
        "next",
        "pad",
        "eos",
        "bos",
        "stop",
        "unk",
        "mask",
        "special",
        "cls",
        "sep",
        "sync",
        "start",
        "end",
        "last",
        "first",
        "image",
        "continuation",
        "max",
    ];
    let lower = name.to_ascii_lowercase();
    let token = lower.ends_with("_token") && !lower.split('_').any(|word| OTHERS.contains(&word));
    is_secret_name(name) || token
}

/// A secret among what an object says of itself.
fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let name = site.def.name.as_str();
    if !DESCRIBES.contains(&name) || site.place.class.is_none() {
        return None;
    }
    let told = |value: &Expr| match value {
        Expr::Attribute(attribute) => {
            matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == "self")
                && (is_secret(attribute.attr.as_str()) || is_connection(attribute.attr.as_str()))
        }
        Expr::Call(call) => method_of(call) == "get_secret_value",
        _ => false,
    };
    let mut found = None;
    scan(&site.def.body, 0, &mut |thing| {
        let at = match thing {
            Thing::Expr(Expr::Dict(dict)) => {
                dict.items.iter().map(|item| &item.value).find(|value| told(value))
            }
            Thing::Expr(Expr::FString(text)) => text.value.elements().find_map(|element| match element {
                InterpolatedStringElement::Interpolation(inner) if told(&inner.expression) => {
                    Some(&*inner.expression)
                }
                _ => None,
            }),
            _ => None,
        };
        found = found.or(at.map(Ranged::range));
    });
    found.map(|at| Hit::medium(span(at), format!("`{name}` tells a secret")))
}
