//! Which doors of a project ask who is calling for all that is behind them: applications and routers with a
//! dependency, middleware or a hook that does. Looked up by the rule for endpoints; read once for a project.

use super::index::Index;
use super::names::Names;
use super::scan::{Thing, assigned, calls_in, method_of, names_in, scan};
use crate::look::is_auth;
use foldhash::HashSet;
use ruff_python_ast::{Expr, ExprCall, Stmt, StmtFunctionDef};

/// Headers that say who is calling.
const CREDENTIALS: &[&str] = &["authorization", "x-api-key", "www-authenticate"];
/// How often routers may hold routers.
const ROUTERS_MAX: usize = 4;
/// Dependencies that bring something else than a caller.
const OTHERS: &[&str] = &[
    "db",
    "database",
    "session",
    "settings",
    "config",
    "cache",
    "redis",
    "client",
    "pagination",
    "logger",
    "service",
    "repo",
    "repository",
    "store",
    "engine",
    "params",
    "query",
    "limiter",
    "lang",
    "locale",
];

#[derive(Debug, Default)]
pub(crate) struct Doors {
    /// Routers and applications by their dotted names.
    guarded: HashSet<String>,
    /// Programs in which something looks at every request.
    hooked: HashSet<usize>,
}

impl Doors {
    pub(super) fn read(index: &Index<'_>) -> Doors {
        let mut doors = Doors::default();
        // What is included where, to hand a guard on.
        let mut included: Vec<(String, String)> = Vec::new();
        for (at, program) in index.programs.iter().enumerate() {
            let names = &program.names;
            if !["fastapi", "flask", "starlette", "quart", "aiohttp", "litestar", "sanic"]
                .iter()
                .any(|one| names.uses(one))
            {
                continue;
            }
            for (targets, value) in assigned(&program.body, usize::MAX) {
                if let (Expr::Call(call), [target]) = (value, targets.as_slice())
                    && asks_for_all(index, names, call)
                {
                    doors.guarded.insert(full(names, target));
                }
            }
            for call in calls_in(&program.body, usize::MAX) {
                let Expr::Attribute(method) = &*call.func else { continue };
                let on = names.resolve(&method.value).map(|name| full(names, &name));
                match (method.attr.as_str(), on) {
                    ("include_router" | "mount" | "register_blueprint", Some(on)) => {
                        let held = call.arguments.args.iter().filter_map(|one| names.resolve(one));
                        let held: Vec<String> = held.map(|name| full(names, &name)).collect();
                        if asks_for_all(index, names, call) {
                            doors.guarded.extend(held.iter().cloned());
                        }
                        included.extend(held.into_iter().map(|held| (held, on.clone())));
                    }
                    ("add_middleware", Some(on)) if middleware(index, names, call) => {
                        doors.guarded.insert(on);
                    }
                    _ => {}
                }
            }
            if hooks(index, &program.body) {
                doors.hooked.insert(at);
            }
        }
        for _ in 0..ROUTERS_MAX {
            let more: Vec<String> = included
                .iter()
                .filter(|(held, by)| doors.guarded.contains(by) && !doors.guarded.contains(held))
                .map(|(held, _)| held.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            doors.guarded.extend(more);
        }
        doors
    }

    /// Whether what hangs on this router or application is asked for already.
    pub(crate) fn ask(&self, program: usize, names: &Names, on: &Expr) -> bool {
        let name = names.resolve(on).map(|name| full(names, &name));
        self.hooked.contains(&program) || name.is_some_and(|name| self.guarded.contains(&name))
    }
}

/// A name that is nobody's import belongs to its file.
fn full(names: &Names, name: &str) -> String {
    if name.contains('.') { name.to_string() } else { format!("{}.{name}", names.module) }
}

/// `FastAPI(dependencies=[Depends(who)])`, and a list of middleware.
fn asks_for_all(index: &Index<'_>, names: &Names, call: &ExprCall) -> bool {
    let value = |name: &str| call.arguments.find_keyword(name).map(|keyword| &keyword.value);
    value("dependencies").is_some_and(|given| depends(index, names, given))
        || value("middleware").is_some_and(|given| names_in(given).iter().any(|name| is_auth(name)))
}

fn middleware(index: &Index<'_>, names: &Names, call: &ExprCall) -> bool {
    let Some(class) = call.arguments.args.first() else { return false };
    let named = names_in(class).iter().any(|name| is_auth(name));
    let looks = || {
        let class = index.class_named(&names.resolve(class)?)?;
        let dispatch = ["dispatch", "__call__"].iter().find_map(|method| index.method(class, method))?;
        let func = index.funcs.get(dispatch)?;
        asks(index, func.def).then_some(())
    };
    named || looks().is_some()
}

/// `@app.before_request` and `@app.middleware("http")`, where they look at who is calling.
fn hooks(index: &Index<'_>, body: &[Stmt]) -> bool {
    let mut found = false;
    scan(body, usize::MAX, &mut |thing| {
        if let Thing::Stmt(Stmt::FunctionDef(def)) = thing {
            let hook = def.decorator_list.iter().any(|one| {
                let name = names_in(&one.expression);
                ["before_request", "middleware", "before_app_request"].iter().any(|word| name.contains(word))
            });
            found |= hook && asks(index, def);
        }
    });
    found
}

/// Whether a function asks who is calling: by what it needs, by what it calls, or by what it answers.
pub(crate) fn asks(index: &Index<'_>, def: &StmtFunctionDef) -> bool {
    let Some(names) = index
        .func_of(def)
        .and_then(|at| index.funcs.get(at))
        .and_then(|func| index.programs.get(func.program))
        .map(|program| &program.names)
    else {
        return false;
    };
    let params = def.parameters.iter_non_variadic_params();
    let needs = params.into_iter().any(|one| {
        let annotation = one.parameter.annotation.as_deref();
        let typed = annotation.is_some_and(|annotation| {
            names_in(annotation).iter().any(|name| is_auth(name)) || depends(index, names, annotation)
        });
        typed || one.default.as_deref().is_some_and(|default| depends(index, names, default))
    });
    let decorated =
        def.decorator_list.iter().any(|one| names_in(&one.expression).iter().any(|name| is_auth(name)));
    if needs || decorated {
        return true;
    }
    let mut found = false;
    let mut onward = Vec::new();
    scan(&def.body, 1, &mut |thing| match thing {
        Thing::Expr(Expr::Call(call)) => {
            found |= is_auth(method_of(call));
            onward.extend(names.resolve(&call.func).and_then(|name| index.func_named(&name)));
        }
        Thing::Expr(Expr::StringLiteral(text)) => {
            let text = text.value.to_str().to_ascii_lowercase();
            found |= CREDENTIALS.contains(&text.as_str());
        }
        Thing::Stmt(Stmt::Raise(raise)) => {
            found |= raise.exc.as_ref().is_some_and(|exc| refuses(exc));
        }
        Thing::Expr(Expr::Attribute(attribute)) => {
            found |= ["current_user", "HTTP_401_UNAUTHORIZED", "HTTP_403_FORBIDDEN"]
                .contains(&attribute.attr.as_str());
        }
        Thing::Expr(Expr::Name(name)) => found |= name.id.as_str() == "current_user",
        _ => {}
    });
    found || onward.into_iter().any(|func| index.funcs.get(func).is_some_and(|func| turns_away(func.def)))
}

/// A function further down counts if it turns callers away, not for the names in it.
fn turns_away(def: &StmtFunctionDef) -> bool {
    let mut found = is_auth(def.name.as_str());
    scan(&def.body, 0, &mut |thing| {
        if let Thing::Stmt(Stmt::Raise(raise)) = thing {
            found |= raise.exc.as_ref().is_some_and(|exc| refuses(exc));
        }
    });
    found
}

/// `HTTPException(401)` and `HTTPException(status_code=403)`.
fn refuses(exc: &Expr) -> bool {
    let Expr::Call(call) = exc else { return false };
    let status = call.arguments.find_argument_value("status_code", 0).and_then(super::text::number);
    matches!(status, Some(401 | 403))
        || names_in(exc).iter().any(|name| ["Unauthorized", "Forbidden", "PermissionDenied"].contains(name))
}

/// `Depends(f)` where `f` asks; of one that nobody can see, its name decides.
fn depends(index: &Index<'_>, names: &Names, given: &Expr) -> bool {
    let mut found = false;
    let mut look = |call: &ExprCall| {
        if method_of(call) == "Security" {
            found = true;
        }
        if method_of(call) != "Depends" {
            return;
        }
        let Some(on) =
            call.arguments.args.first().or_else(|| call.arguments.keywords.first().map(|one| &one.value))
        else {
            return;
        };
        let on = if let Expr::Call(made) = on { &*made.func } else { on };
        let name = names.resolve(on).unwrap_or_default();
        let last = super::index::last(&name).to_string();
        found |= match index.func_named(&name).and_then(|at| index.funcs.get(at)) {
            Some(func) => is_auth(&last) || looks(func.def),
            None => {
                is_auth(&last) || !last.to_ascii_lowercase().split('_').any(|word| OTHERS.contains(&word))
            }
        };
    };
    each_call(given, &mut look);
    found
}

/// Whether a dependency looks at who is calling, in its own words.
fn looks(def: &StmtFunctionDef) -> bool {
    let params = def
        .parameters
        .iter()
        .any(|one| one.annotation().is_some_and(|of| names_in(of).iter().any(|name| is_auth(name))));
    let mut found = turns_away(def);
    scan(&def.body, 0, &mut |thing| {
        if let Thing::Expr(Expr::StringLiteral(text)) = thing {
            found |= CREDENTIALS.contains(&text.value.to_str().to_ascii_lowercase().as_str());
        }
    });
    params
        || found
        || def.parameters.iter_non_variadic_params().any(|one| is_auth(one.parameter.name.as_str()))
}

fn each_call(expr: &Expr, look: &mut dyn FnMut(&ExprCall)) {
    use ruff_python_ast::visitor::{Visitor, walk_expr};
    struct Calls<'l>(&'l mut dyn FnMut(&ExprCall));
    impl<'p> Visitor<'p> for Calls<'_> {
        fn visit_expr(&mut self, expr: &'p Expr) {
            if let Expr::Call(call) = expr {
                (self.0)(call);
            }
            walk_expr(self, expr);
        }
    }
    Calls(look).visit_expr(expr);
}
