//! Temporary files that stay.

use crate::python::{
    CallSite, HOLE, TextSite, Thing, assigned, calls_in, mentions, method_of, names_in, scan,
};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::{Ranged, TextRange};

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
    looks: &[Look::Call(call), Look::Text(text)],
};

const REMOVES: &[&str] = &["remove", "unlink", "rmtree", "cleanup", "rmdir", "removedirs"];

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    if site.is(&["tempfile.mktemp"]) {
        return Some(Hit::high(site.span(), "another program can take the name before the file is made"));
    }
    let stays = matches!(site.named("delete"), Some(Expr::BooleanLiteral(delete)) if !delete.value);
    let kept = site.is(&["tempfile.NamedTemporaryFile"]) && stays
        || site.is(&["tempfile.mkstemp", "tempfile.mkdtemp"]);
    // Beside what it will replace, or where somebody wants it.
    let kept = kept && site.named("dir").is_none();
    let index = site.place.index;
    let func = site.place.func.filter(|_| kept).and_then(|func| index.funcs.get(func))?;
    let body = &func.def.body;
    let names = called(body, site.call.range());
    // An attribute of the object is removed where the object ends.
    let owned = || {
        let class = site.place.class.and_then(|class| index.classes.get(class))?;
        let methods = class.methods.values().filter_map(|method| index.funcs.get(*method));
        let removed =
            methods.flat_map(|method| calls_in(&method.def.body, 1)).any(|call| removes(call, &names));
        removed.then_some(())
    };
    let calls = calls_in(body, 1);
    let removed: Vec<&ExprCall> = calls.into_iter().filter(|call| removes(call, &names)).collect();
    if removed.is_empty() {
        return owned().is_none().then(|| Hit::medium(site.span(), "nothing here removes this file"));
    }
    let mut surely = false;
    scan(body, 1, &mut |thing| {
        if let Thing::Stmt(Stmt::Try(attempt)) = thing {
            let end = attempt.finalbody.first().map(|first| first.range().start());
            surely |= end.is_some_and(|end| removed.iter().any(|call| call.range().start() >= end));
        }
    });
    let hung = removed.iter().any(|call| !REMOVES.contains(&method_of(call)));
    (!surely && !hung)
        .then(|| Hit::low(site.span(), "this file stays where something fails before it is removed"))
}

/// A name below the folder that everybody writes to.
fn text(site: &TextSite<'_>) -> Option<Hit> {
    let name = ["/tmp/", "/var/tmp/"].iter().find_map(|folder| site.text.strip_prefix(folder))?;
    let fixed = name.len() > 2 && !name.contains([HOLE, '{', '<', '*', '%', ' ', '\n']);
    fixed.then(|| {
        Hit::medium(site.span, "whoever else is on the machine can make or read a file of this name")
    })
}

/// The names of what a call made, and of what is made of that.
fn called(body: &[Stmt], call: TextRange) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (targets, value) in assigned(body, 1) {
        if value.range().contains_range(call) || mentions(value, &names) {
            names.extend(targets);
        }
    }
    names
}

/// Whether a call removes one of these, now or when something ends: `atexit.register(os.remove, path)`.
fn removes(call: &ExprCall, names: &[&str]) -> bool {
    let given =
        call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|keyword| &keyword.value));
    let about = mentions(&call.func, names) || given.clone().any(|one| mentions(one, names));
    let by = REMOVES.iter().any(|word| method_of(call).contains(word));
    let later = given
        .clone()
        .any(|one| names_in(one).iter().any(|name| REMOVES.iter().any(|word| name.contains(word))));
    about && (by || later)
}
