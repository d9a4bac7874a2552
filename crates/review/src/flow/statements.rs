//! What statements do to what is known: in their order, branches joined, checks believed.

use super::eval::{Key, Run};
use super::guard::{guards, opts_in};
use super::origin;
use super::tables::{Origin, Sink};
use super::value::{From, Sinks, Step, Taint, Val};
use super::{Followed, Kept, Summary};
use crate::python::{Index, span, type_name};
use foldhash::{HashMap, HashMapExt};
use ruff_python_ast::{ExceptHandler, Expr, Pattern, Stmt};
use ruff_text_size::Ranged;
use std::sync::Arc;

/// Follows one function, or what a file does when it is loaded.
pub(super) fn follow(index: &Index<'_>, summaries: &[Summary], kept: &Kept, unit: usize) -> Followed {
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
    };
    match func {
        None => run.block(&read.body),
        Some(func) => {
            let from = origin::of(index, func);
            for (at, parameter) in func.params.iter().enumerate() {
                let name = parameter.name.as_str();
                let made =
                    parameter.annotation.as_ref().and_then(|annotation| type_name(annotation, run.names));
                let mut value = Val { made: made.map(Arc::from), ..Val::default() };
                let at = u16::try_from(at).unwrap_or(u16::MAX);
                if origin::holds_text(index, program, parameter) {
                    let from = from.map_or(From::Param(at), From::Outside);
                    let note = match from {
                        From::Outside(origin) => format!("`{name}` is {}", origin.words()),
                        From::Param(_) => format!("`{name}` is what callers of `{}` give", func.def.name),
                    };
                    let way = Step::after(None, program, span(parameter.range()), note);
                    value.add(Taint { from, clean: Sinks::default(), part: false, way });
                }
                run.env.insert(Key::Name(name), value);
            }
            run.block(&func.def.body);
            let route = func.def.decorator_list.iter().any(origin::is_route);
            let told = run.out.summary.returns.clone();
            for taint in told.into_iter().filter(|_| route) {
                let at = taint.way.span;
                run.arrive(Sink::Answer, &Val::tainted(taint), at);
            }
        }
    }
    run.out
}

impl<'a> Run<'_, 'a> {
    /// Whether what follows is still reached.
    pub(super) fn block(&mut self, body: &'a [Stmt]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Stmt) {
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
                let mut both = before.join(value);
                both.text = None;
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
                self.bind(&each.target, Val { made: None, text: None, ..items });
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
            let before = self.env.clone();
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
            let before = self.env.clone();
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
        let before = self.env.clone();
        self.guard(&branch.test);
        self.block(&branch.body);
        let mut ends = Vec::new();
        let mut after = std::mem::replace(&mut self.env, before.clone());
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
            let start = self.env.clone();
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
            let before = self.env.clone();
            self.block(body);
            let after = std::mem::replace(&mut self.env, before);
            self.merge(after);
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
                        for taint in value.taints.iter().filter(
                            |taint| matches!(taint.from, From::Outside(origin) if origin != Origin::Secret),
                        ) {
                            self.out.kept.push((attribute.to_string(), taint.clone()));
                        }
                    }
                    self.env.insert(key, value);
                }
            }
            Expr::Tuple(tuple) => {
                tuple
                    .elts
                    .iter()
                    .for_each(|one| self.bind(one, Val { made: None, text: None, ..value.clone() }));
            }
            Expr::List(list) => {
                list.elts
                    .iter()
                    .for_each(|one| self.bind(one, Val { made: None, text: None, ..value.clone() }));
            }
            Expr::Starred(star) => self.bind(&star.value, value),
            Expr::Subscript(subscript) => {
                // What is put into a container is in it.
                if let Some(key) = Key::of(&subscript.value) {
                    let mut held = self.env.remove(&key).unwrap_or_default();
                    held.take(&value);
                    self.env.insert(key, held);
                }
            }
            _ => {}
        }
    }

    pub(super) fn returned(&mut self, value: Val) {
        let summary = &mut self.out.summary;
        let mut all = Val { taints: std::mem::take(&mut summary.returns), ..Val::default() };
        all.take(&value);
        summary.returns = all.taints;
        summary.made = summary.made.take().or(value.made);
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
