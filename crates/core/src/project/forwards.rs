//! Where what is on record is sent on to.

use super::{Loader, texts};
use crate::address::Target;
use crate::doc::form::{Form, Key, size_bytes};
use crate::doc::{Data, Node, NodeKey};
use crate::value::Str;

pub const FORWARD_KEYS: &[Key] = &[
    Key::required("to", Form::OneOf(KINDS), "what is there"),
    Key::required(
        "address",
        Form::Text,
        "syslog: `tls://host:6514`, or `tcp://host:port` or `unix:path` on this machine; otlp, http: a URL; file: a path from the project's own",
    ),
    Key::new("resolves_to", Form::List(&Form::Text), "special addresses or ranges its name may lead to"),
    Key::new("secret", Form::Name, "otlp, http: the secret that is shown as a bearer token"),
    Key::new("batch", Form::Int { min: 1, max: 10_000 }, "records sent at once; default 500"),
    Key::new("max", Form::Size, "file: where one is full and the next begins; default 64MiB"),
    Key::new("keep", Form::Int { min: 1, max: 1_000 }, "file: how many full ones are kept; default 10"),
];

const KINDS: &[&str] = &["syslog", "otlp", "http", "file"];
const BATCH: usize = 500;
const FILE_BYTES: u64 = 64 << 20;
const FILES: usize = 10;

/// One receiver of records.
#[derive(Clone, Debug)]
pub struct ForwardSetting {
    pub name: Str,
    pub at: ForwardAt,
    pub batch: usize,
}

#[derive(Clone, Debug)]
pub enum ForwardAt {
    Syslog(SyslogAt),
    /// The URL, and the secret that is shown there; `otlp` or one record a line.
    Web {
        otlp: bool,
        url: Target,
        resolves_to: Vec<String>,
        secret: Option<Str>,
    },
    File {
        path: String,
        bytes_max: u64,
        keep: usize,
    },
}

#[derive(Clone, Debug)]
pub enum SyslogAt {
    Unix(String),
    /// Read as a URL, for its host and port; without TLS on this machine alone.
    Net {
        target: Target,
        tls: bool,
        resolves_to: Vec<String>,
    },
}

impl Loader<'_> {
    pub(super) fn forwards(&mut self, node: &Node) -> Vec<ForwardSetting> {
        let entries = node.get("forward").map_or(&[][..], Node::entries);
        entries.iter().filter_map(|(key, item)| self.forward(key, item, node)).collect()
    }

    fn forward(&mut self, key: &NodeKey, item: &Node, node: &Node) -> Option<ForwardSetting> {
        let kind = item.get("to").and_then(Node::text)?;
        let address = item.get("address")?;
        let takes: &[&str] = match kind {
            "syslog" => &["resolves_to"],
            "file" => &["max", "keep"],
            _ => &["resolves_to", "secret"],
        };
        for (own, _) in item.entries() {
            let name = own.name.as_str();
            if !["to", "address", "batch"].contains(&name) && !takes.contains(&name) {
                self.wrong(own.span, format!("`{name}` is not for `to = \"{kind}\"`"));
            }
        }
        self.is_secret(item, node);
        self.ranges(item);
        let resolves_to = texts(Some(item), "resolves_to").map(|(text, _)| text.to_string()).collect();
        let int = |key: &str| match item.get(key).map(|node| &node.data) {
            Some(Data::Int(int)) => usize::try_from(*int).ok(),
            _ => None,
        };
        let text = address.text().unwrap_or_default();
        let at = match kind {
            "syslog" => self.syslog(address, resolves_to).map(ForwardAt::Syslog),
            "file" => {
                let max = item.get("max").and_then(Node::text).and_then(|text| size_bytes(text).ok());
                let bytes_max = max.unwrap_or(FILE_BYTES);
                Some(ForwardAt::File { path: text.into(), bytes_max, keep: int("keep").unwrap_or(FILES) })
            }
            _ => match Target::parse(text) {
                Ok(url) if !url.is_tls() && !url.is_here() => {
                    self.wrong(address.span, "records go elsewhere over `https`");
                    None
                }
                Ok(url) => {
                    let secret = item.get("secret").and_then(Node::text).map(Str::from);
                    Some(ForwardAt::Web { otlp: kind == "otlp", url, resolves_to, secret })
                }
                Err(message) => {
                    self.wrong(address.span, message);
                    None
                }
            },
        };
        Some(ForwardSetting { name: key.name.as_str().into(), at: at?, batch: int("batch").unwrap_or(BATCH) })
    }

    /// What is shown to whoever receives has to be a secret of the project.
    pub(super) fn is_secret(&mut self, item: &Node, node: &Node) {
        if let Some(secret) = item.get("secret") {
            let wanted = secret.text().unwrap_or_default();
            let known = node.get("secret").map_or(&[][..], Node::entries).iter();
            if !known.into_iter().any(|(name, _)| name.name == wanted) {
                self.wrong(secret.span, format!("there is no secret `{wanted}`"));
            }
        }
    }

    fn syslog(&mut self, address: &Node, resolves_to: Vec<String>) -> Option<SyslogAt> {
        let text = address.text().unwrap_or_default();
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Some(SyslogAt::Unix(path.into()));
        }
        let (tls, rest) = match (text.strip_prefix("tls://"), text.strip_prefix("tcp://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => {
                self.wrong(
                    address.span,
                    "a receiver of syslog is `tls://host:port`, `tcp://host:port` or `unix:path`",
                );
                return None;
            }
        };
        // A host and a port, and nothing behind them.
        let port = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        match Target::parse(&format!("https://{rest}")) {
            Ok(target) if port && !rest.contains(['/', '?', '#']) => {
                if !tls && !target.is_here() {
                    self.wrong(address.span, "records go elsewhere over `tls`");
                    return None;
                }
                Some(SyslogAt::Net { target, tls, resolves_to })
            }
            Ok(_) => {
                self.wrong(address.span, "a receiver of syslog is a host and a port");
                None
            }
            Err(message) => {
                self.wrong(address.span, message);
                None
            }
        }
    }
}
