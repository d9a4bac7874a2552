//! Permits: the power an admitted call was given, and nothing wider. Clients take permits, not URLs or paths, so
//! what was judged is what is done. A resolved address is judged through the permit; a redirect is a call of its own.

use super::Authority;
use super::judge::{Sink, flow_fault};
use crate::address::Target;
use crate::grant::{Access, Effective, Fit, FsRule, NetRule, SecretRule};
use crate::label::{Label, Labels, Tags, Tenant};
use crate::openapi::{Asking, Operation};
use crate::refusal::{Refusal, Rule};
use crate::upstream::{Upstream, UpstreamAt};
use crate::value::{Str, Value};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Arguments that choose where a request goes and what it does.
pub(super) const NET_STEERING: &[&str] = &["url", "method", "headers"];
pub(super) const FS_STEERING: &[&str] = &["path", "op"];
pub(crate) const COMMAND_STEERING: &[&str] = &["args"];

#[derive(Debug)]
pub enum Permit {
    Net(Box<NetPermit>),
    Fs(FsPermit),
    Log,
    /// Leave to ask the caller.
    Caller,
    Effect,
    Command(CommandPermit),
    Tool(Box<ToolPermit>),
}

/// Leave to call one tool of a server, or to ask it for its tools.
#[derive(Debug)]
pub struct ToolPermit {
    pub(super) link: Str,
    pub(super) upstream: Arc<Upstream>,
    pub(super) tool: Option<Str>,
    pub(super) authority: Arc<Authority>,
}

impl ToolPermit {
    pub fn link(&self) -> &Str {
        &self.link
    }

    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    pub fn tool(&self) -> Option<&Str> {
        self.tool.as_ref()
    }

    /// Leave for one message of the call, where the server is behind HTTP.
    pub fn message(&self, method: &'static str) -> Option<NetPermit> {
        let UpstreamAt::Http(http) = &self.upstream.setting.at else { return None };
        Some(NetPermit {
            link: self.link.clone(),
            target: Box::new(http.target.clone()),
            method,
            rule: http.rule.clone(),
            authority: self.authority.clone(),
        })
    }

    /// Leave for the request that an operation makes of the call.
    pub fn request(&self, operation: &Operation, args: &Value) -> Result<(NetPermit, Asking), String> {
        let Some(permit) = self.message(operation.method) else {
            return Err("the server has no address".into());
        };
        let asking = operation.request(&permit.target, args)?;
        Ok((NetPermit { target: Box::new(asking.target.clone()), ..permit }, asking))
    }

    /// What the server is shown besides, with what stands for secrets until it is on its way.
    pub fn headers(&self) -> Vec<(String, String)> {
        let UpstreamAt::Http(http) = &self.upstream.setting.at else { return Vec::new() };
        let placeholder = |name: &Str| {
            let mut secrets = self.authority.secrets.iter();
            secrets.find(|secret| secret.name == *name).map(|secret| secret.placeholder.to_string())
        };
        let bearer = http.bearer.iter().filter_map(placeholder);
        let bearer = bearer.map(|secret| ("authorization".to_string(), format!("Bearer {secret}")));
        let others =
            http.headers.iter().filter_map(|(name, secret)| Some((name.to_string(), placeholder(secret)?)));
        bearer.chain(others).collect()
    }
}

/// What a tool is called as a sink.
pub(crate) fn tool_sink(upstream: &str, tool: Option<&str>) -> String {
    match tool {
        Some(tool) => format!("tool:{upstream}/{tool}"),
        None => format!("tool:{upstream}"),
    }
}

/// Leave to run one program of the project.
#[derive(Debug)]
pub struct CommandPermit {
    pub(super) name: Str,
}

impl CommandPermit {
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Leave to make one request.
#[derive(Debug)]
pub struct NetPermit {
    pub(super) link: Str,
    pub(super) target: Box<Target>,
    pub(super) method: &'static str,
    pub(super) rule: Arc<NetRule>,
    pub(super) authority: Arc<Authority>,
}

impl NetPermit {
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn method(&self) -> &str {
        self.method
    }

    pub fn response_bytes_max(&self) -> u64 {
        self.rule.response_bytes_max
    }

    /// The secrets that may be put into this request.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRule> {
        self.authority.secrets.iter().filter(|secret| secret.is_bound_to(&self.target))
    }

    /// What connections may be shared by: a link never uses one that another link opened, or that was held to other
    /// pins.
    pub fn pool(&self) -> String {
        let pins: String = self.rule.pins.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
        format!("{} {} {pins}", self.link, self.target.origin())
    }

    /// Whether a server that shows this certificate may be spoken to.
    pub fn takes_certificate(&self, der: &[u8]) -> bool {
        use sha2::{Digest, Sha256};
        let pins = &self.rule.pins;
        pins.is_empty() || pins.iter().any(|pin| Sha256::digest(der).as_slice() == pin)
    }

    pub fn link(&self) -> &Str {
        &self.link
    }

    /// Every placeholder there is, so that one meant for another host is found before it leaves.
    pub fn placeholders(&self) -> impl Iterator<Item = &Str> {
        self.authority.secrets.iter().map(|secret| &secret.placeholder)
    }

    /// Judges an address the host's name leads to; only the result can be connected to.
    pub fn address(&self, ip: IpAddr) -> Result<CheckedAddress, Box<Refusal>> {
        match self.rule.takes_ip(ip) {
            Ok(()) => Ok(CheckedAddress(SocketAddr::new(ip, self.target.port()))),
            Err(why) => {
                let message = format!("`{}` leads to a {why} address", self.target.origin());
                let refusal =
                    Refusal::new(Rule::SpecialAddress, &self.link, message).towards(self.target.origin());
                let change = format!("name the address in the grant: resolves_to = [\"{ip}\"]");
                Err(Box::new(refusal.change(change)))
            }
        }
    }
}

/// An address that was judged; the only kind a connection is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedAddress(SocketAddr);

impl CheckedAddress {
    pub fn socket(self) -> SocketAddr {
        self.0
    }
}

/// Leave to touch one file.
#[derive(Debug)]
pub struct FsPermit {
    pub(super) mount: Str,
    pub(super) path: Str,
    pub(super) access: Access,
    pub(super) rule: FsRule,
}

impl FsPermit {
    pub fn mount(&self) -> &str {
        &self.mount
    }

    /// The path below the mount, free of `..` and of anything absolute.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the name of a file decides what may be done with it, so that no link may stand in for another name.
    pub fn is_by_name(&self) -> bool {
        self.rule.extensions.is_some()
    }

    /// Whether a name in a folder that is listed may be shown.
    pub fn shows(&self, name: &str) -> bool {
        self.rule.takes(name)
    }

    pub fn access(&self) -> Access {
        self.access
    }

    pub fn file_bytes_max(&self) -> u64 {
        self.rule.file_bytes_max
    }

    /// Bytes and files that the whole mount may hold after a write.
    pub fn mount_max(&self) -> (Option<u64>, Option<u64>) {
        (self.rule.mount_bytes_max, self.rule.mount_files_max)
    }
}

pub(super) enum NetFault {
    Lacking(crate::grant::Lacking),
    Flow(super::judge::Fault),
}

/// The first granted rule whose flow allows the request; the fault of the first rule if none does.
#[allow(
    clippy::too_many_arguments,
    reason = "one judgement needs target, data, decision and moment; a struct would only rename them"
)]
pub(super) fn judge_net<'e>(
    effective: &'e Effective,
    authority: &Authority,
    target: &Target,
    method: &str,
    labels: &Labels,
    decision: Label,
    tenant: Tenant,
    now_ms: u64,
) -> Result<Fit<'e, Arc<NetRule>>, NetFault> {
    let fits = effective.net(target, method, now_ms).map_err(NetFault::Lacking)?;
    let bound = authority.secrets.iter().filter(|secret| secret.is_bound_to(target));
    let also = bound.fold(Tags::NONE, |tags, secret| tags.with(secret.tag));
    let mut first = None;
    for fit in fits {
        let sink = Sink {
            flow: &fit.rule.flow,
            also,
            consequential: fit.rule.is_consequential(method),
            steering: NET_STEERING,
        };
        match flow_fault(&sink, labels, decision, tenant) {
            None => return Ok(fit),
            Some(fault) => first = first.or(Some(fault)),
        }
    }
    Err(first.map_or(NetFault::Lacking(crate::grant::Lacking::Nothing), NetFault::Flow))
}
