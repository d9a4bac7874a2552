//! Secrets that are compared letter by letter.

use crate::flow::is_secret_name;
use crate::python::{FunctionSite, Thing, scan, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{CmpOp, Expr};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-compared",
    area: Area::Authentication,
    title: "what a caller shows is compared with a secret letter by letter",
    why: "`==` ends at the first letter that differs, and how long it took tells how many were right.",
    mend: "compare with `hmac.compare_digest`",
    file: "auth.py",
    bad: "def allowed(request, settings):\n    return request.headers.get(\"X-API-Key\") == settings.api_key\n",
    good: "import hmac\n\n\ndef allowed(request, settings):\n    return hmac.compare_digest(request.headers.get(\"X-API-Key\", \"\"), settings.api_key)\n",
    owasp: &["LLM02", "ASI03", "MCP07"],
    refusal: None,
    looks: &[Look::Function(function)],
};

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    // Whether two objects are alike is nobody's proof.
    if site.def.name.starts_with("__") {
        return None;
    }
    let mut found = None;
    scan(&site.def.body, 0, &mut |thing| {
        let Thing::Expr(Expr::Compare(compare)) = thing else { return };
        let ([CmpOp::Eq | CmpOp::NotEq], [right]) = (&*compare.ops, &*compare.comparators) else { return };
        let sides = [&*compare.left, right];
        // One's own secret, against something that a caller showed.
        let own = sides.iter().any(|side| matches!(side, Expr::Attribute(_)) && is_secret(side));
        let shown = sides.iter().any(|side| is_shown(side));
        if own && shown && found.is_none() {
            found = Some(compare.range());
        }
    });
    Some(Hit::medium(span(found?), "how long this takes tells how much of the secret was right"))
}

fn is_secret(expr: &Expr) -> bool {
    let word = word_of(expr);
    is_secret_name(&word) || word.ends_with("_token")
}

/// What a caller gives is a name of its own, or is read out of something.
fn is_shown(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(_) | Expr::Call(_) | Expr::Subscript(_)) && !word_of(expr).contains("sentinel")
}
