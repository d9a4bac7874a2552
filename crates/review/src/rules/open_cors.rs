//! Answers for every page.

use crate::python::{CallSite, literal, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "open-cors",
    area: Area::Authentication,
    title: "every page may call with the cookies of its visitor",
    why: "With any origin and credentials allowed, a page somewhere else acts as whoever looks at it.",
    mend: "name the origins that are yours",
    file: "app.py",
    bad: "from fastapi.middleware.cors import CORSMiddleware\n\napp.add_middleware(CORSMiddleware, allow_origins=[\"*\"], allow_credentials=True)\n",
    good: "from fastapi.middleware.cors import CORSMiddleware\n\napp.add_middleware(CORSMiddleware, allow_origins=[\"https://desk.example.com\"], allow_credentials=True)\n",
    owasp: &["LLM03", "ASI03", "MCP07"],
    refusal: None,
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let Some(Expr::List(origins)) = site.named("allow_origins") else { return None };
    let all = origins.elts.iter().any(|one| literal(one) == Some("*"));
    let credentials = matches!(site.named("allow_credentials"), Some(Expr::BooleanLiteral(one)) if one.value);
    (all && credentials).then(|| Hit::high(span(origins.range()), "every origin may call with credentials"))
}
