//! Checks of who is calling that let everybody in where nothing is set.

use crate::finding::Certainty;
use crate::flow::is_secret_name;
use crate::python::{FunctionSite, Thing, has_word, names_in, scan, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, Stmt, UnaryOp};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "open-without-key",
    area: Area::Authentication,
    title: "a check lets everybody in where no key is set",
    why: "What nobody configured is open, and a variable that is lost in a deployment opens it again without a word.",
    mend: "refuse where no key is set, and make an open door something that is asked for by name",
    file: "auth.py",
    bad: "def verify_token(token, settings):\n    if not settings.api_key:\n        return True\n    return compare(token, settings.api_key)\n",
    good: "def verify_token(token, settings):\n    if not settings.api_key:\n        raise RuntimeError(\"no key is set\")\n    return compare(token, settings.api_key)\n",
    owasp: &["LLM02", "ASI03", "MCP07"],
    refusal: None,
    looks: &[Look::Function(function)],
};

const CHECKS: &[&str] =
    &["verify", "validate", "authenticate", "authenticated", "auth", "authorize", "authorized", "signature"];
const SUBJECTS: &[&str] = &[
    "auth",
    "token",
    "key",
    "signature",
    "secret",
    "user",
    "authenticate",
    "authenticated",
    "webhook",
    "credentials",
    "authorize",
    "authorized",
    "request",
    "access",
];
const MODES: &[&str] =
    &["dev", "development", "debug", "skip", "bypass", "disabled", "insecure", "local", "testing"];

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let name = site.def.name.as_str();
    if !has_word(name, CHECKS) || !has_word(name, SUBJECTS) {
        return None;
    }
    // A door that is asked for a request and its token, not one that looks at a configuration.
    let given: Vec<&str> =
        site.def.parameters.iter_non_variadic_params().map(|one| one.parameter.name.as_str()).collect();
    let mut found = None;
    scan(&site.def.body, 2, &mut |thing| {
        let (Thing::Stmt(Stmt::If(branch)), None) = (thing, &found) else { return };
        if lets_in(&branch.body) && (keyless(&branch.test, &given) || is_mode(&branch.test)) {
            found = Some(span(branch.test.range()));
        }
    });
    Some(Hit::new(found?, Certainty::Medium, format!("`{name}` lets everybody in here")))
}

fn lets_in(body: &[Stmt]) -> bool {
    match body.last() {
        Some(Stmt::Return(back)) => {
            matches!(back.value.as_deref(), Some(Expr::BooleanLiteral(yes)) if yes.value)
        }
        _ => false,
    }
}

/// `not settings.api_key`: a key that should be there, not one that a caller brings.
fn keyless(test: &Expr, given: &[&str]) -> bool {
    match test {
        Expr::BoolOp(both) => both.values.iter().any(|one| keyless(one, given)),
        Expr::UnaryOp(not) if not.op == UnaryOp::Not => is_own_key(&not.operand, given),
        Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
            ([ruff_python_ast::CmpOp::Is], [Expr::NoneLiteral(_)]) => is_own_key(&compare.left, given),
            _ => false,
        },
        _ => false,
    }
}

fn is_own_key(expr: &Expr, given: &[&str]) -> bool {
    let names = names_in(expr);
    let Some(name) = names.first().filter(|_| matches!(expr, Expr::Name(_) | Expr::Attribute(_))) else {
        return false;
    };
    let callers = matches!(expr, Expr::Name(_)) && given.contains(name);
    let key = is_secret_name(name)
        || name.to_ascii_lowercase().ends_with("_key")
        || name.to_ascii_lowercase().ends_with("_token");
    key && !callers
}

fn is_mode(test: &Expr) -> bool {
    let asked = matches!(test, Expr::Call(_) | Expr::Name(_) | Expr::Attribute(_) | Expr::Compare(_));
    asked && names_in(test).iter().any(|name| has_word(name, MODES))
        || text_of(test).is_some_and(|text| has_word(text, MODES))
}

/// The name of the variable that `os.getenv("SKIP_CHECK", "") == "true"` asks for.
fn text_of(test: &Expr) -> Option<&str> {
    let Expr::Compare(compare) = test else { return None };
    let mut found = None;
    crate::python::scan_expr(&compare.left, &mut |expr| {
        let text = crate::python::literal(expr).filter(|text| text.len() > 3);
        found = found.or(text);
    });
    found
}
