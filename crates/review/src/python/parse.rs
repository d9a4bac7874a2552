//! A file to a syntax tree with its comments, or why not.

use super::depth;
use super::names::Names;
use crate::file::Looked;
use ringmail_core::doc::Span;
use ruff_python_ast::Stmt;
use ruff_python_ast::token::TokenKind;
use ruff_text_size::Ranged;
use std::sync::Arc;

/// Longer files are data that somebody wrote as a program.
const BYTES_MAX: usize = 2 << 20;

#[derive(Debug)]
pub(crate) struct Comment {
    pub(crate) span: Span,
}

/// One file of Python.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) file: Arc<Looked>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) names: Names,
}

pub(crate) fn parse(file: &Arc<Looked>, root: &str) -> Result<Program, (Span, String)> {
    let text = file.text();
    if text.len() > BYTES_MAX {
        return Err((Span::default(), format!("the file is larger than {BYTES_MAX} bytes")));
    }
    if !depth::is_safe(text) {
        return Err((Span::default(), format!("it nests deeper than {} levels", depth::DEPTH_MAX)));
    }
    let parsed = ruff_python_parser::parse_module(text).map_err(|error| {
        let at = error.location.start().to_usize();
        (Span { start: at, end: at }, format!("not valid Python: {}", error.error))
    })?;
    let comments = parsed.tokens().iter().filter(|token| token.kind() == TokenKind::Comment);
    let comments = comments.map(|token| Comment { span: super::span(token.range()) }).collect();
    let body: Vec<Stmt> = parsed.into_suite().into_iter().collect();
    Ok(Program { names: Names::read(file.path(), root, &body), file: file.clone(), body, comments })
}

impl Program {
    pub(crate) fn parse(file: &Arc<Looked>, root: &str) -> Result<Program, (Span, String)> {
        parse(file, root)
    }
}
