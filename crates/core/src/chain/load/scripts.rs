//! Links that are scripts: where the source stands, where it begins, what a run may use.

use super::Loader;
use crate::chain::{Detail, Scripted};
use crate::doc::Node;
use crate::plugin::usage;
use crate::program::Program;

/// The function a script begins with.
const ENTRY: &str = "main";

impl Loader<'_, '_> {
    pub(super) fn script(&mut self, node: &Node) -> Detail {
        let (code, file) = (node.get("code"), node.get("file"));
        let program = match (code, file) {
            (Some(code), None) => Program::inline(code.text().unwrap_or_default(), self.source, code.span),
            (None, Some(file)) => match (self.around.files)(file.text().unwrap_or_default()) {
                Ok(source) => Program::of_file(source),
                Err(message) => {
                    self.wrong(file.span, message);
                    return Detail::Nothing;
                }
            },
            (Some(_), Some(file)) => {
                self.wrong(file.span, "a script stands in `code` or in a `file`, not in both");
                return Detail::Nothing;
            }
            (None, None) => {
                let help = "write it under `code`, or name a `file` of the project";
                self.problems.add_help(self.source, node.span, "the link has no script", help);
                return Detail::Nothing;
            }
        };
        let entry = node.get("entry").and_then(Node::text).unwrap_or(ENTRY);
        let file = file.and_then(Node::text).map(Into::into);
        Detail::Script(Scripted { program, file, entry: entry.into(), limits: usage(node.get("limits")) })
    }
}
