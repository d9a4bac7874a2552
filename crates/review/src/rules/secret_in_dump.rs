//! Dumps that keep secrets in.

use crate::python::{Bind, CallSite, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "secret-in-dump",
    area: Area::Credentials,
    title: "an object is dumped with its secrets",
    why: "What `to_dict` gives goes into traces, files and answers; with the secrets in it they go there, too.",
    mend: "dump with `include_secure_params=False`, and leave secrets out by default",
    file: "node.py",
    bad: "def to_dict(self, include_secure_params: bool = True, **kwargs):\n    return self.dump(include_secure_params=include_secure_params, **kwargs)\n",
    good: "def to_dict(self, include_secure_params: bool = False, **kwargs):\n    return self.dump(include_secure_params=include_secure_params, **kwargs)\n",
    owasp: &["LLM02", "ASI03", "MCP10"],
    refusal: Some("clearance"),
    looks: &[Look::Bind(bind), Look::Call(call)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let named =
        ["include_secure_params", "include_secrets", "show_secrets", "include_credentials", "with_secrets"]
            .contains(&bind.name);
    (named && bind.is_true())
        .then(|| Hit::high(bind.span, format!("`{}` keeps the secrets in what is dumped", bind.name)))
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let dumps = ["model_dump", "dict", "model_dump_json", "json", "to_dict"].contains(&site.method());
    let word = site.receiver().map(word_of).unwrap_or_default();
    let holds = ["connection", "credentials", "conn_params"].contains(&word.as_str());
    let masked = ["exclude", "include", "include_secure_params", "for_tracing"]
        .iter()
        .any(|name| site.named(name).is_some());
    let hit = dumps && holds && !masked && !site.spreads();
    hit.then(|| Hit::medium(site.span(), format!("`{word}` is dumped with the secrets in it")))
}
