//! Requests that wait for ever.

use crate::python::{CallSite, assigned, span};
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

/// What a client is called where nobody sees what it is made of, and clients that end requests by themselves.
const CLIENTS: &[&str] = &["client", "session", "http", "http_client"];
const OTHERS: &[&str] = &["httpx", "aiohttp", "boto3", "redis", "botocore", "starlette", "fastapi"];

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    if site.is(&["urllib.request.urlopen"]) && site.arg("timeout", 2).is_none() && !site.spreads() {
        return Some(Hit::high(site.span(), "this request has no timeout"));
    }
    if !METHODS.contains(&site.method()) {
        return None;
    }
    let module = site.name.strip_prefix("requests.").is_some_and(|rest| METHODS.contains(&rest));
    let session = || {
        let made = site.name.rsplit_once('.').map_or("", |(made, _)| made);
        let known = ["requests.Session", "requests.session", "requests.sessions.Session"].contains(&made);
        known || asks_client(site) || asks_session(site)
    };
    let httpx = site.name.starts_with("httpx.");
    let none = matches!(site.named("timeout"), Some(Expr::NoneLiteral(_)));
    if none && (httpx || module) {
        return Some(Hit::high(site.span(), "`timeout=None` waits for ever"));
    }
    if site.named("timeout").is_some() || !(module || session()) {
        return None;
    }
    if site.spreads() {
        return forgets(site).then(|| Hit::medium(site.span(), "what this request is given has no timeout"));
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

/// A request of a session that the same function made.
fn asks_session(site: &CallSite<'_, '_>) -> bool {
    let (Some(Expr::Name(name)), Some(func)) = (site.receiver(), site.place.func) else { return false };
    let Some(func) = site.place.index.funcs.get(func) else { return false };
    let made = |value: &Expr| match value {
        Expr::Call(call) => {
            site.place.program.names.resolve(&call.func).is_some_and(|name| name == "requests.Session")
        }
        _ => false,
    };
    name.id.contains("session")
        && assigned(&func.def.body, 0)
            .iter()
            .any(|(names, value)| names.contains(&name.id.as_str()) && made(value))
}

/// A request of an attribute that is named like a client, in a program that uses none that has an end by itself.
fn asks_client(site: &CallSite<'_, '_>) -> bool {
    let Some(Expr::Attribute(attribute)) = site.receiver() else { return false };
    let names = &site.place.program.names;
    let named = CLIENTS.contains(&attribute.attr.as_str().trim_start_matches('_'));
    let waits = site.place.func.and_then(|func| site.place.index.funcs.get(func));
    let given = ["url", "headers", "params", "json", "data"].iter().any(|name| site.named(name).is_some());
    named
        && given
        && (site.arg("url", 0).is_some() || site.method() == "request")
        && !waits.is_some_and(|func| func.def.is_async)
        && !OTHERS.iter().any(|other| names.uses(other))
}

/// Whether all that a request is given is made by a method of the same class that says nothing of time.
fn forgets(site: &CallSite<'_, '_>) -> bool {
    let index = site.place.index;
    let mut spread = site.call.arguments.keywords.iter().filter(|keyword| keyword.arg.is_none());
    let (Some(first), None) = (spread.next(), spread.next()) else { return false };
    let Expr::Call(made) = &first.value else { return false };
    let Expr::Attribute(method) = &*made.func else { return false };
    let own = matches!(&*method.value, Expr::Name(name) if name.id.as_str() == "self");
    let func = site.place.class.filter(|_| own).and_then(|class| index.method(class, method.attr.as_str()));
    let Some(func) = func.and_then(|func| index.funcs.get(func)) else { return false };
    let file = index.programs.get(func.program).map(|program| &program.file);
    let at = span(func.def.range());
    let text = file.and_then(|file| file.text().get(at.start..at.end)).unwrap_or("**");
    text.contains("return {")
        && !text.contains("timeout")
        && !text.contains("**{")
        && !text.contains("update(")
}
