//! What is of persons, kept as it is.

use crate::python::{CallSite, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_text_size::{Ranged, TextRange};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "stored-in-plain",
    area: Area::VectorStores,
    title: "personal data is kept in a store as it is",
    why: "Vectors and documents are found by whoever may search, and a copy of the store is a copy of the data.",
    mend: "leave it out, or encrypt or replace it before it is written",
    file: "index.py",
    bad: "def keep(store, user):\n    store.add_texts([f\"{user.name} {user.passport_number}\"])\n",
    good: "def keep(store, user):\n    store.add_texts([f\"{user.id}\"])\n",
    owasp: &["LLM09", "ASI06", "MCP10"],
    refusal: Some("clearance"),
    looks: &[Look::Call(call)],
};

pub(super) const PERSONAL: &[&str] = &[
    "ssn",
    "social_security_number",
    "passport_number",
    "credit_card",
    "card_number",
    "date_of_birth",
    "dob",
    "iban",
    "medical_record",
    "diagnosis",
    "phone_number",
    "home_address",
    "salary",
];

struct Personal(Option<(TextRange, String)>);

impl<'p> Visitor<'p> for Personal {
    fn visit_expr(&mut self, expr: &'p Expr) {
        if matches!(expr, Expr::Name(_) | Expr::Attribute(_)) && PERSONAL.contains(&word_of(expr).as_str()) {
            self.0 = Some((expr.range(), word_of(expr)));
        }
        walk_expr(self, expr);
    }
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    const WRITES: &[&str] = &[
        "add_texts",
        "add_documents",
        "upsert",
        "write_documents",
        "save_context",
        "add_message",
        "from_texts",
        "from_documents",
        "add_memory",
    ];
    if !WRITES.contains(&site.method()) {
        return None;
    }
    let mut personal = Personal(None);
    site.call.arguments.args.iter().for_each(|arg| personal.visit_expr(arg));
    let (at, name) = personal.0?;
    Some(Hit::medium(span(at), format!("`{name}` is kept as it is")))
}
