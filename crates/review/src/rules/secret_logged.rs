//! Keys that come to a log.

use crate::flow::{Origin, Sink};
use crate::python::{CallSite, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, InterpolatedStringElement};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-logged",
    area: Area::Credentials,
    title: "a secret is written to a log",
    why: "Logs are kept, copied and read by more people and programs than the secret is for.",
    mend: "log names and ids, never the value; mask it where it has to be told apart",
    file: "client.py",
    bad: "import logging\n\nlogger = logging.getLogger(__name__)\n\n\ndef connect(api_key):\n    headers = {\"Authorization\": f\"Bearer {api_key}\"}\n    logger.debug(\"request with %s\", headers)\n",
    good: "import logging\n\nlogger = logging.getLogger(__name__)\n\n\ndef connect(api_key):\n    headers = {\"Authorization\": f\"Bearer {api_key}\"}\n    logger.debug(\"request with %d headers\", len(headers))\n    return headers\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: Some("clearance"),
    looks: &[Look::FlowOf(Origin::Secret, Sink::Log), Look::Call(call)],
};

/// What holds secrets among other things, by its name.
const WHOLE: &[&str] = &[
    "connection",
    "headers",
    "credentials",
    "connection_params",
    "auth_headers",
    "connection_string",
    "conn_str",
    "dsn",
    "database_url",
    "kwargs",
    "request_kwargs",
    "client_kwargs",
    "cookies",
    "environ",
];

/// Whole connections and sets of headers, which hold secrets.
fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let logs = ["debug", "info", "warning", "error", "exception", "critical"].contains(&site.method())
        && site.receiver_word().contains("log");
    if !logs {
        return None;
    }
    let holds = |expr: &Expr| {
        matches!(expr, Expr::Name(_) | Expr::Attribute(_)) && WHOLE.contains(&word_of(expr).as_str())
    };
    let told = |arg: &Expr| match arg {
        Expr::FString(text) => text.value.elements().find_map(|element| match element {
            InterpolatedStringElement::Interpolation(inner) if holds(&inner.expression) => {
                Some(inner.range())
            }
            _ => None,
        }),
        arg if holds(arg) => Some(arg.range()),
        _ => None,
    };
    let found = site.call.arguments.args.iter().find_map(told)?;
    let what = site.text_of(span(found)).trim_matches(['{', '}']).to_string();
    Some(Hit::medium(span(found), format!("`{what}` is logged whole, with the secrets in it")))
}
