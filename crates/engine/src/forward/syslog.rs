//! Records as syslog (RFC 5424), each behind its length, over TLS (RFC 5425); over TCP and Unix sockets on this machine.
//! The protocol has no word for "it has arrived". So each batch has a connection of its own, which this side ends first: a
//! receiver ends its side once it has read everything, and one that dies before leaves a connection that broke.

use super::ForwardAround;
use super::records::{Going, Takes};
use crate::egress::client_config;
use crate::egress::resolve::Resolve;
use ringmail_core::address::{Host, IpRange, Target, special};
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::project::{Project, SyslogAt};
use ringmail_core::value::Value;
use rustls::pki_types::ServerName;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The facility of audit logs, and how bad something is: of note, or a warning.
const FACILITY: u32 = 13;
const NOTE: u32 = 5;
const WARNING: u32 = 4;
/// How long a receiver may take for a step of the exchange.
const TIME: Duration = Duration::from_secs(10);
/// What a receiver says is read, so that its end is seen, and is nothing to us.
const SAID_BYTES_MAX: u64 = 64 << 10;

pub(super) struct Syslog {
    at: SyslogAt,
    tls: Arc<rustls::ClientConfig>,
    resolver: Arc<dyn Resolve>,
    folder: PathBuf,
    origin: String,
}

impl Syslog {
    pub(super) fn new(at: &SyslogAt, project: &Project, around: &ForwardAround) -> Result<Syslog, String> {
        let folder = around.secrets.folder.clone();
        let tls = client_config(&project.extra_roots, &folder).map_err(|error| error.to_string())?;
        let resolver = around.secrets.resolver.clone();
        Ok(Syslog {
            at: at.clone(),
            tls: Arc::new(tls),
            resolver,
            folder,
            origin: around.log.origin().to_string(),
        })
    }

    fn message(&self, record: &Going) -> String {
        let read = parse(record.record.as_bytes(), &JsonLimits::default()).unwrap_or_default();
        let at_ms = match read.get("at_ms") {
            Some(Value::Int(ms)) => u64::try_from(*ms).unwrap_or(0),
            _ => 0,
        };
        let kind = read.get("kind").and_then(Value::as_str).unwrap_or("-");
        let kind: String = kind.chars().filter(char::is_ascii_graphic).take(32).collect();
        let refused = record.record.contains("\"stage\":\"refused\"") || kind == "turned-away";
        let priority = FACILITY * 8 + if refused { WARNING } else { NOTE };
        // No name of a host: which log this is of stands in the line.
        let message =
            format!("<{priority}>1 {} - ringmail - {kind} - {}", moment(at_ms), record.line(&self.origin));
        format!("{} {message}", message.len())
    }

    /// Every address of the receiver that may be connected to.
    fn addresses(&self, target: &Target, resolves_to: &[String]) -> Result<Vec<SocketAddr>, String> {
        let port = target.port();
        let name = match target.host() {
            // Whoever writes an address means it.
            Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, port)]),
            Host::Name(name) => name,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let found = runtime.block_on(self.resolver.resolve(name));
        let found: Vec<IpAddr> = found.map_err(|_| format!("`{name}` has no address"))?;
        let ranges: Vec<IpRange> = resolves_to.iter().filter_map(|text| IpRange::parse(text)).collect();
        for ip in &found {
            let granted = ranges.iter().any(|range| range.contains(*ip));
            if let Some(what) = special(*ip).filter(|_| !granted) {
                return Err(format!("`{name}` leads to a {what} address, which `resolves_to` does not name"));
            }
        }
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    fn connect(&self, target: &Target, resolves_to: &[String]) -> Result<TcpStream, String> {
        let mut last = format!("`{}` has no address", target.host());
        for address in self.addresses(target, resolves_to)? {
            match TcpStream::connect_timeout(&address, TIME) {
                Ok(stream) => {
                    let timed = stream.set_read_timeout(Some(TIME));
                    timed.and(stream.set_write_timeout(Some(TIME))).map_err(|error| error.to_string())?;
                    return Ok(stream);
                }
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    fn over_tls(&self, target: &Target, stream: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        let name = match target.host() {
            Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(std::io::Error::other)?,
        };
        let talk = rustls::ClientConnection::new(self.tls.clone(), name).map_err(std::io::Error::other)?;
        let mut stream = rustls::StreamOwned::new(talk, stream);
        stream.write_all(bytes)?;
        stream.flush()?;
        stream.conn.send_close_notify();
        stream.flush()?;
        stream.sock.shutdown(Shutdown::Write)?;
        match until_end(&mut stream) {
            // Most end the connection without ending TLS; what was sent before was read all the same.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            ended => ended,
        }
    }
}

/// Reads until the other side ends. One that broke off may not have read everything.
fn until_end(stream: &mut impl Read) -> std::io::Result<()> {
    let said = std::io::copy(&mut stream.take(SAID_BYTES_MAX), &mut std::io::sink())?;
    if said < SAID_BYTES_MAX { Ok(()) } else { Err(std::io::Error::other("it talks without end")) }
}

impl Takes for Syslog {
    fn take(&mut self, records: &[Going]) -> Result<(), String> {
        let bytes: String = records.iter().map(|record| self.message(record)).collect();
        let sent = match &self.at {
            SyslogAt::Unix(path) => UnixStream::connect(self.folder.join(path)).and_then(|mut stream| {
                stream.set_read_timeout(Some(TIME))?;
                stream.set_write_timeout(Some(TIME))?;
                stream.write_all(bytes.as_bytes())?;
                stream.shutdown(Shutdown::Write)?;
                until_end(&mut stream)
            }),
            SyslogAt::Net { target, tls, resolves_to } => {
                let mut stream = self.connect(target, resolves_to)?;
                if *tls {
                    self.over_tls(target, stream, bytes.as_bytes())
                } else {
                    let written = stream.write_all(bytes.as_bytes());
                    let ended = written.and_then(|()| stream.shutdown(Shutdown::Write));
                    ended.and_then(|()| until_end(&mut stream))
                }
            }
        };
        sent.map_err(|error| format!("the receiver did not take them: {error}"))
    }
}

/// Milliseconds since 1970 as `2026-12-31T12:00:00.000Z`.
fn moment(ms: u64) -> String {
    let (time, rest) = (crate::moment::of_seconds(ms / 1000), ms % 1000);
    let part = |from: usize, to: usize| time.get(from..to).unwrap_or_default().to_string();
    format!(
        "{}-{}-{}T{}:{}:{}.{rest:03}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    )
}
