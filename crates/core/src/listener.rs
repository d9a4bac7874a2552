//! Where calls enter, as a project says it: listeners, what each serves and whom it believes, and what callers may use.
//! Decoded and judged here; nothing is opened.

use crate::address::{IpRange, Target};
use crate::doc::form::{Form, Key, duration_ms, size_bytes};
use crate::doc::{Data, Node, Span};
use crate::issuer::{IssuerSetting, issuers};
use crate::schedule::ScheduleSetting;
use crate::value::Str;
use crate::webhook::WebhookSetting;
use std::net::SocketAddr;

pub const LISTENER_KEYS: &[Key] = &[
    Key::required("kind", Form::OneOf(&["http", "tcp", "unix"]), "what is spoken there"),
    Key::new("bind", Form::Text, "address and port, such as `127.0.0.1:8080`; port 0 takes a free one"),
    Key::new("path", Form::Text, "the socket of a `unix` listener, from the project's folder"),
    Key::new("chains", Form::List(&Form::Text), "the chains served here; all, unless it says which"),
    Key::new(
        "accept",
        Form::List(&Form::OneOf(Proof::NAMES)),
        "how callers may prove who they are; default `key`, and `unix` on a socket",
    ),
    Key::new(
        "resource",
        Form::Text,
        "what callers know this listener by, such as `https://api.example.com`: whom tokens must be for",
    ),
    Key::new("tls", Form::Table(TLS_KEYS), "certificate and key; without them only loopback is served"),
    Key::new(
        "hosts",
        Form::List(&Form::Text),
        "the names this listener answers to; default: names of this machine itself on loopback, any elsewhere",
    ),
    Key::new(
        "origins",
        Form::List(&Form::Text),
        "web pages that may call, such as `https://app.example.com`",
    ),
    Key::new("mcp", Form::Bool, "whether an `http` listener serves clients of MCP at `/mcp`; default no"),
    Key::new("proxies", Form::List(&Form::Text), "addresses whose `X-Forwarded-For` is believed"),
    Key::new(
        "frames",
        Form::OneOf(&["lines", "lengths"]),
        "how messages are told apart where no HTTP is spoken: a line each, or four bytes of length before each; \
         default `lines`",
    ),
    Key::new("dangerous", Form::Table(LISTENER_DANGEROUS_KEYS), "what takes walls away"),
];

pub const TLS_KEYS: &[Key] = &[
    Key::required(
        "certificate",
        Form::Text,
        "PEM file with the certificate and those between it and the root",
    ),
    Key::required("key", Form::Text, "PEM file with its private key"),
    Key::new("clients", Form::Text, "PEM file of the authorities whose certificates callers may show"),
];

pub const LISTENER_DANGEROUS_KEYS: &[Key] = &[
    Key::new("plaintext", Form::Bool, "whether others than this machine are served without TLS"),
    Key::new("anonymous", Form::Bool, "whether callers need not prove who they are; they are `anonymous`"),
];

pub const CONTROL_KEYS: &[Key] = &[
    Key::required("bind", Form::Text, "address and port, such as `127.0.0.1:9443`"),
    Key::required(
        "tls",
        Form::Table(TLS_KEYS),
        "certificate and key, and with `clients` whose certificates count",
    ),
];

pub const SERVER_KEYS: &[Key] = &[
    Key::new("body", Form::Size, "largest request; default `1MiB`"),
    Key::new("part", Form::Size, "largest part of a form; default as `body`"),
    Key::new("parts", Form::Int { min: 1, max: 10_000 }, "most parts of a form; default 64"),
    Key::new("head", Form::Size, "largest head of a request; default `32KiB`"),
    Key::new("headers", Form::Int { min: 1, max: 1_000 }, "most headers of a request; default 64"),
    Key::new("connections", Form::Int { min: 1, max: 1_000_000 }, "most connections; default 10000"),
    Key::new(
        "address_connections",
        Form::Int { min: 1, max: 1_000_000 },
        "most connections from one address; default 1000",
    ),
    Key::new("requests", Form::Int { min: 1, max: 1_000_000 }, "most requests answered at once; default 512"),
    Key::new(
        "waiting",
        Form::Int { min: 0, max: 1_000_000 },
        "most requests that wait their turn; default 1024",
    ),
    Key::new("wait", Form::Duration, "how long a request waits its turn; default `5s`"),
    Key::new(
        "head_time",
        Form::Duration,
        "how long a new connection may take to say what it speaks; default `10s`",
    ),
    Key::new("body_time", Form::Duration, "how long a request may take to arrive; default `30s`"),
    Key::new("stall", Form::Duration, "how long a caller may take no piece of its answer; default `30s`"),
    Key::new(
        "idle",
        Form::Duration,
        "how long a connection is kept that has not asked for anything, or only for half of it; default `60s`",
    ),
    Key::new("drain", Form::Duration, "how long requests may go on once the server ends; default `30s`"),
    Key::new(
        "runs",
        Form::Int { min: 1, max: 1_000_000 },
        "most runs that are kept to be polled; default 1000",
    ),
    Key::new("run_kept", Form::Duration, "how long the answer of such a run is kept; default `1h`"),
    Key::new(
        "tools",
        Form::Int { min: 0, max: 100_000 },
        "most tools a client of MCP is listed; whoever may call more is shown one that finds them; default 1000",
    ),
];

pub const RATE_KEYS: &[Key] = &[
    Key::required("per", Form::OneOf(Per::NAMES), "whose calls are counted together"),
    Key::new(
        "chains",
        Form::List(&Form::Text),
        "the chains whose calls count; all, unless it says which. Only a rate for all is in place of the standard one",
    ),
    Key::required("calls", Form::Int { min: 1, max: 1_000_000_000 }, "most calls within the time"),
    Key::required("within", Form::Duration, "the time"),
    Key::new("at_once", Form::Int { min: 1, max: 1_000_000 }, "most calls under way at the same time"),
];

/// How a caller proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    Key,
    Jwt,
    Mtls,
    Unix,
}

impl Proof {
    pub const NAMES: &[&str] = &["key", "jwt", "mtls", "unix"];

    pub fn name(self) -> &'static str {
        match self {
            Proof::Key => "key",
            Proof::Jwt => "jwt",
            Proof::Mtls => "mtls",
            Proof::Unix => "unix",
        }
    }

    fn named(name: &str) -> Option<Proof> {
        let all = [Proof::Key, Proof::Jwt, Proof::Mtls, Proof::Unix];
        all.into_iter().zip(Proof::NAMES).find(|(_, known)| **known == name).map(|(proof, _)| proof)
    }
}

/// Whose calls are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    Principal,
    Tenant,
    Chain,
    Address,
}

impl Per {
    pub const NAMES: &[&str] = &["principal", "tenant", "chain", "address"];

    fn named(name: &str) -> Option<Per> {
        let all = [Per::Principal, Per::Tenant, Per::Chain, Per::Address];
        all.into_iter().zip(Per::NAMES).find(|(_, known)| **known == name).map(|(per, _)| per)
    }

    pub fn name(self) -> &'static str {
        match self {
            Per::Principal => "principal",
            Per::Tenant => "tenant",
            Per::Chain => "chain",
            Per::Address => "address",
        }
    }
}

/// How often somebody may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per: Per,
    /// Nothing means all.
    pub chains: Option<Vec<Str>>,
    pub calls_max: u64,
    pub within_ms: u64,
    pub at_once_max: Option<u64>,
}

impl Rate {
    /// What holds where a project says nothing of `per`.
    fn standard() -> [Rate; 4] {
        let rate = |per, calls_max, at_once_max| Rate {
            per,
            chains: None,
            calls_max,
            within_ms: 10_000,
            at_once_max: Some(at_once_max),
        };
        [
            rate(Per::Principal, 1_000, 64),
            rate(Per::Tenant, 5_000, 256),
            rate(Per::Chain, 20_000, 512),
            rate(Per::Address, 2_000, 256),
        ]
    }
}

/// What a server holds for its callers at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    pub body_bytes_max: usize,
    pub part_bytes_max: usize,
    pub parts_max: usize,
    pub head_bytes_max: usize,
    pub headers_max: usize,
    pub connections_max: usize,
    pub address_connections_max: usize,
    pub requests_max: usize,
    pub waiting_max: usize,
    pub wait_ms: u64,
    pub head_ms: u64,
    pub body_ms: u64,
    pub stall_ms: u64,
    pub idle_ms: u64,
    pub drain_ms: u64,
    pub runs_max: usize,
    pub run_kept_ms: u64,
    pub tools_max: usize,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            body_bytes_max: 1 << 20,
            part_bytes_max: 1 << 20,
            parts_max: 64,
            head_bytes_max: 32 << 10,
            headers_max: 64,
            connections_max: 10_000,
            address_connections_max: 1_000,
            requests_max: 512,
            waiting_max: 1_024,
            wait_ms: 5_000,
            head_ms: 10_000,
            body_ms: 30_000,
            stall_ms: 30_000,
            idle_ms: 60_000,
            drain_ms: 30_000,
            runs_max: 1_000,
            run_kept_ms: 3_600_000,
            tools_max: 1_000,
        }
    }
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAt {
    Http(SocketAddr),
    Tcp(SocketAddr, Frames),
    /// A path as written.
    Unix(String, Frames),
}

impl ListenAt {
    /// Whether nobody but this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        match self {
            ListenAt::Http(at) | ListenAt::Tcp(at, _) => at.ip().is_loopback(),
            ListenAt::Unix(..) => true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    Lines,
    Lengths,
}

/// Certificate, key and the authorities of callers: files as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSetting {
    pub certificate: String,
    pub key: String,
    pub clients: Option<String>,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerSetting {
    pub name: Str,
    pub at: ListenAt,
    /// Nothing means all.
    pub chains: Option<Vec<Str>>,
    pub accept: Vec<Proof>,
    /// An origin, without a slash behind it.
    pub resource: Option<Str>,
    pub anonymous: bool,
    pub tls: Option<TlsSetting>,
    /// Names it answers to, in lower case and without a port; nothing means those of loopback there, and any elsewhere.
    pub hosts: Option<Vec<String>>,
    pub origins: Vec<String>,
    pub proxies: Vec<IpRange>,
    /// Clients of MCP are served.
    pub mcp: bool,
}

/// Where a host is steered from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSetting {
    pub bind: SocketAddr,
    pub tls: TlsSetting,
}

/// Listeners and what their callers may use.
#[derive(Clone, Debug)]
pub struct ServerSetting {
    pub listeners: Vec<ListenerSetting>,
    pub control: Option<ControlSetting>,
    pub webhooks: Vec<WebhookSetting>,
    pub schedules: Vec<ScheduleSetting>,
    pub limits: ServerLimits,
    pub rates: Vec<Rate>,
    pub issuers: Vec<IssuerSetting>,
}

impl Default for ServerSetting {
    fn default() -> ServerSetting {
        let rates = Rate::standard().into();
        ServerSetting {
            listeners: Vec::new(),
            control: None,
            webhooks: Vec::new(),
            schedules: Vec::new(),
            limits: ServerLimits::default(),
            rates,
            issuers: Vec::new(),
        }
    }
}

/// Hears of what is wrong, and where.
pub(crate) type Wrong<'w> = &'w mut dyn FnMut(Span, String, Option<String>);

impl ServerSetting {
    /// What a project says of its doors; the document fits the keys above.
    pub(crate) fn load(project: &Node, wrong: Wrong<'_>) -> ServerSetting {
        let mut listeners = Vec::new();
        for (key, item) in project.get("listener").map_or(&[][..], Node::entries) {
            listeners.extend(listener(&key.name, key.span, item, wrong));
        }
        let written = project.get("rate").map_or(&[][..], Node::items).iter();
        let mut rates: Vec<Rate> = written.filter_map(|item| rate(item, wrong)).collect();
        let unsaid = Rate::standard()
            .into_iter()
            .filter(|standard| !rates.iter().any(|rate| rate.per == standard.per && rate.chains.is_none()));
        let unsaid: Vec<Rate> = unsaid.collect();
        rates.extend(unsaid);
        let control = project.get("control").and_then(|node| control(node, wrong));
        let webhooks = project.get("webhook").map_or(&[][..], Node::entries).iter();
        let webhooks = webhooks.filter_map(|(key, item)| WebhookSetting::load(&key.name, item)).collect();
        let mut schedules = Vec::new();
        for (key, item) in project.get("schedule").map_or(&[][..], Node::entries) {
            schedules.extend(ScheduleSetting::load(&key.name, item, wrong));
        }
        let issuers = issuers(project, wrong);
        check_audiences(project, &listeners, &issuers, wrong);
        let limits = limits(project.get("server"), wrong);
        ServerSetting { listeners, control, webhooks, schedules, limits, rates, issuers }
    }
}

fn control(node: &Node, wrong: Wrong<'_>) -> Option<ControlSetting> {
    let tls = tls(node.get("tls")?);
    if tls.clients.is_none() {
        let message = "who may steer shows a certificate: `tls` needs `clients`";
        wrong(node.get("tls").map_or(node.span, |tls| tls.span), message.into(), None);
    }
    let bind = address(node.get("bind")?, wrong)?;
    Some(ControlSetting { bind, tls })
}

fn tls(node: &Node) -> TlsSetting {
    let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_string();
    let clients = node.get("clients").and_then(Node::text).map(String::from);
    TlsSetting { certificate: text("certificate"), key: text("key"), clients }
}

fn address(node: &Node, wrong: Wrong<'_>) -> Option<SocketAddr> {
    let written = node.text().unwrap_or_default();
    let parsed = written.replace("localhost:", "127.0.0.1:").parse();
    if parsed.is_err() {
        let message = format!("`{}` is not an address with a port", crate::json::shorten(written));
        wrong(node.span, message, Some("write `127.0.0.1:8080` or `[::1]:8080`".into()));
    }
    parsed.ok()
}

fn int(node: &Node, key: &str) -> Option<u64> {
    match node.get(key).map(|node| &node.data) {
        Some(Data::Int(int)) => u64::try_from(*int).ok(),
        _ => None,
    }
}

fn truth(node: Option<&Node>, key: &str) -> bool {
    node.and_then(|node| node.get(key)).map(|node| &node.data) == Some(&Data::Bool(true))
}

fn texts<'n>(node: &'n Node, key: &str) -> Option<Vec<(&'n str, Span)>> {
    let items = node.get(key)?.items().iter();
    Some(items.filter_map(|item| Some((item.text()?, item.span))).collect())
}

fn names(node: &Node, key: &str) -> Option<Vec<Str>> {
    Some(texts(node, key)?.into_iter().map(|(name, _)| name.into()).collect())
}

fn rate(node: &Node, wrong: Wrong<'_>) -> Option<Rate> {
    let within = node.get("within")?;
    let within_ms = duration_ms(within.text()?).ok()?;
    if within_ms == 0 {
        wrong(within.span, "calls are counted within some time".into(), None);
    }
    let per = Per::named(node.get("per")?.text()?)?;
    if let Some(chains) = node.get("chains") {
        if per == Per::Address {
            let message = "whoever comes from an address is counted before it says which chain it wants";
            wrong(
                chains.span,
                message.into(),
                Some("take `chains` out, or count `per = \"principal\"`".into()),
            );
        } else if chains.items().is_empty() {
            let help = "name the chains whose calls count; without `chains` those of all do";
            wrong(chains.span, "a rate of no chain counts nothing".into(), Some(help.into()));
        }
    }
    Some(Rate {
        per,
        chains: names(node, "chains"),
        calls_max: int(node, "calls")?,
        within_ms,
        at_once_max: int(node, "at_once"),
    })
}

/// hyper reads heads into no less.
const HEAD_BYTES_MIN: usize = 8 << 10;

fn limits(node: Option<&Node>, wrong: Wrong<'_>) -> ServerLimits {
    let standard = ServerLimits::default();
    let Some(node) = node else { return standard };
    let text = |key: &str| node.get(key).and_then(Node::text);
    let size = |key: &str, standard: usize| {
        let bytes = text(key).and_then(|text| size_bytes(text).ok());
        bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(standard)
    };
    let time =
        |key: &str, standard: u64| text(key).and_then(|text| duration_ms(text).ok()).unwrap_or(standard);
    let count =
        |key: &str, standard: usize| int(node, key).and_then(|n| usize::try_from(n).ok()).unwrap_or(standard);
    let head_bytes_max = size("head", standard.head_bytes_max);
    if head_bytes_max < HEAD_BYTES_MIN {
        let at = node.get("head").map_or(node.span, |head| head.span);
        wrong(at, "`head` must be at least `8KiB`".into(), None);
    }
    ServerLimits {
        body_bytes_max: size("body", standard.body_bytes_max),
        part_bytes_max: size("part", size("body", standard.part_bytes_max)),
        parts_max: count("parts", standard.parts_max),
        head_bytes_max,
        headers_max: count("headers", standard.headers_max),
        connections_max: count("connections", standard.connections_max),
        address_connections_max: count("address_connections", standard.address_connections_max),
        requests_max: count("requests", standard.requests_max),
        waiting_max: count("waiting", standard.waiting_max),
        wait_ms: time("wait", standard.wait_ms),
        head_ms: time("head_time", standard.head_ms),
        body_ms: time("body_time", standard.body_ms),
        stall_ms: time("stall", standard.stall_ms),
        idle_ms: time("idle", standard.idle_ms),
        drain_ms: time("drain", standard.drain_ms),
        runs_max: count("runs", standard.runs_max),
        run_kept_ms: time("run_kept", standard.run_kept_ms),
        tools_max: count("tools", standard.tools_max),
    }
}

fn listener(name: &str, named: Span, node: &Node, wrong: Wrong<'_>) -> Option<ListenerSetting> {
    let at = listen_at(node, named, wrong)?;
    let tls = node.get("tls").map(tls);
    let dangerous = node.get("dangerous");
    if tls.is_none() && !at.is_loopback() && !truth(dangerous, "plaintext") {
        let message = "other machines reach this address, and there is no `tls`";
        let help = "for a first certificate: ringmail cert dev; or listen on `127.0.0.1`";
        wrong(node.get("bind").map_or(named, |bind| bind.span), message.into(), Some(help.into()));
    }
    if tls.is_some() && matches!(at, ListenAt::Unix(..)) {
        wrong(named, "a `unix` listener has no use for `tls`".into(), None);
    }
    let accept = match texts(node, "accept") {
        Some(written) => {
            let proofs = written.iter().filter_map(|(name, span)| Some((Proof::named(name)?, *span)));
            check_proofs(proofs, &at, tls.as_ref(), wrong)
        }
        None if matches!(at, ListenAt::Unix(..)) => vec![Proof::Unix],
        None => vec![Proof::Key],
    };
    check_clients(node, &accept, wrong);
    let mut proxies = Vec::new();
    for (written, span) in texts(node, "proxies").unwrap_or_default() {
        match IpRange::parse(written) {
            Some(range) => proxies.push(range),
            None => wrong(span, format!("`{}` is no address or range", crate::json::shorten(written)), None),
        }
    }
    // A key that changes nothing is a mistake.
    let foreign = match at {
        ListenAt::Http(_) => (&["frames"][..], "`tcp` and `unix`"),
        _ => (&["hosts", "origins", "proxies", "mcp", "resource"][..], "`http`"),
    };
    for key in foreign.0 {
        if let Some(written) = node.get(key) {
            wrong(written.span, format!("`{key}` is for {} listeners", foreign.1), None);
        }
    }
    Some(ListenerSetting {
        name: name.into(),
        at,
        chains: names(node, "chains"),
        accept,
        resource: resource(node, wrong),
        anonymous: truth(dangerous, "anonymous"),
        tls,
        hosts: texts(node, "hosts")
            .map(|hosts| hosts.into_iter().map(|(host, _)| host.to_ascii_lowercase()).collect()),
        origins: texts(node, "origins")
            .unwrap_or_default()
            .into_iter()
            .map(|(origin, _)| origin.to_ascii_lowercase())
            .collect(),
        proxies,
        mcp: truth(Some(node), "mcp"),
    })
}

/// Authorities whose certificates nobody is asked for would look as if callers needed one.
fn check_clients(node: &Node, accept: &[Proof], wrong: Wrong<'_>) {
    if let Some(clients) = node.get("tls").and_then(|tls| tls.get("clients"))
        && !accept.contains(&Proof::Mtls)
    {
        let message = "certificates of callers count for nothing here: `accept` does not name `mtls`";
        let help = "add to the listener: accept = [\"mtls\"]; or take `clients` out";
        wrong(clients.span, message.into(), Some(help.into()));
    }
}

fn resource(node: &Node, wrong: Wrong<'_>) -> Option<Str> {
    let written = node.get("resource")?;
    let text = written.text().unwrap_or_default();
    if !Target::parse(text).is_ok_and(|target| target.as_str().strip_suffix('/') == Some(text)) {
        let help = "write scheme, name and, where it is a special one, port: `https://api.example.com`";
        wrong(written.span, "a `resource` is an origin, without a path".into(), Some(help.into()));
    }
    Some(text.into())
}

/// A token that is for nobody in particular is for nobody.
fn check_audiences(
    project: &Node,
    listeners: &[ListenerSetting],
    issuers: &[IssuerSetting],
    wrong: Wrong<'_>,
) {
    let named = |listener: &ListenerSetting| {
        let node = project.get("listener").and_then(|all| all.get(&listener.name));
        node.map_or_else(Span::default, |node| node.span)
    };
    let open = issuers.iter().find(|issuer| issuer.audience.is_none());
    let taking = listeners.iter().filter(|listener| listener.accept.contains(&Proof::Jwt));
    for listener in taking.filter(|listener| listener.resource.is_none()) {
        if let Some(issuer) = open {
            let message = format!("nothing says whom tokens of `{}` must be for here", issuer.name);
            let help = "add `resource` to the listener, or `audience` to the issuer";
            wrong(named(listener), message, Some(help.into()));
        }
    }
}

fn listen_at(node: &Node, named: Span, wrong: Wrong<'_>) -> Option<ListenAt> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    let kind = text("kind")?;
    let frames = if text("frames") == Some("lengths") { Frames::Lengths } else { Frames::Lines };
    if kind == "unix" {
        if let Some(bind) = node.get("bind") {
            wrong(bind.span, "a `unix` listener has a `path`, not an address".into(), None);
        }
        let Some(path) = text("path") else {
            wrong(named, "a `unix` listener needs a `path`".into(), None);
            return None;
        };
        return Some(ListenAt::Unix(path.into(), frames));
    }
    if let Some(path) = node.get("path") {
        wrong(path.span, "only a `unix` listener has a `path`".into(), None);
    }
    let Some(bind) = node.get("bind") else {
        let help = "add: bind = \"127.0.0.1:8080\"";
        wrong(
            named,
            format!("the listener needs to know where to listen: `{kind}` has a `bind`"),
            Some(help.into()),
        );
        return None;
    };
    let at = address(bind, wrong)?;
    Some(if kind == "tcp" { ListenAt::Tcp(at, frames) } else { ListenAt::Http(at) })
}

fn check_proofs(
    proofs: impl Iterator<Item = (Proof, Span)>,
    at: &ListenAt,
    tls: Option<&TlsSetting>,
    wrong: Wrong<'_>,
) -> Vec<Proof> {
    let mut out = Vec::new();
    for (proof, span) in proofs {
        match (proof, at) {
            (Proof::Mtls, _) if tls.is_none_or(|tls| tls.clients.is_none()) => {
                let message = "callers show certificates to a listener with `tls.clients` only";
                wrong(span, message.into(), None);
            }
            (Proof::Unix, ListenAt::Http(_) | ListenAt::Tcp(..)) => {
                wrong(span, "only a `unix` listener knows who is at the other end".into(), None);
            }
            _ if out.contains(&proof) => {}
            _ => out.push(proof),
        }
    }
    out
}
