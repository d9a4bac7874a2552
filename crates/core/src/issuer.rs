//! Who else says who callers are: issuers of signed tokens, what each may say, and what its tokens come to here. Judges
//! tokens whose signature was verified; fetches no key.

use crate::address::{IpRange, Target};
use crate::doc::form::{Form, Key, duration_ms};
use crate::doc::{Node, NodeKey, Span};
use crate::policy::Principal;
use crate::token::{Algorithm, SignedToken, TokenFault};
use crate::value::{Str, Value};
use std::collections::BTreeSet;

pub const ISSUER_KEYS: &[Key] = &[
    Key::required("url", Form::Text, "the issuer, exactly as its tokens say it"),
    Key::new(
        "audience",
        Form::List(&Form::Text),
        "whom its tokens are for, one of which each must name; default the `resource` of the listener",
    ),
    Key::new(
        "algorithms",
        Form::List(&Form::OneOf(Algorithm::NAMES)),
        "how its tokens may be signed; default `RS256`, `ES256` and `EdDSA`",
    ),
    Key::new("jwks", Form::Text, "where its keys are; by default its discovery document says that"),
    Key::new("keys", Form::Text, "a file with its keys, a JSON Web Key Set, from the project's folder"),
    Key::new("resolves_to", Form::List(&Form::Text), "special addresses or ranges its name may lead to"),
    Key::new(
        "refresh",
        Form::Duration,
        "how long its keys are used before they are fetched anew; default `1h`",
    ),
    Key::new(
        "stale",
        Form::Duration,
        "how long its keys are used at most while it cannot be reached; default `24h`",
    ),
    Key::new(
        "again",
        Form::Duration,
        "how long nothing is fetched after it was asked, whatever key a token names; default `30s`",
    ),
    Key::new("leeway", Form::Duration, "how far clocks may differ; default `30s`"),
    Key::new(
        "type",
        Form::OneOf(&["at+jwt", "JWT"]),
        "what its tokens say they are; default `at+jwt`, and `JWT` also takes those that say nothing",
    ),
    Key::new("subject_claim", Form::Text, "the claim that says who is calling; default `sub`"),
    Key::new("roles_claim", Form::Text, "the claim with the caller's roles; default `roles`"),
    Key::new("roles", Form::List(&Form::Text), "the roles it may give; no others count, and by default none"),
    Key::new("tenant", Form::Text, "the tenant of all its callers"),
    Key::new("tenant_claim", Form::Text, "the claim that says a caller's tenant"),
    Key::new(
        "tenants",
        Form::List(&Form::Text),
        "the tenants it may speak for; tokens for others prove nobody",
    ),
    Key::new("scope_claim", Form::Text, "the claim with a token's scopes; default `scope`"),
    Key::new(
        "scope",
        Form::List(&Form::Table(SCOPE_KEYS)),
        "what each scope is good for; without any, scopes are not looked at",
    ),
    Key::new("claim", Form::List(&Form::Table(CLAIM_KEYS)), "what its tokens must say besides"),
];

pub const SCOPE_KEYS: &[Key] = &[
    Key::required("name", Form::Text, "the scope, as tokens have it"),
    Key::required("chains", Form::List(&Form::Text), "the chains it is good for"),
];

pub const CLAIM_KEYS: &[Key] = &[
    Key::required("name", Form::Text, "the claim"),
    Key::required("is", Form::List(&Form::Text), "one of these it must be"),
];

/// Longer subjects are nobody's.
const SUBJECT_BYTES_MAX: usize = 256;
/// What stands between an issuer's name and a subject of its own.
pub const SUBJECT_MARK: char = '|';
/// What the names begin with of those whom this host knows by itself: callers of a socket, webhooks, schedules.
const OWN_BEGINNINGS: &[&str] = &["unix:", "webhook:", "schedule:"];

/// Whether nothing that is shown proves somebody to be this one: it is of an issuer, or this host knows it by itself.
pub fn is_nobodys_to_show(subject: &str) -> bool {
    subject.contains(SUBJECT_MARK)
        || matches!(subject, "host" | "anonymous")
        || OWN_BEGINNINGS.iter().any(|begin| subject.starts_with(begin))
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFrom {
    /// Its own discovery document says where.
    Discovery,
    Url(String),
    /// As written.
    File(String),
}

/// What a scope is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerScope {
    pub name: Str,
    pub chains: Vec<Str>,
}

/// One issuer that a project believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSetting {
    pub name: Str,
    pub url: Str,
    /// Nothing means the resource of the listener.
    pub audience: Option<Vec<Str>>,
    pub algorithms: Vec<Algorithm>,
    pub keys: KeysFrom,
    pub resolves_to: Vec<String>,
    pub refresh_ms: u64,
    pub stale_ms: u64,
    pub again_ms: u64,
    leeway_ms: u64,
    /// Whether tokens say `at+jwt`.
    access_type: bool,
    subject_claim: Str,
    roles_claim: Str,
    roles: Vec<Str>,
    tenant: Option<Str>,
    tenant_claim: Option<Str>,
    tenants: Vec<Str>,
    scope_claim: Str,
    pub scopes: Vec<IssuerScope>,
    claims: Vec<(Str, Vec<Str>)>,
}

/// What a verified token comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    pub principal: Principal,
    /// The chains its scopes are good for; nothing means that scopes are not looked at.
    pub chains: Option<Vec<Str>>,
    /// From when on it proves nobody.
    pub end_ms: u64,
}

impl IssuerSetting {
    /// The roles and the tenants that its tokens may give.
    pub fn gives(&self) -> (&[Str], impl Iterator<Item = &Str>) {
        (&self.roles, self.tenants.iter().chain(&self.tenant))
    }

    /// Whether a principal may be what it is by a token of this issuer, and by what the project gives it besides.
    pub fn may_give(&self, principal: &Principal, own: &Principal) -> bool {
        let role = |role: &Str| self.roles.contains(role) || own.roles.contains(role);
        let said = match self.tenant_claim {
            Some(_) => principal.tenant.as_ref().is_some_and(|tenant| self.tenants.contains(tenant)),
            None => principal.tenant == self.tenant.clone().or_else(|| own.tenant.clone()),
        };
        said && principal.roles.iter().all(role)
            && own.roles.iter().all(|role| principal.roles.contains(role))
    }

    /// Whether a token may be one of this issuer's at all: before its signature is looked at.
    pub fn expects(&self, token: &SignedToken<'_>) -> Result<(), TokenFault> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(TokenFault::Algorithm);
        }
        let kind = token.kind.as_deref().map(|kind| kind.strip_prefix("application/").unwrap_or(kind));
        match (self.access_type, kind) {
            (true, Some("at+jwt")) | (false, None | Some("jwt")) => Ok(()),
            _ => Err(TokenFault::Kind),
        }
    }

    /// What a token comes to whose signature was verified. `resources` are what it may be for, where the issuer's
    /// setting does not say it.
    pub fn judge(
        &self,
        token: &SignedToken<'_>,
        resources: &[Str],
        now_ms: u64,
    ) -> Result<Proved, TokenFault> {
        let claims = &token.claims;
        if token.claim("iss") != Some(&*self.url) {
            return Err(TokenFault::UnknownIssuer);
        }
        is_for(claims, self.audience.as_deref().unwrap_or(resources))?;
        let end_ms = holds(claims, self.leeway_ms, now_ms)?;
        for (name, wanted) in &self.claims {
            let said = texts(claim(claims, name));
            if !said.iter().any(|said| wanted.iter().any(|wanted| **wanted == **said)) {
                return Err(TokenFault::Claim(name.clone()));
            }
        }
        let subject = claim(claims, &self.subject_claim).and_then(Value::as_str);
        let plain = |subject: &&str| {
            !subject.is_empty()
                && subject.len() <= SUBJECT_BYTES_MAX
                && !subject.chars().any(char::is_control)
        };
        let subject = subject.filter(plain).ok_or(TokenFault::Missing("subject"))?;
        let principal = Principal {
            subject: format!("{}{SUBJECT_MARK}{subject}", self.name).into(),
            roles: self.roles_of(claims),
            tenant: self.tenant_of(claims)?,
            authenticated: "jwt".into(),
        };
        Ok(Proved { principal, chains: self.chains_of(claims), end_ms })
    }

    fn roles_of(&self, claims: &Value) -> Vec<Str> {
        let said: BTreeSet<&str> = texts(claim(claims, &self.roles_claim)).into_iter().collect();
        self.roles.iter().filter(|role| said.contains(&***role)).cloned().collect()
    }

    fn tenant_of(&self, claims: &Value) -> Result<Option<Str>, TokenFault> {
        let Some(name) = &self.tenant_claim else { return Ok(self.tenant.clone()) };
        let said = claim(claims, name).and_then(Value::as_str).ok_or(TokenFault::Tenant)?;
        let known = self.tenants.iter().find(|tenant| ***tenant == *said);
        known.cloned().map(Some).ok_or(TokenFault::Tenant)
    }

    fn chains_of(&self, claims: &Value) -> Option<Vec<Str>> {
        if self.scopes.is_empty() {
            return None;
        }
        let said = texts(claim(claims, &self.scope_claim));
        let said: Vec<&str> = said.into_iter().flat_map(|text| text.split(' ')).collect();
        let good = self.scopes.iter().filter(|scope| said.contains(&&*scope.name));
        let chains: BTreeSet<Str> = good.flat_map(|scope| scope.chains.iter().cloned()).collect();
        Some(chains.into_iter().collect())
    }
}

/// Whether a token says that it is for one of these.
pub fn is_for(claims: &Value, wanted: &[Str]) -> Result<(), TokenFault> {
    let said = texts(claims.get("aud"));
    let fits = said.iter().any(|said| wanted.iter().any(|wanted| **wanted == **said));
    if fits { Ok(()) } else { Err(TokenFault::Audience) }
}

/// Whether a token holds now; until when, if it does.
pub fn holds(claims: &Value, leeway_ms: u64, now_ms: u64) -> Result<u64, TokenFault> {
    let (now, leeway) = (i128::from(now_ms), i128::from(leeway_ms));
    let end = time_ms(claims, "exp")?.ok_or(TokenFault::Missing("exp"))? + leeway;
    if end <= now {
        return Err(TokenFault::Expired);
    }
    if time_ms(claims, "nbf")?.is_some_and(|begin| begin - leeway > now) {
        return Err(TokenFault::NotYet);
    }
    if time_ms(claims, "iat")?.is_some_and(|made| made - leeway > now) {
        return Err(TokenFault::Future);
    }
    Ok(u64::try_from(end).unwrap_or(u64::MAX))
}

fn time_ms(claims: &Value, name: &'static str) -> Result<Option<i128>, TokenFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Int(seconds)) => Ok(Some(i128::from(*seconds) * 1_000)),
        // A cast of a float ends at the ends of the integers.
        Some(Value::Float(seconds)) => Ok(Some((seconds * 1_000.0) as i64 as i128)),
        Some(_) => Err(TokenFault::Missing(name)),
    }
}

/// A claim by its name, or by the way to it with dots.
fn claim<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |value, part| value.get(part)))
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Str(text)) => vec![text],
        Some(Value::List(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Hears of what is wrong, and where.
type Wrong<'w> = &'w mut dyn FnMut(Span, String, Option<String>);

/// The issuers of a project, whose documents fit the keys above.
pub(crate) fn issuers(project: &Node, wrong: Wrong<'_>) -> Vec<IssuerSetting> {
    let mut out: Vec<IssuerSetting> = Vec::new();
    for (key, node) in project.get("issuer").map_or(&[][..], Node::entries) {
        let issuer = issuer(key, node, wrong);
        if let Some(other) = out.iter().find(|other| other.url == issuer.url) {
            let message = format!("the issuers `{}` and `{}` have one `url`", other.name, issuer.name);
            wrong(key.span, message, None);
        }
        out.push(issuer);
    }
    out
}

fn issuer(key: &NodeKey, node: &Node, wrong: Wrong<'_>) -> IssuerSetting {
    let text = |name: &str| node.get(name).and_then(Node::text);
    let list = |name: &str| -> Option<Vec<Str>> {
        Some(node.get(name)?.items().iter().filter_map(Node::text).map(Str::from).collect())
    };
    let time =
        |name: &str, standard: u64| text(name).and_then(|text| duration_ms(text).ok()).unwrap_or(standard);
    let claim = |name: &str, standard: &str| Str::from(text(name).unwrap_or(standard));
    check(key, node, wrong);
    let keys = match (text("jwks"), text("keys")) {
        (Some(url), _) => KeysFrom::Url(url.into()),
        (None, Some(file)) => KeysFrom::File(file.into()),
        (None, None) => KeysFrom::Discovery,
    };
    let algorithms = node.get("algorithms").map(|node| {
        let named = node.items().iter().filter_map(Node::text).filter_map(Algorithm::named);
        named.collect::<Vec<_>>()
    });
    let pairs = |name: &str, list: &str| -> Vec<(Str, Vec<Str>)> {
        let items = node.get(name).map_or(&[][..], Node::items).iter();
        let texts = |item: &Node| {
            let items = item.get(list).map_or(&[][..], Node::items).iter();
            items.filter_map(Node::text).map(Str::from).collect()
        };
        items.filter_map(|item| Some((item.get("name")?.text()?.into(), texts(item)))).collect()
    };
    IssuerSetting {
        name: key.name.as_str().into(),
        url: text("url").unwrap_or_default().into(),
        audience: list("audience"),
        algorithms: algorithms.unwrap_or(vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]),
        keys,
        resolves_to: list("resolves_to").unwrap_or_default().iter().map(ToString::to_string).collect(),
        refresh_ms: time("refresh", 3_600_000),
        stale_ms: time("stale", 86_400_000),
        again_ms: time("again", 30_000),
        leeway_ms: time("leeway", 30_000),
        access_type: text("type") != Some("JWT"),
        subject_claim: claim("subject_claim", "sub"),
        roles_claim: claim("roles_claim", "roles"),
        roles: list("roles").unwrap_or_default(),
        tenant: text("tenant").map(Str::from),
        tenant_claim: text("tenant_claim").map(Str::from),
        tenants: list("tenants").unwrap_or_default(),
        scope_claim: claim("scope_claim", "scope"),
        scopes: pairs("scope", "chains")
            .into_iter()
            .map(|(name, chains)| IssuerScope { name, chains })
            .collect(),
        claims: pairs("claim", "is"),
    }
}

fn check(key: &NodeKey, node: &Node, wrong: Wrong<'_>) {
    for name in ["url", "jwks"] {
        let Some(url) = node.get(name) else { continue };
        match Target::parse(url.text().unwrap_or_default()) {
            Ok(target) if !target.is_tls() && target.host().special() != Some("loopback") => {
                wrong(url.span, "an issuer elsewhere is asked over `https`".into(), None);
            }
            Ok(_) => {}
            Err(message) => wrong(url.span, message, None),
        }
    }
    if let (Some(keys), Some(_)) = (node.get("keys"), node.get("jwks")) {
        wrong(keys.span, "the keys come from `jwks` or from `keys`, not from both".into(), None);
    }
    if node.get("keys").is_some() {
        let of_others = ["refresh", "stale", "again", "resolves_to"];
        for (name, written) in of_others.iter().filter_map(|name| Some((name, node.get(name)?))) {
            let message = format!("`{name}` is for keys that are fetched, and these are in a file");
            let help = "a file is read again when it changes; whoever empties it ends its keys";
            wrong(written.span, message, Some(help.into()));
        }
    }
    for range in node.get("resolves_to").map_or(&[][..], Node::items) {
        let written = range.text().unwrap_or_default();
        if IpRange::parse(written).is_none() {
            let message = format!("`{}` is no address or range", crate::json::shorten(written));
            wrong(range.span, message, None);
        }
    }
    match (node.get("tenant"), node.get("tenant_claim"), node.get("tenants")) {
        (Some(tenant), Some(_), _) => {
            wrong(tenant.span, "either all have one `tenant`, or `tenant_claim` says it".into(), None);
        }
        (_, Some(claim), None) => {
            let help = "add: tenants = [\"acme\"]";
            wrong(claim.span, "`tenant_claim` needs the `tenants` it may name".into(), Some(help.into()));
        }
        (_, None, Some(tenants)) => wrong(tenants.span, "`tenants` is for a `tenant_claim`".into(), None),
        _ => {}
    }
    for name in ["algorithms", "audience"] {
        if node.get(name).is_some_and(|list| list.items().is_empty()) {
            wrong(key.span, format!("with no `{name}` nobody is ever let in"), None);
        }
    }
}
