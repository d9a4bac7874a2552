//! Addresses without TLS.

use crate::look::{host, is_internal, is_loopback};
use crate::python::{HOLE, TextSite};
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "plain-http",
    area: Area::Network,
    title: "a server is asked without TLS",
    why: "Everybody on the way reads the request, its keys and the answer, and can change both.",
    mend: "use https",
    file: "client.py",
    bad: "import requests\n\nanswer = requests.get(\"http://api.weather.io/v1\", timeout=10)\n",
    good: "import requests\n\nanswer = requests.get(\"https://api.weather.io/v1\", timeout=10)\n",
    owasp: &["LLM02", "ASI07", "MCP07"],
    refusal: Some("bad-address"),
    looks: &[Look::Text(text)],
};

/// Names of things, not places.
const NAMES: &[&str] = &[
    "www.w3.org",
    "schemas.",
    "json-schema.org",
    "xmlns",
    "purl.org",
    "xml.org",
    "ns.adobe.com",
    "dublincore",
    "example.",
    "www.apache.org/licenses",
    "opensource.org",
    "openxmlformats",
    "sitemaps.org",
    "docbook.org",
    "relaxng.org",
    "tempuri.org",
    "creativecommons.org",
    "xmlsoap.org",
    "iana.org",
    "ogp.me",
    "schema.org",
    "rdfs.org",
    "xbrl",
];

fn text(site: &TextSite<'_>) -> Option<Hit> {
    let rest = site.text.strip_prefix("http://")?;
    if rest.starts_with(HOLE) && !site.text.contains(' ') {
        return Some(Hit::medium(site.span, "whatever host this is, it is asked without TLS"));
    }
    let host = host(site.text)?;
    let name = NAMES.iter().any(|name| rest.contains(name));
    let whole = host.contains('.')
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
    let inside = is_loopback(host)
        || is_internal(host)
        || host.ends_with(".test")
        || host.starts_with("169.254.")
        || host == "host.docker.internal";
    let spaced = site.text.contains(' ');
    (whole && !name && !inside && !spaced)
        .then(|| Hit::medium(site.span, format!("`{host}` is asked without TLS")))
}
