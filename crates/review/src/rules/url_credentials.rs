//! Passwords inside of addresses.

use crate::look::is_placeholder;
use crate::python::{HOLE, TextSite};
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "url-credentials",
    area: Area::Authentication,
    title: "a connection string holds a password",
    why: "Connection strings end in errors, logs and process lists. A password with `@` or `/` in it leads to another host, too.",
    mend: "give user and password as arguments of their own",
    file: "store.py",
    bad: "def dsn(user, password, host):\n    return f\"postgresql://{user}:{password}@{host}/app\"\n",
    good: "def connect(user, password, host):\n    return psycopg.connect(host=host, user=user, password=password, dbname=\"app\")\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: Some("clearance"),
    looks: &[Look::Text(text)],
};

fn text(site: &TextSite<'_>) -> Option<Hit> {
    let (scheme, rest) = site.text.split_once("://")?;
    let scheme =
        scheme.rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.' | HOLE)).next()?;
    let authority = rest.split(['/', '?', '#', ' ', '"', '\'', '\n']).next()?;
    let (user, host) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    if scheme.is_empty() || host.is_empty() || password.is_empty() || name.contains(['<', '[']) {
        return None;
    }
    match password.contains(HOLE) {
        true => Some(Hit::high(site.span, "a password is put into an address")),
        false
            if is_placeholder(password)
                || password.contains(['<', '{', '['])
                || ["password", "pass", "pwd", "pw"].contains(&password) =>
        {
            None
        }
        false => Some(Hit::high(site.span, "a password stands in an address")),
    }
}
