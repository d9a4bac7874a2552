//! What statements do to what is known: in their order, branches joined, checks believed.

use super::eval::{Key, Run, joined, piece_of};
use super::guard::{guards, opts_in};
use super::origin;
use super::tables::{Origin, Sink};
use super::value::{Closure, From, Piece, Sinks, Step, Taint, Val};
use super::{Followed, Kept, STEPS_MAX, Summary, UNIT_STEPS_MIN};
use crate::python::{Index, Program, span, type_name};
use foldhash::{HashMap, HashMapExt, HashSet};
use ruff_python_ast::{ExceptHandler, Expr, Pattern, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;
use std::sync::Arc;

/// Functions in functions in functions: further in, only what they do by themselves is followed.
const AROUND_MAX: usize = 4;

/// Follows one function, or what a file does when it is loaded.
pub(super) fn follow(
    index: &Index<'_>,
    tools: &HashSet<usize>,
    summaries: &[Summary],
    kept: &Kept,
    unit: usize,
) -> Followed {
    let func = index.funcs.get(unit);
    let program = func.map_or_else(|| unit.saturating_sub(index.funcs.len()), |func| func.program);
    let Some(read) = index.programs.get(program) else { return Followed::default() };
    let mut run = Run {
        index,
        summaries,
        kept,
        program,
        class: func.and_then(|func| func.class),
        names: &read.names,
        env: HashMap::new(),
        out: Followed::default(),
        steps: steps_of(read, func.map(|func| func.def.range().len().to_usize())),
        around: 0,
        func: Some(unit).filter(|_| func.is_some()),
    };
    match func {
        None => run.block(&read.body),
        Some(func) => {
            let from = origin::of(index, tools, func);
            for (at, parameter) in func.params.iter().enumerate() {
                let name = parameter.name.as_str();
                let made =
                    parameter.annotation.as_ref().and_then(|annotation| type_name(annotation, run.names));
                let mut value = Val { made: made.map(Arc::from), ..Val::default() };
                let at = u16::try_from(at).unwrap_or(u16::MAX);
                if origin::holds_text(index, program, parameter) {
                    let from = from.map_or(From::Param(at, None), From::Outside);
                    let note = match from {
                        From::Outside(origin) => format!("`{name}` is {}", origin.words()),
                        From::Param(..) => format!("`{name}` is what callers of `{}` give", func.def.name),
                    };
                    let way = Step::after(None, program, span(parameter.range()), note);
                    value.add(Taint { from, clean: Sinks::default(), part: false, way });
                }
                run.env.insert(Key::Name(name), value);
            }
            run.block(&func.def.body);
            let route = func.def.decorator_list.iter().any(origin::is_route);
            let told = run.out.summary.returns.taints.clone();
            for taint in told.into_iter().filter(|_| route) {
                let at = taint.way.span;
                run.arrive(Sink::Answer, &Val::tainted(taint), at);
            }
        }
    }
    run.out
}

/// How many steps a function has: its share of what its file has.
fn steps_of(program: &Program, length: Option<usize>) -> usize {
    let all = program.file.text().len().max(1);
    let share = length.map_or(STEPS_MAX, |length| STEPS_MAX / all * length);
    share.max(UNIT_STEPS_MIN)
}

impl<'a> Run<'_, 'a> {
    pub(super) fn block(&mut self, body: &'a [Stmt]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Stmt) {
        if !self.spend(1) {
            return;
        }
        match statement {
            Stmt::Expr(said) => {
                self.eval(&said.value);
                // A call that checks and throws.
                self.guard(&said.value);
            }
            Stmt::Assign(assign) => {
                let mut value = self.eval(&assign.value);
                self.note(&mut value, &assign.value, assign.targets.first());
                for target in &assign.targets {
                    self.bind(target, value.clone());
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(given) = &assign.value {
                    let mut value = self.eval(given);
                    if let Some(made) = type_name(&assign.annotation, self.names) {
                        value.made = value.made.or(Some(made.into()));
                    }
                    self.bind(&assign.target, value);
                }
            }
            Stmt::AugAssign(assign) => {
                let before = self.eval(&assign.target);
                let mut value = self.eval(&assign.value);
                if value.text.is_some() || before.text.is_some() {
                    value.part();
                }
                let text = joined(before.text.as_deref(), value.text.as_deref());
                let both = Val { text, ..before.join(value) };
                self.bind(&assign.target, both);
            }
            Stmt::Return(back) => {
                if let Some(given) = &back.value {
                    let value = self.eval(given);
                    self.returned(value);
                }
            }
            Stmt::If(branch) => self.branch(branch),
            Stmt::For(each) => {
                let items = self.eval(&each.iter);
                self.bind(&each.target, items.plain());
                self.apart(&[&each.body, &each.orelse]);
            }
            Stmt::While(each) => {
                self.eval(&each.test);
                self.apart(&[&each.body, &each.orelse]);
            }
            Stmt::With(with) => {
                for item in &with.items {
                    let value = self.eval(&item.context_expr);
                    if let Some(target) = &item.optional_vars {
                        self.bind(target, value);
                    }
                }
                self.block(&with.body);
            }
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::Match(choice) => self.choice(choice),
            Stmt::Raise(raise) => {
                for one in raise.exc.iter().chain(&raise.cause) {
                    self.eval(one);
                }
            }
            Stmt::Assert(assert) => {
                self.eval(&assert.test);
                self.guard(&assert.test);
            }
            // At the margin of a file there is nothing around it that comes from outside.
            Stmt::FunctionDef(def) if self.func.is_some() => self.inner(def),
            Stmt::ClassDef(class) => {
                for inner in &class.body {
                    if matches!(inner, Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Expr(_)) {
                        self.statement(inner);
                    }
                }
            }
            Stmt::Delete(gone) => {
                for target in gone.targets.iter().filter_map(Key::of) {
                    self.env.remove(&target);
                }
            }
            _ => {}
        }
    }

    fn attempt(&mut self, attempt: &'a ruff_python_ast::StmtTry) {
        self.block(&attempt.body);
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            let before = self.kept_env();
            if let Some(name) = &handler.name {
                let fault = self.outside(Origin::Fault, span(name.range()));
                self.env.insert(Key::Name(name.as_str()), fault);
            }
            self.block(&handler.body);
            let after = std::mem::replace(&mut self.env, before);
            if !leaves(&handler.body) {
                self.merge(after);
            }
        }
        self.block(&attempt.orelse);
        self.block(&attempt.finalbody);
    }

    fn choice(&mut self, choice: &'a ruff_python_ast::StmtMatch) {
        let subject = self.eval(&choice.subject);
        for case in &choice.cases {
            let before = self.kept_env();
            if let Pattern::MatchAs(bound) = &case.pattern
                && let Some(name) = &bound.name
            {
                self.env.insert(Key::Name(name.as_str()), subject.clone());
            }
            if let Some(guard) = &case.guard {
                self.eval(guard);
            }
            self.block(&case.body);
            let after = std::mem::replace(&mut self.env, before);
            if !leaves(&case.body) {
                self.merge(after);
            }
        }
    }

    fn branch(&mut self, branch: &'a ruff_python_ast::StmtIf) {
        self.eval(&branch.test);
        let before = self.kept_env();
        self.guard(&branch.test);
        self.block(&branch.body);
        let mut ends = Vec::new();
        let mut after = std::mem::replace(&mut self.env, before);
        if !leaves(&branch.body) {
            ends.push(std::mem::take(&mut after));
        } else {
            // Who goes on passed the check.
            self.guard(&branch.test);
            if opts_in(&branch.test) {
                let keys: Vec<Key<'a>> = self.env.keys().copied().collect();
                for key in keys {
                    if let Some(value) = self.env.remove(&key) {
                        self.env.insert(key, value.cleaned(Sinks::of(Sink::Deserializer)));
                    }
                }
            }
        }
        let mut otherwise = false;
        for clause in &branch.elif_else_clauses {
            let start = self.kept_env();
            match &clause.test {
                Some(test) => {
                    self.eval(test);
                    self.guard(test);
                }
                None => {
                    otherwise = true;
                    self.guard(&branch.test);
                }
            }
            self.block(&clause.body);
            let after = std::mem::replace(&mut self.env, start);
            match (leaves(&clause.body), &clause.test) {
                (false, _) => ends.push(after),
                (true, Some(test)) => self.guard(test),
                (true, None) => {}
            }
        }
        if otherwise && !ends.is_empty() {
            self.env = ends.remove(0);
        }
        ends.into_iter().for_each(|end| self.merge(end));
    }

    /// Blocks that may run or not.
    fn apart(&mut self, bodies: &[&'a [Stmt]]) {
        for body in bodies.iter().filter(|body| !body.is_empty()) {
            let before = self.kept_env();
            self.block(body);
            let after = std::mem::replace(&mut self.env, before);
            self.merge(after);
        }
    }

    /// A copy of all that is known, for where ways part.
    fn kept_env(&mut self) -> HashMap<Key<'a>, Val> {
        match self.spend(self.env.len()) {
            true => self.env.clone(),
            false => HashMap::new(),
        }
    }

    fn merge(&mut self, other: HashMap<Key<'a>, Val>) {
        for (key, value) in other {
            match self.env.remove(&key) {
                Some(known) => self.env.insert(key, known.join(value)),
                None => self.env.insert(key, value),
            };
        }
    }

    pub(super) fn guard(&mut self, test: &'a Expr) {
        for (key, sinks) in guards(test) {
            if let Some(value) = self.env.remove(&key) {
                self.env.insert(key, value.cleaned(sinks));
            }
        }
    }

    fn note(&self, value: &mut Val, given: &Expr, target: Option<&Expr>) {
        if let (Some(Expr::Name(name)), Expr::Call(_)) = (target, given)
            && !value.taints.is_empty()
        {
            self.step(value, span(given.range()), &format!("becomes `{}`", name.id));
        }
    }

    pub(super) fn bind(&mut self, target: &'a Expr, value: Val) {
        match target {
            Expr::Name(_) | Expr::Attribute(_) => {
                if let Some(key) = Key::of(target) {
                    if let Key::Attr("self", attribute) = key {
                        self.keep(attribute, &value);
                    }
                    self.env.insert(key, value);
                }
            }
            Expr::Tuple(tuple) => self.unpack(&tuple.elts, &value),
            Expr::List(list) => self.unpack(&list.elts, &value),
            Expr::Starred(star) => self.bind(&star.value, value),
            Expr::Subscript(subscript) => {
                // What is put into a container is in it.
                if let Some(key) = Key::of(&subscript.value) {
                    let mut held = self.env.remove(&key).unwrap_or_default();
                    held.put(piece_of(&subscript.slice), &value);
                    self.env.insert(key, held);
                }
            }
            _ => {}
        }
    }

    fn unpack(&mut self, targets: &'a [Expr], value: &Val) {
        let starred = targets.iter().any(Expr::is_starred_expr);
        for (at, target) in targets.iter().enumerate() {
            let piece = if starred { value.clone().plain() } else { value.piece(Piece::at(at)) };
            self.bind(target, piece);
        }
    }

    /// An attribute of the object itself gets a value.
    fn keep(&mut self, attribute: &str, value: &Val) {
        let Some(class) = self.class else { return };
        for taint in &value.taints {
            match taint.from {
                From::Outside(Origin::Secret) => {}
                From::Outside(_) => self.out.kept.push((class, attribute.to_string(), taint.clone())),
                From::Param(..) => {
                    let keeps = &mut self.out.summary.keeps;
                    if !keeps.iter().any(|(name, known)| name == attribute && known.from == taint.from) {
                        keeps.push((attribute.to_string(), taint.clone()));
                    }
                }
            }
        }
    }

    /// A function inside of a function: what it does with what is around it. What it does with its parameters is
    /// followed where it is called.
    fn inner(&mut self, def: &'a StmtFunctionDef) {
        let Some(func) = self.index.func_of(def) else { return };
        let mut around = Val::default();
        if self.around < AROUND_MAX {
            let env = self.kept_env();
            for parameter in def.parameters.iter() {
                self.env.insert(Key::Name(parameter.name().as_str()), Val::default());
            }
            let returns = std::mem::take(&mut self.out.summary.returns);
            self.around += 1;
            self.block(&def.body);
            self.around -= 1;
            around = std::mem::replace(&mut self.out.summary.returns, returns);
            self.env = env;
        }
        let closure = Some(Arc::new(Closure { func, around }));
        self.env.insert(Key::Name(def.name.as_str()), Val { func: closure, ..Val::default() });
    }

    pub(super) fn returned(&mut self, value: Val) {
        let known = std::mem::take(&mut self.out.summary.returns);
        let first = known.taints.is_empty() && known.made.is_none();
        self.out.summary.returns = if first { value } else { known.join(value) };
    }
}

/// Whether a block ends by leaving: what follows it is not reached through it.
fn leaves(body: &[Stmt]) -> bool {
    match body.last() {
        Some(Stmt::Return(_) | Stmt::Raise(_) | Stmt::Continue(_) | Stmt::Break(_)) => true,
        Some(Stmt::If(branch)) => {
            leaves(&branch.body)
                && branch.elif_else_clauses.iter().all(|clause| leaves(&clause.body))
                && branch.elif_else_clauses.last().is_some_and(|clause| clause.test.is_none())
        }
        _ => false,
    }
}
