//! Connections: to judged addresses only, kept open for the link that opened them and for no other.

use super::resolve::Resolve;
use crate::engine::BuildError;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use ringmail_core::address::Host;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, CheckedAddress, NetPermit};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// Idle connections kept for each link and address.
const IDLE_MAX: usize = 8;
/// How long an idle connection is kept.
const IDLE_KEPT: Duration = Duration::from_secs(30);
/// Bytes of response headers, and of one chunk read.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 16;

type Sender = SendRequest<Full<Bytes>>;
type Idle = Arc<Mutex<HashMap<String, Vec<(Sender, Instant)>>>>;

pub(super) struct Connections {
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    idle: Idle,
}

/// Who is believed about who a server is, and how they are talked to.
pub(crate) fn client_config(
    extra_roots: &[String],
    folder: &Path,
) -> Result<rustls::ClientConfig, BuildError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for path in extra_roots {
        let wrong = |cause: String| BuildError::Roots { path: path.clone(), cause };
        let found =
            CertificateDer::pem_file_iter(folder.join(path)).map_err(|error| wrong(error.to_string()))?;
        let mut count = 0;
        for certificate in found {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(wrong("the file holds no certificate".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Roots { path: "(built in)".into(), cause: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A connection that is ready for one request.
pub(super) struct Connection {
    sender: Sender,
    pool: String,
    idle: Idle,
}

impl Connections {
    pub(super) fn new(
        resolver: Arc<dyn Resolve>,
        extra_roots: &[String],
        folder: &Path,
    ) -> Result<Connections, BuildError> {
        let config = client_config(extra_roots, folder)?;
        Ok(Connections { resolver, tls: TlsConnector::from(Arc::new(config)), idle: Idle::default() })
    }

    /// A kept connection, or a new one to an address that the permit lets through.
    pub(super) async fn take(&self, permit: &NetPermit) -> Result<Connection, Blocked> {
        let pool = permit.pool();
        while let Some(mut sender) = self.kept(&pool) {
            if sender.ready().await.is_ok() {
                return Ok(Connection { sender, pool, idle: self.idle.clone() });
            }
        }
        let addresses = self.addresses(permit).await?;
        let stream = connect(permit, &addresses).await?;
        let sender = if permit.target().is_tls() {
            let name = server_name(permit)?;
            let stream = self.tls.connect(name, stream).await;
            let stream = stream.map_err(|error| {
                unavailable(format!("no secure connection to `{}`: {error}", permit.target().origin()))
            })?;
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            if !permit.takes_certificate(shown.map_or(&[], |certificate| certificate)) {
                let message =
                    format!("`{}` shows a certificate that is not pinned", permit.target().origin());
                return Err(unavailable(message).into());
            }
            handshake(TokioIo::new(stream)).await?
        } else {
            handshake(TokioIo::new(stream)).await?
        };
        Ok(Connection { sender, pool, idle: self.idle.clone() })
    }

    fn kept(&self, pool: &str) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(pool)?;
        kept.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE_KEPT);
        kept.pop().map(|(sender, _)| sender)
    }

    /// Every address the name has, each judged: one that may not be reached ends the request, wherever it stands.
    async fn addresses(&self, permit: &NetPermit) -> Result<Vec<CheckedAddress>, Blocked> {
        let found: Vec<IpAddr> = match permit.target().host() {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => {
                let found = self.resolver.resolve(name).await;
                found.map_err(|_| unavailable(format!("`{name}` has no address")))?
            }
        };
        if found.is_empty() {
            return Err(unavailable(format!("`{}` has no address", permit.target().host())).into());
        }
        let judged: Result<Vec<CheckedAddress>, _> =
            found.into_iter().take(ADDRESSES_MAX).map(|ip| permit.address(ip)).collect();
        judged.map_err(Blocked::Refused)
    }
}

async fn connect(permit: &NetPermit, addresses: &[CheckedAddress]) -> Result<TcpStream, Failure> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address.socket()).await {
            Ok(stream) => {
                // Small requests should not wait for more to send; a socket that cannot do this still works.
                let _best_effort = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or_else(|| "no address".to_string(), |error| error.to_string());
    Err(unavailable(format!("cannot connect to `{}`: {why}", permit.target().origin())))
}

fn server_name(permit: &NetPermit) -> Result<ServerName<'static>, Failure> {
    match permit.target().host() {
        Host::Ip(ip) => Ok(ServerName::IpAddress((*ip).into())),
        Host::Name(name) => ServerName::try_from(name.clone())
            .map_err(|_| unavailable(format!("`{name}` cannot be named in TLS"))),
    }
}

async fn handshake<T>(io: T) -> Result<Sender, Failure>
where
    T: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let builder = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).clone();
    let (sender, connection) = builder.handshake(io).await.map_err(|error| unavailable(error.to_string()))?;
    tokio::spawn(async move {
        // A connection that breaks is seen by the request on it; an idle one is thrown away unused.
        let _seen_elsewhere = connection.await;
    });
    Ok(sender)
}

fn unavailable(message: String) -> Failure {
    Failure::new(FailureKind::Unavailable, message)
}

impl Connection {
    /// Sends the request; the connection is kept if it can serve another.
    pub(super) async fn send(mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let response = self.sender.send_request(request).await;
        let response = response.map_err(|error| unavailable(format!("the exchange broke: {error}")))?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(self.pool).or_default();
        if kept.len() < IDLE_MAX {
            kept.push((self.sender, Instant::now()));
        }
        Ok(response)
    }
}
