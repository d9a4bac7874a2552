//! Requests that wait for ever.

use crate::python::{CallSite, last, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Span;
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "no-timeout",
    area: Area::Network,
    title: "a request waits for ever",
    why: "A server that never answers holds the worker; a few of them hold all.",
    mend: "give each request a timeout",
    file: "client.py",
    bad: "import requests\n\nanswer = requests.get(\"https://api.example.com\")\n",
    good: "import requests\n\nanswer = requests.get(\"https://api.example.com\", timeout=30)\n",
    owasp: &["LLM06", "ASI08"],
    refusal: Some("time-budget"),
    looks: &[Look::Call(call)],
};

const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "request"];

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    if !METHODS.contains(&site.method()) {
        return None;
    }
    let module = site.name.strip_prefix("requests.").is_some_and(|rest| METHODS.contains(&rest));
    let session = || {
        let made = site.name.rsplit_once('.').map_or("", |(made, _)| made);
        let known = ["requests.Session", "requests.session", "requests.sessions.Session"].contains(&made);
        let attribute = matches!(site.receiver(), Some(Expr::Attribute(attribute)) if last(attribute.attr.as_str()) == "client")
            && site.place.program.names.uses("requests")
            && !site.place.program.names.uses("httpx");
        let asks = site.arg("url", 0).is_some()
            && ["url", "headers", "params", "json", "data"].iter().any(|name| site.named(name).is_some());
        known || attribute && asks
    };
    let httpx = site.name.starts_with("httpx.");
    let none = matches!(site.named("timeout"), Some(Expr::NoneLiteral(_)));
    if none && (httpx || module) {
        return Some(Hit::high(site.span(), "`timeout=None` waits for ever"));
    }
    if site.named("timeout").is_some() || site.spreads() || !(module || session()) {
        return None;
    }
    let end = span(site.call.range()).end;
    let before = Span { start: end.saturating_sub(1), end: end.saturating_sub(1) };
    let text = site.text_of(Span { start: span(site.call.range()).start, end: before.start });
    let comma = if text.trim_end().ends_with([',', '(']) { "timeout=30" } else { ", timeout=30" };
    let hit = if module {
        Hit::high(site.span(), "this request has no timeout")
    } else {
        Hit::medium(site.span(), "this request has no timeout")
    };
    Some(hit.edit(before, comma))
}
