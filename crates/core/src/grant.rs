//! Grants: what an operator lets a link reach, and what may flow there. The default is nothing. A grant names its
//! link or chain, its reason, and for each sink a clearance and the arguments that must be trusted there.

use crate::address::{Host, HostPattern, IpRange, Pattern, Target};
use crate::doc::Spot;
use crate::doc::form::{Form, Key};
use crate::kind::Reach;
use crate::label::Tags;
use crate::plugin::Plugin;
use crate::value::{Seg, Str};
use foldhash::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, RwLock};

/// Keys of `[[grant]]` in `ringmail.toml`.
pub const GRANT_KEYS: &[Key] = &[
    Key::required("to", Form::Text, "the chain or `chain.link` that gets the power"),
    Key::required("reason", Form::Text, "why; shown wherever the grant is"),
    Key::new("approved_by", Form::Text, "who approved it"),
    Key::new("expires", Form::Date, "from when on it no longer holds"),
    Key::new("net", Form::List(&Form::Table(NET_KEYS)), "addresses it may call"),
    Key::new("fs", Form::List(&Form::Table(FS_KEYS)), "mounts it may read or write"),
    Key::new("log", Form::Table(LOG_KEYS), "lets it write to the log"),
    Key::new("effect", Form::List(&Form::Table(EFFECT_KEYS)), "effects of native links it may have"),
    Key::new("command", Form::List(&Form::Table(COMMAND_RULE_KEYS)), "programs of the project it may run"),
    Key::new("tool", Form::List(&Form::Table(TOOL_RULE_KEYS)), "tools of servers of MCP it may call"),
    Key::new("respond", Form::Table(RESPOND_KEYS), "what the chain's output may carry to its caller"),
];

const CLEARANCE: Key =
    Key::new("clearance", Form::List(&Form::Text), "restriction tags that may flow there; default none");
const TRUSTED: Key = Key::new(
    "trusted",
    Form::List(&Form::Text),
    "argument paths that must be trusted for a consequential call; default all of them",
);

pub const NET_KEYS: &[Key] = &[
    Key::required(
        "address",
        Form::Text,
        "`https://host[:port]`; the host may be `*.name`, an address or a range",
    ),
    Key::new("methods", Form::List(&Form::OneOf(METHODS)), "HTTP methods; default `GET` and `HEAD`"),
    CLEARANCE,
    Key::new(
        "consequential",
        Form::Bool,
        "whether a call changes something there; default: any method but GET, HEAD and OPTIONS",
    ),
    Key::new("label", Form::List(&Form::Text), "tags put on everything that comes back"),
    Key::new("resolves_to", Form::List(&Form::Text), "special addresses or ranges the name may lead to"),
    Key::new("response_max", Form::Size, "largest answer; default 8MiB"),
    Key::new(
        "pins",
        Form::List(&Form::Text),
        "SHA-256 fingerprints of certificates, as `openssl x509 -fingerprint -sha256` gives them; the server must show one",
    ),
    TRUSTED,
];
pub const METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

pub const FS_KEYS: &[Key] = &[
    Key::required("mount", Form::Name, "a mount of `[mount.NAME]`"),
    Key::required("access", Form::OneOf(&["read", "write"]), "`write` includes reading"),
    CLEARANCE,
    Key::new("label", Form::List(&Form::Text), "tags put on everything read there"),
    Key::new(
        "extensions",
        Form::List(&Form::Text),
        "file name endings it may touch, such as `txt`; default all",
    ),
    Key::new("file_max", Form::Size, "largest file read or written; default 8MiB"),
    Key::new("quota", Form::Size, "bytes all files of the mount may have after a write; default no limit"),
    Key::new(
        "files",
        Form::Int { min: 0, max: 1_000_000 },
        "files the mount may hold after a write; default no limit",
    ),
    TRUSTED,
];

/// A plugin that was told something untrusted chose address and path by it, and those are never left to it: `trusted`
/// would change nothing.
pub const PLUGIN_NET_KEYS: &[Key] = but_trusted(NET_KEYS);
pub const PLUGIN_FS_KEYS: &[Key] = but_trusted(FS_KEYS);

const fn but_trusted(keys: &'static [Key]) -> &'static [Key] {
    match keys.split_last() {
        Some((_, others)) => others,
        None => keys,
    }
}

pub const LOG_KEYS: &[Key] = &[CLEARANCE];
pub const EFFECT_KEYS: &[Key] =
    &[Key::required("name", Form::Text, "the effect, as the native link declares it"), CLEARANCE, TRUSTED];
pub const COMMAND_RULE_KEYS: &[Key] = &[
    Key::required("name", Form::Name, "a program of `[command.NAME]`"),
    CLEARANCE,
    TRUSTED,
    Key::new("label", Form::List(&Form::Text), "tags put on everything it writes"),
];
pub const TOOL_RULE_KEYS: &[Key] = &[
    Key::required("upstream", Form::Name, "a server of `[upstream.NAME]`"),
    Key::required(
        "tools",
        Form::List(&Form::Text),
        "its tools, such as `read_*`; `*` for all that are pinned, `prompt:*` and `resource:*` for its prompts and resources",
    ),
    CLEARANCE,
    TRUSTED,
    Key::new("consequential", Form::Bool, "whether a call changes something there; default yes"),
    Key::new("label", Form::List(&Form::Text), "tags put on everything that comes back"),
];
pub const RESPOND_KEYS: &[Key] = &[CLEARANCE];

/// Largest answer or file unless a grant says otherwise.
pub const BODY_BYTES_MAX: u64 = 8 << 20;

/// What to add to `ringmail.toml` for one power of a link.
pub(crate) fn to_add(link: &str, power: &str) -> String {
    if let Some(plugin) = link.strip_prefix("plugin:") {
        return format!(
            "add to `[plugin.{plugin}]` in `ringmail.toml`, if its manifest asks for it:\n{power}"
        );
    }
    format!("add a grant to `ringmail.toml`:\n[[grant]]\nto = \"{link}\"\nreason = \"...\"\n{power}")
}

/// The power of a grant to one address, as it is written.
pub(crate) fn net_power(origin: &str, method: &str) -> String {
    format!("net = [{{ address = \"{origin}\", methods = [\"{method}\"] }}]")
}

pub(crate) fn fs_power(mount: &str, access: Access) -> String {
    format!("fs = [{{ mount = \"{mount}\", access = \"{}\" }}]", access.name())
}

pub(crate) fn effect_power(name: &str) -> String {
    format!("effect = [{{ name = \"{name}\" }}]")
}

pub(crate) fn command_power(name: &str) -> String {
    format!("command = [{{ name = \"{name}\" }}]")
}

pub(crate) fn tool_power(upstream: &str, tool: &str) -> String {
    format!("tool = [{{ upstream = \"{upstream}\", tools = [\"{tool}\"] }}]")
}

pub(crate) fn respond_power(tags: &[Str]) -> String {
    format!("respond = {{ clearance = [\"{}\"] }}", tags.join("\", \""))
}

pub(crate) const LOG_POWER: &str = "log = {}";

/// Which arguments of a consequential call must be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trusted {
    #[default]
    All,
    Paths(Vec<Vec<Seg>>),
}

/// What may flow into a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub clearance: Tags,
    pub trusted: Trusted,
}

#[derive(Clone, Debug)]
pub struct NetRule {
    pub address: Pattern,
    pub methods: Vec<Str>,
    pub flow: Flow,
    pub consequential: Option<bool>,
    /// Tags of what comes back.
    pub label: Tags,
    pub resolves_to: Vec<IpRange>,
    pub response_bytes_max: u64,
    /// SHA-256 of certificates, one of which the server must show; none means any that is trusted.
    pub pins: Vec<[u8; 32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Names in a folder; any grant of the mount allows it, and shows only the files it allows.
    List,
    Read,
    Write,
}

impl FsRule {
    /// Whether a file of this name may be touched.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.extensions.as_ref().is_none_or(|known| known.iter().any(|known| &**known == ending(name)))
    }
}

fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

impl Access {
    pub fn name(self) -> &'static str {
        match self {
            Access::List | Access::Read => "read",
            Access::Write => "write",
        }
    }
}

#[derive(Clone, Debug)]
pub struct FsRule {
    pub mount: Str,
    pub access: Access,
    pub flow: Flow,
    pub label: Tags,
    /// Nothing means any.
    pub extensions: Option<Vec<Str>>,
    pub file_bytes_max: u64,
    /// What the whole mount may hold after a write.
    pub mount_bytes_max: Option<u64>,
    pub mount_files_max: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct EffectRule {
    pub name: Str,
    pub flow: Flow,
}

/// Leave to run a program.
#[derive(Clone, Debug)]
pub struct CommandRule {
    pub name: Str,
    pub flow: Flow,
    /// Tags of what it writes.
    pub label: Tags,
}

/// Leave to call tools of a server.
#[derive(Clone, Debug)]
pub struct ToolRule {
    pub upstream: Str,
    pub tools: Vec<Str>,
    pub consequential: bool,
    pub flow: Flow,
    /// Tags of what comes back.
    pub label: Tags,
}

/// One operator's decision.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// `chain` or `chain.link`.
    pub to: Str,
    pub reason: Str,
    pub approved_by: Option<Str>,
    /// Milliseconds since 1970.
    pub expires_ms: Option<u64>,
    pub net: Vec<Arc<NetRule>>,
    pub fs: Vec<FsRule>,
    pub log: Option<Flow>,
    pub effects: Vec<EffectRule>,
    pub commands: Vec<CommandRule>,
    pub tools: Vec<ToolRule>,
    pub respond: Option<Flow>,
    pub spot: Option<Spot>,
}

/// What this host allows at most, whatever is granted. Nothing means no ceiling.
#[derive(Clone, Debug, Default)]
pub struct Ceiling {
    pub net: Option<Vec<Pattern>>,
    pub mounts: Option<Vec<Str>>,
    pub commands: Option<Vec<Str>>,
    pub upstreams: Option<Vec<Str>>,
}

/// All grants of a host, by whom they are for.
#[derive(Debug, Default)]
pub struct Grants {
    all: Vec<Arc<Grant>>,
    ceiling: Ceiling,
    /// What plugins ask for, by whom their grants are for: they get no more, whatever is granted.
    asked: HashMap<Str, Arc<Plugin>>,
    by_link: RwLock<HashMap<Str, Arc<Effective>>>,
}

impl Grants {
    pub fn new(all: Vec<Grant>, ceiling: Ceiling) -> Grants {
        let all = all.into_iter().map(Arc::new).collect();
        Grants { all, ceiling, ..Grants::default() }
    }

    /// Adds the grants of a plugin, which hold for what it asks through any link.
    pub fn add_plugin(&mut self, grant: Arc<Grant>, plugin: Arc<Plugin>) {
        self.asked.insert(grant.to.clone(), plugin);
        self.all.push(grant);
    }

    pub fn all(&self) -> &[Arc<Grant>] {
        &self.all
    }

    pub fn ceiling(&self) -> &Ceiling {
        &self.ceiling
    }

    /// What the link may do: the grants for it, for the chains around it, cut at the ceiling.
    pub fn effective(&self, link: &Str) -> Arc<Effective> {
        if let Ok(known) = self.by_link.read()
            && let Some(effective) = known.get(link)
        {
            return effective.clone();
        }
        let covers = |grant: &&Arc<Grant>| {
            link.strip_prefix(&*grant.to).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let asked = self.asked.get(link).cloned();
        let effective = Arc::new(Effective::new(self.all.iter().filter(covers), &self.ceiling, asked));
        if let Ok(mut known) = self.by_link.write() {
            known.insert(link.clone(), effective.clone());
        }
        effective
    }
}

/// The powers of one link.
#[derive(Debug, Default)]
pub struct Effective {
    net: Vec<(Arc<Grant>, usize)>,
    /// Positions in `net` by exact host, by parent of a wildcard, and for the rest.
    exact: HashMap<String, Vec<usize>>,
    below: HashMap<String, Vec<usize>>,
    other: Vec<usize>,
    /// Effects by name, with the grant and the position of each rule.
    effects: HashMap<Str, Vec<(Arc<Grant>, usize)>>,
    grants: Vec<Arc<Grant>>,
    ceiling: Ceiling,
    /// The plugin whose powers these are.
    asked: Option<Arc<Plugin>>,
}

/// Why a grant of a plugin does not count.
const UNASKED: &str = "the plugin's manifest does not ask for it";

/// Why a power is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacking {
    Nothing,
    Expired(Option<Spot>),
    Ceiling,
    /// A grant fits but for this.
    But(String, Option<Spot>),
}

/// A rule that fits, with the grant it stands in.
#[derive(Clone, Debug)]
pub struct Fit<'e, R> {
    pub rule: &'e R,
    pub grant: &'e Arc<Grant>,
}

impl Effective {
    fn new<'g>(
        grants: impl Iterator<Item = &'g Arc<Grant>>,
        ceiling: &Ceiling,
        asked: Option<Arc<Plugin>>,
    ) -> Effective {
        let mut out = Effective { ceiling: ceiling.clone(), asked, ..Effective::default() };
        for grant in grants {
            out.grants.push(grant.clone());
            for (at, rule) in grant.effects.iter().enumerate() {
                out.effects.entry(rule.name.clone()).or_default().push((grant.clone(), at));
            }
            for (at, rule) in grant.net.iter().enumerate() {
                let place = out.net.len();
                out.net.push((grant.clone(), at));
                match &rule.address.host {
                    HostPattern::Exact(name) => out.exact.entry(name.clone()).or_default().push(place),
                    HostPattern::Below(parent) => out.below.entry(parent.clone()).or_default().push(place),
                    HostPattern::Any | HostPattern::Range(_) => out.other.push(place),
                }
            }
        }
        out
    }

    /// What still holds at a moment.
    pub fn current(&self, now_ms: u64) -> Effective {
        let current = self.grants.iter().filter(|grant| !expired(grant, now_ms));
        Effective::new(current, &self.ceiling, self.asked.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    pub fn grants(&self) -> &[Arc<Grant>] {
        &self.grants
    }

    fn net_rule(&self, place: usize) -> Option<Fit<'_, Arc<NetRule>>> {
        let (grant, at) = self.net.get(place)?;
        Some(Fit { rule: grant.net.get(*at)?, grant })
    }

    /// Every network rule, for links that could reach any of them.
    pub(crate) fn net_rules(&self) -> impl Iterator<Item = Fit<'_, Arc<NetRule>>> {
        (0..self.net.len()).filter_map(|place| self.net_rule(place))
    }

    /// Whether a rule of a plugin can ever count: its manifest asks for something that the rule allows.
    pub(crate) fn may_ask_net(&self, rule: &NetRule) -> bool {
        self.asked.as_ref().is_none_or(|plugin| plugin.manifest.may_ask_net(rule))
    }

    /// The rules that let a request go to `target`; empty says why not.
    pub fn net(
        &self,
        target: &Target,
        method: &str,
        now_ms: u64,
    ) -> Result<Vec<Fit<'_, Arc<NetRule>>>, Lacking> {
        let mut why = Lacking::Nothing;
        let mut fits = Vec::new();
        for place in self.places(target.host()) {
            let Some(fit) = self.net_rule(place).filter(|fit| fit.rule.address.takes(target)) else {
                continue;
            };
            if expired(fit.grant, now_ms) {
                why = Lacking::Expired(fit.grant.spot.clone());
            } else if !fit.rule.methods.iter().any(|known| &**known == method) {
                why = Lacking::But(format!("it does not list the method `{method}`"), fit.grant.spot.clone());
            } else {
                fits.push(fit);
            }
        }
        if !fits.is_empty()
            && self.asked.as_ref().is_some_and(|plugin| !plugin.manifest.asks_net(target, method))
        {
            return Err(Lacking::But(UNASKED.into(), None));
        }
        let ceiling = self.ceiling.net.as_ref();
        if !fits.is_empty()
            && ceiling.is_some_and(|patterns| !patterns.iter().any(|pattern| pattern.takes(target)))
        {
            return Err(Lacking::Ceiling);
        }
        if fits.is_empty() { Err(why) } else { Ok(fits) }
    }

    fn places(&self, host: &Host) -> Vec<usize> {
        let mut places = Vec::new();
        if let Host::Name(name) = host {
            places.extend(self.exact.get(name).into_iter().flatten().copied());
            let mut rest = name.as_str();
            while let Some((_, parent)) = rest.split_once('.') {
                places.extend(self.below.get(parent).into_iter().flatten().copied());
                rest = parent;
            }
        }
        places.extend(self.other.iter().copied());
        places
    }

    /// The rule that lets a file be touched.
    pub fn fs(
        &self,
        mount: &str,
        path: &str,
        access: Access,
        now_ms: u64,
    ) -> Result<Fit<'_, FsRule>, Lacking> {
        let mut why = Lacking::Nothing;
        for grant in &self.grants {
            for rule in grant.fs.iter().filter(|rule| &*rule.mount == mount) {
                let named = access == Access::List || rule.takes(path);
                if expired(grant, now_ms) {
                    why = Lacking::Expired(grant.spot.clone());
                } else if rule.access < access {
                    why = Lacking::But("it allows reading only".into(), grant.spot.clone());
                } else if self.asked.as_ref().is_some_and(|plugin| !plugin.manifest.asks_fs(mount, access)) {
                    why = Lacking::But(UNASKED.into(), None);
                } else if !named {
                    why = Lacking::But(
                        format!("it does not list files ending in `{}`", ending(path)),
                        grant.spot.clone(),
                    );
                } else if self
                    .ceiling
                    .mounts
                    .as_ref()
                    .is_some_and(|mounts| !mounts.iter().any(|known| &**known == mount))
                {
                    why = Lacking::Ceiling;
                } else {
                    return Ok(Fit { rule, grant });
                }
            }
        }
        Err(why)
    }

    /// Tags that the grants put on what comes back: those that every rule puts there, and those that any does.
    pub fn source_tags(&self, reach: Reach) -> (Tags, Tags) {
        let tags: Vec<Tags> = match reach {
            Reach::Net { .. } => self.net_rules().map(|fit| fit.rule.label).collect(),
            Reach::Fs { .. } => {
                self.grants.iter().flat_map(|grant| &grant.fs).map(|rule| rule.label).collect()
            }
            Reach::Command => {
                self.grants.iter().flat_map(|grant| &grant.commands).map(|rule| rule.label).collect()
            }
            Reach::Tool => self.grants.iter().flat_map(|grant| &grant.tools).map(|rule| rule.label).collect(),
            _ => Vec::new(),
        };
        let always = tags.iter().copied().reduce(Tags::both).unwrap_or_default();
        (always, tags.into_iter().fold(Tags::NONE, Tags::with))
    }

    pub fn log(&self, now_ms: u64) -> Result<Fit<'_, Flow>, Lacking> {
        first(now_ms, self.grants.iter().map(|grant| (grant, grant.log.as_ref())))
    }

    pub fn respond(&self, now_ms: u64) -> Result<Fit<'_, Flow>, Lacking> {
        first(now_ms, self.grants.iter().map(|grant| (grant, grant.respond.as_ref())))
    }

    /// The rule that lets a program run.
    pub fn command(&self, name: &str, now_ms: u64) -> Result<Fit<'_, CommandRule>, Lacking> {
        let rules = self.grants.iter().flat_map(|grant| grant.commands.iter().map(move |rule| (grant, rule)));
        let named = rules.filter(|(_, rule)| &*rule.name == name).map(|(grant, rule)| (grant, Some(rule)));
        let fit = first(now_ms, named)?;
        match &self.ceiling.commands {
            Some(most) if !most.iter().any(|known| &**known == name) => Err(Lacking::Ceiling),
            _ => Ok(fit),
        }
    }

    /// The rule that lets a tool be called; without a tool, the one that lets a server be asked for its tools.
    pub fn tool(
        &self,
        upstream: &str,
        tool: Option<&str>,
        now_ms: u64,
    ) -> Result<Fit<'_, ToolRule>, Lacking> {
        let rules = self.grants.iter().flat_map(|grant| grant.tools.iter().map(move |rule| (grant, rule)));
        let named = rules.filter(|(_, rule)| {
            &*rule.upstream == upstream && tool.is_none_or(|tool| crate::offer::names(&rule.tools, tool))
        });
        let fit = first(now_ms, named.map(|(grant, rule)| (grant, Some(rule))))?;
        match &self.ceiling.upstreams {
            Some(most) if !most.iter().any(|known| &**known == upstream) => Err(Lacking::Ceiling),
            _ => Ok(fit),
        }
    }

    pub fn effect(&self, name: &str, now_ms: u64) -> Result<Fit<'_, EffectRule>, Lacking> {
        let rules = self.effects.get(name).map_or(&[][..], Vec::as_slice);
        first(now_ms, rules.iter().map(|(grant, at)| (grant, grant.effects.get(*at))))
    }
}

/// The first rule whose grant still holds.
fn first<'e, R>(
    now_ms: u64,
    rules: impl Iterator<Item = (&'e Arc<Grant>, Option<&'e R>)>,
) -> Result<Fit<'e, R>, Lacking> {
    let mut why = Lacking::Nothing;
    for (grant, rule) in rules {
        match rule {
            Some(_) if expired(grant, now_ms) => why = Lacking::Expired(grant.spot.clone()),
            Some(rule) => return Ok(Fit { rule, grant }),
            None => {}
        }
    }
    Err(why)
}

fn expired(grant: &Grant, now_ms: u64) -> bool {
    grant.expires_ms.is_some_and(|end| now_ms >= end)
}

impl NetRule {
    /// Whether the method changes something behind this address.
    pub fn is_consequential(&self, method: &str) -> bool {
        self.consequential.unwrap_or(!matches!(method, "GET" | "HEAD" | "OPTIONS"))
    }

    /// Whether a name under this rule may lead to `ip`: any public address, and special ones by name only.
    pub(crate) fn takes_ip(&self, ip: IpAddr) -> Result<(), &'static str> {
        match crate::address::special(ip) {
            Some(why)
                if !self.address.names_ip(ip) && !self.resolves_to.iter().any(|range| range.contains(ip)) =>
            {
                Err(why)
            }
            _ => Ok(()),
        }
    }
}

/// A secret as the gates know it: never its value.
#[derive(Clone, Debug)]
pub struct SecretRule {
    pub name: Str,
    pub tag: Tags,
    /// What stands in its place inside links; cannot be guessed.
    pub placeholder: Str,
    /// The only addresses it may be sent to.
    pub bound_to: Vec<Pattern>,
}

impl SecretRule {
    pub(crate) fn is_bound_to(&self, target: &Target) -> bool {
        self.bound_to.iter().any(|pattern| pattern.takes(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(address: &str) -> NetRule {
        NetRule {
            address: Pattern::parse(address).unwrap(),
            methods: vec!["GET".into()],
            flow: Flow::default(),
            consequential: None,
            label: Tags::NONE,
            resolves_to: Vec::new(),
            response_bytes_max: BODY_BYTES_MAX,
            pins: Vec::new(),
        }
    }

    fn grant(to: &str, address: &str) -> Grant {
        Grant { to: to.into(), net: vec![net(address).into()], ..Grant::default() }
    }

    #[test]
    fn a_grant_covers_its_link_its_chain_and_nothing_that_only_starts_alike() {
        let grants = Grants::new(
            vec![grant("pay.send", "https://a.test"), grant("pay", "https://b.test")],
            Ceiling::default(),
        );
        let may = |link: &str, url: &str| {
            grants.effective(&link.into()).net(&Target::parse(url).unwrap(), "GET", 0).is_ok()
        };
        assert!(may("pay.send", "https://a.test/"));
        assert!(may("pay.send", "https://b.test/"));
        assert!(may("pay.send.inner", "https://a.test/"));
        assert!(!may("pay.sender", "https://a.test/"));
        assert!(may("pay.other", "https://b.test/"));
        assert!(!may("payroll.x", "https://b.test/"));
    }

    #[test]
    fn expiry_method_and_ceiling_each_end_a_grant() {
        let mut expiring = grant("c", "https://a.test");
        expiring.expires_ms = Some(1000);
        let ceiling = Ceiling {
            net: Some(vec![Pattern::parse("https://a.test").unwrap()]),
            mounts: Some(vec![]),
            commands: None,
            upstreams: None,
        };
        let mut files = grant("c", "https://b.test");
        files.fs = vec![FsRule {
            mount: "inbox".into(),
            access: Access::Write,
            flow: Flow::default(),
            label: Tags::NONE,
            extensions: None,
            file_bytes_max: 1,
            mount_bytes_max: None,
            mount_files_max: None,
        }];
        let grants = Grants::new(vec![expiring, files], ceiling);
        let effective = grants.effective(&"c.x".into());
        let a = Target::parse("https://a.test/").unwrap();
        assert!(effective.net(&a, "GET", 999).is_ok());
        assert_eq!(effective.net(&a, "GET", 1000).unwrap_err(), Lacking::Expired(None));
        assert!(matches!(effective.net(&a, "POST", 0).unwrap_err(), Lacking::But(..)));
        let b = Target::parse("https://b.test/").unwrap();
        assert_eq!(effective.net(&b, "GET", 0).unwrap_err(), Lacking::Ceiling);
        assert_eq!(effective.fs("inbox", "a", Access::Read, 0).unwrap_err(), Lacking::Ceiling);
        assert_eq!(effective.log(0).unwrap_err(), Lacking::Nothing);
    }

    #[test]
    fn attack_05_special_addresses_need_to_be_named() {
        let mut rule = net("https://a.test");
        assert!(rule.takes_ip("93.184.216.34".parse().unwrap()).is_ok());
        assert_eq!(rule.takes_ip("10.0.0.5".parse().unwrap()), Err("private"));
        assert_eq!(rule.takes_ip("::ffff:127.0.0.1".parse().unwrap()), Err("loopback"));
        rule.resolves_to = vec![IpRange::parse("10.0.0.0/24").unwrap()];
        assert!(rule.takes_ip("10.0.0.5".parse().unwrap()).is_ok());
        assert!(rule.takes_ip("10.0.1.5".parse().unwrap()).is_err());
        assert!(net("http://127.0.0.1:80").takes_ip("127.0.0.1".parse().unwrap()).is_ok());
        assert!(net("http://127.0.0.1:80").takes_ip("127.0.0.2".parse().unwrap()).is_err());
    }

    #[test]
    fn extensions_and_access_bound_files() {
        let mut files = Grant { to: "c".into(), ..Grant::default() };
        files.fs = vec![FsRule {
            mount: "inbox".into(),
            access: Access::Read,
            flow: Flow::default(),
            label: Tags::NONE,
            extensions: Some(vec!["txt".into()]),
            file_bytes_max: 1,
            mount_bytes_max: None,
            mount_files_max: None,
        }];
        let grants = Grants::new(vec![files], Ceiling::default());
        let effective = grants.effective(&"c".into());
        assert!(effective.fs("inbox", "a.txt", Access::Read, 0).is_ok());
        assert!(effective.fs("inbox", "a.txt.exe", Access::Read, 0).is_err());
        assert!(effective.fs("inbox", "txt", Access::Read, 0).is_err());
        assert!(effective.fs("inbox", "a.txt", Access::Write, 0).is_err());
        assert!(effective.fs("outbox", "a.txt", Access::Read, 0).is_err());
    }
}
