//! Texts as far as they are known: literals, and what is put together of them, with a hole where something else
//! comes in.

use ringmail_core::doc::Span;
use ruff_python_ast::{Expr, InterpolatedStringElement, Operator, UnaryOp};
use ruff_text_size::TextRange;

/// Stands for what is not known.
pub(crate) const HOLE: char = '\u{0}';
pub(crate) const BYTES_MAX: usize = 4 << 10;

pub(crate) fn span(range: TextRange) -> Span {
    Span { start: range.start().to_usize(), end: range.end().to_usize() }
}

/// A text that stands there as it is.
pub(crate) fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::StringLiteral(text) => Some(text.value.to_str()),
        _ => None,
    }
}

pub(crate) fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::NumberLiteral(number) => match &number.value {
            ruff_python_ast::Number::Int(int) => int.as_i64(),
            _ => None,
        },
        Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => number(&unary.operand).map(|number| -number),
        _ => None,
    }
}

/// A text that was put together, holes for what is not known; nothing for what is no text.
pub(crate) fn folded(expr: &Expr) -> Option<String> {
    let mut out = String::new();
    fold(expr, &mut out).then_some(out)
}

fn fold(expr: &Expr, out: &mut String) -> bool {
    if out.len() > BYTES_MAX {
        return true;
    }
    match expr {
        Expr::StringLiteral(text) => out.push_str(text.value.to_str()),
        Expr::FString(text) => {
            for part in text.value.iter() {
                match part {
                    ruff_python_ast::FStringPart::Literal(text) => out.push_str(&text.value),
                    ruff_python_ast::FStringPart::FString(text) => {
                        for element in &text.elements {
                            match element {
                                InterpolatedStringElement::Literal(text) => out.push_str(&text.value),
                                InterpolatedStringElement::Interpolation(inner) => {
                                    match literal(&inner.expression) {
                                        Some(text) => out.push_str(text),
                                        None => out.push(HOLE),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        Expr::BinOp(binary) if binary.op == Operator::Add => {
            let (left, right) = (is_text(&binary.left), is_text(&binary.right));
            if !left && !right {
                return false;
            }
            for side in [&binary.left, &binary.right] {
                if !fold(side, out) {
                    out.push(HOLE);
                }
            }
        }
        Expr::BinOp(binary) if binary.op == Operator::Mod => {
            let Some(text) = literal(&binary.left) else { return false };
            percent(text, out);
        }
        Expr::Call(call) => {
            let Expr::Attribute(method) = &*call.func else { return false };
            match (literal(&method.value), method.attr.as_str()) {
                (Some(text), "format") => braces(text, out),
                (Some(between), "join") => {
                    out.push(HOLE);
                    out.push_str(between);
                    out.push(HOLE);
                }
                (None, "strip" | "format" | "lower" | "upper" | "replace" | "rstrip" | "lstrip") => {
                    return fold(&method.value, out);
                }
                (Some(text), "strip" | "rstrip" | "lstrip") => out.push_str(text.trim()),
                _ => return false,
            }
        }
        _ => return false,
    }
    true
}

fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::StringLiteral(_) | Expr::FString(_) => true,
        Expr::BinOp(binary) => is_text(&binary.left) || is_text(&binary.right),
        Expr::Call(_) => folded(expr).is_some(),
        _ => false,
    }
}

fn percent(text: &str, out: &mut String) {
    let mut parts = text.split('%');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let rest = part.find(|c: char| c.is_ascii_alphabetic()).and_then(|at| part.get(at + 1..));
        out.push(HOLE);
        out.push_str(rest.unwrap_or_default());
    }
}

fn braces(text: &str, out: &mut String) {
    let mut inside = false;
    for c in text.chars() {
        match (inside, c) {
            (false, '{') => {
                inside = true;
                out.push(HOLE);
            }
            (true, '}') => inside = false,
            (true, _) => {}
            (false, c) => out.push(c),
        }
    }
}
