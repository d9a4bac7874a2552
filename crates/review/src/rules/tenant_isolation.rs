//! Filters that a caller replaces.

use crate::finding::Certainty;
use crate::python::{
    Bind, Bound, FunctionSite, Thing, assigned, last, literal, mentions, method_of, names_in, scan, span,
    word_of,
};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{BoolOp, Expr, Operator, Stmt};
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
    looks: &[Look::Function(function), Look::Function(unread), Look::Function(merged), Look::Bind(bind)],
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

/// Parameters that keep some documents apart from others.
const BORDERS: &[&str] = &[
    "namespace",
    "tenant",
    "tenant_id",
    "user_id",
    "org_id",
    "organization_id",
    "workspace_id",
    "partition",
    "partition_key",
    "filters",
    "filter",
    "filter_expression",
    "metadata_filter",
    "metadata_filters",
    "where",
];
/// What a store is asked for, first words of methods.
const ASKS: &[&str] = &[
    "search",
    "query",
    "retrieve",
    "similarity",
    "vector",
    "keyword",
    "hybrid",
    "find",
    "lookup",
    "relevant",
];
/// What changes it; a filter says nothing there.
const CHANGES: &[&str] = &["upsert", "insert", "delete", "load", "get", "fetch"];
const STORES: &[&str] =
    &["vector", "store", "driver", "index", "retriever", "memory", "db", "vectordb", "database"];

/// Whether a class is of a sort that keeps documents, by the words of its name: `VectorStoreDriver`, `Milvus` in `vectordb`.
fn keeps_documents(site: &FunctionSite<'_, '_>) -> bool {
    let Some(class) = site.place.class.and_then(|class| site.place.index.classes.get(class)) else {
        return false;
    };
    let lower = class.name.to_ascii_lowercase();
    let (path, name) = lower.rsplit_once('.').unwrap_or(("", &lower));
    let bases = class.bases.iter().map(|base| last(base).to_ascii_lowercase());
    let of = |text: &str| STORES.iter().any(|word| text.contains(word));
    of(name) && !name.contains("test") || bases.into_iter().any(|base| of(&base)) || path.contains("vector")
}

/// Whether a name begins with such a word, `async_` and `a` aside.
fn is_first(name: &str, list: &[&str]) -> bool {
    let mut words = name.trim_start_matches('_').split('_');
    let first = words.find(|word| !["async", "a", "do", "try", "get"].contains(word) || list.contains(word));
    first.is_some_and(|first| {
        list.contains(&first) || first.strip_prefix('a').is_some_and(|first| list.contains(&first))
    })
}

/// A border that callers give and nobody reads.
fn unread(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let name = site.def.name.as_str();
    let (asks, changes) = (is_first(name, ASKS), is_first(name, CHANGES));
    if name.starts_with('_') || !asks && !changes || !keeps_documents(site) || is_shape(&site.def.body) {
        return None;
    }
    let mut read: Vec<&str> = Vec::new();
    let mut dropped: Vec<&str> = Vec::new();
    let mut all = false;
    scan(&site.def.body, 2, &mut |thing| match thing {
        Thing::Expr(Expr::Call(call)) => all |= ["locals", "super"].contains(&method_of(call)),
        Thing::Stmt(Stmt::If(branch)) => dropped.extend(drops(branch)),
        _ => {}
    });
    let only_told = told_only(&site.def.body);
    scan(&site.def.body, 2, &mut |thing| {
        if let Thing::Expr(Expr::Name(one)) = thing {
            read.push(one.id.as_str());
        }
    });
    if all {
        return None;
    }
    let wanted =
        |name: &str| BORDERS.contains(&name) && (asks || !name.contains("filter") && name != "where");
    let found = site.def.parameters.iter_non_variadic_params().map(|one| &one.parameter).find(|one| {
        let name = one.name.as_str();
        wanted(name) && (!read.contains(&name) || dropped.contains(&name) || only_told.contains(&name))
    })?;
    let (border, at) = (found.name.as_str(), span(found.range()));
    let message = match read.contains(&border) {
        true => format!("`{border}` is dropped with a warning, and what is found is everybody's"),
        false => format!("`{border}` is taken and never read: what is asked for is everybody's"),
    };
    Some(Hit::medium(at, message))
}

fn is_shape(body: &[Stmt]) -> bool {
    body.iter().all(|one| match one {
        Stmt::Pass(_) | Stmt::Raise(_) => true,
        Stmt::Expr(said) => !said.value.is_call_expr() && !said.value.is_await_expr(),
        Stmt::Return(back) => {
            back.value.as_ref().is_none_or(|value| !value.is_call_expr() && !value.is_await_expr())
        }
        _ => false,
    })
}

fn warns(body: &[Stmt]) -> bool {
    body.iter().any(|one| match one {
        Stmt::Expr(said) => matches!(&*said.value, Expr::Call(call) if method_of(call).contains("warn")),
        _ => false,
    })
}

/// `if filters: warn(...); filters = None`: the names that are emptied.
fn drops(branch: &ruff_python_ast::StmtIf) -> Vec<&str> {
    if !warns(&branch.body) {
        return Vec::new();
    }
    let emptied = branch.body.iter().filter_map(|one| match one {
        Stmt::Assign(assign) if assign.value.is_none_literal_expr() => match assign.targets.as_slice() {
            [Expr::Name(name)] => Some(name.id.as_str()),
            _ => None,
        },
        _ => None,
    });
    emptied.collect()
}

/// Names that are read in the tests of warnings and nowhere else.
fn told_only(body: &[Stmt]) -> Vec<&str> {
    let mut told: Vec<&str> = Vec::new();
    for one in body {
        if let Stmt::If(branch) = one
            && branch.elif_else_clauses.is_empty()
            && branch.body.len() == 1
            && warns(&branch.body)
        {
            told.extend(names_in(&branch.test));
        }
    }
    let count = |name: &str| {
        let mut count = 0;
        scan(body, 2, &mut |thing| {
            count += usize::from(matches!(thing, Thing::Expr(Expr::Name(one)) if one.id.as_str() == name));
        });
        count
    };
    told.retain(|name| count(name) == 1);
    told
}

/// What callers give is put over what has the border in it: `{"namespace": own} | kwargs`.
fn merged(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let extra = site.def.parameters.kwarg.as_ref().map(|one| one.name.as_str());
    let given: Vec<&str> =
        site.def.parameters.iter_non_variadic_params().map(|one| one.parameter.name.as_str()).collect();
    let asks = keeps_documents(site) && is_first(site.def.name.as_str(), ASKS);
    let callers = |expr: &Expr| {
        let names = names_in(expr);
        let from = names.first().copied();
        let whole = asks && matches!(expr, Expr::Name(_)) && from.is_some_and(|name| Some(name) == extra);
        let part = matches!(expr, Expr::Subscript(_)) && from == extra && extra.is_some()
            || matches!(expr, Expr::Name(_))
                && from.is_some_and(|name| {
                    given.contains(&name) && (is_filter(name) || name.ends_with("search_kwargs"))
                });
        whole || part
    };
    let border = |expr: &Expr| match expr {
        Expr::Dict(dict) => {
            dict.items.iter().any(|item| item.key.as_ref().and_then(literal).is_some_and(is_border))
        }
        Expr::Call(call) => call
            .arguments
            .keywords
            .iter()
            .any(|one| one.arg.as_ref().is_some_and(|name| is_border(name.as_str()))),
        _ => false,
    };
    let mut bordered: Vec<&str> = Vec::new();
    for (names, value) in assigned(&site.def.body, 0) {
        if border(value) {
            bordered.extend(names);
        }
    }
    let mut found = None;
    scan(&site.def.body, 0, &mut |thing| {
        let (Thing::Expr(expr), None) = (thing, &found) else { return };
        let over = match expr {
            Expr::BinOp(both) if both.op == Operator::BitOr => {
                (border(&both.left) || mentions(&both.left, &["search_kwargs"]) && is_self(&both.left))
                    && callers(&both.right)
            }
            Expr::Call(call) if method_of(call) == "update" => {
                let on = matches!(&*call.func, Expr::Attribute(method) if matches!(&*method.value, Expr::Name(name) if bordered.contains(&name.id.as_str())));
                on && call.arguments.args.first().is_some_and(callers)
            }
            _ => false,
        };
        if over {
            found = Some(span(expr.range()));
        }
    });
    Some(Hit::medium(found?, "what callers give replaces the border that was set"))
}

fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Attribute(attribute) if matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == "self"))
}

fn is_border(name: &str) -> bool {
    ["namespace", "tenant", "tenant_id", "user_id", "filter", "filters", "filter_string", "where"]
        .contains(&name)
}
