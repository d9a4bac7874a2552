//! The one way out for requests. Takes permits, not URLs: resolves once, connects to the address that was judged,
//! hands redirects back to the gate, fills secrets in at the last moment and only towards their host, and bounds what
//! comes back in size, on the wire and unpacked. Time is bounded by the caller.

mod body;
mod connect;
mod events;
mod inject;
pub(crate) mod resolve;

pub(crate) use body::Lines;
pub(crate) use connect::client_config;
pub(crate) use events::{Events, Hear};

use crate::engine::BuildError;
use crate::secrets::Secrets;
use bytes::Bytes;
use connect::Connections;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use resolve::Resolve;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, NetPermit};
use ringmail_core::label::Tags;
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::value::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;
/// Bytes of all header names and values of one request.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// Headers that belong to the connection, or that would let a caller speak for someone else.
const OWN_HEADERS: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "accept-encoding",
    "idempotency-key",
];
/// Headers that may follow a redirect to another origin.
pub(crate) const PLAIN_HEADERS: &[&str] = &["accept", "accept-language", "user-agent"];

pub(crate) struct Egress {
    connections: Connections,
    /// The project's folder and the authorities it names, for egress of its own.
    pub(crate) around: (PathBuf, Vec<String>),
}

/// What a link wants to send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Body>,
}

/// What is sent along.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Text(String),
    /// Data, written as JSON.
    Json(String),
    /// Sent as they are: no placeholder is looked for.
    Bytes(Bytes),
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Received {
    /// Who answered.
    pub(crate) origin: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// The body line by line, where it was asked for.
    pub(crate) lines: Option<Vec<Value>>,
    /// Tags of secrets that stand in the answer.
    pub(crate) echoed: Tags,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Egress {
    pub(crate) fn new(
        resolver: Arc<dyn Resolve>,
        extra_roots: &[String],
        folder: &Path,
    ) -> Result<Egress, BuildError> {
        let around = (folder.to_path_buf(), extra_roots.to_vec());
        Ok(Egress { connections: Connections::new(resolver, extra_roots, folder)?, around })
    }

    /// Sends one request. A redirect is handed back: where it leads is for the gate to judge.
    pub(crate) async fn send(
        &self,
        permit: NetPermit,
        outgoing: Outgoing,
        secrets: &Secrets,
        sent: &mut Sent,
    ) -> Result<Answered, Blocked> {
        check_headers(&permit, &outgoing)?;
        let (request, used) = prepare(&permit, &outgoing, secrets)?;
        sent.injected.extend(used);
        let connection = self.connections.take(&permit).await?;
        let response = connection.send(request).await?;
        let status = response.status().as_u16();
        let location =
            response.headers().get("location").and_then(|value| value.to_str().ok()).map(String::from);
        let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, location) else {
            return body::receive(response, &permit, sent).await.map(Answered::Whole);
        };
        sent.redirects += 1;
        if sent.redirects > REDIRECTS_MAX {
            return Err(
                Failure::new(FailureKind::Status, format!("more than {REDIRECTS_MAX} redirects")).into()
            );
        }
        onward(&permit, &outgoing, status, &location, &sent.injected).map(Answered::Elsewhere)
    }
}

/// What one call has sent so far, redirects included.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) lines: Option<Lines>,
    /// Who hears the answer's events as they come, if it has any.
    pub(crate) events: Option<Events>,
    injected: Vec<Injected>,
    redirects: usize,
}

/// What a server did with a request.
pub(crate) enum Answered {
    Whole(Received),
    Elsewhere(Onward),
}

/// Where a server sends a request on to.
pub(crate) struct Onward {
    pub(crate) url: String,
    pub(crate) keeps: bool,
    pub(crate) crosses: bool,
    /// Tags of secrets that stand in the address.
    pub(crate) tags: Tags,
}

fn check_headers(permit: &NetPermit, outgoing: &Outgoing) -> Result<(), Blocked> {
    let refuse = |message: String| {
        let refusal =
            Refusal::new(Rule::BadAddress, permit.link(), message).towards(permit.target().origin());
        Err(Blocked::from(refusal))
    };
    let mut bytes = 0;
    for (name, value) in &outgoing.headers {
        bytes += name.len() + value.len();
        let own = OWN_HEADERS.contains(&name.as_str()) && name != "idempotency-key";
        if own || HeaderName::from_bytes(name.as_bytes()).is_err() {
            let which = OWN_HEADERS.iter().find(|own| *own == name).map_or("of that name", |own| own);
            return refuse(format!("the header `{which}` is not the link's to set"));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return refuse("a header has a control character".to_string());
        }
    }
    if bytes > HEADER_BYTES_MAX {
        return refuse(format!("the headers are larger than {HEADER_BYTES_MAX} bytes"));
    }
    Ok(())
}

/// A secret that was put into a request: its tag and value, to look for in the answer.
type Injected = (Tags, Zeroizing<String>);

fn prepare(
    permit: &NetPermit,
    outgoing: &Outgoing,
    secrets: &Secrets,
) -> Result<(Request<Full<Bytes>>, Vec<Injected>), Blocked> {
    let target = permit.target();
    let mut used = Vec::new();
    inject::refuse_in_url(permit)?;
    let mut request =
        Request::builder().method(Method::from_bytes(permit.method().as_bytes()).unwrap_or(Method::GET));
    let path = target.as_str().splitn(4, '/').nth(3).unwrap_or_default();
    request = request.uri(format!("/{path}"));
    let host = match (target.is_tls(), target.port()) {
        (true, 443) | (false, 80) => target.host().to_string(),
        (_, port) => format!("{}:{port}", target.host()),
    };
    request = request.header("host", host).header("accept-encoding", "gzip, br");
    if !outgoing.headers.iter().any(|(name, _)| name == "user-agent") {
        request = request.header("user-agent", concat!("ringmail/", env!("CARGO_PKG_VERSION")));
    }
    for (name, value) in &outgoing.headers {
        let filled = inject::fill(permit, secrets, value, inject::Form::Plain, &mut used)?;
        let mut value = HeaderValue::from_bytes(filled.as_bytes())
            .map_err(|_| Failure::new(FailureKind::Invalid, format!("the header `{name}` cannot be sent")))?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    let body = match &outgoing.body {
        Some(Body::Text(text)) => {
            Bytes::from(inject::fill(permit, secrets, text, inject::Form::Plain, &mut used)?.into_owned())
        }
        Some(Body::Json(json)) => {
            Bytes::from(inject::fill(permit, secrets, json, inject::Form::Json, &mut used)?.into_owned())
        }
        Some(Body::Bytes(bytes)) => bytes.clone(),
        None => Bytes::new(),
    };
    let request = request
        .body(Full::new(body))
        .map_err(|error| Failure::new(FailureKind::Invalid, error.to_string()))?;
    Ok((request, used))
}

/// What a redirect asks for. A body does not cross to another origin.
fn onward(
    permit: &NetPermit,
    outgoing: &Outgoing,
    status: u16,
    location: &str,
    injected: &[Injected],
) -> Result<Onward, Blocked> {
    let bad = |message: String| {
        Refusal::new(Rule::BadAddress, permit.link(), message).towards(permit.target().origin())
    };
    let target = permit.target().follow(location).map_err(bad)?;
    let keeps = matches!(status, 307 | 308) || matches!(permit.method(), "GET" | "HEAD");
    let crosses = target.origin() != permit.target().origin();
    if crosses && keeps && outgoing.body.is_some() {
        let message = format!("a redirect would send the body on to `{}`", target.origin());
        let refusal = Refusal::new(Rule::BadAddress, permit.link(), message).towards(target.origin());
        return Err(refusal.change("call the new address directly, if it may have the data").into());
    }
    let tags = body::echoes(&[], location.as_bytes(), injected);
    Ok(Onward { url: target.as_str().to_string(), keeps, crosses, tags })
}
