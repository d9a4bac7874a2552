//! Expressions: a CEL subset over JSON values, used in `${...}`, `when`, edges, scopes. What an expression reads is
//! known when it is loaded, so labels follow exactly that. Evaluation is pure, total and bounded by fuel: it ends
//! with a value or an error, never with a panic. See `docs/reference/expressions.md` for the language.

mod eval;
mod functions;
mod lex;
mod parse;
mod refs;
mod types;

#[cfg(test)]
mod tests;

pub use eval::{Budget, EvalError, Roots};
pub use functions::functions;
pub use parse::{Names, ParseError};
pub use refs::{Read, Ref};
pub use types::Shape;

use crate::doc::Span;
use crate::label::{Label, Labeled, Labels};
use crate::value::{Seg, Str, Value};

pub const SOURCE_BYTES_MAX: usize = 8 << 10;
pub const DEPTH_MAX: usize = 48;

/// A name an expression may start from: the input, a finished link, a local of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// A loaded expression.
#[derive(Clone, Debug)]
pub struct Expr {
    root: parse::Ex,
    refs: Box<[Ref]>,
    /// Whether the whole expression is the path of its only reference.
    path: bool,
    span: Span,
}

impl Expr {
    /// Loads one expression; `base` is where its text starts in the file.
    pub fn parse(text: &str, base: usize, names: &mut dyn Names) -> Result<Expr, ParseError> {
        let root = parse::parse(text, base, names)?;
        let refs: Box<[Ref]> = refs::collect(&root).into();
        let path = root.kind.is_path() && matches!(&*refs, [Ref { read: Read::Whole, .. }]);
        Ok(Expr { root, refs, path, span: Span { start: base, end: base + text.len() } })
    }

    pub fn span(&self) -> Span {
        self.span
    }

    /// Everything the expression can read.
    pub fn refs(&self) -> &[Ref] {
        &self.refs
    }

    /// The path an expression stands for, when it is nothing but a path.
    pub fn as_path(&self) -> Option<(Slot, &[Seg])> {
        let only = self.refs.first().filter(|_| self.path)?;
        Some((only.slot, &only.path))
    }

    /// The value, with the labels of all that was read. A plain path keeps its parts' labels apart.
    pub fn eval(&self, roots: &impl Roots, budget: &mut Budget) -> Result<Labeled, EvalError> {
        if let Some((slot, path)) = self.as_path()
            && let Some(whole) = roots.root(slot)
            && let Some(part) = whole.at(path)
        {
            return Ok(part);
        }
        let value = eval::eval(&self.root, roots, budget)?;
        Ok(Labeled { value, labels: self.label(roots).into() })
    }

    /// The join of the labels of all that the expression can read.
    pub fn label(&self, roots: &impl Roots) -> Label {
        self.refs.iter().fold(Label::BOTTOM, |label, reference| label.join(reference.label(roots)))
    }

    /// Whether the expression holds; anything but a bool is an error.
    pub fn holds(&self, roots: &impl Roots, budget: &mut Budget) -> Result<bool, EvalError> {
        match eval::eval(&self.root, roots, budget)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(EvalError {
                span: self.span,
                message: format!("a condition must be true or false, not {}", other.type_name()),
            }),
        }
    }

    /// The types the expression can have, given those of its roots; problems are what can never work.
    pub fn shape(&self, root: &dyn Fn(Slot) -> Shape, problems: &mut Vec<(Span, String)>) -> Shape {
        types::infer(&self.root, root, problems)
    }
}

impl Ref {
    /// What reading this reference brings with it.
    pub fn label(&self, roots: &impl Roots) -> Label {
        match self.read {
            Read::Whole => {
                roots.root(self.slot).map_or(Label::BOTTOM, |whole| whole.labels.at(&self.path).all())
            }
            Read::Shape => {
                roots.root(self.slot).map_or(Label::BOTTOM, |whole| whole.labels.at(&self.path).own())
            }
            Read::Ran => Label::BOTTOM,
        }
        .join(roots.control(self.slot))
    }
}

/// Labels of a value as static analysis sees them, for a reference without a run.
pub fn labels_at(labels: &Labels, reference: &Ref) -> Label {
    match reference.read {
        Read::Whole => labels.at(&reference.path).all(),
        Read::Shape => labels.at(&reference.path).own(),
        Read::Ran => Label::BOTTOM,
    }
}

/// How a value reads inside a text: scalars plainly, lists and maps as JSON.
pub fn text_of(value: &Value) -> Str {
    match value {
        Value::Str(text) => text.clone(),
        Value::Float(number) => functions::number_text(*number).into(),
        other => crate::json::to_string(other).into(),
    }
}
