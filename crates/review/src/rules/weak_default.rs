//! Passwords that hold where nobody sets one.

use crate::flow::is_secret_name;
use crate::look::is_placeholder;
use crate::python::{Bind, CallSite, literal, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "weak-default",
    area: Area::Credentials,
    title: "a password has a default that everybody knows",
    why: "Where the setting is forgotten, the default lets in whoever tries it.",
    mend: "have no default for passwords and keys: fail where none is set",
    file: "connections.py",
    bad: "import os\n\npassword = os.environ.get(\"POSTGRES_PASSWORD\", \"password\")\n",
    good: "import os\n\npassword = os.environ[\"POSTGRES_PASSWORD\"]\nregion = os.environ.get(\"REGION\", \"eu-west-1\")\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: None,
    looks: &[Look::Call(call), Look::Bind(bind)],
};

fn is_weak(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && !text.contains(' ')
        && (!is_placeholder(text) || text.contains("test"))
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let method = site.method();
    let reads = ["getenv", "get_env_var", "get_env", "env", "from_env", "config"].contains(&method)
        || site.name.ends_with("environ.get")
        || method == "partial" && site.call.arguments.args.len() == 3;
    let skip = usize::from(method == "partial");
    let name = site.call.arguments.args.get(skip).and_then(literal)?;
    let given = site.arg("default", skip + 1)?;
    let text = literal(given)?;
    let hit = reads && is_secret_name(name) && is_weak(text);
    hit.then(|| Hit::high(span(given.range()), format!("`{name}` is `{text}` where nobody sets it")))
}

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let text = bind.text()?;
    let password = ["password", "passwd"].iter().any(|word| bind.name.to_ascii_lowercase().ends_with(word));
    let known = [
        "postgres",
        "password",
        "admin",
        "root",
        "secret",
        "guest",
        "changeme",
        "neo4j",
        "elastic",
        "123456",
        "minioadmin",
    ];
    let told = || format!("`{}` is `{text}` where nobody sets it", bind.name);
    match (password, known.contains(&text)) {
        (true, true) if bind.default => Some(Hit::high(bind.span, told())),
        (true, false) if bind.default && is_weak(text) && !text.starts_with(['$', '{', '<']) => {
            Some(Hit::medium(bind.span, told()))
        }
        // A table of what holds where nobody says otherwise.
        (true, true) if bind.callee.is_empty() => {
            Some(Hit::medium(bind.span, format!("`{text}` is a password that everybody tries")))
        }
        _ => None,
    }
}
