//! Files handed to tools that need none.

use crate::data::Entry;
use crate::python::Bind;
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Data;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "files-allowed",
    area: Area::Files,
    title: "a tool gets files without saying which",
    why: "A tool that runs code or reaches the network and gets the files of a conversation can send them anywhere.",
    mend: "leave `is_files_allowed` off, or bound which files and where to",
    file: "tools.py",
    bad: "class CodeTool(Node):\n    is_files_allowed: bool = True\n",
    good: "class CodeTool(Node):\n    is_files_allowed: bool = False\n",
    owasp: &["LLM03", "ASI02", "MCP10"],
    refusal: Some("no-grant"),
    looks: &[Look::Bind(bind), Look::Entry(entry)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let named =
        ["is_files_allowed", "allow_file_access", "files_allowed"].contains(&bind.name) && bind.is_true();
    let python = bind.file.path().ends_with(".py");
    (named && python)
        .then(|| Hit::medium(bind.span, format!("`{}` hands over whatever files there are", bind.name)))
}

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    let on = matches!(entry.value.data, Data::Bool(true));
    (entry.key == "is_files_allowed" && on)
        .then(|| Hit::medium(entry.span, "this node gets whatever files there are"))
}
