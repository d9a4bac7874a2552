//! Classes that are made by their names, whatever they are.

use crate::python::{
    FunctionSite, Names, Thing, assigned, calls_in, folded, literal, mentions, method_of, names_in, scan,
    span,
};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{CmpOp, Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "registry-unchecked",
    area: Area::Serialization,
    title: "a class is found by name and nobody asks what it is",
    why: "A loader that takes any dotted name makes `subprocess.Popen` as gladly as a node. A prefix, or `issubclass`, keeps it to what was meant.",
    mend: "check the name against a prefix or a table, and the class with `issubclass`, before it is used",
    file: "manager.py",
    bad: "import importlib\n\n\ndef get_node(path: str):\n    module, name = path.rsplit(\".\", 1)\n    return getattr(importlib.import_module(module), name)\n",
    good: "import importlib\n\nfrom nodes import Node\n\n\ndef get_node(path: str):\n    module, name = path.rsplit(\".\", 1)\n    found = getattr(importlib.import_module(module), name)\n    if not issubclass(found, Node):\n        raise ValueError(\"not a node\")\n    return found\n",
    owasp: &["LLM04", "ASI04", "MCP04"],
    refusal: None,
    looks: &[Look::Function(function)],
};

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let names = &site.place.program.names;
    let body = &site.def.body;
    // A package that loads its own modules when somebody asks for their names.
    if ["__getattr__", "__dir__", "_get_module"].contains(&site.def.name.as_str()) {
        return None;
    }
    let loads: Vec<&ExprCall> = calls_in(body, 0).into_iter().filter(|call| loads_any(call, names)).collect();
    let of: Vec<&str> = loads.iter().flat_map(|call| call.arguments.args.iter().flat_map(names_in)).collect();
    let loaded = |expr: &Expr| matches!(expr, Expr::Call(call) if loads.iter().any(|load| load.range() == call.range()));
    let given = assigned(body, 0);
    let modules: Vec<&str> =
        given.iter().filter(|(_, value)| loaded(value)).flat_map(|(names, _)| names.clone()).collect();
    let picks = |expr: &Expr| match expr {
        Expr::Call(call) => picked(call, &|from| loaded(from) || mentions(from, &modules)),
        _ => false,
    };
    let found: Vec<&str> =
        given.iter().filter(|(_, value)| picks(value)).flat_map(|(names, _)| names.clone()).collect();
    let mut used = None;
    scan(body, 0, &mut |thing| {
        let at = match thing {
            Thing::Stmt(Stmt::Return(back)) => back.value.as_deref().filter(|value| {
                picks(value) || matches!(value, Expr::Name(name) if found.contains(&name.id.as_str()))
            }),
            Thing::Expr(Expr::Call(call)) => Some(&*call.func).filter(|func| {
                picks(func) || matches!(func, Expr::Name(name) if found.contains(&name.id.as_str()))
            }),
            _ => None,
        };
        used = used.or(at);
    });
    let used = used?;
    let mut names = related(&given, of);
    names.extend(modules.iter().copied());
    (!checks(body, &names, &found)).then(|| {
        Hit::medium(span(used.range()), format!("`{}` gives whatever a name stands for", site.def.name))
    })
}

/// A module whose name is neither fixed nor below a fixed package.
fn loads_any(call: &ExprCall, names: &Names) -> bool {
    let name = names.resolve(&call.func).unwrap_or_default();
    if !["importlib.import_module", "__import__"].contains(&name.as_str()) {
        return false;
    }
    let Some(argument) = call.arguments.args.first() else { return false };
    let constant = |expr: &Expr| match expr {
        Expr::Name(name) => {
            name.id.as_str() == "__name__" || name.id.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        }
        Expr::Attribute(attribute) => attribute.attr.as_str() == "__name__",
        // What stands in a table of the program.
        Expr::Subscript(subscript) => {
            matches!(&*subscript.value, Expr::Name(name) if name.id.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        }
        _ => false,
    };
    let own = mentions(argument, &["__name__", "__package__"]);
    let below =
        folded(argument).is_some_and(|text| text.starts_with('.') || text.find('.').is_some_and(|at| at > 0));
    !(literal(argument).is_some() || constant(argument) || own || below || call.arguments.len() > 1)
}

/// `getattr` of what was loaded, by a name that is not fixed.
fn picked(call: &ExprCall, from: &dyn Fn(&Expr) -> bool) -> bool {
    match (method_of(call), &*call.arguments.args) {
        ("getattr", [module, name, ..]) => literal(name).is_none() && from(module),
        _ => false,
    }
}

/// The names that a name is made of, and those that are made of the same.
fn related<'p>(given: &[(Vec<&'p str>, &'p Expr)], mut names: Vec<&'p str>) -> Vec<&'p str> {
    for (targets, value) in given.iter().rev() {
        if targets.iter().any(|target| names.contains(target)) {
            names.extend(names_in(value));
            names.extend(targets);
        }
    }
    names
}

/// Whether the class is asked what it is, or its name is held against something.
fn checks(body: &[Stmt], names: &[&str], found: &[&str]) -> bool {
    let mut checked = false;
    scan(body, 0, &mut |thing| match thing {
        Thing::Expr(Expr::Call(call)) => {
            let asks = ["issubclass", "isinstance"].contains(&method_of(call));
            let whole = call
                .arguments
                .args
                .get(1)
                .is_some_and(|of| !matches!(of, Expr::Name(name) if name.id.as_str() == "type"));
            checked |= asks && whole && call.arguments.args.first().is_some_and(|one| mentions(one, found));
            let by_name = ["startswith", "match", "fullmatch", "removeprefix"].contains(&method_of(call));
            checked |= by_name
                && (mentions(&call.func, names)
                    || call.arguments.args.iter().any(|one| mentions(one, names)));
            let told = crate::look::is_check(method_of(call));
            checked |=
                told && call.arguments.args.iter().any(|one| mentions(one, names) || mentions(one, found));
        }
        Thing::Expr(Expr::Compare(compare)) => {
            let listed = compare.ops.iter().any(|op| matches!(op, CmpOp::In | CmpOp::NotIn));
            checked |= listed && literal(&compare.left).is_none() && mentions(&compare.left, names);
        }
        // A question of the project's own, after which it goes on or does not.
        Thing::Stmt(Stmt::If(branch)) => {
            let test = match &*branch.test {
                Expr::UnaryOp(not) => &*not.operand,
                test => test,
            };
            let ends =
                matches!(branch.body.last(), Some(Stmt::Raise(_) | Stmt::Return(_) | Stmt::Continue(_)));
            if let Expr::Call(call) = test {
                let exists = ["hasattr", "callable", "getattr", "isclass"].contains(&method_of(call));
                let about =
                    call.arguments.args.iter().any(|one| mentions(one, names) || mentions(one, found));
                checked |= ends && !exists && about;
            }
        }
        _ => {}
    });
    checked
}
