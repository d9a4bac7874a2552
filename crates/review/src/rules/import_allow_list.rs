//! Lists of what sandboxed code may import.

use crate::python::{Bind, Bound, literal};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "import-allow-list",
    area: Area::Execution,
    title: "a sandbox lets code import what leads out of it",
    why: "One module that opens files, sockets or processes, or that imports others, is the way out of the sandbox.",
    mend: "allow modules that only compute: `math`, `json`, `re`, `datetime`",
    file: "sandbox.py",
    bad: "ALLOWED_MODULES = [\"math\", \"json\", \"requests\", \"os\"]\n",
    good: "ALLOWED_MODULES = [\"math\", \"json\"]\n",
    owasp: &["LLM10", "ASI05", "MCP05"],
    refusal: Some("no-grant"),
    looks: &[Look::Bind(bind)],
};

const OUTWARD: &[&str] = &[
    "os",
    "sys",
    "subprocess",
    "socket",
    "shutil",
    "pathlib",
    "io",
    "urllib",
    "requests",
    "httpx",
    "aiohttp",
    "http",
    "pickle",
    "marshal",
    "ctypes",
    "importlib",
    "builtins",
    "inspect",
    "multiprocessing",
    "threading",
    "signal",
    "pty",
    "ftplib",
    "smtplib",
    "telnetlib",
    "tempfile",
    "glob",
    "fileinput",
    "code",
    "codeop",
    "gc",
    "sqlite3",
    "pandas",
    "numpy",
    "*",
];

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let name = bind.name.to_ascii_lowercase();
    let allows = ["allowed", "authorized", "authorised", "safe", "whitelist", "permitted"]
        .iter()
        .any(|word| name.contains(word));
    let what = ["module", "import", "package", "librar"].iter().any(|word| name.contains(word));
    let not = ["unsafe", "disallowed", "unauthor", "block", "deny", "forbid", "not_allowed"];
    if !allows || !what || not.iter().any(|word| name.contains(word)) {
        return None;
    }
    let Bound::Expr(expr) = bind.value else { return None };
    let items = match expr {
        Expr::List(list) => &list.elts,
        Expr::Set(set) => &set.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        Expr::Call(call) => match call.arguments.args.first()? {
            Expr::List(list) => &list.elts,
            Expr::Set(set) => &set.elts,
            _ => return None,
        },
        _ => return None,
    };
    let outward = |item: &Expr| {
        let name = literal(item)?;
        OUTWARD.contains(&name.split('.').next().unwrap_or(name)).then(|| name.to_string())
    };
    let found: Vec<String> = items.iter().filter_map(outward).collect();
    (!found.is_empty())
        .then(|| Hit::high(bind.span, format!("`{}` allows `{}`", bind.name, found.join("`, `"))))
}
