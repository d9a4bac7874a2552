//! A project: what `ringmail.toml` says. Decoded whole, all problems at once; nothing is read from disk here, so
//! paths stay as they were written.

mod anchors;
mod commands;
mod forwards;
mod registries;
mod secrets;
mod upstreams;

pub use anchors::{ANCHOR_KEYS, AnchorAt, AnchorSetting};
pub use forwards::{FORWARD_KEYS, ForwardAt, ForwardSetting, SyslogAt};
pub use registries::{ADVISORIES_KEYS, AdvisoriesSetting, REGISTRY_KEYS, RegistryPlace, RegistrySetting};
pub use secrets::{LOCAL_SECRETS, PROVIDER_KEYS, ProviderSetting, SECRET_KEYS, SecretSetting, SecretSource};

use crate::address::{IpRange, Pattern};
use crate::command::{COMMAND_KEYS, CommandSetting};
use crate::detect::{DETECT_KEYS, Detectors};
use crate::doc::form::{Form, Key, conform, date_ms, duration_ms, size_bytes};
use crate::doc::{Data, Node, Problems, Source, Span};
use crate::grant::{
    Access, BODY_BYTES_MAX, Ceiling, CommandRule, EffectRule, Flow, FsRule, GRANT_KEYS, Grant, NetRule,
    ToolRule, Trusted,
};
use crate::issuer::ISSUER_KEYS;
use crate::label::{TagTable, Tags};
use crate::listener::{CONTROL_KEYS, LISTENER_KEYS, RATE_KEYS, SERVER_KEYS, ServerSetting};
use crate::package::{PUBLISHER_KEYS, Publishers};
use crate::plugin::{PLUGIN_KEYS, PluginPlace, Setting, int, keeps, power_of, quota, usage};
use crate::policy::Principal;
use crate::python::{PYTHON_KEYS, PythonSetting};
use crate::retention::{DAY_MS, RETENTION_KEYS, Retention, RetentionRule};
use crate::run::Limits;
use crate::schedule::SCHEDULE_KEYS;
use crate::schema::is_tag_name;
use crate::upstream::{POWER_OF_SERVER, UPSTREAM_KEYS, UpstreamSetting};
use crate::value::{Str, parse_path};
use crate::webhook::WEBHOOK_KEYS;
use std::sync::Arc;

/// Where records and keys are, unless a project says otherwise.
pub const DATA_FOLDER: &str = ".ringmail";

pub const PROJECT_KEYS: &[Key] = &[
    Key::new("project", Form::Table(FOLDER_KEYS), "where things are"),
    Key::new("run", Form::Table(RUN_KEYS), "defaults of the command line"),
    Key::new("limits", Form::Table(HOST_LIMIT_KEYS), "what any run on this host may use at most"),
    Key::new("principal", Form::List(&Form::Table(PRINCIPAL_KEYS)), "who the command line may run chains as"),
    Key::new(
        "secret",
        Form::Names(&Form::Table(SECRET_KEYS)),
        "secrets by name; `${secrets.NAME}` stands for one in a chain",
    ),
    Key::new(
        "provider",
        Form::Names(&Form::Table(PROVIDER_KEYS)),
        "who is asked for secrets that are kept elsewhere, by name",
    ),
    Key::new(
        "mount",
        Form::Names(&Form::Table(MOUNT_KEYS)),
        "folders by name; `NAME:path` names a file in one",
    ),
    Key::new("grant", Form::List(&Form::Table(GRANT_KEYS)), "what links may reach"),
    Key::new(
        "plugin",
        Form::Names(&Form::Table(PLUGIN_KEYS)),
        "plugins by name: what was reviewed, and what it may",
    ),
    Key::new(
        "command",
        Form::Names(&Form::Table(COMMAND_KEYS)),
        "programs by name: what runs, and behind which walls",
    ),
    Key::new(
        "upstream",
        Form::Names(&Form::Table(UPSTREAM_KEYS)),
        "servers of MCP whose tools links call, by name",
    ),
    Key::new("python", Form::Table(PYTHON_KEYS), "the interpreter of `python` links, and what programs may"),
    Key::new(
        "publisher",
        Form::Names(&Form::Table(PUBLISHER_KEYS)),
        "who is believed when they sign, by name; without one nothing is installed",
    ),
    Key::new(
        "registry",
        Form::Names(&Form::Table(REGISTRY_KEYS)),
        "where plugins are installed from, by name; what comes from there is believed for its signature alone",
    ),
    Key::new(
        "forward",
        Form::Names(&Form::Table(FORWARD_KEYS)),
        "where what is on record is sent on to, by name",
    ),
    Key::new("retention", Form::List(&Form::Table(RETENTION_KEYS)), "how long what runs carried can be read"),
    Key::new(
        "anchor",
        Form::Names(&Form::Table(ANCHOR_KEYS)),
        "where checkpoints of what is on record are kept besides, by name",
    ),
    Key::new(
        "advisories",
        Form::Table(ADVISORIES_KEYS),
        "known holes that plugins, and what they are made of, are held against",
    ),
    Key::new(
        "detect",
        Form::Table(DETECT_KEYS),
        "what is looked for in all data, and the tag that each find gives; `false` turns a detector off",
    ),
    Key::new(
        "listener",
        Form::Names(&Form::Table(LISTENER_KEYS)),
        "where `ringmail serve` lets calls in, by name",
    ),
    Key::new(
        "control",
        Form::Table(CONTROL_KEYS),
        "where those who steer this host come in from other machines; on this one there is a socket in the data folder",
    ),
    Key::new(
        "issuer",
        Form::Names(&Form::Table(ISSUER_KEYS)),
        "whose signed tokens say who callers are, by name, and what they may say",
    ),
    Key::new("server", Form::Table(SERVER_KEYS), "what all callers of listeners may use at most"),
    Key::new("webhook", Form::Names(&Form::Table(WEBHOOK_KEYS)), "signed calls of other services, by name"),
    Key::new(
        "schedule",
        Form::Names(&Form::Table(SCHEDULE_KEYS)),
        "chains that `ringmail serve` runs by itself, by name",
    ),
    Key::new("rate", Form::List(&Form::Table(RATE_KEYS)), "how often callers may call"),
    Key::new("ceiling", Form::Table(CEILING_KEYS), "what this host allows at most, whatever is granted"),
    Key::new("net", Form::Table(NET_KEYS), "how this host reaches others"),
];

pub const FOLDER_KEYS: &[Key] = &[
    Key::new(
        "name",
        Form::Text,
        "the project's name, which stands in records and reports; default `ringmail`",
    ),
    Key::new("chains", Form::Text, "folder of chain files; default `chains`"),
    Key::new("policies", Form::Text, "folder of Cedar policies; default `policies`"),
    Key::new("data", Form::Text, "folder for records and keys; default `.ringmail`"),
    Key::new(
        "require_signed",
        Form::Bool,
        "whether only chains and scripts load that a publisher with `files = true` signed; default no",
    ),
];

pub const HOST_LIMIT_KEYS: &[Key] = &[
    Key::new(
        "steps",
        Form::Int { min: 1, max: 10_000_000 },
        "calls in one run, attempts and rounds counted; default 5000",
    ),
    Key::new("time", Form::Duration, "how long one run may last; default 1m"),
    Key::new("depth", Form::Int { min: 1, max: 64 }, "how deep chains may call chains; default 16"),
    Key::new("bytes", Form::Size, "data released in one run, all links together; default 256MiB"),
];

pub const RUN_KEYS: &[Key] =
    &[Key::new("as", Form::Text, "the principal of `ringmail run` unless `--as` names another")];

pub const PRINCIPAL_KEYS: &[Key] = &[
    Key::required("name", Form::Text, "the subject policies see"),
    Key::new("roles", Form::List(&Form::Text), "its roles"),
    Key::new("tenant", Form::Text, "whose data it may see"),
];

pub const MOUNT_KEYS: &[Key] = &[Key::required("path", Form::Text, "the folder, from the project's own")];

pub const CEILING_KEYS: &[Key] = &[
    Key::new("net", Form::List(&Form::Text), "addresses any grant may name"),
    Key::new("mounts", Form::List(&Form::Text), "mounts any grant or command may name"),
    Key::new("commands", Form::List(&Form::Text), "commands any grant may name"),
    Key::new("upstreams", Form::List(&Form::Text), "upstreams any grant may name"),
];

pub const NET_KEYS: &[Key] = &[Key::new(
    "extra_roots",
    Form::List(&Form::Text),
    "PEM files of certificate authorities trusted besides the public ones",
)];

/// The JSON Schema of `ringmail.toml`, for editors.
pub fn project_schema() -> serde_json::Value {
    let mut schema = crate::doc::form::table_schema(&[PROJECT_KEYS]);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".into(), "a Ringmail project".into());
    }
    schema
}

/// A decoded project.
#[derive(Debug)]
pub struct Project {
    pub name: String,
    pub chains: String,
    pub policies: String,
    pub data: String,
    pub limits: Limits,
    pub principals: Vec<Principal>,
    /// The default principal of the command line.
    pub run_as: Option<Str>,
    pub secrets: Vec<SecretSetting>,
    pub providers: Vec<ProviderSetting>,
    /// Mounts by name, with the folder as written.
    pub mounts: Vec<(Str, String)>,
    pub grants: Vec<Grant>,
    pub plugins: Vec<Setting>,
    pub commands: Vec<CommandSetting>,
    pub upstreams: Vec<UpstreamSetting>,
    pub python: Option<PythonSetting>,
    pub publishers: Publishers,
    pub registries: Vec<RegistrySetting>,
    pub forwards: Vec<ForwardSetting>,
    pub retention: Retention,
    pub anchors: Vec<AnchorSetting>,
    pub advisories: AdvisoriesSetting,
    /// Whether chains must be signed.
    pub require_signed: bool,
    pub detectors: Detectors,
    pub ceiling: Ceiling,
    pub extra_roots: Vec<String>,
    pub server: ServerSetting,
}

impl Project {
    pub fn load(node: &Node, source: &Arc<Source>, tags: &mut TagTable) -> Result<Project, Problems> {
        let mut problems = Problems::default();
        conform(node, &Form::Table(PROJECT_KEYS), "the project", source, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut loader = Loader { source, problems: &mut problems, tags };
        let folder = |key: &str, standard: &str| {
            let written = node.get("project").and_then(|project| project.get(key)).and_then(Node::text);
            written.unwrap_or(standard).to_string()
        };
        let secrets = loader.secrets(node);
        let project = Project {
            name: folder("name", "ringmail"),
            chains: folder("chains", "chains"),
            policies: folder("policies", "policies"),
            data: folder("data", DATA_FOLDER),
            limits: limits(node.get("limits")),
            principals: loader.principals(node),
            run_as: node.get("run").and_then(|run| run.get("as")).and_then(Node::text).map(Str::from),
            providers: loader.providers(node, &secrets),
            secrets,
            mounts: mounts(node),
            grants: items(node, "grant").iter().map(|grant| loader.grant(grant)).collect(),
            plugins: loader.plugins(node),
            commands: loader.commands(node),
            upstreams: loader.upstreams(node),
            python: node.get("python").map(PythonSetting::read),
            publishers: Publishers::load(node, source, loader.problems),
            registries: loader.registries(node),
            forwards: loader.forwards(node),
            retention: loader.retention(node),
            anchors: loader.anchors(node, &folder("data", DATA_FOLDER)),
            advisories: AdvisoriesSetting::read(node.get("advisories")),
            require_signed: node
                .get("project")
                .and_then(|project| project.get("require_signed"))
                .map(|node| &node.data)
                == Some(&Data::Bool(true)),
            detectors: Detectors::load(node.get("detect"), source, loader.tags, loader.problems),
            ceiling: loader.ceiling(node),
            extra_roots: texts(node.get("net"), "extra_roots").map(|(text, _)| text.to_string()).collect(),
            server: ServerSetting::load(node, &mut |span, message, help| match help {
                Some(help) => loader.problems.add_help(source, span, message, help),
                None => loader.wrong(span, message),
            }),
        };
        loader.cross_check(&project, node);
        problems.or(project)
    }

    /// Of a file that has problems: the plugins and publishers that can be read all the same, and nothing else.
    pub(crate) fn standing(node: &Node, source: &Arc<Source>) -> Project {
        let (mut unheard, mut tags) = (Problems::default(), TagTable::default());
        let mut loader = Loader { source, problems: &mut unheard, tags: &mut tags };
        let plugins = loader.plugins(node);
        let publishers = Publishers::load(node, source, loader.problems);
        Project { plugins, publishers, ..Project::empty(&mut tags) }
    }

    /// The project of a file that has none: nothing granted.
    pub fn empty(tags: &mut TagTable) -> Project {
        Project {
            name: "ringmail".into(),
            chains: "chains".into(),
            policies: "policies".into(),
            data: DATA_FOLDER.into(),
            limits: Limits::default(),
            principals: Vec::new(),
            run_as: None,
            secrets: Vec::new(),
            providers: Vec::new(),
            mounts: Vec::new(),
            grants: Vec::new(),
            plugins: Vec::new(),
            commands: Vec::new(),
            upstreams: Vec::new(),
            python: None,
            publishers: Publishers::default(),
            registries: Vec::new(),
            forwards: Vec::new(),
            retention: Retention::default(),
            anchors: Vec::new(),
            advisories: AdvisoriesSetting::read(None),
            require_signed: false,
            detectors: Detectors::standard(tags),
            ceiling: Ceiling::default(),
            extra_roots: Vec::new(),
            server: ServerSetting::default(),
        }
    }
}

fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map_or(&[], Node::items)
}

fn texts<'n>(node: Option<&'n Node>, key: &str) -> impl Iterator<Item = (&'n str, Span)> {
    let list = node.and_then(|node| node.get(key)).map_or(&[][..], Node::items);
    list.iter().filter_map(|item| Some((item.text()?, item.span)))
}

fn limits(node: Option<&Node>) -> Limits {
    let standard = Limits::default();
    let Some(node) = node else { return standard };
    let int = |key: &str| match node.get(key).map(|node| &node.data) {
        Some(Data::Int(int)) => u64::try_from(*int).ok(),
        _ => None,
    };
    let text = |key: &str| node.get(key).and_then(Node::text);
    Limits {
        steps_max: int("steps").unwrap_or(standard.steps_max),
        time_ms_max: text("time").and_then(|text| duration_ms(text).ok()).unwrap_or(standard.time_ms_max),
        depth_max: int("depth").unwrap_or(standard.depth_max),
        bytes_max: text("bytes").and_then(|text| size_bytes(text).ok()).unwrap_or(standard.bytes_max),
    }
}

/// Hexadecimal digits, with or without colons.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let mut pin = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in pin.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(pin)
}

fn mounts(node: &Node) -> Vec<(Str, String)> {
    let mounts = node.get("mount").map_or(&[][..], Node::entries);
    mounts
        .iter()
        .filter_map(|(key, mount)| {
            Some((Str::from(key.name.as_str()), mount.get("path")?.text()?.to_string()))
        })
        .collect()
}

struct Loader<'l> {
    source: &'l Arc<Source>,
    problems: &'l mut Problems,
    tags: &'l mut TagTable,
}

impl Loader<'_> {
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.problems.add(self.source, span, message);
    }

    fn principals(&mut self, node: &Node) -> Vec<Principal> {
        let mut out: Vec<Principal> = Vec::new();
        for item in items(node, "principal") {
            let subject: Str = item.get("name").and_then(Node::text).unwrap_or_default().into();
            if out.iter().any(|known| known.subject == subject) {
                self.wrong(item.span, format!("two principals are called `{subject}`"));
            }
            out.push(Principal {
                subject,
                roles: texts(Some(item), "roles").map(|(role, _)| role.into()).collect(),
                tenant: item.get("tenant").and_then(Node::text).map(Str::from),
                authenticated: "local".into(),
            });
        }
        out
    }

    fn pattern(&mut self, text: &str, span: Span) -> Option<Pattern> {
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.wrong(span, message);
                None
            }
        }
    }

    fn ceiling(&mut self, node: &Node) -> Ceiling {
        let Some(ceiling) = node.get("ceiling") else { return Ceiling::default() };
        let net = ceiling.get("net").map(|_| {
            texts(Some(ceiling), "net").filter_map(|(text, span)| self.pattern(text, span)).collect()
        });
        let named = |key: &str| {
            ceiling.get(key).map(|_| texts(Some(ceiling), key).map(|(text, _)| text.into()).collect())
        };
        Ceiling { net, mounts: named("mounts"), commands: named("commands"), upstreams: named("upstreams") }
    }

    fn retention(&mut self, node: &Node) -> Retention {
        let mut rules: Vec<RetentionRule> = Vec::new();
        for item in items(node, "retention") {
            let keep = item.get("keep").map_or(item.span, |keep| keep.span);
            let keep_ms = item.get("keep").and_then(Node::text).and_then(|text| duration_ms(text).ok());
            let keep_ms = keep_ms.unwrap_or(0);
            if keep_ms < DAY_MS {
                self.wrong(keep, "what runs carried is kept for `1d` at least");
            }
            let name = item.get("tag").and_then(Node::text);
            let tag = name.map(|name| (name.into(), self.tag(name, item.span)));
            if rules.iter().any(|rule| rule.tag.as_ref().map(|(name, _)| &**name) == name) {
                self.wrong(item.span, "there is another rule about the same");
            }
            rules.push(RetentionRule { tag, keep_ms });
        }
        Retention::new(rules)
    }

    fn tag_list(&mut self, node: &Node, key: &str) -> Tags {
        let mut out = Tags::NONE;
        for (name, span) in texts(Some(node), key) {
            out = out.with(self.tag(name, span));
        }
        out
    }

    fn tag(&mut self, name: &str, span: Span) -> Tags {
        is_tag_name(name).then(|| self.tags.intern(name)).flatten().unwrap_or_else(|| {
            self.wrong(span, format!("`{}` is not a tag", crate::json::shorten(name)));
            Tags::NONE
        })
    }

    fn flow(&mut self, node: &Node) -> Flow {
        let trusted = match node.get("trusted") {
            None => Trusted::All,
            Some(_) => {
                Trusted::Paths(texts(Some(node), "trusted").map(|(path, _)| parse_path(path)).collect())
            }
        };
        Flow { clearance: self.tag_list(node, "clearance"), trusted }
    }

    fn grant(&mut self, node: &Node) -> Grant {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let effects = items(node, "effect").iter().map(|item| EffectRule {
            name: item.get("name").and_then(Node::text).unwrap_or_default().into(),
            flow: self.flow(item),
        });
        let effects = effects.collect();
        let commands = items(node, "command").iter().map(|item| CommandRule {
            name: item.get("name").and_then(Node::text).unwrap_or_default().into(),
            flow: self.flow(item),
            label: self.tag_list(item, "label"),
        });
        let commands = commands.collect();
        let tools =
            items(node, "tool").iter().filter(|item| item.get("upstream").is_some()).map(|item| ToolRule {
                upstream: item.get("upstream").and_then(Node::text).unwrap_or_default().into(),
                tools: texts(Some(item), "tools").map(|(text, _)| text.into()).collect(),
                consequential: !matches!(
                    item.get("consequential").map(|node| &node.data),
                    Some(Data::Bool(false))
                ),
                flow: self.flow(item),
                label: self.tag_list(item, "label"),
            });
        let tools = tools.collect();
        Grant {
            to: text("to").unwrap_or_default().into(),
            reason: text("reason").unwrap_or_default().into(),
            approved_by: text("approved_by").map(Str::from),
            expires_ms: text("expires").and_then(|text| date_ms(text).ok()),
            net: items(node, "net").iter().filter_map(|item| self.net(item)).map(Arc::new).collect(),
            fs: items(node, "fs").iter().map(|item| self.fs(item)).collect(),
            log: node.get("log").map(|log| self.flow(log)),
            effects,
            commands,
            tools,
            respond: node.get("respond").map(|respond| self.flow(respond)),
            spot: Some(self.source.spot(node.span)),
        }
    }

    fn commands(&mut self, node: &Node) -> Vec<CommandSetting> {
        let mut out = Vec::new();
        for (key, item) in node.get("command").map_or(&[][..], Node::entries) {
            match CommandSetting::read(&key.name, item) {
                Ok(setting) => out.push(setting),
                Err((span, message)) => self.wrong(span, message),
            }
        }
        out
    }

    fn plugins(&mut self, node: &Node) -> Vec<Setting> {
        let mut out = Vec::new();
        for (key, item) in node.get("plugin").map_or(&[][..], Node::entries) {
            let text = |key: &str| item.get(key).and_then(Node::text).unwrap_or_default();
            let truth = |key: &str| matches!(item.get(key).map(|node| &node.data), Some(Data::Bool(true)));
            let grant = Grant { to: power_of(&key.name).into(), ..self.grant(item) };
            let written =
                |item: &Node, key: &str| Str::from(item.get(key).and_then(Node::text).unwrap_or_default());
            let env = items(item, "env").iter().map(|item| (written(item, "name"), written(item, "value")));
            let place = match (item.get("path"), item.get("publisher")) {
                (Some(_), None) => PluginPlace::Folder(text("path").into()),
                (None, Some(_)) => PluginPlace::Installed(text("publisher").into()),
                _ => {
                    let message = format!("`{}` needs either `path` or `publisher`", key.name);
                    self.wrong(key.span, message);
                    continue;
                }
            };
            out.push(Setting {
                name: key.name.as_str().into(),
                place,
                digest: text("digest").into(),
                grant: Arc::new(grant),
                secrets: texts(Some(item), "secret").map(|(name, _)| name.into()).collect(),
                env: env.collect(),
                kv: keeps(item.get("kv")),
                clock: truth("clock"),
                random: truth("random"),
                tools: texts(Some(item), "tool").map(|(name, _)| name.into()).collect(),
                isolated: text("isolation") == "process",
                limits: usage(item.get("limits")),
                quota: quota(item.get("quota")),
                dumps_max: int(Some(item), "dumps").unwrap_or(0),
                span: key.span,
                written: item.to_value(),
            });
        }
        out
    }

    fn ranges(&mut self, node: &Node) -> Vec<IpRange> {
        let mut resolves_to = Vec::new();
        for (text, span) in texts(Some(node), "resolves_to") {
            match IpRange::parse(text) {
                Some(range) => resolves_to.push(range),
                None => self.wrong(
                    span,
                    format!(
                        "`{}` is not an address or a range such as `10.0.0.0/8`",
                        crate::json::shorten(text)
                    ),
                ),
            }
        }
        resolves_to
    }

    fn fingerprints(&mut self, node: &Node, tls: bool) -> Vec<[u8; 32]> {
        let mut pins = Vec::new();
        for (text, span) in texts(Some(node), "pins") {
            match fingerprint(text) {
                Some(_) if !tls => {
                    self.wrong(span, "only a server on `https` shows a certificate");
                }
                Some(pin) => pins.push(pin),
                None => self.wrong(
                    span,
                    "a pin is the SHA-256 fingerprint of a certificate: 32 bytes in hexadecimal digits",
                ),
            }
        }
        pins
    }

    fn net(&mut self, node: &Node) -> Option<NetRule> {
        let address = node.get("address")?;
        let pattern = self.pattern(address.text().unwrap_or_default(), address.span);
        let methods: Vec<Str> = match node.get("methods") {
            Some(_) => texts(Some(node), "methods").map(|(method, _)| method.into()).collect(),
            None => vec!["GET".into(), "HEAD".into()],
        };
        let response_max = node.get("response_max").and_then(Node::text);
        let consequential = match node.get("consequential").map(|node| &node.data) {
            Some(Data::Bool(truth)) => Some(*truth),
            _ => None,
        };
        let resolves_to = self.ranges(node);
        let pins = self.fingerprints(node, pattern.as_ref().is_some_and(Pattern::is_tls));
        let (flow, label) = (self.flow(node), self.tag_list(node, "label"));
        Some(NetRule {
            pins,
            address: pattern?,
            methods,
            flow,
            consequential,
            label,
            resolves_to,
            response_bytes_max: response_max.and_then(|text| size_bytes(text).ok()).unwrap_or(BODY_BYTES_MAX),
        })
    }

    fn fs(&mut self, node: &Node) -> FsRule {
        let file_max = node.get("file_max").and_then(Node::text);
        FsRule {
            mount: node.get("mount").and_then(Node::text).unwrap_or_default().into(),
            access: if node.get("access").and_then(Node::text) == Some("write") {
                Access::Write
            } else {
                Access::Read
            },
            flow: self.flow(node),
            label: self.tag_list(node, "label"),
            extensions: node.get("extensions").map(|_| {
                texts(Some(node), "extensions").map(|(text, _)| text.trim_start_matches('.').into()).collect()
            }),
            mount_bytes_max: node.get("quota").and_then(Node::text).and_then(|text| size_bytes(text).ok()),
            mount_files_max: match node.get("files").map(|node| &node.data) {
                Some(Data::Int(int)) => u64::try_from(*int).ok(),
                _ => None,
            },
            file_bytes_max: file_max.and_then(|text| size_bytes(text).ok()).unwrap_or(BODY_BYTES_MAX),
        }
    }

    /// Names that lead nowhere.
    fn cross_check(&mut self, project: &Project, node: &Node) {
        if let Some(name) = &project.run_as
            && !project.principals.iter().any(|principal| principal.subject == *name)
        {
            let span = node.get("run").and_then(|run| run.get("as")).map_or(node.span, |as_| as_.span);
            self.wrong(span, format!("there is no principal `{name}`"));
        }
        let known = |mount: &str| project.mounts.iter().any(|(name, _)| &**name == mount);
        let plugins = node.get("plugin").map_or(&[][..], Node::entries).iter().map(|(_, plugin)| plugin);
        for to in items(node, "grant").iter().filter_map(|grant| grant.get("to")) {
            if to.text().is_some_and(|to| to.contains(':') && !to.starts_with(POWER_OF_SERVER)) {
                let help = "what a plugin may stands under `[plugin.NAME]`, beside its digest";
                self.problems.add_help(self.source, to.span, "a grant is for a chain or a link", help);
            }
        }
        for grant in items(node, "grant").iter().chain(plugins.clone()) {
            for rule in items(grant, "fs") {
                if let Some(mount) =
                    rule.get("mount").filter(|mount| !known(mount.text().unwrap_or_default()))
                {
                    let name = mount.text().unwrap_or_default().to_string();
                    let help = format!("add:\n[mount.{name}]\npath = \"...\"");
                    self.problems.add_help(
                        self.source,
                        mount.span,
                        format!("there is no mount `{name}`"),
                        help,
                    );
                }
            }
        }
        self.check_commands(project, node);
        self.check_upstreams(project, node);
        for publisher in plugins.clone().filter_map(|plugin| plugin.get("publisher")) {
            let name = publisher.text().unwrap_or_default();
            if !project.publishers.all().iter().any(|known| &*known.name == name) {
                let help =
                    format!("add it, if you trust it:\n[publisher.{name}]\nkeys = [{{ public = \"...\" }}]");
                self.problems.add_help(
                    self.source,
                    publisher.span,
                    format!("there is no publisher `{name}`"),
                    help,
                );
            }
        }
        let registries = node.get("registry").map_or(&[][..], Node::entries).iter();
        let webhooks = node.get("webhook").map_or(&[][..], Node::entries).iter();
        for name in registries.chain(webhooks).filter_map(|(_, item)| item.get("secret")) {
            let secret = name.text().unwrap_or_default();
            if !project.secrets.iter().any(|known| &*known.name == secret) {
                self.wrong(name.span, format!("there is no secret `{secret}`"));
            }
        }
        for (name, span) in plugins.flat_map(|plugin| texts(Some(plugin), "secret")) {
            if !project.secrets.iter().any(|secret| &*secret.name == name) {
                self.wrong(span, format!("there is no secret `{name}`"));
            }
        }
        for (name, span) in texts(node.get("ceiling"), "mounts").filter(|(name, _)| !known(name)) {
            self.wrong(span, format!("there is no mount `{name}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::toml;

    fn load(text: &str) -> Result<Project, String> {
        let source = Source::new("ringmail.toml", text);
        let node = toml::parse(&source).map_err(|problems| problems.to_string())?;
        Project::load(&node, &source, &mut TagTable::default()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn decodes_a_whole_project() {
        let project = load(
            r#"
[project]
name = "desk"
[limits]
steps = 100
time = "5s"
[run]
as = "alice"
[[principal]]
name = "alice"
roles = ["finance"]
tenant = "acme"
[secret.bank]
from = "env:BANK"
bound_to = ["https://bank.test"]
[mount.inbox]
path = "data/in"
[[grant]]
to = "pay.send"
reason = "pays"
expires = 2030-01-01
net = [{ address = "https://bank.test", methods = ["POST"], clearance = ["pii"], trusted = ["body.iban"], resolves_to = ["10.0.0.0/8"], response_max = "1MiB" }]
fs = [{ mount = "inbox", access = "read", extensions = [".txt"] }]
log = { clearance = ["pii"] }
[ceiling]
net = ["https://*.test"]
"#,
        )
        .unwrap();
        assert_eq!(project.limits.steps_max, 100);
        assert_eq!(project.limits.depth_max, Limits::default().depth_max);
        assert_eq!(project.principals[0].tenant.as_deref(), Some("acme"));
        assert_eq!(project.secrets[0].from.to_string(), "env:BANK");
        let grant = &project.grants[0];
        assert_eq!(grant.net[0].response_bytes_max, 1 << 20);
        assert_eq!(grant.net[0].flow.trusted, Trusted::Paths(vec![parse_path("body.iban")]));
        assert_eq!(grant.fs[0].extensions, Some(vec!["txt".into()]));
        assert!(grant.expires_ms.is_some());
        assert!(project.ceiling.net.is_some() && project.ceiling.mounts.is_none());
    }

    #[test]
    fn attack_29_every_problem_is_named_at_once() {
        let problems = load("[limits]\nsteps = -1\ntime = 5\n[projekt]\n[[grant]]\nto = \"x\"\nnet = [{ adress = \"https://a\" }]\n").unwrap_err();
        for expected in [
            "2:9: `steps` must lie between 1 and 10000000",
            "3:8: `time` must be a duration such as `5s`, not a whole number",
            "4:2: unknown key `projekt` in the project (did you mean `project`?)",
            "`grant` lacks `reason`",
            "unknown key `adress` in `net` (did you mean `address`?)",
            "`net` lacks `address`",
        ] {
            assert!(problems.contains(expected), "{expected} in {problems}");
        }
    }

    #[test]
    fn names_that_lead_nowhere_are_problems() {
        let text = "[run]\nas = \"bob\"\n[[grant]]\nto = \"x\"\nreason = \"r\"\nfs = [{ mount = \"inbx\", access = \"read\" }]\nnet = [{ address = \"example.com\", clearance = [\"No Tag\"] }]\n[secret.s]\nfrom = \"vault\"\nbound_to = []\n";
        let problems = load(text).unwrap_err();
        for expected in [
            "no principal `bob`",
            "no mount `inbx`",
            "`example.com` is not an address",
            "`No Tag` is not a tag",
            "a secret comes from",
        ] {
            assert!(problems.contains(expected), "{expected} in {problems}");
        }
    }
}
