//! Filters that a caller replaces.

use crate::finding::Certainty;
use crate::python::{Bind, Bound, FunctionSite, Thing, scan, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{BoolOp, Expr};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "tenant-isolation",
    area: Area::VectorStores,
    title: "a caller's filter replaces the configured one",
    why: "The configured filter is what keeps tenants apart. `input or configured` lets whoever sends a filter see everybody's documents.",
    mend: "join both with AND",
    file: "retriever.py",
    bad: "class Retriever:\n    def execute(self, input_data):\n        filters = input_data.filters or self.filters\n        return self.store.search(filters=filters)\n",
    good: "class Retriever:\n    def execute(self, input_data):\n        filters = {\"and\": [self.filters, input_data.filters]}\n        return self.store.search(filters=filters)\n",
    owasp: &["LLM09", "ASI03", "MCP10"],
    refusal: Some("foreign-tenant"),
    looks: &[Look::Function(function), Look::Bind(bind)],
};

fn is_filter(name: &str) -> bool {
    name.contains("filter") || name.contains("namespace") || name == "tenant" || name == "tenant_id"
}

/// A filter that the object itself has.
fn is_own(expr: &Expr) -> bool {
    let mut base = expr;
    while let Expr::Attribute(attribute) = base {
        base = &attribute.value;
    }
    matches!(expr, Expr::Attribute(_))
        && is_filter(&word_of(expr))
        && matches!(base, Expr::Name(name) if name.id.as_str() == "self")
}

fn is_given(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(_) | Expr::Attribute(_)) && is_filter(&word_of(expr)) && !is_own(expr)
}

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let mut found = None;
    scan(&site.def.body, 0, &mut |thing| {
        let (Thing::Expr(expr), None) = (thing, &found) else { return };
        let (given, own) = match expr {
            Expr::BoolOp(both) if both.op == BoolOp::Or => (both.values.first(), both.values.get(1)),
            Expr::If(choice) => (Some(&*choice.body), Some(&*choice.orelse)),
            // Of two values of one key the later one counts.
            Expr::Dict(dict) => match &*dict.items {
                [first, second] if first.key.is_none() && second.key.is_none() => {
                    (Some(&second.value), Some(&first.value))
                }
                _ => (None, None),
            },
            _ => (None, None),
        };
        let (Some(given), Some(own)) = (given, own) else { return };
        if is_given(given) && is_own(own) {
            found = Some((span(expr.range()), matches!(given, Expr::Attribute(_))));
        }
    });
    let (at, sure) = found?;
    let certainty = if sure { Certainty::High } else { Certainty::Medium };
    Some(Hit::new(at, certainty, "whoever sends a filter does without the configured one"))
}

/// A switch that says so by itself.
fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let Bound::Expr(value) = bind.value else { return None };
    let replaces = bind.default && bind.name.ends_with("filter_policy") && word_of(value) == "replace";
    replaces.then(|| {
        Hit::medium(bind.span, "a caller's filter replaces the configured one where nobody says otherwise")
    })
}
