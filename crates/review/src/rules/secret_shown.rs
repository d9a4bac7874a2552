//! Fields that hold a secret as a plain text, and objects that tell all their fields.

use super::secret_in_dump::{is_connection, is_secret};
use crate::finding::Certainty;
use crate::python::{ClassSite, Names, folded, last, literal, mentions, scan_expr, span, type_name};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-shown",
    area: Area::Credentials,
    title: "an object shows its secret to whoever prints or dumps it",
    why: "What is generated for a class, `repr` and dumps, tells every field: the key is in logs, traces and saved configurations.",
    mend: "make it a `SecretStr`, or declare it with `repr=False` and leave it out of dumps",
    file: "driver.py",
    bad: "from dataclasses import dataclass\n\n\n@dataclass\nclass Search:\n    api_key: str\n    index: str\n",
    good: "from dataclasses import dataclass, field\n\n\n@dataclass\nclass Search:\n    api_key: str = field(repr=False)\n    index: str\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: None,
    looks: &[Look::Class(class)],
};

/// Who tells the fields of a class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    Data,
    Pydantic,
}

fn class(site: &ClassSite<'_, '_>) -> Option<Hit> {
    let names = &site.place.program.names;
    let known = site.place.index.classes.get(site.class)?;
    let own =
        ["__repr__", "__str__", "__repr_args__"].iter().any(|method| known.methods.contains_key(*method));
    let tells = tells(site, names)?;
    let mut shown: Vec<(Certainty, &str, &Stmt)> = Vec::new();
    for statement in &site.def.body {
        let Stmt::AnnAssign(field) = statement else { continue };
        let Expr::Name(name) = &*field.target else { continue };
        let Some(certainty) =
            certainty(tells, name.id.as_str(), &field.annotation, field.value.as_deref(), names)
        else {
            continue;
        };
        shown.push((certainty, name.id.as_str(), statement));
    }
    let (certainty, _, first) = *shown.iter().min_by_key(|(certainty, ..)| match certainty {
        Certainty::High => 0,
        Certainty::Medium => 1,
        Certainty::Low => 2,
    })?;
    if own && certainty != Certainty::High {
        return None;
    }
    let all: Vec<String> = shown.iter().map(|(_, name, _)| format!("`{name}`")).collect();
    let (all, are) = (all.join(", "), if all.len() == 1 { "is" } else { "are" });
    let message = match certainty {
        Certainty::High => format!("{all} {are} written out with the object"),
        _ => format!("{all} {are} told by what is generated for `{}`", site.def.name),
    };
    Some(Hit::new(span(first.range()), certainty, message))
}

fn tells(site: &ClassSite<'_, '_>, names: &Names) -> Option<Tells> {
    const MODELS: &[&str] =
        &["BaseModel", "BaseSettings", "BaseTool", "LLM", "BaseChatModel", "BaseRetriever", "Serializable"];
    for decorator in &site.def.decorator_list {
        let (called, silent) = match &decorator.expression {
            Expr::Call(call) => (&*call.func, is_off(call, "repr")),
            other => (other, false),
        };
        let name = names.resolve(called).unwrap_or_default();
        let package = name.split('.').next().unwrap_or_default();
        let data = last(&name) == "dataclass" || ["attr", "attrs"].contains(&package);
        if data {
            return (!silent).then_some(Tells::Data);
        }
    }
    site.place.index.derives(site.class, MODELS).then_some(Tells::Pydantic)
}

fn is_off(call: &ExprCall, name: &str) -> bool {
    let value = call.arguments.find_keyword(name).map(|keyword| &keyword.value);
    matches!(value, Some(Expr::BooleanLiteral(on)) if !on.value)
}

/// How sure it is that a field is a secret that is told.
fn certainty(
    tells: Tells,
    name: &str,
    annotation: &Expr,
    value: Option<&Expr>,
    names: &Names,
) -> Option<Certainty> {
    let declared = match value {
        Some(Expr::Call(call)) => Some(call),
        _ => None,
    };
    if declared.is_some_and(|call| is_off(call, "repr") || is_off(call, "init")) {
        return None;
    }
    let excluded = declared.and_then(|call| call.arguments.find_keyword("exclude"));
    if matches!(excluded.map(|keyword| &keyword.value), Some(Expr::BooleanLiteral(on)) if on.value) {
        return None;
    }
    let saved = declared.is_some_and(is_saved);
    let text =
        type_name(annotation, names).is_some_and(|made| ["str", "bytes", "Optional"].contains(&last(&made)));
    let plain = text && is_secret(name) || (is_connection(name) && (saved || tells == Tells::Data));
    let bearer = name.ends_with("headers") && value.is_some_and(bears);
    if !plain && !bearer || name.ends_with("_name") || name.contains("env") {
        return None;
    }
    Some(match tells {
        _ if saved => Certainty::High,
        Tells::Data => Certainty::Medium,
        // What comes from the environment by itself is in no file, and only shown.
        Tells::Pydantic
            if value.is_some_and(|value| {
                mentions(value, &["default_factory", "get_env_var", "getenv", "environ"])
                    || has_factory(value)
            }) =>
        {
            Certainty::Low
        }
        Tells::Pydantic => Certainty::Medium,
    })
}

fn has_factory(value: &Expr) -> bool {
    matches!(value, Expr::Call(call) if call.arguments.find_keyword("default_factory").is_some())
}

/// `metadata={"serializable": True}`: what saves the object takes it along.
fn is_saved(call: &ExprCall) -> bool {
    let metadata = call.arguments.find_keyword("metadata").map(|keyword| &keyword.value);
    let Some(Expr::Dict(metadata)) = metadata else { return false };
    metadata.items.iter().any(|item| {
        item.key.as_ref().and_then(literal) == Some("serializable")
            && matches!(&item.value, Expr::BooleanLiteral(on) if on.value)
    })
}

/// Headers that are made with a key in them.
fn bears(value: &Expr) -> bool {
    let mut bears = false;
    scan_expr(value, &mut |expr| {
        bears |=
            matches!(expr, Expr::FString(_)) && folded(expr).is_some_and(|text| text.starts_with("Bearer "));
    });
    bears
}
