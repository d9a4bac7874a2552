//! Objects that tell their secrets when they are printed or written.

use crate::flow::is_secret_name;
use crate::python::{CallSite, FunctionSite, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprAttribute};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-in-text",
    area: Area::Credentials,
    title: "an object is written down with its secrets",
    why: "`repr`, `vars` and dumps of whole connections end in errors, files and traces.",
    mend: "leave secrets out of `__repr__` and of what is written; use a type that masks itself",
    file: "connections.py",
    bad: "class Connection:\n    def __repr__(self):\n        return f\"Connection({self.url}, {self.api_key})\"\n",
    good: "class Connection:\n    def __repr__(self):\n        return f\"Connection({self.url})\"\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: Some("clearance"),
    looks: &[Look::Function(function), Look::Call(call)],
};

struct Secrets<'p>(Option<&'p ExprAttribute>);

impl<'p> Visitor<'p> for Secrets<'p> {
    fn visit_expr(&mut self, expr: &'p Expr) {
        match expr {
            Expr::Attribute(attribute) if is_secret_name(attribute.attr.as_str()) => self.0 = Some(attribute),
            // What is called or asked is not shown.
            Expr::Call(_) | Expr::Compare(_) => {}
            Expr::If(choice) => {
                self.visit_expr(&choice.body);
                self.visit_expr(&choice.orelse);
            }
            Expr::Subscript(_) => {}
            expr => walk_expr(self, expr),
        }
    }
}

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    if !["__repr__", "__str__"].contains(&site.def.name.as_str()) {
        return None;
    }
    let mut secrets = Secrets(None);
    secrets.visit_body(&site.def.body);
    let found = secrets.0?;
    Some(Hit::high(span(found.range()), format!("`{}` tells `{}`", site.def.name, found.attr)))
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let writes = site.is(&[
        "vars",
        "dataclasses.asdict",
        "json.dumps",
        "yaml.dump",
        "yaml.safe_dump",
        "pickle.dumps",
        "jsonpickle.encode",
    ]);
    let first = site.call.arguments.args.first().filter(|_| writes)?;
    let whole = matches!(first, Expr::Name(_) | Expr::Attribute(_));
    let word = word_of(first);
    (whole && ["connection", "credentials"].contains(&word.as_str()))
        .then(|| Hit::medium(site.span(), format!("`{word}` is written whole, with the secrets in it")))
}
