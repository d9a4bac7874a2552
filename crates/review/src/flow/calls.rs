//! What a call does to data: what the tables say, what the function that is called was seen to do, or what calls
//! mostly do.

use super::eval::{Run, ends_in};
use super::guard::cleans;
use super::statement::statement_of;
use super::tables::{
    CLEANERS, CONDITIONS, HANDED_ON, HARMLESS, HARMLESS_METHODS, MODEL_METHODS, MODEL_WORDS, Named, Only,
    Origin, SINKS, SOURCES, Sink, SinkRow, is,
};
use super::value::{Closure, From, Piece, Sinks, Step, Taint, Val};
use super::{Arrival, REACHES_MAX, Reach, is_inner};
use crate::python::{last, literal, span, word_of};
use foldhash::{HashMap, HashMapExt};
use ringmail_core::doc::Span;
use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::Ranged;
use std::sync::{Arc, LazyLock};

/// The rows by the last word of what is called.
static ROWS: LazyLock<HashMap<&str, Vec<&SinkRow>>> = LazyLock::new(|| {
    let mut rows: HashMap<&str, Vec<&SinkRow>> = HashMap::new();
    for row in SINKS {
        rows.entry(last(row.call)).or_default().push(row);
    }
    rows
});

/// Methods whose result has their arguments in it, whatever they are called on.
const CARRIERS: &[&str] = &[
    "format",
    "join",
    "get",
    "pop",
    "replace",
    "copy",
    "sub",
    "loads",
    "dumps",
    "encode",
    "decode",
    "strip",
    "format_map",
    "joinpath",
    "abspath",
    "expanduser",
    "realpath",
    "normpath",
    "urljoin",
    "substitute",
    "safe_substitute",
    "dedent",
    "from_string",
    "render",
    "setdefault",
    "b64decode",
    "unquote",
    "parse",
    "fromstring",
    "load",
    "deepcopy",
];
/// Calls through which a secret stays readable.
const TELLING: &[&str] = &[
    "str",
    "repr",
    "format",
    "join",
    "dumps",
    "dict",
    "encode",
    "decode",
    "strip",
    "model_dump",
    "list",
    "tuple",
    "get_secret_value",
    "copy",
];

pub(super) struct Args<'a> {
    positional: Vec<(Val, &'a Expr)>,
    named: Vec<(&'a str, Val, &'a Expr)>,
    spread: Val,
}

impl<'a> Args<'a> {
    fn get(&self, name: &str, at: usize) -> Option<&(Val, &'a Expr)> {
        let by_name = self.named.iter().position(|(known, ..)| *known == name && !name.is_empty());
        match by_name {
            Some(_) => None,
            None => self.positional.get(at),
        }
    }

    /// The value of a parameter, and where it stands.
    fn value(&self, name: &str, at: usize) -> Option<(&Val, Span)> {
        let named = self.named.iter().find(|(known, ..)| *known == name && !name.is_empty());
        match named {
            Some((_, value, expr)) => Some((value, span(expr.range()))),
            None => self.get(name, at).map(|(value, expr)| (value, span(expr.range()))),
        }
    }

    fn all(&self) -> Val {
        let mut out = self.spread.clone();
        self.positional.iter().for_each(|(value, _)| out.take(value));
        self.named.iter().for_each(|(_, value, _)| out.take(value));
        out
    }
}

impl<'a> Run<'_, 'a> {
    pub(super) fn call(&mut self, call: &'a ExprCall) -> Val {
        let receiver = match &*call.func {
            Expr::Attribute(attribute) => Some(self.eval(&attribute.value)),
            Expr::Name(_) => None,
            other => Some(self.eval(other)),
        };
        let args = self.args(call);
        let name = self.callee(call, receiver.as_ref());
        let at = span(call.range());
        self.sinks(call, &name, &args, receiver.as_ref());
        self.picked(call);
        if let Some((_, origin)) = SOURCES.iter().find(|(pattern, _)| is(pattern, &name)) {
            return self.outside(*origin, at);
        }
        if let Some(closure) = self.closure(&call.func) {
            let mut out = self.known(at, closure.func, &args, &name);
            out.take(&closure.around);
            return out;
        }
        if let Some(func) = self.function(call, &name, receiver.as_ref()) {
            let mut out = self.known(at, func, &args, &name);
            let index = self.index;
            for written in index.filled(func) {
                out = out.join(self.known(at, *written, &args, &name));
            }
            return out;
        }
        if let Some(out) = self.handed_on(at, &name, &args) {
            return out;
        }
        if let Some(class) = self.index.class_named(&name) {
            return self.object(at, class, &args, &name);
        }
        let word = match &*call.func {
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            Expr::Name(name) => name.id.as_str(),
            _ => "",
        };
        if self.asks_model(call, word) {
            return self.outside(Origin::Model, at);
        }
        if HARMLESS.contains(&name.as_str()) || receiver.is_some() && HARMLESS_METHODS.contains(&word) {
            return Val::default();
        }
        self.unknown(call, &name, word, receiver, &args)
    }

    /// `getattr(client, name)(...)`: whoever chooses the name chooses what is called.
    fn picked(&mut self, call: &'a ExprCall) {
        if let Expr::Call(pick) = &*call.func
            && matches!(&*pick.func, Expr::Name(name) if name.id.as_str() == "getattr")
            && let Some(name) = pick.arguments.args.get(1)
        {
            let value = self.eval(name);
            self.arrive(Sink::Import, &value, span(name.range()));
        }
    }

    fn args(&mut self, call: &'a ExprCall) -> Args<'a> {
        let mut args = Args { positional: Vec::new(), named: Vec::new(), spread: Val::default() };
        for arg in &call.arguments.args {
            let value = self.eval(arg);
            match arg {
                Expr::Starred(_) => args.spread.take(&value),
                arg => args.positional.push((value, arg)),
            }
        }
        for keyword in &call.arguments.keywords {
            let value = self.eval(&keyword.value);
            match &keyword.arg {
                Some(name) => args.named.push((name.as_str(), value, &keyword.value)),
                None => args.spread.take(&value),
            }
        }
        args
    }

    /// The function that a name or an attribute of this function holds.
    fn closure(&self, func: &'a Expr) -> Option<Arc<Closure>> {
        self.env.get(&super::eval::Key::of(func)?)?.func.clone()
    }

    /// A call of a function that is given to another, which calls it with what comes after.
    fn handed_on(&mut self, at: Span, name: &str, args: &Args<'a>) -> Option<Val> {
        let (_, place, after) = HANDED_ON.iter().find(|(pattern, ..)| is(pattern, name))?;
        let (given, _) = args.positional.get(*place)?;
        let closure = given.func.clone()?;
        let rest = Args {
            positional: args.positional.get(*after..).unwrap_or_default().to_vec(),
            named: args.named.clone(),
            spread: args.spread.clone(),
        };
        let mut out = self.known(at, closure.func, &rest, name);
        out.take(&closure.around);
        Some(out)
    }

    /// An object of a class of the project: what its `__init__` does, and what stands in its fields.
    fn object(&mut self, at: Span, class: usize, args: &Args<'a>, name: &str) -> Val {
        let made: Arc<str> = name.into();
        let Some(init) = self.index.method(class, "__init__") else {
            let fields = self.index.classes.get(class).map_or(&[][..], |class| &class.fields);
            let named = args.named.iter().map(|(name, value, _)| (Piece::named(name), value.clone()));
            // A class without annotated fields fills them in a way that nobody sees.
            let places =
                args.positional.iter().zip(fields).filter(|(_, (_, annotation, _))| annotation.is_some());
            let places = places.map(|((value, _), (field, ..))| (Piece::named(field), value.clone()));
            let beyond = args.positional.len() > fields.len();
            let rest = if beyond { args.all() } else { args.spread.clone() };
            return Val { made: Some(made), ..Val::holding(named.chain(places).collect(), rest).open() };
        };
        self.known(at, init, args, name);
        let keeps = self.summaries.get(init).map_or(&[][..], |summary| &summary.keeps);
        let mut fields: Vec<(Piece, Val)> = Vec::new();
        for (attribute, taint) in keeps {
            let From::Param(param, piece) = taint.from else { continue };
            let Some((value, _)) = self.given(init, args, param, piece) else { continue };
            let value = value.cleaned(taint.clean).plain();
            for taint in value
                .taints
                .iter()
                .filter(|taint| matches!(taint.from, From::Outside(origin) if origin != Origin::Secret))
            {
                self.out.kept.push((class, attribute.clone(), taint.clone()));
            }
            let piece = Piece::named(attribute);
            match fields.iter_mut().find(|(known, _)| *known == piece) {
                Some((_, known)) => known.take(&value),
                None => fields.push((piece, value)),
            }
        }
        let mut out = Val::holding(fields, Val::default()).open();
        out.take(&args.all());
        Val { made: Some(made), ..out }
    }

    /// What a call gives a parameter, and where it stands.
    fn given(&self, func: usize, args: &Args<'a>, param: u16, piece: Option<Piece>) -> Option<(Val, Span)> {
        let callee = self.index.funcs.get(func)?;
        let bound = callee.params.first().is_some_and(|first| matches!(first.name.as_str(), "self" | "cls"));
        let param = usize::from(param);
        let name = callee.params.get(param)?.name.as_str();
        let at = if param < callee.places { param.checked_sub(usize::from(bound))? } else { usize::MAX };
        let (value, at) = args.value(name, at)?;
        Some(match piece {
            Some(piece) => (value.piece(piece), at),
            None => (value.clone(), at),
        })
    }

    /// The dotted name of what is called.
    fn callee(&self, call: &ExprCall, receiver: Option<&Val>) -> String {
        if let (Expr::Attribute(method), Some(made)) =
            (&*call.func, receiver.and_then(|value| value.made.as_ref()))
        {
            return format!("{made}.{}", method.attr);
        }
        match self.names.resolve(&call.func) {
            Some(name) => name,
            // What it is called on has no name; its method has.
            None => match &*call.func {
                Expr::Attribute(method) => format!("?.{}", method.attr),
                _ => String::new(),
            },
        }
    }

    /// The function of the project that is called.
    fn function(&self, call: &ExprCall, name: &str, receiver: Option<&Val>) -> Option<usize> {
        if let Expr::Attribute(method) = &*call.func {
            let own =
                matches!(&*method.value, Expr::Name(name) if matches!(name.id.as_str(), "self" | "cls"));
            let parent = matches!(&*method.value, Expr::Call(call) if matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "super"));
            let class = match own || parent {
                true => self.class,
                false => receiver
                    .and_then(|value| value.made.as_ref())
                    .and_then(|made| self.index.class_named(made)),
            };
            if let Some(class) = class {
                return self.index.method(class, method.attr.as_str());
            }
        }
        self.index
            .func_named(name)
            .or_else(|| {
                let (class, method) = name.rsplit_once('.')?;
                self.index.method(self.index.class_named(class)?, method)
            })
            .or_else(|| match &*call.func {
                Expr::Attribute(method) if receiver.is_some_and(|value| value.made.is_none()) => {
                    self.index.only_method(method.attr.as_str())
                }
                _ => None,
            })
    }

    fn asks_model(&self, call: &ExprCall, word: &str) -> bool {
        let Expr::Attribute(method) = &*call.func else { return false };
        let on = word_of(&method.value);
        let on = on.trim_start_matches('_');
        MODEL_METHODS.contains(&word) && MODEL_WORDS.iter().any(|word| ends_in(on, word))
    }

    /// A function that was followed: what it does with its parameters, it does with these arguments.
    fn known(&mut self, call: Span, func: usize, args: &Args<'a>, name: &str) -> Val {
        self.out.called.insert(func);
        let (Some(callee), Some(summary)) = (self.index.funcs.get(func), self.summaries.get(func)) else {
            return Val::default();
        };
        if !self.spend(summary.reaches.len()) {
            return Val::default();
        }
        let clean = cleans(callee.def.name.as_str());
        let step = format!("is given to `{}`", callee.def.name);
        let mut arrivals = Vec::new();
        for reach in &summary.reaches {
            let Some((value, at)) = self.given(func, args, reach.param, reach.piece) else { continue };
            for taint in value.taints.iter().filter(|taint| !taint.clean.has(reach.sink)) {
                let way = self.onward(taint, at, &step, &reach.way);
                arrivals.push((reach.clone(), taint.from, taint.part, way, at));
            }
        }
        for (reach, from, part, way, at) in arrivals {
            // Where callers' data is put into a text is where that is told; what is called then only runs it. What only
            // the project itself calls is told of where others come to it.
            let composed = part && !reach.part;
            let told = match composed {
                true => Some((self.program, at)),
                false => Some(reach.at).filter(|_| is_inner(reach.sink, callee.def.name.as_str())),
            };
            self.arrived(Reach { part: part || reach.part, way, ..reach }, from, told);
        }
        let back = &summary.returns;
        let out = back.told(&mut |taint| match taint.from {
            From::Outside(_) => {
                let note = format!("comes back from `{}`", last(name));
                vec![Taint { way: Step::after(Some(&taint.way), self.program, call, note), ..taint.clone() }]
            }
            From::Param(param, piece) => {
                let Some((value, at)) = self.given(func, args, param, piece) else { return Vec::new() };
                let note = format!("goes through `{}`", last(name));
                let through = |inner: &Taint| Taint {
                    from: inner.from,
                    clean: inner.clean.and(taint.clean),
                    part: inner.part || taint.part,
                    way: Step::after(Some(&inner.way), self.program, at, note.clone()),
                };
                value.taints.iter().map(through).collect()
            }
        });
        out.cleaned(clean)
    }

    fn onward(&self, taint: &Taint, at: Span, note: &str, inner: &Arc<Step>) -> Arc<Step> {
        let mut way = Step::after(Some(&taint.way), self.program, at, note.to_string());
        for step in inner.all().into_iter().skip(1) {
            way = Step::after(Some(&way), step.program, step.span, step.note.clone());
        }
        way
    }

    /// A call that nothing is known of.
    fn unknown(
        &mut self,
        call: &'a ExprCall,
        name: &str,
        word: &str,
        receiver: Option<Val>,
        args: &Args<'a>,
    ) -> Val {
        let mut clean = cleans(word);
        for (_, sinks) in CLEANERS.iter().filter(|(pattern, _)| is(pattern, name)) {
            clean = sinks.iter().fold(clean, |all, sink| all.and(Sinks::of(*sink)));
        }
        if let Some(piece) = self.piece_of_call(word, receiver.as_ref(), args) {
            return piece.cleaned(clean);
        }
        let mut out = Val::default();
        let chosen = receiver.as_ref().is_some_and(|value| !value.taints.is_empty());
        let carries = CARRIERS.contains(&word) || receiver.is_none() || self.is_module(call);
        if let Some(receiver) = &receiver {
            out.take(receiver);
        }
        let given = match word {
            // What is looked up is not its key.
            "get" | "pop" | "setdefault" => {
                args.value("default", 1).map(|(value, _)| value.clone()).unwrap_or_default()
            }
            _ => args.all(),
        };
        let before = receiver.as_ref().filter(|_| word == "format").and_then(|value| value.text.clone());
        let given = match before {
            Some(text) => super::eval::placed(given, text.split('{').next().unwrap_or_default()),
            None => given,
        };
        if carries {
            out.take(&given);
        }
        if !TELLING.contains(&word) {
            out.taints.retain(|taint| taint.from != From::Outside(Origin::Secret));
            // Nor is it a secret any more if a caller gave one: a document that a password opens is none.
            clean = clean.and(Sinks::of(Sink::Log));
        }
        // A list or a map that is added to has in it what was added.
        if matches!(word, "append" | "add" | "extend" | "update" | "insert" | "setdefault")
            && let Expr::Attribute(method) = &*call.func
            && let Some(key) = super::eval::Key::of(&method.value)
        {
            let mut held = self.env.remove(&key).unwrap_or_default();
            match (word, args.positional.first()) {
                // What comes before others moves them.
                ("insert", _) => held = held.plain(),
                ("setdefault", Some((_, key))) if args.positional.len() == 2 => {
                    held.put(super::eval::piece_of(key), &given);
                }
                _ => held.put(None, &given),
            }
            held.take(&given);
            self.env.insert(key, held);
        }
        if word == "format" && receiver.as_ref().is_some_and(|value| value.text.is_some()) {
            out.part();
            out.text = receiver.and_then(|value| value.text);
        } else if matches!(word, "strip" | "lower" | "upper" | "dedent" | "lstrip" | "rstrip") {
            out.text = receiver.and_then(|value| value.text);
        }
        // Texts, and what is joined to a folder that nobody chose.
        let composed = match word {
            "join" if receiver_is_text(call) => true,
            "join" => args.positional.first().is_some_and(|(folder, _)| folder.taints.is_empty()),
            "joinpath" => !chosen,
            _ => false,
        };
        if composed {
            out.part();
        }
        // A module that is imported where it is wanted.
        if word.contains("import")
            && let Some(module) = call.arguments.args.first().and_then(literal)
        {
            return Val { made: Some(module.into()), ..Val::default() };
        }
        let class = name.rsplit('.').next().and_then(|last| last.trim_start_matches('_').chars().next());
        if class.is_some_and(char::is_uppercase) {
            out.made = Some(name.into());
        }
        out.cleaned(clean)
    }

    /// `d.get("k")` and `dict(a=1)`: calls that are no more than a look into a container, or one.
    fn piece_of_call(&self, word: &str, receiver: Option<&Val>, args: &Args<'a>) -> Option<Val> {
        let named = |(name, value, _): &(&str, Val, &Expr)| (Piece::named(name), value.clone());
        match (word, receiver) {
            ("get" | "pop", Some(receiver)) if args.named.is_empty() => {
                let (_, key) = args.positional.first()?;
                let mut out = receiver.piece(super::eval::piece_of(key)?);
                args.positional.get(1).into_iter().for_each(|(value, _)| out.take(value));
                Some(out)
            }
            ("dict", None) if args.positional.is_empty() => {
                Some(Val::holding(args.named.iter().map(named).collect(), args.spread.clone()))
            }
            _ => None,
        }
    }

    fn is_module(&self, call: &ExprCall) -> bool {
        let Expr::Attribute(method) = &*call.func else { return false };
        let mut base = &*method.value;
        while let Expr::Attribute(inner) = base {
            base = &inner.value;
        }
        matches!(base, Expr::Name(name) if self.names.import(name.id.as_str()).is_some())
    }

    fn sinks(&mut self, call: &'a ExprCall, name: &str, args: &Args<'a>, receiver: Option<&Val>) {
        self.path_methods(call, name, receiver);
        self.program_chosen(name, args);
        self.conditions(call, args);
        if name == "setattr"
            && let Some((value, at)) = args.value("", 1)
        {
            let outside = |taint: &&Taint| matches!(taint.from, From::Outside(_));
            let taints = value.taints.iter().filter(outside).cloned().collect();
            self.arrive(Sink::Import, &Val { taints, ..Val::default() }, at);
        }
        if !self.rows(call, name, args) {
            self.statements(call, name, args, receiver);
        }
    }

    /// A text that reads like a statement is given to something that no row knows.
    fn statements(&mut self, call: &'a ExprCall, name: &str, args: &Args<'a>, receiver: Option<&Val>) {
        let given = args.positional.iter().map(|(value, expr)| (value, *expr));
        let given = given.chain(args.named.iter().map(|(_, value, expr)| (value, *expr)));
        let found = given.filter(|(value, _)| value.taints.iter().any(|taint| taint.part)).find_map(
            |(value, expr)| {
                let sink = statement_of(value.text.as_deref()?, name)?;
                Some((sink, value.clone(), span(expr.range())))
            },
        );
        let Some((sink, value, at)) = found else { return };
        // What is followed is known by what it does.
        let func = self
            .closure(&call.func)
            .map(|closure| closure.func)
            .or_else(|| self.function(call, name, receiver));
        let known = func.and_then(|func| self.summaries.get(func));
        if !known.is_some_and(|known| known.reaches.iter().any(|reach| reach.sink == sink)) {
            self.arrive(sink, &value, at);
        }
    }

    /// Who gives the whole list of arguments chooses the program that runs.
    fn program_chosen(&mut self, name: &str, args: &Args<'a>) {
        const RUNS: &[&str] = &["run", "call", "check_call", "check_output", "Popen"];
        let runs = name.strip_prefix("subprocess.").is_some_and(|word| RUNS.contains(&word));
        let Some((value, at)) = args.value("args", 0).filter(|_| runs) else { return };
        if value.pieces.is_none() && value.text.is_none() {
            let whole = |taint: &&Taint| !taint.part && matches!(taint.from, From::Outside(_));
            let taints = value.taints.iter().filter(whole).cloned().collect();
            self.arrive(Sink::Shell, &Val { taints, ..Val::default() }, at);
        }
    }

    /// A condition that data was put into, for a store of which no row knows.
    fn conditions(&mut self, call: &'a ExprCall, args: &Args<'a>) {
        let put = |value: &Val| value.text.is_some() && value.taints.iter().any(|taint| taint.part);
        let given = args.named.iter().find(|(name, value, _)| CONDITIONS.contains(name) && put(value));
        let Some((_, value, expr)) = given else { return };
        let composed = value
            .text
            .as_deref()
            .is_some_and(|text| text.contains(['=', '<', '>', ':', '(']) || text.contains(" in "));
        let (value, at) = (value.clone(), span(expr.range()));
        // What is followed is known by what it does.
        if composed && self.closure(&call.func).is_none() {
            self.arrive(Sink::Filter, &value, at);
        }
    }

    /// What the tables say of a call; whether they say that it runs statements.
    fn rows(&mut self, call: &'a ExprCall, name: &str, args: &Args<'a>) -> bool {
        let Some(rows) = ROWS.get(last(name)) else { return false };
        let word = match &*call.func {
            Expr::Attribute(method) => word_of(&method.value),
            _ => String::new(),
        };
        let named = |key: &str| call.arguments.find_keyword(key).map(|keyword| &keyword.value);
        let mut done: Option<Sink> = None;
        for row in rows.iter().filter(|row| is(row.call, name)) {
            let counts = match row.only {
                Only::Always => true,
                Only::NoFlags => call.arguments.len() <= 3,
                Only::Shell => matches!(named("shell"), Some(Expr::BooleanLiteral(shell)) if shell.value),
                Only::On(words) => words.iter().any(|known| ends_in(&word, known)),
            };
            if !counts || done == Some(row.sink) && row.sink != Sink::Filter {
                continue;
            }
            done = Some(row.sink);
            if row.sink == Sink::Log {
                let all = args.all();
                self.arrive(row.sink, &all, span(call.range()));
            } else if let Some((value, at)) = args.value(row.name, row.at) {
                let (mut value, at) = (value.clone(), at);
                if row.sink == Sink::Filter {
                    // A whole condition is what callers are asked for.
                    value.taints.retain(|taint| taint.part);
                }
                self.arrive(row.sink, &value, at);
            }
        }
        matches!(done, Some(Sink::Sql | Sink::Cypher))
    }

    /// `Path(x).read_text()` and what is like it: the path is what the method is called on.
    fn path_methods(&mut self, call: &'a ExprCall, name: &str, receiver: Option<&Val>) {
        const METHODS: &[&str] = &["read_text", "read_bytes", "write_text", "write_bytes", "unlink", "rmdir"];
        let opens = |value: &&Val| {
            let path = value.made.as_deref().is_some_and(|made| last(made) == "Path");
            METHODS.contains(&last(name)) || path && last(name) == "open"
        };
        if let Some(value) = receiver.filter(opens) {
            self.arrive(Sink::Path, value, span(call.range()));
        }
    }

    /// A value comes to a sink.
    pub(super) fn arrive(&mut self, sink: Sink, value: &Val, at: Span) {
        for taint in value.taints.iter().filter(|taint| !taint.clean.has(sink)) {
            let way = Step::after(Some(&taint.way), self.program, at, format!("comes to {}", sink.words()));
            let at = (self.program, at);
            let reach = Reach { param: 0, piece: None, sink, part: taint.part, way, at };
            self.arrived(reach, taint.from, Some(at));
        }
    }

    /// `told` is where it is reported if it is callers' data; nowhere, if that was done where it was called.
    fn arrived(&mut self, reach: Reach, from: From, told: Option<(usize, Span)>) {
        let Reach { sink, part, way, at, .. } = reach;
        match from {
            From::Outside(origin) => {
                if sink.harm(origin).is_some() {
                    let named = Named::Other;
                    self.out.arrivals.push(Arrival { sink, from: Some(origin), part, named, at, way });
                }
            }
            From::Param(param, piece) => {
                let known = |one: &Reach| {
                    one.param == param && one.piece == piece && one.sink == sink && one.at == at
                };
                if self.out.summary.reaches.len() >= REACHES_MAX {
                    self.out.cut = true;
                } else if !self.out.summary.reaches.iter().any(known) {
                    let callers = self.func.and_then(|func| self.index.funcs.get(func));
                    let name = callers.and_then(|func| func.params.get(usize::from(param)));
                    let named = name.map_or(Named::Other, |name| Named::of(name.name.as_str()));
                    if let Some(at) = told.filter(|_| sink.open(part, named).is_some()) {
                        self.out.arrivals.push(Arrival {
                            sink,
                            from: None,
                            part,
                            named,
                            at,
                            way: way.clone(),
                        });
                    }
                    self.out.summary.reaches.push(Reach { param, piece, sink, part, way, at });
                }
            }
        }
    }
}

fn receiver_is_text(call: &ExprCall) -> bool {
    matches!(&*call.func, Expr::Attribute(method) if matches!(&*method.value, Expr::StringLiteral(_)))
}
