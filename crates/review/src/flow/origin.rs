//! Which parameters of a function others fill: arguments of tools and of doors.

use super::tables::{
    HARMLESS_PARAMS, HARMLESS_TYPES, Origin, ROUTES, TOOL_CLASSES, TOOL_DECORATORS, TOOL_METHODS, TOOL_SPECS,
};
use crate::python::{Func, Index, last, literal, type_name, word_of};
use foldhash::HashSet;
use ruff_python_ast::{Decorator, Expr, Parameter};

/// Who fills the parameters of a function, if it is known to be somebody outside.
pub(super) fn of(index: &Index<'_>, tools: &HashSet<usize>, func: &Func<'_>) -> Option<Origin> {
    if index.func_of(func.def).is_some_and(|func| tools.contains(&func)) {
        return Some(Origin::Tool);
    }
    let names = &index.programs.get(func.program)?.names;
    let method = func.def.name.as_str();
    for decorator in &func.def.decorator_list {
        if is_route(decorator) {
            return Some(Origin::Request);
        }
        let called = called(decorator);
        let name = names.resolve(called).unwrap_or_default();
        if TOOL_DECORATORS.contains(&last(&name))
            || matches!(called, Expr::Attribute(tool) if tool.attr.as_str() == "tool")
        {
            return Some(Origin::Tool);
        }
    }
    let class = func.class?;
    let above = index.classes.get(class).map_or(&[][..], |class| &class.decorators);
    if TOOL_CLASSES
        .iter()
        .any(|(name, methods)| methods.contains(&method) && above.iter().any(|one| one == name))
    {
        return Some(Origin::Tool);
    }
    let tool =
        TOOL_METHODS.iter().any(|(bases, methods)| methods.contains(&method) && index.derives(class, bases));
    let listed = || {
        let fields = &index.classes.get(class)?.fields;
        let (_, _, value) = fields.iter().find(|(name, ..)| *name == "spec_functions")?;
        let Some(Expr::List(list)) = value else { return None };
        list.elts.iter().any(|item| literal(item) == Some(method)).then_some(())
    };
    (tool || index.derives(class, TOOL_SPECS) && listed().is_some()).then_some(Origin::Tool)
}

fn called(decorator: &Decorator) -> &Expr {
    match &decorator.expression {
        Expr::Call(call) => &call.func,
        other => other,
    }
}

/// `@app.post("/run")` and what is like it.
pub(crate) fn is_route(decorator: &Decorator) -> bool {
    let Expr::Call(call) = &decorator.expression else { return false };
    let Expr::Attribute(method) = &*call.func else { return false };
    let path = call.arguments.find_argument_value("path", 0).and_then(literal);
    let on = word_of(&method.value);
    let door = ["app", "router", "api", "blueprint", "bp", "server", "mcp", "routes"]
        .iter()
        .any(|word| on.contains(word));
    ROUTES.contains(&method.attr.as_str())
        && (path.is_some_and(|path| path.starts_with('/')) || door && path.is_some())
}

/// Whether a caller can write a text into this parameter.
pub(crate) fn holds_text(index: &Index<'_>, program: usize, parameter: &Parameter) -> bool {
    if HARMLESS_PARAMS.contains(&parameter.name.as_str()) {
        return false;
    }
    if parameter.annotation.as_deref().is_some_and(is_numbers) {
        return false;
    }
    let (Some(annotation), Some(program)) = (&parameter.annotation, index.programs.get(program)) else {
        return true;
    };
    match type_name(annotation, &program.names) {
        Some(name) => {
            let choice = index
                .class_named(&name)
                .is_some_and(|class| index.derives(class, &["Enum", "StrEnum", "IntEnum"]));
            !choice && !HARMLESS_TYPES.contains(&last(&name))
        }
        None => true,
    }
}

/// `List[float]`, `Sequence[int]` and `list[list[float]]`.
fn is_numbers(annotation: &Expr) -> bool {
    let Expr::Subscript(generic) = annotation else { return false };
    let outer = word_of(&generic.value);
    let many =
        ["list", "sequence", "iterable", "tuple", "set", "optional", "collection"].contains(&outer.as_str());
    many && match &*generic.slice {
        inner @ Expr::Subscript(_) => is_numbers(inner),
        Expr::Name(name) => HARMLESS_TYPES.contains(&name.id.as_str()),
        _ => false,
    }
}
