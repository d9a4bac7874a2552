//! Functions that become tools by being handed on: to what makes a tool of them, or by a toolkit where an object of it
//! is made.

use super::tables::{TOOL_MAKERS, TOOLKITS};
use crate::python::{Index, Program, Thing, last, scan};
use foldhash::HashSet;
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

/// Functions inside of functions in which tools are still looked for.
const INNER_MAX: usize = 2;

pub(super) fn read(index: &Index<'_>) -> HashSet<usize> {
    let mut tools = HashSet::default();
    let makes: Vec<bool> = index
        .programs
        .iter()
        .map(|program| TOOL_MAKERS.iter().any(|maker| program.file.text().contains(&format!("{maker}("))))
        .collect();
    for (program, _) in index.programs.iter().zip(&makes).filter(|(_, makes)| **makes) {
        made(index, program, None, &program.body, 0, &mut tools);
    }
    for func in &index.funcs {
        if !makes.get(func.program).copied().unwrap_or(false) {
            continue;
        }
        if let Some(program) = index.programs.get(func.program) {
            made(index, program, func.class, &func.def.body, INNER_MAX, &mut tools);
        }
    }
    for (class, known) in
        index.classes.iter().enumerate().filter(|(class, _)| index.derives(*class, TOOLKITS))
    {
        let init = known.methods.get("__init__").and_then(|init| index.funcs.get(*init));
        for name in init.iter().flat_map(|init| handed(&init.def.body)) {
            tools.extend(index.method(class, name).filter(|_| name != "__init__"));
        }
    }
    tools
}

fn made(
    index: &Index<'_>,
    program: &Program,
    class: Option<usize>,
    body: &[Stmt],
    inner: usize,
    tools: &mut HashSet<usize>,
) {
    scan(body, inner, &mut |thing| {
        let Thing::Expr(Expr::Call(call)) = thing else { return };
        if !program.names.resolve(&call.func).is_some_and(|name| TOOL_MAKERS.contains(&last(&name))) {
            return;
        }
        for given in given(call) {
            tools.extend(match given {
                Expr::Name(_) => program.names.resolve(given).and_then(|name| index.func_named(&name)),
                Expr::Attribute(method) => class
                    .filter(|_| is_self(&method.value))
                    .and_then(|class| index.method(class, method.attr.as_str())),
                _ => None,
            });
        }
    });
}

fn given(call: &ExprCall) -> impl Iterator<Item = &Expr> {
    call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|keyword| &keyword.value))
}

fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(name) if name.id.as_str() == "self")
}

/// Methods of the object itself that are not called but handed on.
fn handed(body: &[Stmt]) -> Vec<&str> {
    let (mut read, mut called) = (Vec::new(), HashSet::default());
    scan(body, 1, &mut |thing| match thing {
        Thing::Expr(Expr::Call(call)) => {
            called.insert(call.func.range());
        }
        Thing::Expr(Expr::Attribute(method)) if is_self(&method.value) => {
            read.push((method.range(), method.attr.as_str()));
        }
        _ => {}
    });
    read.into_iter().filter(|(at, _)| !called.contains(at)).map(|(_, name)| name).collect()
}
