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
    let redis = ["Redis", "StrictRedis"].contains(&site.method()) && site.named("password").is_some();
    let asks = ["ssl", "connection_pool", "ssl_context", "unix_socket_path"]
        .iter()
        .any(|name| site.named(name).is_some());
    if redis && !asks && !site.spreads() && !site.place.program.file.text().contains("ssl") {
        return Some(Hit::medium(site.span(), "the password goes to the server without TLS"));
    }
    let off = site.is(&[
        "ssl._create_unverified_context",
        "urllib3.disable_warnings",
        "requests.packages.urllib3.disable_warnings",
    ]);
    if off {
        return Some(Hit::high(
            site.span(),
            format!("`{}` turns the check of certificates off", site.method()),
        ));
    }
    mail(site)
}

/// Clients of the standard library that ask nobody's certificate unless they are given a context, and those that
/// send a password as it is.
fn mail(site: &CallSite<'_, '_>) -> Option<Hit> {
    const UNASKED: &[(&str, &str)] = &[
        ("smtplib.SMTP_SSL", "context"),
        ("imaplib.IMAP4_SSL", "ssl_context"),
        ("poplib.POP3_SSL", "context"),
        ("ftplib.FTP_TLS", "context"),
        ("nntplib.NNTP_SSL", "ssl_context"),
    ];
    const PLAIN: &[(&str, &str)] = &[
        ("smtplib.SMTP", "starttls"),
        ("imaplib.IMAP4", "starttls"),
        ("poplib.POP3", "stls"),
        ("ftplib.FTP", "auth"),
    ];
    let text = site.place.program.file.text();
    let unasked = UNASKED.iter().find(|(name, _)| *name == site.name);
    if let Some((name, context)) =
        unasked.filter(|(_, context)| site.named(context).is_none() && !site.spreads())
    {
        let message = format!("`{name}` asks no certificate where it is given no `{context}`");
        return Some(Hit::high(site.span(), message));
    }
    let starts = site.method() == "starttls" && site.call.arguments.is_empty() && text.contains("smtplib");
    if starts {
        return Some(Hit::high(site.span(), "`starttls` asks no certificate where it is given no `context`"));
    }
    let (name, upgrade) = PLAIN.iter().find(|(name, _)| *name == site.name)?;
    let upgraded = text.contains(&format!(".{upgrade}("));
    (!upgraded && text.contains(".login("))
        .then(|| Hit::medium(site.span(), format!("`{name}` sends the password as it is")))
}
