//! Keys in the code: by the formats of providers, and by names that say so.

use crate::flow::is_secret_name;
use crate::look::{detected, is_placeholder, is_random};
use crate::python::{Bind, TextSite};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Span;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "hardcoded-secret",
    area: Area::Credentials,
    title: "a key, token or password stands in the code",
    why: "Whoever reads the repository, a package built from it or its history has the key, and it stays there after it was taken out.",
    mend: "read it from the environment or a secret store, and change the key that was written down",
    file: "client.py",
    bad: "api_key = \"f3Kq9ZtL2mWx8RvB4nYc7PdS\"\n",
    good: "import os\n\napi_key = os.environ[\"API_KEY\"]\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: Some("clearance"),
    looks: &[Look::Text(text), Look::Bind(bind)],
};

fn text(site: &TextSite<'_>) -> Option<Hit> {
    if site.text.len() > 64 << 10 {
        return None;
    }
    let found = detected(site.text);
    let hit = found.iter().find(|one| matches!(one.detector.name, "token" | "private_key"))?;
    let known = site.text.get(hit.range.clone()).unwrap_or_default();
    let sample = known.contains("EXAMPLE") || is_placeholder(known) && hit.detector.name == "token";
    let what = if hit.detector.name == "token" { "a token of a provider" } else { "a private key" };
    (!sample).then(|| Hit::high(site.span, format!("{what} stands in the code")))
}

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let text = bind.text()?;
    let fits = is_secret_name(bind.name) && !text.contains(' ') && !text.contains("://");
    let span = Span { start: bind.span.start, end: bind.span.end };
    // Keys that are made to be public, for counting clicks.
    let public = ["phc_", "pk_", "pk-"].iter().any(|prefix| text.starts_with(prefix));
    let own = public
        || text.eq_ignore_ascii_case(bind.name)
        || bind.file.text().get(span.start..span.end).is_none();
    (fits && !own && is_random(text))
        .then(|| Hit::high(span, format!("`{}` is written into the code", bind.name)))
}
