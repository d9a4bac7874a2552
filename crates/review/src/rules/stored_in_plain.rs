//! What is of persons, kept as it is.

use super::endless_memory::{WRITES, is_memory, is_written};
use crate::python::{CallSite, ClassSite, Thing, has_word, names_in, scan, span, word_of};
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
    looks: &[Look::Call(call), Look::Class(class)],
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

/// Words of what hides data from whoever reads the store.
const HIDES: &[&str] = &[
    "encrypt",
    "encrypted",
    "encryption",
    "decrypt",
    "fernet",
    "cipher",
    "aes",
    "kms",
    "mask",
    "redact",
    "anonymize",
    "pseudonymize",
    "presidio",
    "scrub",
    "detector",
    "pii",
];

/// A memory that puts what was said where others can read it.
fn class(site: &ClassSite<'_, '_>) -> Option<Hit> {
    let known = site.place.index.classes.get(site.class)?;
    let name = site.def.name.as_str();
    let derived = is_memory(&known.bases);
    let shape = ["Base", "Abstract", "Null", "Dummy", "InMemory"].iter().any(|word| name.contains(word));
    if !derived || shape || !is_written(&site.def.body) {
        return None;
    }
    let write = WRITES.iter().find_map(|method| known.methods.get(*method))?;
    let write = site.place.index.funcs.get(*write)?;
    let (mut hides, mut leaves) = (false, false);
    scan(&site.def.body, 2, &mut |thing| {
        let Thing::Expr(expr) = thing else { return };
        hides |= matches!(expr, Expr::Name(_) | Expr::Attribute(_))
            && names_in(expr).iter().any(|one| has_word(one, HIDES));
        // Whoever only appends to a list of its own keeps nothing where others are.
        leaves |= matches!(expr, Expr::Call(call) if LEAVES.contains(&crate::python::method_of(call)));
    });
    (leaves && !hides)
        .then(|| Hit::medium(span(write.def.name.range()), format!("`{name}` keeps what was said as it is")))
}

/// Methods that bring data out of the process.
const LEAVES: &[&str] = &[
    "execute",
    "executemany",
    "insert_one",
    "insert_many",
    "upsert",
    "put_item",
    "add_texts",
    "add_documents",
    "write",
    "write_documents",
    "write_text",
    "dump",
    "hset",
    "rpush",
    "lpush",
    "create_item",
    "replace_one",
    "update_one",
    "upsert_item",
    "index",
    "bulk",
    "upsert_record",
    "update_table",
];
