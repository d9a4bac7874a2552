//! Filters that a caller replaces.

use crate::finding::Certainty;
use crate::python::{Bind, Bound, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{BoolOp, Expr};

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
    looks: &[Look::Bind(bind)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let filter = |name: &str| {
        name.contains("filter") || name.contains("namespace") || name == "tenant" || name == "tenant_id"
    };
    let Bound::Expr(value) = bind.value else { return None };
    let own = |expr: &Expr| {
        let mut base = expr;
        while let Expr::Attribute(attribute) = base {
            base = &attribute.value;
        }
        matches!(expr, Expr::Attribute(_))
            && filter(&word_of(expr))
            && matches!(base, Expr::Name(name) if name.id.as_str() == "self")
    };
    let given = |expr: &Expr| filter(&word_of(expr)) && !own(expr);
    let (first, second) = match value {
        Expr::BoolOp(both) if both.op == BoolOp::Or => (both.values.first()?, both.values.get(1)?),
        Expr::If(choice) => (&*choice.body, &*choice.orelse),
        _ => return None,
    };
    let certainty = if matches!(first, Expr::Attribute(_)) { Certainty::High } else { Certainty::Medium };
    (filter(bind.name) && given(first) && own(second))
        .then(|| Hit::new(bind.span, certainty, "whoever sends a filter does without the configured one"))
}
