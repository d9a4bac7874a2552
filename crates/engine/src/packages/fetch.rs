//! What comes from a registry comes the way everything does: by an `http` link of a chain that may reach one host, through
//! the gate and the one egress, with its checks of addresses and its limits. What a registry is told of passwords and
//! tokens is a secret of that chain: egress puts it in, towards what it is bound to.

use super::ProjectFolders;
use crate::audit::Audit;
use crate::chain::Chain;
use crate::engine::Engine;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::address::{Pattern, Target};
use ringmail_core::doc::Source;
use ringmail_core::json::{JsonLimits, parse, shorten, to_string};
use ringmail_core::value::Value;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

const CHAIN: &str = "chain: fetch
links:
  get:
    kind: http
    timeout: 5m
    with:
      method: '${input.method}'
      url: '${input.url}'
      headers: {accept: '${input.accept}', content-type: '${input.type}'}
      body: '${input.body}'
      body_as: base64
      as: base64
      expect: any
output: ${get}
";
const HEADERS: &str = "headers: {accept: '${input.accept}', content-type: '${input.type}'}";

/// Its grant says where to.
const PERMIT: &str = "permit (principal, action == Ringmail::Action::\"run\", resource);\npermit (principal, action == Ringmail::Action::\"call\", resource);\n";
/// Whoever publishes answers for what is sent.
const VOUCH: &str = "permit (principal, action == Ringmail::Action::\"vouch\", resource);\n";
const READS: &str = "[\"GET\", \"HEAD\"]";
const WRITES: &str = "[\"GET\", \"HEAD\", \"POST\", \"PUT\"]";
/// What a server of tokens answers with is not larger.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// What a server answered.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    headers: Value,
}

impl Fetched {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) accept: &'a str,
    /// What is sent, with its content type.
    pub(super) body: Option<(&'a str, &'a [u8])>,
}

/// What a registry takes: a token, or a user's password.
#[derive(Clone)]
pub struct Credentials {
    pub user: Option<String>,
    pub secret: Zeroizing<String>,
    /// The only addresses it may be sent to.
    pub bound_to: Vec<Pattern>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A chain that says who asks in one way.
#[derive(Clone)]
struct Line(Chain);

/// Reaches one host, and the one that its tokens come from.
pub(super) struct Fetcher {
    target: Target,
    resolves_to: Vec<String>,
    root: PathBuf,
    audit: Audit,
    roots: Vec<String>,
    credentials: Option<Credentials>,
    writes: bool,
    /// How the registry was last content to be asked.
    line: Mutex<Option<Line>>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("origin", &self.target.origin()).finish_non_exhaustive()
    }
}

/// How a request says who makes it.
enum Says<'s> {
    Nothing,
    /// The secret itself, as a token.
    Token(&'s Credentials),
    /// User and password.
    Basic(&'s Credentials, &'s str),
    /// What a server of tokens gave, for this registry alone.
    Pass(&'s str),
}

impl Fetcher {
    pub(super) fn new(
        url: &str,
        resolves_to: &[String],
        around: ProjectFolders<'_>,
        credentials: Option<Credentials>,
        writes: bool,
    ) -> Result<Fetcher, String> {
        Ok(Fetcher {
            target: Target::parse(url)?,
            resolves_to: resolves_to.to_vec(),
            root: around.root.to_path_buf(),
            audit: around.audit.clone(),
            roots: around.roots.to_vec(),
            credentials,
            writes,
            line: Mutex::default(),
        })
    }

    /// Asks, and once more in the way that the registry wants to be asked.
    pub(super) async fn ask(&self, asking: Asking<'_>) -> Result<Fetched, String> {
        let token = self.credentials.as_ref().filter(|own| own.user.is_none());
        let known = self.line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let line = known.map_or_else(|| self.line(&token.map_or(Says::Nothing, Says::Token)), Ok)?;
        let first = line.send(asking).await?;
        let wanted = match first.status {
            401 if token.is_none() => self.wanted(first.header("www-authenticate")).await?,
            _ => None,
        };
        let ended = match &wanted {
            Some(wanted) => wanted.send(asking).await?,
            None => first,
        };
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted.unwrap_or(line));
        Ok(ended)
    }

    /// What a registry wants to hear, as far as there is anything to say.
    async fn wanted(&self, challenge: &str) -> Result<Option<Line>, String> {
        let user = self.credentials.as_ref().and_then(|own| Some((own, own.user.as_deref()?)));
        if let Some(asks) = scheme(challenge, "bearer") {
            let Some(token) = self.pass(asks, user).await? else { return Ok(None) };
            return self.line(&Says::Pass(&token)).map(Some);
        }
        match (scheme(challenge, "basic"), user) {
            (Some(_), Some((own, user))) => self.line(&Says::Basic(own, user)).map(Some),
            _ => Ok(None),
        }
    }

    /// The token that the registry's server of tokens gives: to anybody, or to whoever has the password.
    async fn pass(
        &self,
        asks: &str,
        user: Option<(&Credentials, &str)>,
    ) -> Result<Option<Zeroizing<String>>, String> {
        let part = |name: &str| {
            let (_, rest) = asks.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_string())
        };
        let Some(realm) = part("realm") else { return Ok(None) };
        let target = Target::parse(&realm)?;
        let bound = user.is_some_and(|(own, _)| own.bound_to.iter().any(|pattern| pattern.takes(&target)));
        if !bound && (user.is_some() || target.origin() != self.target.origin()) {
            return Err(format!(
                "its tokens come from `{}`, which its secret is not bound to",
                shorten(&target.origin())
            ));
        }
        let query = ["service", "scope"].into_iter().filter_map(|name| Some((name, part(name)?)));
        let target = target.with_query(query);
        let line = match user {
            Some((own, user)) => self.line(&Says::Basic(own, user))?,
            None => self.line(&Says::Nothing)?,
        };
        let asking = Asking { method: "GET", url: target.as_str(), accept: "application/json", body: None };
        let answer = line.send(asking).await?;
        if answer.status != 200 {
            let from = shorten(&target.origin());
            return Err(format!("`{from}`, where its tokens come from, answers {}", answer.status));
        }
        let limits = JsonLimits { bytes_max: TOKEN_BYTES_MAX, ..Default::default() };
        let read = parse(&answer.body, &limits).map_err(|error| format!("its tokens: {error}"))?;
        let token =
            ["token", "access_token"].into_iter().find_map(|key| read.get(key).and_then(Value::as_str));
        Ok(token.map(|token| Zeroizing::new(token.to_string())))
    }

    /// A chain with one way to say who asks.
    fn line(&self, says: &Says<'_>) -> Result<Line, String> {
        let quoted = |texts: &[&str]| to_string(&Value::list(texts.iter().map(|text| Value::from(*text))));
        let texts = |texts: &[String]| quoted(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let origin = self.target.origin();
        let (word, secret, bound_to) = match says {
            Says::Nothing => ("", Zeroizing::default(), Vec::new()),
            Says::Token(own) => ("Bearer", own.secret.clone(), patterns(own)),
            Says::Basic(own, user) => {
                let both = Zeroizing::new(format!("{user}:{}", own.secret.as_str()));
                ("Basic", Zeroizing::new(STANDARD.encode(both.as_bytes())), patterns(own))
            }
            Says::Pass(token) => ("Bearer", Zeroizing::new((*token).to_string()), vec![origin.as_str()]),
        };
        let resolves = texts(&self.resolves_to);
        let rule = |address: &str, methods: &str| {
            let address = to_string(&Value::from(address));
            format!(
                "{{ address = {address}, methods = {methods}, clearance = [\"credential\"], response_max = \"72MiB\", resolves_to = {resolves} }}"
            )
        };
        let mut net = vec![rule(&origin, if self.writes { WRITES } else { READS })];
        if let Says::Basic(own, _) = says {
            net.extend(patterns(own).into_iter().map(|address| rule(address, READS)));
        }
        let mut text = format!(
            "[limits]\nbytes = \"1GiB\"\ntime = \"10m\"\n[net]\nextra_roots = {}\n[[grant]]\nto = \"fetch\"\nreason = \"a registry of the project\"\nrespond = {{ clearance = [\"credential\"] }}\nnet = [{}]\n",
            texts(&self.roots),
            net.join(", "),
        );
        let mut chain = CHAIN.to_string();
        if !word.is_empty() {
            text.push_str(&format!("[secret.own]\nfrom = \"env:NONE\"\nbound_to = {}\n", quoted(&bound_to)));
            let own = format!(", authorization: '{word} ${{secrets.own}}'}}");
            let headers = HEADERS.strip_suffix('}').unwrap_or(HEADERS);
            chain = chain.replace(HEADERS, &format!("{headers}{own}"));
        }
        let permit = if self.writes { format!("{PERMIT}{VOUCH}") } else { PERMIT.to_string() };
        let mut builder = Engine::builder()
            .project(Source::new("the registry's grant", text), &self.root)
            .policies(vec![Source::new("the registry's policy", permit)])
            .recorder(Arc::new(self.audit.clone()));
        if !word.is_empty() {
            builder = builder.secret("own", &secret);
        }
        let engine = builder.build().map_err(|error| error.to_string())?;
        let chains =
            engine.load(&[Source::new("fetch.yaml", chain)]).map_err(|problems| problems.to_string())?;
        chains.into_iter().next().map(Line).ok_or_else(|| "there is no chain".into())
    }
}

fn patterns(own: &Credentials) -> Vec<&str> {
    own.bound_to.iter().map(Pattern::as_str).collect()
}

/// What stands behind the word for a scheme, however that is written.
fn scheme<'c>(challenge: &'c str, name: &str) -> Option<&'c str> {
    let (word, rest) = challenge.trim_start().split_once(' ').unwrap_or((challenge, ""));
    word.eq_ignore_ascii_case(name).then_some(rest)
}

impl Line {
    async fn send(&self, asking: Asking<'_>) -> Result<Fetched, String> {
        let (kind, body) = match asking.body {
            Some((kind, bytes)) => (kind, Value::from(STANDARD.encode(bytes))),
            None => ("application/octet-stream", Value::Null),
        };
        let input = Value::map([
            ("method", Value::from(asking.method)),
            ("url", Value::from(asking.url)),
            ("accept", Value::from(asking.accept)),
            ("type", Value::from(kind)),
            ("body", body),
        ]);
        let answer = self.0.ask(input).await?;
        let status = match answer.get("status") {
            Some(Value::Int(status)) => u16::try_from(*status).unwrap_or(0),
            _ => 0,
        };
        let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let body = STANDARD.decode(body).map_err(|error| error.to_string())?;
        Ok(Fetched { status, body, headers: answer.get("headers").cloned().unwrap_or_default() })
    }
}
