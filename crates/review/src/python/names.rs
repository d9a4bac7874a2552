//! What names of a file mean: where they were imported from, through aliases, and what the file is called itself.

use foldhash::HashMap;
use foldhash::HashMapExt;
use ruff_python_ast::{Expr, Stmt};

#[derive(Debug)]
pub(crate) struct Names {
    /// The dotted name of the file.
    pub(crate) module: String,
    imports: HashMap<String, String>,
    /// What the file defines at its margin.
    own: HashMap<String, ()>,
}

impl Names {
    pub(super) fn read(path: &str, root: &str, body: &[Stmt]) -> Names {
        let inside = path.strip_prefix(root).unwrap_or(path);
        let mut names = Names { module: module_of(inside), imports: HashMap::new(), own: HashMap::new() };
        let package = match path.ends_with("/__init__.py") || path == "__init__.py" {
            true => names.module.clone(),
            false => parent(&names.module, 1),
        };
        names.block(body, &package, true);
        names
    }

    fn block(&mut self, body: &[Stmt], package: &str, top: bool) {
        for statement in body {
            match statement {
                Stmt::Import(import) => {
                    for alias in &import.names {
                        let name = alias.name.as_str();
                        match &alias.asname {
                            Some(asname) => self.imports.insert(asname.to_string(), name.to_string()),
                            None => {
                                let first = name.split('.').next().unwrap_or(name);
                                self.imports.insert(first.to_string(), first.to_string())
                            }
                        };
                    }
                }
                Stmt::ImportFrom(import) => {
                    let level = usize::try_from(import.level).unwrap_or(0);
                    let base = match level {
                        0 => String::new(),
                        level => parent(package, level - 1),
                    };
                    let module = import.module.as_ref().map_or("", |module| module.as_str());
                    let base = join(&base, module);
                    for alias in &import.names {
                        let local = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
                        self.imports.insert(local, join(&base, alias.name.as_str()));
                    }
                }
                Stmt::FunctionDef(function) => {
                    if top {
                        self.own.insert(function.name.to_string(), ());
                    }
                    self.block(&function.body, package, false);
                }
                Stmt::ClassDef(class) => {
                    if top {
                        self.own.insert(class.name.to_string(), ());
                    }
                    self.block(&class.body, package, false);
                }
                Stmt::If(branch) => {
                    self.block(&branch.body, package, top);
                    for clause in &branch.elif_else_clauses {
                        self.block(&clause.body, package, top);
                    }
                }
                Stmt::Try(attempt) => {
                    self.block(&attempt.body, package, top);
                    for ruff_python_ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                        self.block(&handler.body, package, top);
                    }
                    self.block(&attempt.orelse, package, top);
                }
                Stmt::With(with) => self.block(&with.body, package, top),
                Stmt::For(each) => self.block(&each.body, package, top),
                Stmt::Assign(assign) if top => {
                    for target in &assign.targets {
                        if let Expr::Name(name) = target {
                            self.own.insert(name.id.to_string(), ());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The dotted name that an expression stands for, as far as imports tell.
    pub(crate) fn resolve(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => Some(self.name(name.id.as_str())),
            Expr::Attribute(attribute) => {
                let mut base = self.resolve(&attribute.value)?;
                base.push('.');
                base.push_str(attribute.attr.as_str());
                Some(base)
            }
            _ => None,
        }
    }

    pub(crate) fn name(&self, name: &str) -> String {
        match self.imports.get(name) {
            Some(known) => known.clone(),
            None if self.own.contains_key(name) => join(&self.module, name),
            None => name.to_string(),
        }
    }

    pub(crate) fn import(&self, name: &str) -> Option<&str> {
        self.imports.get(name).map(String::as_str)
    }

    /// Whether anything of this package is imported.
    pub(crate) fn uses(&self, package: &str) -> bool {
        self.imports.values().any(|name| {
            name.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

fn join(base: &str, name: &str) -> String {
    match (base.is_empty(), name.is_empty()) {
        (true, _) => name.to_string(),
        (_, true) => base.to_string(),
        _ => format!("{base}.{name}"),
    }
}

fn parent(name: &str, levels: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    parts.get(..parts.len().saturating_sub(levels)).unwrap_or_default().join(".")
}

fn module_of(path: &str) -> String {
    let path = path.trim_end_matches(".pyi").trim_end_matches(".py");
    let path = path.trim_end_matches("/__init__").trim_start_matches("./");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != "..").collect();
    // What lies under `src` is imported without it.
    let from = parts.iter().rposition(|part| *part == "src").map_or(0, |at| at + 1);
    parts.get(from..).unwrap_or_default().join(".")
}
