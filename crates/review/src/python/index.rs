//! Every class and function of a project by its dotted name, and what classes derive from, across files.

use super::doors::Doors;
use super::parse::Program;
use super::shapes::Shapes;
use foldhash::{HashMap, HashMapExt};
use ruff_python_ast::{Expr, Parameter, Stmt, StmtClassDef, StmtFunctionDef};
use std::collections::VecDeque;
use std::sync::OnceLock;

/// How often a name may be handed on from package to package.
const HOPS_MAX: usize = 8;
const ANCESTORS_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Func<'a> {
    pub(crate) program: usize,
    pub(crate) class: Option<usize>,
    pub(crate) def: &'a StmtFunctionDef,
    pub(crate) params: Vec<&'a Parameter>,
    /// Those before `*`, which a call fills by place.
    pub(crate) places: usize,
}

#[derive(Debug)]
pub(crate) struct Class<'a> {
    pub(crate) name: String,
    pub(crate) bases: Vec<String>,
    /// What is written above it, by the last word.
    pub(crate) decorators: Vec<String>,
    pub(crate) methods: HashMap<&'a str, usize>,
    /// Annotated fields and plain ones, with what they are given.
    pub(crate) fields: Vec<(&'a str, Option<&'a Expr>, Option<&'a Expr>)>,
    /// What attributes of `self` are made of: the name of a class or a function.
    pub(crate) made: HashMap<&'a str, String>,
}

#[derive(Clone, Copy, Debug)]
enum Symbol {
    Func(usize),
    Class(usize),
}

#[derive(Debug)]
pub(crate) struct Index<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) funcs: Vec<Func<'a>>,
    pub(crate) classes: Vec<Class<'a>>,
    symbols: HashMap<String, Symbol>,
    modules: HashMap<&'a str, usize>,
    /// Definitions by the place in memory that they have while the index lives.
    by_def: HashMap<usize, usize>,
    by_class: HashMap<usize, usize>,
    /// Methods that only one class has.
    only: HashMap<&'a str, Option<usize>>,
    ancestors: Vec<Vec<String>>,
    shapes: Shapes<'a>,
    doors: OnceLock<Doors>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(programs: &'a [Program]) -> Index<'a> {
        let mut index = Index {
            programs,
            funcs: Vec::new(),
            classes: Vec::new(),
            symbols: HashMap::new(),
            modules: programs.iter().enumerate().map(|(at, one)| (one.names.module.as_str(), at)).collect(),
            by_def: HashMap::new(),
            by_class: HashMap::new(),
            only: HashMap::new(),
            ancestors: Vec::new(),
            shapes: Shapes::default(),
            doors: OnceLock::new(),
        };
        for (at, program) in programs.iter().enumerate() {
            let prefix = program.names.module.clone();
            index.block(&program.body, at, None, &prefix);
        }
        index.ancestors = (0..index.classes.len()).map(|class| index.climb(class)).collect();
        index.shapes = Shapes::read(&mut index);
        index
    }

    fn block(&mut self, body: &'a [Stmt], program: usize, class: Option<usize>, prefix: &str) {
        for statement in body {
            match statement {
                Stmt::FunctionDef(def) => self.function(def, program, class, prefix),
                Stmt::ClassDef(def) => self.class(def, program, prefix),
                Stmt::If(branch) => {
                    self.block(&branch.body, program, class, prefix);
                    for clause in &branch.elif_else_clauses {
                        self.block(&clause.body, program, class, prefix);
                    }
                }
                Stmt::Try(attempt) => {
                    self.block(&attempt.body, program, class, prefix);
                    for ruff_python_ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                        self.block(&handler.body, program, class, prefix);
                    }
                    self.block(&attempt.orelse, program, class, prefix);
                }
                Stmt::With(with) => self.block(&with.body, program, class, prefix),
                Stmt::For(each) => self.block(&each.body, program, class, prefix),
                Stmt::While(each) => self.block(&each.body, program, class, prefix),
                _ => {}
            }
        }
    }

    fn function(&mut self, def: &'a StmtFunctionDef, program: usize, class: Option<usize>, prefix: &str) {
        let parameters = &def.parameters;
        let ordered = parameters.posonlyargs.iter().chain(&parameters.args);
        let mut params: Vec<&Parameter> = ordered.map(|one| &one.parameter).collect();
        let places = params.len();
        params.extend(parameters.kwonlyargs.iter().map(|one| &one.parameter));
        params.extend(parameters.vararg.as_deref());
        params.extend(parameters.kwarg.as_deref());
        let at = self.funcs.len();
        self.funcs.push(Func { program, class, def, params, places });
        self.by_def.insert(std::ptr::from_ref(def).addr(), at);
        let name = def.name.as_str();
        match class {
            Some(class) => {
                if let Some(class) = self.classes.get_mut(class) {
                    class.methods.insert(name, at);
                }
                self.only.entry(name).and_modify(|only| *only = None).or_insert(Some(at));
            }
            None => {
                self.symbols.entry(format!("{prefix}.{name}")).or_insert(Symbol::Func(at));
            }
        }
        self.block(&def.body, program, None, &format!("{prefix}.{name}.<locals>"));
    }

    fn class(&mut self, def: &'a StmtClassDef, program: usize, prefix: &str) {
        let Some(names) = self.programs.get(program).map(|program| &program.names) else { return };
        let name = format!("{prefix}.{}", def.name);
        let arguments = def.arguments.as_deref().map_or(&[][..], |arguments| &arguments.args);
        let base = |expr: &Expr| match expr {
            Expr::Subscript(generic) => names.resolve(&generic.value),
            expr => names.resolve(expr),
        };
        let bases = arguments.iter().filter_map(base).collect();
        let decorators = def.decorator_list.iter().filter_map(|one| names.resolve(&one.expression));
        let decorators = decorators.map(|name| last(&name).to_string()).collect();
        let mut fields = Vec::new();
        for statement in &def.body {
            match statement {
                Stmt::AnnAssign(assign) => {
                    if let Expr::Name(target) = &*assign.target {
                        fields.push((target.id.as_str(), Some(&*assign.annotation), assign.value.as_deref()));
                    }
                }
                Stmt::Assign(assign) => {
                    if let [Expr::Name(target)] = assign.targets.as_slice() {
                        fields.push((target.id.as_str(), None, Some(&*assign.value)));
                    }
                }
                _ => {}
            }
        }
        let mut made = HashMap::new();
        for (field, annotation, _) in &fields {
            if let Some(name) = annotation.and_then(|annotation| type_name(annotation, names)) {
                made.insert(*field, name);
            }
        }
        for statement in &def.body {
            if let Stmt::FunctionDef(method) = statement {
                makes(&method.body, names, &mut made, 0);
            }
        }
        let at = self.classes.len();
        self.classes.push(Class {
            name: name.clone(),
            bases,
            decorators,
            methods: HashMap::new(),
            fields,
            made,
        });
        self.by_class.insert(std::ptr::from_ref(def).addr(), at);
        self.symbols.entry(name.clone()).or_insert(Symbol::Class(at));
        self.block(&def.body, program, Some(at), &name);
    }

    /// The names of everything a class derives from, nearest first, those outside of the project too.
    fn climb(&self, class: usize) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut next: VecDeque<String> =
            self.classes.get(class).map_or_else(VecDeque::new, |class| class.bases.clone().into());
        while let Some(name) = next.pop_front() {
            if out.contains(&name) || out.len() >= ANCESTORS_MAX {
                continue;
            }
            if let Some(base) = self.class_named(&name).and_then(|at| self.classes.get(at)) {
                next.extend(base.bases.iter().cloned());
            }
            out.push(name);
        }
        out
    }

    /// Which doors ask who is calling.
    pub(crate) fn doors(&self) -> &Doors {
        self.doors.get_or_init(|| Doors::read(self))
    }

    pub(crate) fn ancestors(&self, class: usize) -> &[String] {
        self.ancestors.get(class).map_or(&[], Vec::as_slice)
    }

    /// Whether a class derives from one whose last name is among these.
    pub(crate) fn derives(&self, class: usize, from: &[&str]) -> bool {
        self.ancestors(class).iter().any(|name| from.contains(&last(name)))
    }

    fn symbol(&self, name: &str) -> Option<Symbol> {
        let mut name = name.to_string();
        for _ in 0..HOPS_MAX {
            if let Some(symbol) = self.symbols.get(&name) {
                return Some(*symbol);
            }
            // A package may hand on what it imported, and a module may be named from within its package.
            let (module, rest) = name.rsplit_once('.')?;
            let onward = self.module(module).and_then(|at| self.programs.get(at)?.names.import(rest));
            name = onward.filter(|onward| *onward != name)?.to_string();
        }
        None
    }

    fn module(&self, name: &str) -> Option<usize> {
        self.modules.get(name).copied()
    }

    pub(crate) fn func_named(&self, name: &str) -> Option<usize> {
        match self.symbol(name)? {
            Symbol::Func(at) => Some(at),
            Symbol::Class(_) => None,
        }
    }

    pub(crate) fn class_named(&self, name: &str) -> Option<usize> {
        match self.symbol(name)? {
            Symbol::Class(at) => Some(at),
            Symbol::Func(_) => None,
        }
    }

    /// A method of a class or of what it derives from.
    pub(crate) fn method(&self, class: usize, name: &str) -> Option<usize> {
        if let Some(copy) = self.shapes.copy(class, name) {
            return Some(copy);
        }
        let own = self.classes.get(class)?.methods.get(name).copied();
        own.or_else(|| {
            self.ancestors(class).iter().find_map(|base| {
                let at = self.class_named(base)?;
                self.classes.get(at)?.methods.get(name).copied()
            })
        })
    }

    /// The one method of this name in the project, unless it is a word that everything has.
    pub(crate) fn only_method(&self, name: &str) -> Option<usize> {
        const COMMON: &[&str] = &[
            "get", "set", "run", "call", "execute", "add", "update", "close", "open", "read", "write",
            "send", "append", "pop", "items", "keys", "values", "format", "join", "split", "strip", "encode",
            "decode", "load", "dump", "copy", "clear", "start", "stop", "create", "delete", "search",
            "query", "invoke", "__init__", "replace",
        ];
        if COMMON.contains(&name) || name.len() < 6 {
            return None;
        }
        self.only.get(name).copied().flatten()
    }

    /// What a method that only says what there is stands for: the same of the classes below.
    pub(crate) fn filled(&self, func: usize) -> &[usize] {
        self.shapes.filled(func)
    }

    pub(crate) fn func_of(&self, def: &StmtFunctionDef) -> Option<usize> {
        self.by_def.get(&std::ptr::from_ref(def).addr()).copied()
    }

    pub(crate) fn class_of(&self, def: &StmtClassDef) -> Option<usize> {
        self.by_class.get(&std::ptr::from_ref(def).addr()).copied()
    }

    /// What an attribute of `self` is made of, here or in what the class derives from.
    pub(crate) fn made(&self, class: usize, attribute: &str) -> Option<&str> {
        let own = |at: usize| self.classes.get(at)?.made.get(attribute).map(String::as_str);
        own(class).or_else(|| self.ancestors(class).iter().find_map(|base| own(self.class_named(base)?)))
    }

    /// The text that a class gives one of its attributes.
    pub(crate) fn constant(&self, class: usize, attribute: &str) -> Option<&'a str> {
        let fields = &self.classes.get(class)?.fields;
        let (_, _, value) = fields.iter().find(|(name, ..)| *name == attribute)?;
        value.and_then(super::text::literal)
    }

    pub(crate) fn field(&self, class: usize, name: &str) -> bool {
        let has = |at: usize| {
            self.classes.get(at).is_some_and(|class| class.fields.iter().any(|(field, ..)| *field == name))
        };
        has(class) || self.ancestors(class).iter().any(|base| self.class_named(base).is_some_and(has))
    }
}

/// What a method gives attributes of `self`, where that says what they are.
fn makes<'a>(body: &'a [Stmt], names: &super::Names, made: &mut HashMap<&'a str, String>, depth: usize) {
    if depth > 4 {
        return;
    }
    for statement in body {
        match statement {
            Stmt::Assign(assign) => {
                if let ([Expr::Attribute(target)], Expr::Call(call)) =
                    (assign.targets.as_slice(), &*assign.value)
                    && matches!(&*target.value, Expr::Name(name) if name.id.as_str() == "self")
                    && let Some(name) = names.resolve(&call.func)
                {
                    made.entry(target.attr.as_str()).or_insert(name);
                }
            }
            Stmt::If(branch) => {
                makes(&branch.body, names, made, depth + 1);
                for clause in &branch.elif_else_clauses {
                    makes(&clause.body, names, made, depth + 1);
                }
            }
            Stmt::Try(attempt) => makes(&attempt.body, names, made, depth + 1),
            Stmt::With(with) => makes(&with.body, names, made, depth + 1),
            _ => {}
        }
    }
}

/// The class that an annotation names, through `Optional`, `| None` and quotes.
pub(crate) fn type_name(annotation: &Expr, names: &super::Names) -> Option<String> {
    match annotation {
        Expr::Name(_) | Expr::Attribute(_) => names.resolve(annotation),
        Expr::StringLiteral(text) => {
            let text = text.value.to_str();
            text.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| names.name(text))
        }
        Expr::Subscript(generic) => {
            let outer = names.resolve(&generic.value)?;
            match last(&outer) {
                "Optional" | "Annotated" | "ClassVar" | "Final" | "Required" => match &*generic.slice {
                    Expr::Tuple(tuple) => tuple.elts.first().and_then(|first| type_name(first, names)),
                    inner => type_name(inner, names),
                },
                _ => Some(outer),
            }
        }
        Expr::BinOp(union) => match &*union.left {
            Expr::NoneLiteral(_) => type_name(&union.right, names),
            left => type_name(left, names),
        },
        _ => None,
    }
}

/// The last part of a dotted name.
pub(crate) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
