//! Credentials in files that everybody on the machine may read.

use crate::python::{CallSite, has_word, method_of, names_in, scan_expr};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-written",
    area: Area::Credentials,
    title: "credentials are written to a file as they are",
    why: "A token that refreshes itself opens the account for months; with the default mode every user, backup and container that sees the folder has it.",
    mend: "make the file with mode 0600 before anything is in it, or give the token to a keeper of secrets",
    file: "login.py",
    bad: "from pathlib import Path\n\n\ndef keep(creds):\n    Path(\"token.json\").write_text(creds.to_json())\n",
    good: "import os\n\n\ndef keep(creds):\n    with os.fdopen(os.open(\"token.json\", os.O_WRONLY | os.O_CREAT, 0o600), \"w\") as file:\n        file.write(creds.to_json())\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: None,
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let writes = ["write", "write_text", "dump"].contains(&site.method());
    let given = site.call.arguments.args.first().filter(|_| writes)?;
    let mut credentials = false;
    scan_expr(given, &mut |expr| {
        let Expr::Call(call) = expr else { return };
        let Expr::Attribute(method) = &*call.func else { return };
        let dumped =
            ["to_json", "json", "model_dump_json", "to_dict", "serialize"].contains(&method_of(call));
        let of = names_in(&method.value);
        credentials |=
            dumped && of.iter().any(|name| has_word(name, &["creds", "credentials", "credential", "token"]));
    });
    let index = site.place.index;
    let body = site.place.func.and_then(|func| index.funcs.get(func)).map(|func| func.def);
    // Whoever thinks of the mode says so nearby.
    let text = site.place.program.file.text();
    let around = body.map_or(text, |def| {
        let at = ruff_text_size::Ranged::range(def);
        text.get(at.start().to_usize()..at.end().to_usize()).unwrap_or_default()
    });
    let closed = ["0o600", "chmod", "umask", "encrypt", "S_IRUSR"].iter().any(|word| around.contains(word));
    (credentials && !closed).then(|| {
        Hit::medium(site.span(), "credentials are written as they are, for whoever may read the folder")
    })
}
