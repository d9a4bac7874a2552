//! Methods that only say what there is, and are written by the classes below: who calls one calls them, and a method
//! that a class takes over, and that calls one, is followed once for each class that writes it.

use super::index::{Func, Index};
use super::scan::{calls_in, method_of};
use foldhash::{HashMap, HashMapExt};
use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};

/// More classes below tell little of what an object is.
const FILLED_MAX: usize = 16;
/// What classes take over is followed for so many of them.
const COPIES_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Shapes<'a> {
    /// By the method that is a shape.
    filled: HashMap<usize, Vec<usize>>,
    /// By the class and the name.
    copies: HashMap<(usize, &'a str), usize>,
}

impl<'a> Shapes<'a> {
    /// Functions that are followed once more are put behind the others.
    pub(super) fn read(index: &mut Index<'a>) -> Shapes<'a> {
        let shapes: Vec<bool> =
            index.funcs.iter().map(|func| func.class.is_some() && is_shape(func.def)).collect();
        let is = |func: usize| shapes.get(func).copied().unwrap_or(false);
        let mut out = Shapes::default();
        let mut more: Vec<(usize, &'a str, usize)> = Vec::new();
        let mut calls: HashMap<usize, Vec<&'a str>> = HashMap::new();
        for class in 0..index.classes.len() {
            let above: Vec<usize> =
                index.ancestors(class).iter().filter_map(|name| index.class_named(name)).collect();
            let Some(own) = index.classes.get(class) else { continue };
            for base in above.iter().filter_map(|base| index.classes.get(*base)) {
                for (name, func) in &base.methods {
                    if is(*func) {
                        let written = own.methods.get(name).filter(|own| !is(**own));
                        out.filled.entry(*func).or_default().extend(written);
                        continue;
                    }
                    let Some(def) = index.funcs.get(*func).map(|func| func.def) else { continue };
                    let asks = calls.entry(*func).or_insert_with(|| own_calls(def));
                    let writes = |asked: &&str| {
                        base.methods.get(asked).is_some_and(|func| is(*func))
                            && index.method(class, asked).is_some_and(|func| !is(func))
                    };
                    if asks.iter().any(writes) && index.method(class, name) == Some(*func) {
                        more.push((class, name, *func));
                    }
                }
            }
        }
        // In an order that is the same each time.
        more.sort_unstable();
        out.filled.values_mut().for_each(|all| all.sort_unstable());
        for (class, name, func) in more.into_iter().take(COPIES_MAX) {
            let Some(known) = index.funcs.get(func) else { continue };
            let copy = Func { class: Some(class), params: known.params.clone(), ..*known };
            out.copies.insert((class, name), index.funcs.len());
            index.funcs.push(copy);
        }
        out
    }

    pub(super) fn copy(&self, class: usize, name: &str) -> Option<usize> {
        self.copies.get(&(class, name)).copied()
    }

    pub(super) fn filled(&self, func: usize) -> &[usize] {
        self.filled.get(&func).map(Vec::as_slice).filter(|all| all.len() <= FILLED_MAX).unwrap_or_default()
    }
}

/// A method without work of its own: a text, `...`, `pass`, or an error that it is not there.
fn is_shape(def: &StmtFunctionDef) -> bool {
    def.body.iter().all(|statement| match statement {
        Stmt::Pass(_) => true,
        Stmt::Expr(said) => matches!(&*said.value, Expr::StringLiteral(_) | Expr::EllipsisLiteral(_)),
        Stmt::Raise(raise) => raise.exc.as_deref().is_some_and(|error| {
            let error = match error {
                Expr::Call(call) => &*call.func,
                error => error,
            };
            matches!(error, Expr::Name(name) if name.id.as_str() == "NotImplementedError")
        }),
        _ => false,
    })
}

/// The methods of `self` that a method calls.
fn own_calls(def: &StmtFunctionDef) -> Vec<&str> {
    let own = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id.as_str() == "self");
    let calls = calls_in(&def.body, 0).into_iter();
    calls
        .filter(|call| matches!(&*call.func, Expr::Attribute(method) if own(&method.value)))
        .map(method_of)
        .collect()
}
