//! Data with `${...}` in it: what a link is handed. Loaded once; fixed parts are shared, a whole-text `${path}` hands
//! its value on untouched with its labels apart, and `$${` stands for a literal `${`.

use crate::doc::{Data, Node, Problems, Source, Span};
use crate::expr::{Budget, EvalError, Expr, Names, ParseError, Ref, Roots, Shape, Slot, text_of};
use crate::label::{Label, Labeled, Labels};
use crate::value::{List, Map, Seg, Str, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a template may use while it is filled: names, and the run's handles.
pub trait Scope: Roots {
    /// Puts a value behind an opaque handle.
    fn wrap(&self, part: Labeled) -> Str;

    /// The value behind a handle.
    fn open(&self, handle: &str) -> Option<Labeled>;
}

#[derive(Clone, Debug)]
pub struct Template {
    part: Part,
    span: Span,
}

#[derive(Clone, Debug)]
enum Part {
    Fixed(Value),
    Expr(Expr),
    Text(Vec<Piece>),
    List(Vec<Template>),
    Map(Vec<(Str, Template)>),
    /// `${handle(path)}`
    Wrap(Expr),
    /// `${open(expression)}`
    Open(Expr),
}

#[derive(Clone, Debug)]
enum Piece {
    Text(Str),
    Expr(Expr),
}

/// Where texts stand and where their problems go.
pub struct Place<'a> {
    pub source: &'a Arc<Source>,
    pub names: &'a mut dyn Names,
    pub problems: &'a mut Problems,
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source.name)
    }
}

impl Place<'_> {
    fn report(&mut self, node: &Node, error: ParseError) {
        let span = within(error.span, node.span);
        match error.help {
            Some(help) => self.problems.add_help(self.source, span, error.message, help),
            None => self.problems.add(self.source, span, error.message),
        }
    }
}

/// Where the text of a node starts in the file; exact for plain and simply quoted texts.
fn base_of(node: &Node, text: &str, source: &Source) -> usize {
    let exact = |at: usize| source.text.get(at..at + text.len()) == Some(text);
    let start = node.span.start;
    if !exact(start) && exact(start + 1) { start + 1 } else { start }
}

fn within(span: Span, node: Span) -> Span {
    if span.start >= node.start && span.end <= node.end { span } else { node }
}

/// Loads a node that is one expression, with or without `${...}` around it.
pub fn expression(node: &Node, place: &mut Place<'_>) -> Option<Expr> {
    let text = match &node.data {
        Data::Text(text) => text.clone(),
        _ => crate::json::to_string(&node.to_value()),
    };
    let base = base_of(node, &text, place.source);
    let trimmed = text.trim();
    let (inner, skip) = match trimmed.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(inner) => (inner, 2 + (text.len() - text.trim_start().len())),
        None => (text.as_str(), 0),
    };
    match Expr::parse(inner, base + skip, place.names) {
        Ok(expr) => Some(expr),
        Err(error) => {
            place.report(node, error);
            None
        }
    }
}

impl Template {
    pub fn fixed(value: Value) -> Template {
        Template { part: Part::Fixed(value), span: Span::default() }
    }

    pub fn load(node: &Node, place: &mut Place<'_>) -> Template {
        let part = match &node.data {
            Data::Text(text) => Template::text(node, text, place),
            Data::List(items) => {
                let items: Vec<Template> = items.iter().map(|item| Template::load(item, place)).collect();
                match items.iter().map(Template::as_fixed).collect::<Option<Vec<_>>>() {
                    Some(fixed) => Part::Fixed(Value::List(List::new(fixed))),
                    None => Part::List(items),
                }
            }
            Data::Map(entries) => {
                let members: Vec<(Str, Template)> = entries
                    .iter()
                    .map(|(key, member)| (Str::from(key.name.as_str()), Template::load(member, place)))
                    .collect();
                let fixed = members.iter().map(|(key, member)| Some((key.clone(), member.as_fixed()?)));
                match fixed.collect::<Option<Vec<_>>>() {
                    Some(fixed) => Part::Fixed(Value::Map(Map::new(fixed))),
                    None => Part::Map(members),
                }
            }
            _ => Part::Fixed(node.to_value()),
        };
        Template { part, span: node.span }
    }

    fn text(node: &Node, text: &str, place: &mut Place<'_>) -> Part {
        let base = base_of(node, text, place.source);
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(found) = text.get(at..).and_then(|rest| rest.find("${")) {
            let start = at + found;
            let before = text.get(at..start).unwrap_or_default();
            if let Some(before) = before.strip_suffix('$') {
                plain.push_str(before);
                plain.push_str("${");
                at = start + 2;
                continue;
            }
            plain.push_str(before);
            let Some(len) = text.get(start + 2..).and_then(closing_brace) else {
                let span = Span { start: base + start, end: base + text.len() };
                place.report(node, ParseError { span, message: "`${` without its `}`".into(), help: None });
                return Part::Fixed(Value::Null);
            };
            let inner = text.get(start + 2..start + 2 + len).unwrap_or_default();
            at = start + 2 + len + 1;
            let whole = before.is_empty() && pieces.is_empty() && plain.is_empty() && at == text.len();
            if whole && let Some(part) = Template::handle(node, inner, base + start + 2, place) {
                return part;
            }
            match Expr::parse(inner, base + start + 2, place.names) {
                Ok(expr) if whole => return Part::Expr(expr),
                Ok(expr) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                    }
                    pieces.push(Piece::Expr(expr));
                }
                Err(error) => {
                    place.report(node, error);
                    return Part::Fixed(Value::Null);
                }
            }
        }
        plain.push_str(text.get(at..).unwrap_or_default());
        if pieces.is_empty() {
            return Part::Fixed(Value::from(plain));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Part::Text(pieces)
    }

    /// `handle(...)` and `open(...)` stand alone in their `${...}`.
    fn handle(node: &Node, inner: &str, base: usize, place: &mut Place<'_>) -> Option<Part> {
        let argument = |name: &str| inner.trim().strip_prefix(name)?.strip_suffix(')');
        let (argument, wraps) = match (argument("handle("), argument("open(")) {
            (Some(argument), _) => (argument, true),
            (_, Some(argument)) => (argument, false),
            _ => return None,
        };
        let at = base + inner.find('(').map_or(0, |at| at + 1);
        match Expr::parse(argument, at, place.names) {
            Ok(expr) if wraps && expr.as_path().is_none() => {
                let message = "`handle` takes a path, such as `handle(fetch.body)`".into();
                place.report(node, ParseError { span: expr.span(), message, help: None });
                Some(Part::Fixed(Value::Null))
            }
            Ok(expr) => Some(if wraps { Part::Wrap(expr) } else { Part::Open(expr) }),
            Err(error) => {
                place.report(node, error);
                Some(Part::Fixed(Value::Null))
            }
        }
    }

    /// The value, when no expression is in it.
    pub(crate) fn as_fixed(&self) -> Option<Value> {
        match &self.part {
            Part::Fixed(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The text before the first expression: what static analysis knows of a URL or path.
    pub fn fixed_prefix(&self) -> Str {
        match &self.part {
            Part::Fixed(value) => text_of(value),
            Part::Text(pieces) => match pieces.first() {
                Some(Piece::Text(text)) => text.clone(),
                _ => "".into(),
            },
            _ => "".into(),
        }
    }

    /// The member `key` of a map template.
    pub fn get(&self, key: &str) -> Option<Template> {
        match &self.part {
            Part::Map(members) => {
                members.iter().find(|(name, _)| &**name == key).map(|(_, member)| member.clone())
            }
            Part::Fixed(Value::Map(map)) => {
                map.get(key).cloned().map(|value| Template { part: Part::Fixed(value), span: self.span })
            }
            _ => None,
        }
    }

    /// Whether it is a map, and without this member.
    pub fn lacks(&self, key: &str) -> bool {
        matches!(&self.part, Part::Map(_) | Part::Fixed(Value::Map(_))) && self.get(key).is_none()
    }

    pub fn span(&self) -> Span {
        self.span
    }

    /// Where in the file the part at `path` was written.
    pub(crate) fn span_at(&self, path: &[Seg]) -> Span {
        let inner = match (&self.part, path.first()) {
            (Part::Map(members), Some(Seg::Key(key))) => {
                members.iter().find(|(name, _)| name == key).map(|(_, member)| member)
            }
            (Part::List(items), Some(Seg::Index(at))) => items.get(*at),
            _ => None,
        };
        inner.map_or(self.span, |inner| inner.span_at(path.get(1..).unwrap_or_default()))
    }

    /// Everything the template can read.
    pub fn refs(&self) -> Vec<Ref> {
        let mut refs = Vec::new();
        self.collect(&mut refs);
        refs.sort();
        refs.dedup();
        refs
    }

    fn collect(&self, refs: &mut Vec<Ref>) {
        match &self.part {
            Part::Fixed(_) => {}
            Part::Expr(expr) | Part::Wrap(expr) | Part::Open(expr) => {
                refs.extend(expr.refs().iter().cloned())
            }
            Part::Text(pieces) => pieces.iter().for_each(|piece| {
                if let Piece::Expr(expr) = piece {
                    refs.extend(expr.refs().iter().cloned());
                }
            }),
            Part::List(items) => items.iter().for_each(|item| item.collect(refs)),
            Part::Map(members) => members.iter().for_each(|(_, member)| member.collect(refs)),
        }
    }

    /// Fills the template; the labels of the result keep the parts apart.
    pub fn fill(&self, scope: &impl Scope, budget: &mut Budget) -> Result<Labeled, EvalError> {
        match &self.part {
            Part::Fixed(value) => Ok(Labeled::new(value.clone(), Label::BOTTOM)),
            Part::Expr(expr) => expr.eval(scope, budget),
            Part::Text(pieces) => self.fill_text(pieces, scope, budget),
            Part::List(items) => {
                let filled =
                    items.iter().map(|item| item.fill(scope, budget)).collect::<Result<Vec<_>, _>>()?;
                let (values, labels): (Vec<_>, Vec<_>) =
                    filled.into_iter().map(|item| (item.value, item.labels)).unzip();
                Ok(Labeled {
                    value: Value::List(List::new(values)),
                    labels: Labels::items(Label::BOTTOM, labels),
                })
            }
            Part::Map(members) => {
                let mut values = Vec::with_capacity(members.len());
                let mut labels = Vec::with_capacity(members.len());
                for (key, member) in members {
                    let filled = member.fill(scope, budget)?;
                    values.push((key.clone(), filled.value));
                    labels.push((key.clone(), filled.labels));
                }
                Ok(Labeled {
                    value: Value::Map(Map::new(values)),
                    labels: Labels::keys(Label::BOTTOM, labels),
                })
            }
            Part::Wrap(expr) => {
                let part = expr.eval(scope, budget)?;
                Ok(Labeled::new(Value::Str(scope.wrap(part)), Label::BOTTOM))
            }
            Part::Open(expr) => {
                let handle = expr.eval(scope, budget)?;
                let opened = handle.value.as_str().and_then(|text| scope.open(text));
                let opened = opened.ok_or_else(|| EvalError {
                    span: self.span,
                    message: "this is no handle of this run".into(),
                })?;
                Ok(Labeled { value: opened.value, labels: opened.labels.joined(handle.labels.all()) })
            }
        }
    }

    fn fill_text(
        &self,
        pieces: &[Piece],
        scope: &impl Scope,
        budget: &mut Budget,
    ) -> Result<Labeled, EvalError> {
        let mut text = String::new();
        let mut label = Label::BOTTOM;
        for piece in pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Expr(expr) => {
                    let filled = expr.eval(scope, budget)?;
                    budget.spend_bytes(filled.value.bytes(), expr.span())?;
                    text.push_str(&text_of(&filled.value));
                    label = label.join(filled.labels.all());
                }
            }
        }
        Ok(Labeled::new(Value::from(text), label))
    }

    /// The labels the filled template would have, given those of its roots.
    pub(crate) fn static_labels(&self, of: &dyn Fn(&Ref) -> Labels) -> Labels {
        let whole = |expr: &Expr| {
            expr.refs().iter().fold(Label::BOTTOM, |label, reference| label.join(of(reference).all()))
        };
        match &self.part {
            Part::Fixed(_) => Labels::default(),
            Part::Expr(expr) if expr.as_path().is_some() => expr.refs().first().map_or(Labels::default(), of),
            Part::Expr(expr) => whole(expr).into(),
            Part::Text(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(_) => Label::BOTTOM,
                    Piece::Expr(expr) => whole(expr),
                })
                .fold(Label::BOTTOM, Label::join)
                .into(),
            Part::List(items) => {
                Labels::items(Label::BOTTOM, items.iter().map(|item| item.static_labels(of)).collect())
            }
            Part::Map(members) => Labels::keys(
                Label::BOTTOM,
                members.iter().map(|(key, member)| (key.clone(), member.static_labels(of))),
            ),
            Part::Wrap(_) => Labels::default(),
            // What a handle leads to is known only during the run.
            Part::Open(expr) => whole(expr).into(),
        }
    }

    /// The shape of the filled template; problems are what can never work.
    pub fn shape(&self, root: &dyn Fn(Slot) -> Shape, problems: &mut Vec<(Span, String)>) -> Shape {
        match &self.part {
            Part::Fixed(value) => Shape::of_value(value),
            Part::Expr(expr) => expr.shape(root, problems),
            Part::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Expr(expr) = piece {
                        expr.shape(root, problems);
                    }
                }
                Shape::text()
            }
            Part::List(items) => {
                let shapes: Vec<Shape> = items.iter().map(|item| item.shape(root, problems)).collect();
                Shape::list_of(shapes.into_iter().reduce(|a, b| a.or(&b)).unwrap_or(Shape::ANY))
            }
            Part::Map(members) => {
                let shapes: BTreeMap<Str, Shape> =
                    members.iter().map(|(key, member)| (key.clone(), member.shape(root, problems))).collect();
                Shape::map_of(shapes, true)
            }
            Part::Wrap(expr) => {
                expr.shape(root, problems);
                Shape::text()
            }
            Part::Open(expr) => {
                expr.shape(root, problems);
                Shape::ANY
            }
        }
    }
}

/// Where the brace that closes an expression stands, strings and inner braces skipped.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::yaml;
    use crate::value::parse_path;
    use std::cell::RefCell;

    struct Table {
        names: Vec<(Str, Labeled)>,
        handles: RefCell<Vec<Labeled>>,
    }

    impl Names for Table {
        fn slot(&mut self, name: &str) -> Option<Slot> {
            self.names.iter().position(|(known, _)| &**known == name).map(|at| Slot(at as u32))
        }

        fn known(&self) -> Vec<Str> {
            self.names.iter().map(|(name, _)| name.clone()).collect()
        }
    }

    impl Roots for Table {
        fn root(&self, slot: Slot) -> Option<&Labeled> {
            self.names.get(slot.0 as usize).map(|(_, value)| value)
        }

        fn control(&self, _: Slot) -> Label {
            Label::BOTTOM
        }
    }

    impl Scope for Table {
        fn wrap(&self, part: Labeled) -> Str {
            self.handles.borrow_mut().push(part);
            format!("handle:{}", self.handles.borrow().len() - 1).into()
        }

        fn open(&self, handle: &str) -> Option<Labeled> {
            self.handles.borrow().get(handle.strip_prefix("handle:")?.parse::<usize>().ok()?).cloned()
        }
    }

    fn table() -> Table {
        let untrusted = Label { untrusted: true, ..Label::BOTTOM };
        let order = Value::map([("id", Value::Int(7)), ("note", Value::from("hi {there}"))]);
        let labels = Labels::keys(Label::BOTTOM, [("note".into(), untrusted.into())]);
        let token = Labeled::new(Value::from("handle:0"), untrusted);
        Table {
            names: vec![("order".into(), Labeled { value: order, labels }), ("token".into(), token)],
            handles: RefCell::default(),
        }
    }

    fn fill(text: &str, table: &mut Table) -> Result<Labeled, String> {
        let source = Source::new("t", text);
        let node = yaml::parse(&source).unwrap();
        let mut problems = Problems::default();
        let template =
            Template::load(&node, &mut Place { source: &source, names: table, problems: &mut problems });
        problems.or(()).map_err(|problems| problems.to_string())?;
        template.fill(table, &mut Budget::default()).map_err(|error| error.message)
    }

    fn check(text: &str, expected: &str) {
        let shown = fill(text, &mut table())
            .map_or_else(|error| error, |filled| crate::json::to_string(&filled.value));
        assert_eq!(shown, expected, "for {text}");
    }

    #[test]
    fn fills_texts_lists_and_maps() {
        check("plain", r#""plain""#);
        check("${order.id}", "7");
        check("'n ${order.id}: ${order.note}!'", r#""n 7: hi {there}!""#);
        check(
            "{a: ['${order.id + 1}', 2], b: {c: '${order.note}'}}",
            r#"{"a":[8,2],"b":{"c":"hi {there}"}}"#,
        );
        check("'$${order.id} and $ and {x}'", r#""${order.id} and $ and {x}""#);
        check(r#"'${order.note == "}" ? 1 : {"a": 2}.a}'"#, "2");
        check("'${order.id'", "t:1:2: `${` without its `}`");
        check("a: ${ordr.id}", "t:1:6: unknown name `ordr` (did you mean `order`?)");
        check("a: '${handle(order.id + 1)}'", "t:1:14: `handle` takes a path, such as `handle(fetch.body)`");
        check("'${open(order.note)}'", "this is no handle of this run");
    }

    #[test]
    fn labels_stay_apart_through_maps_and_whole_paths() {
        let filled =
            fill("{id: '${order.id}', all: '${order}', text: 'a ${order.note}'}", &mut table()).unwrap();
        let untrusted = |path: &str| filled.labels.at(&parse_path(path)).all().untrusted;
        assert!(!untrusted("id"));
        assert!(untrusted("all.note"));
        assert!(!untrusted("all.id"));
        assert!(untrusted("text"));
        assert!(!filled.labels.own().untrusted);
    }

    #[test]
    fn a_handle_hides_the_value_and_gives_its_label_back() {
        let mut table = table();
        let wrapped = fill("'${handle(order.note)}'", &mut table).unwrap();
        assert_eq!(wrapped.value, Value::from("handle:0"));
        assert!(!wrapped.labels.all().untrusted);
        let opened = fill("'${open(token)}'", &mut table).unwrap();
        assert_eq!(opened.value, Value::from("hi {there}"));
        assert!(opened.labels.all().untrusted);
    }
}
