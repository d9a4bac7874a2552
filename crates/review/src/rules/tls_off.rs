//! Servers that nobody makes sure of.

use crate::python::{Bind, Bound, CallSite, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "tls-off",
    area: Area::Authentication,
    title: "the certificate of a server is not checked",
    why: "Whoever sits between reads and changes everything, keys included.",
    mend: "check certificates, by default too; name a CA with `ca_path` or `verify=\"ca.pem\"` where it is your own",
    file: "client.py",
    bad: "import requests\n\nanswer = requests.get(\"https://search.example.com\", verify=False, timeout=10)\n",
    good: "import requests\n\nanswer = requests.get(\"https://search.example.com\", verify=True, timeout=10)\n",
    owasp: &["LLM02", "ASI07", "MCP07"],
    refusal: Some("bad-address"),
    looks: &[Look::Bind(bind), Look::Call(call)],
};

const CHECKS: &[&str] = &[
    "verify_certs",
    "verify_ssl",
    "ssl_verify",
    "check_hostname",
    "ssl_cert_verify",
    "verify_certificate",
    "ssl_verification",
    "http_secure",
    "grpc_secure",
    "use_ssl",
    "validate_certs",
    "tls_verify",
    "verify_tls",
];

/// Switches that say whether there is TLS at all.
const PLAIN: &[&str] =
    &["secure", "use_tls", "enable_tls", "enable_ssl", "use_https", "ssl_enabled", "tls_enabled"];

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let client =
        ["requests", "httpx", "aiohttp", "session", "client", "Client", "get", "post", "put", "request"];
    let plain = bind.name == "verify" && client.iter().any(|word| bind.callee.contains(word));
    let named = CHECKS.contains(&bind.name) || plain || bind.name == "ssl" && bind.callee.contains("aiohttp");
    let unread = ["ssl_cert_reqs", "cert_reqs", "tls_cert_reqs"].contains(&bind.name)
        && match bind.value {
            Bound::Text(text) => ["none", "CERT_NONE"].contains(&text),
            Bound::Expr(expr) => word_of(expr) == "cert_none",
            _ => false,
        };
    if unread {
        return Some(Hit::high(bind.span, format!("`{}` takes whatever certificate there is", bind.name)));
    }
    if bind.default && bind.is_false() && PLAIN.contains(&bind.name) {
        return Some(Hit::medium(bind.span, format!("`{}` is off where nobody sets it", bind.name)));
    }
    if !named || !bind.is_false() {
        return None;
    }
    let what = if bind.default { "is off where nobody sets it" } else { "is off" };
    let hit = Hit::high(bind.span, format!("`{}` {what}", bind.name));
    let word = bind.file.text().get(bind.span.start..bind.span.end);
    Some(if word == Some("False") { hit.edit(bind.span, "True") } else { hit })
}

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let off = site.is(&[
        "ssl._create_unverified_context",
        "urllib3.disable_warnings",
        "requests.packages.urllib3.disable_warnings",
    ]);
    off.then(|| Hit::high(site.span(), format!("`{}` turns the check of certificates off", site.method())))
}
