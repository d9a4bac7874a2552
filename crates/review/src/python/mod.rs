//! Python: text to syntax trees, names to what they mean across files, and every thing of a program shown to the
//! rules once. Never runs anything. Called by `review` for each file, and by `flow` for what names mean.

mod depth;
mod doors;
mod index;
mod names;
mod parse;
mod scan;
mod shapes;
mod text;
mod walk;

pub(crate) use doors::asks;
pub(crate) use index::{Func, Index, last, type_name};
pub(crate) use names::Names;
pub(crate) use parse::Program;
pub(crate) use scan::{
    Thing, assigned, calls_in, has_word, mentions, method_of, names_in, receiver_of, scan, scan_expr,
};
pub(crate) use text::{BYTES_MAX, HOLE, folded, literal, number, span};
pub(crate) use walk::{
    Bind, Bound, CallSite, ClassSite, CommentSite, FunctionSite, Hits, LOOKS, Place, TextSite, walk, word_of,
};
