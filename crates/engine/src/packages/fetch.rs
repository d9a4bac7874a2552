//! What comes from a registry comes the way everything does: by an `http` link of a chain that may reach one host, through
//! the gate and the one egress, with its checks of addresses and its limits.

use crate::chain::Chain;
use crate::engine::Engine;
use crate::recorder::FileRecorder;
use crate::run::RunError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::address::Target;
use ringmail_core::doc::Source;
use ringmail_core::json::to_string;
use ringmail_core::value::Value;
use std::path::Path;
use std::sync::Arc;

const CHAIN: &str = "chain: fetch
links:
  get:
    kind: http
    timeout: 5m
    with: {url: '${input.url}', headers: '${input.headers}', as: base64, expect: any}
output: ${get}
";

/// Its grant says where to.
const PERMIT: &str = "permit (principal, action == Ringmail::Action::\"run\", resource);\npermit (principal, action == Ringmail::Action::\"call\", resource);\n";

/// What a server answered.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    headers: Value,
}

/// Reaches one host.
pub(super) struct Fetcher {
    chain: Chain,
    origin: String,
    token: bool,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Fetcher {
    pub(super) fn new(
        url: &str,
        resolves_to: &[String],
        root: &Path,
        records: &Path,
        roots: &[String],
        token: Option<&str>,
    ) -> Result<Fetcher, String> {
        let target = Target::parse(url)?;
        let origin = target.origin();
        let quoted =
            |texts: &[String]| to_string(&Value::list(texts.iter().map(|text| Value::from(text.as_str()))));
        let origin_quoted = to_string(&Value::from(origin.as_str()));
        let mut text = format!(
            "[limits]\nbytes = \"1GiB\"\ntime = \"10m\"\n[net]\nextra_roots = {}\n[[grant]]\nto = \"fetch\"\nreason = \"a registry of the project\"\nnet = [{{ address = {origin_quoted}, response_max = \"72MiB\", resolves_to = {} }}]\n",
            quoted(roots),
            quoted(resolves_to),
        );
        if token.is_some() {
            text.push_str(&format!("[secret.token]\nfrom = \"env:NONE\"\nbound_to = [{origin_quoted}]\n"));
        }
        let mut builder = Engine::builder()
            .project(Source::new("the registry's grant", text), root)
            .policies(vec![Source::new("the registry's policy", PERMIT)])
            .recorder(Arc::new(FileRecorder::open(records).map_err(|error| error.to_string())?));
        if let Some(token) = token {
            builder = builder.secret("token", token);
        }
        let engine = builder.build().map_err(|error| error.to_string())?;
        let chain = match token {
            Some(_) => CHAIN.replace(
                "headers: '${input.headers}'",
                "headers: {accept: '${input.headers.accept}', authorization: 'Bearer ${secrets.token}'}",
            ),
            None => CHAIN.to_string(),
        };
        let chains =
            engine.load(&[Source::new("fetch.yaml", chain)]).map_err(|problems| problems.to_string())?;
        let chain = chains.into_iter().next().ok_or("there is no chain")?;
        Ok(Fetcher { chain, origin, token: token.is_some() })
    }

    pub(super) async fn get(&self, url: &str, accept: &str) -> Result<Fetched, String> {
        let first = self.send(url, Value::map([("accept", Value::from(accept))])).await?;
        if first.status != 401 || self.token {
            return Ok(first);
        }
        let Some(token) = self.pass(&first).await? else { return Ok(first) };
        let authorization = Value::from(format!("Bearer {token}"));
        self.send(url, Value::map([("accept", Value::from(accept)), ("authorization", authorization)])).await
    }

    /// The token that an OCI registry gives to anybody, where it says that it wants one.
    async fn pass(&self, refused: &Fetched) -> Result<Option<String>, String> {
        let asks = refused.headers.get("www-authenticate").and_then(Value::as_str).unwrap_or_default();
        let Some(asks) = asks.strip_prefix("Bearer ") else { return Ok(None) };
        let part = |name: &str| {
            let (_, rest) = asks.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_string())
        };
        let Some(realm) = part("realm") else { return Ok(None) };
        let target = Target::parse(&realm)?;
        let query = ["service", "scope"].into_iter().filter_map(|name| Some((name, part(name)?)));
        let target = target.with_query(query);
        let answer =
            self.send(target.as_str(), Value::map([("accept", Value::from("application/json"))])).await?;
        let limits = ringmail_core::json::JsonLimits { bytes_max: 64 << 10, ..Default::default() };
        let read = ringmail_core::json::parse(&answer.body, &limits).map_err(|error| error.to_string())?;
        let token =
            ["token", "access_token"].into_iter().find_map(|key| read.get(key).and_then(Value::as_str));
        Ok(token.map(String::from))
    }

    async fn send(&self, url: &str, headers: Value) -> Result<Fetched, String> {
        let input = Value::map([("url", Value::from(url)), ("headers", headers)]);
        let request = self.chain.request(input).map_err(|error| error.to_string())?;
        let report = request.run().await;
        let answer = report.result.map_err(|error| match error {
            RunError::Refused(refusal) => refusal.message,
            other => other.to_string(),
        })?;
        let answer = answer.value();
        let status = match answer.get("status") {
            Some(Value::Int(status)) => u16::try_from(*status).unwrap_or(0),
            _ => 0,
        };
        let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let body = STANDARD.decode(body).map_err(|error| error.to_string())?;
        Ok(Fetched { status, body, headers: answer.get("headers").cloned().unwrap_or_default() })
    }
}
