//! Temporary files that stay.

use crate::python::{CallSite, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "temp-file-left",
    area: Area::Files,
    title: "a temporary file stays",
    why: "What was in it can be read by whoever comes next, and the disk fills.",
    mend: "let `with` remove it, or remove it in `finally`; never use `mktemp`, whose name another program can take",
    file: "convert.py",
    bad: "import tempfile\n\n\ndef write(data):\n    with tempfile.NamedTemporaryFile(delete=False) as file:\n        file.write(data)\n        return file.name\n",
    good: "import tempfile\n\n\ndef write(data):\n    with tempfile.NamedTemporaryFile() as file:\n        file.write(data)\n        return convert(file.name)\n",
    owasp: &["LLM02", "ASI02", "MCP10"],
    refusal: None,
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    if site.is(&["tempfile.mktemp"]) {
        return Some(Hit::high(site.span(), "another program can take the name before the file is made"));
    }
    let stays = matches!(site.named("delete"), Some(Expr::BooleanLiteral(delete)) if !delete.value);
    let kept = site.is(&["tempfile.NamedTemporaryFile"]) && stays
        || site.is(&["tempfile.mkstemp", "tempfile.mkdtemp"]);
    let program = site.place.program;
    let func = site.place.func.and_then(|func| site.place.index.funcs.get(func))?;
    let at = span(func.def.range());
    let text = program.file.text().get(at.start..at.end)?;
    let class_cleans = site.place.class.is_some()
        && ["def __exit__", "def cleanup", "def __del__", "def close"]
            .iter()
            .any(|word| program.file.text().contains(word));
    let removed = ["os.remove(", "os.unlink(", ".unlink(", "rmtree(", "cleanup", "remove("]
        .iter()
        .any(|word| text.contains(word));
    (kept && !removed && !class_cleans).then(|| Hit::medium(site.span(), "nothing here removes this file"))
}
