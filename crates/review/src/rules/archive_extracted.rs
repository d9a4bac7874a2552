//! Archives that write where they like.

use crate::python::{CallSite, Thing, method_of, scan};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, Stmt};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "archive-extracted",
    area: Area::Files,
    title: "an archive is unpacked as it is",
    why: "Names in a tar file lead out of the folder, its links lead anywhere, and a few kilobytes can unpack to terabytes.",
    mend: "use `filter=\"data\"` for tar, and check names, count and sizes before",
    file: "unpack.py",
    bad: "import tarfile\n\n\ndef unpack(path, folder):\n    with tarfile.open(path) as archive:\n        archive.extractall(folder)\n",
    good: "import tarfile\n\n\ndef unpack(path, folder):\n    with tarfile.open(path) as archive:\n        archive.extractall(folder, filter=\"data\")\n",
    owasp: &["LLM04", "ASI02", "MCP05"],
    refusal: Some("bad-address"),
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let all = site.method() == "extractall";
    let known = site.place.program.names.uses("tarfile");
    let filtered = site.named("filter").is_some() || site.named("members").is_some();
    (all && known && !filtered && !looked_at(site))
        .then(|| Hit::medium(site.span(), "an archive is unpacked without looking at its names"))
}

/// Whether the function goes through the members and throws at what leads out.
fn looked_at(site: &CallSite<'_, '_>) -> bool {
    let func = site.place.func.and_then(|func| site.place.index.funcs.get(func));
    let Some(func) = func else { return false };
    let (mut held, mut thrown) = (false, false);
    scan(&func.def.body, 0, &mut |thing| match thing {
        Thing::Expr(Expr::Call(call)) => {
            held |= ["is_relative_to", "relative_to", "commonpath", "startswith"].contains(&method_of(call));
        }
        Thing::Stmt(Stmt::Raise(_)) => thrown = true,
        _ => {}
    });
    held && thrown
}
