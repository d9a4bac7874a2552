//! Plugins: what a manifest asks for, what an operator grants, and what is left of both. [`Powers`] is worked out in
//! one place, for the loader, for every call of the host, and for whoever wants to know. Nothing is read from disk here.

mod powers;

pub use powers::{Power, Powers};

use crate::address::{Pattern, Target};
use crate::doc::form::{Form, Key, conform, duration_ms, size_bytes};
use crate::doc::{Data, Node, Problems, Source, Span};
use crate::grant::{Access, Grant, LOG_KEYS, METHODS, NetRule, PLUGIN_FS_KEYS, PLUGIN_NET_KEYS};
use crate::label::TagTable;
use crate::package::PluginNeed;
use crate::schema::Schema;
use crate::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};

const REASON: Key = Key::required("reason", Form::Text, "why; shown to whoever decides");
const REASON_ONLY: &[Key] = &[REASON];
pub const NAMED_KEYS: &[Key] = &[Key::required("name", Form::Text, "which one"), REASON];

/// Keys of `plugin.toml`.
pub const MANIFEST_KEYS: &[Key] = &[
    Key::required("plugin", Form::Name, "the plugin's name"),
    Key::required("version", Form::Text, "its version, `MAJOR.MINOR.PATCH`"),
    Key::required("description", Form::Text, "what it does"),
    Key::new(
        "module",
        Form::Text,
        "the component or core module, in the manifest's folder; default `plugin.wasm`",
    ),
    Key::new("input", Form::Schema, "JSON Schema of what it takes"),
    Key::new("returns", Form::Schema, "JSON Schema of what it gives"),
    Key::new("needs", Form::List(&Form::Table(NEEDS_KEYS)), "plugins that chains use beside it"),
    Key::new("net", Form::List(&Form::Table(ASK_NET_KEYS)), "addresses it calls"),
    Key::new("fs", Form::List(&Form::Table(ASK_FS_KEYS)), "mounts it reads or writes"),
    Key::new("log", Form::Table(REASON_ONLY), "it writes to the log"),
    Key::new("secret", Form::List(&Form::Table(NAMED_KEYS)), "secrets it uses, as placeholders"),
    Key::new("env", Form::List(&Form::Table(NAMED_KEYS)), "settings it reads"),
    Key::new("kv", Form::Table(REASON_ONLY), "it keeps values from call to call"),
    Key::new("clock", Form::Table(REASON_ONLY), "it asks what time it is"),
    Key::new("random", Form::Table(REASON_ONLY), "it asks for random bytes"),
    Key::new("tool", Form::List(&Form::Table(TOOL_KEYS)), "chains of the project that it calls"),
    Key::new("limits", Form::Table(USE_KEYS), "the most one call needs"),
];

pub const TOOL_KEYS: &[Key] = &[Key::required("name", Form::Name, "the chain's name"), REASON];

pub const NEEDS_KEYS: &[Key] = &[
    Key::required("plugin", Form::Name, "which one"),
    Key::required("version", Form::Text, "the versions that do, such as `^1.2` or `>=1, <3`"),
    REASON,
];

pub const ASK_NET_KEYS: &[Key] = &[
    Key::required("address", Form::Text, "`https://host[:port]`; the host may be `*.name`"),
    Key::new("methods", Form::List(&Form::OneOf(METHODS)), "HTTP methods; default `GET` and `HEAD`"),
    REASON,
];

pub const ASK_FS_KEYS: &[Key] = &[
    Key::required("mount", Form::Name, "the mount, as the project calls it"),
    Key::required("access", Form::OneOf(&["read", "write"]), "`write` includes reading"),
    REASON,
];

/// What one call may use: in a manifest the most it needs, in a project what it gets at most.
pub const USE_KEYS: &[Key] = &[
    Key::new("memory", Form::Size, "memory of one call; default 64MiB, at most 1GiB"),
    Key::new(
        "time",
        Form::Duration,
        "from its first instruction to its last, host calls counted; default 5s",
    ),
    Key::new(
        "fuel",
        Form::Int { min: 1, max: i64::MAX },
        "instructions, roughly; default 100000000000, more than fit into the time",
    ),
    Key::new(
        "output",
        Form::Size,
        "largest output, and most that is handed to the host at once; default 8MiB, at most 64MiB",
    ),
    Key::new("asks", Form::Int { min: 0, max: 1_000_000 }, "calls of the host; default 1000"),
    Key::new(
        "data_out",
        Form::Size,
        "bytes it sends to other hosts; default no limit but that of each request",
    ),
    Key::new("data_in", Form::Size, "bytes other hosts send it; default no limit but that of each answer"),
];

/// What all calls of a plugin together may use within a time.
pub const QUOTA_KEYS: &[Key] = &[
    Key::new("every", Form::Duration, "the time after which it starts anew; default 1m"),
    Key::new("requests", Form::Int { min: 0, max: i64::MAX }, "requests to other hosts"),
    Key::new("data_out", Form::Size, "bytes sent to other hosts"),
    Key::new("data_in", Form::Size, "bytes other hosts send"),
    Key::new("writes", Form::Int { min: 0, max: i64::MAX }, "files written or removed"),
    Key::new("written", Form::Size, "bytes written to files"),
    Key::new("lines", Form::Int { min: 0, max: i64::MAX }, "lines written to the log"),
    Key::new("logged", Form::Size, "bytes written to the log"),
];

/// What a plugin may keep, for each tenant.
pub const KV_KEYS: &[Key] = &[
    Key::new("quota", Form::Size, "bytes of all keys and values; default 1MiB, at most 1GiB"),
    Key::new("entries", Form::Int { min: 1, max: 1_000_000 }, "values kept; default 10000"),
    Key::new("value", Form::Size, "largest value; default 64KiB"),
];

/// One setting a plugin may read.
pub const ENV_KEYS: &[Key] = &[
    Key::required("name", Form::Text, "as the plugin asks for it"),
    Key::required("value", Form::Text, "what it reads"),
];

/// Keys of `[plugin.NAME]` in `ringmail.toml`.
pub const PLUGIN_KEYS: &[Key] = &[
    Key::new("path", Form::Text, "the folder of its `plugin.toml`, from the project's own"),
    Key::new("publisher", Form::Name, "who signed it, where it was installed; either this or `path`"),
    Key::required(
        "digest",
        Form::Text,
        "what was reviewed, as `ringmail plugin inspect` tells it; nothing else runs",
    ),
    Key::required("reason", Form::Text, "why it is here"),
    Key::new("approved_by", Form::Text, "who approved it"),
    Key::new("expires", Form::Date, "from when on nothing of this holds"),
    Key::new("net", Form::List(&Form::Table(PLUGIN_NET_KEYS)), "addresses it may call"),
    Key::new("fs", Form::List(&Form::Table(PLUGIN_FS_KEYS)), "mounts it may read or write"),
    Key::new("log", Form::Table(LOG_KEYS), "lets it write to the log"),
    Key::new("secret", Form::List(&Form::Text), "secrets it may use, as placeholders"),
    Key::new("env", Form::List(&Form::Table(ENV_KEYS)), "settings it may read"),
    Key::new("kv", Form::Table(KV_KEYS), "lets it keep values from call to call, each tenant's apart"),
    Key::new("clock", Form::Bool, "whether it may know the time"),
    Key::new("random", Form::Bool, "whether it gets random bytes"),
    Key::new(
        "tool",
        Form::List(&Form::Name),
        "chains it may call; what they may do stands in their own grants",
    ),
    Key::new(
        "isolation",
        Form::OneOf(&["instance", "process"]),
        "`process` runs its instances in worker processes that can only compute; default `instance`",
    ),
    Key::new("limits", Form::Table(USE_KEYS), "what one call may use at most"),
    Key::new(
        "dumps",
        Form::Int { min: 0, max: 100 },
        "core dumps that its crashes leave in the data folder, with all it had in memory; then no more; default 0",
    ),
    Key::new("quota", Form::Table(QUOTA_KEYS), "what all its calls together may use within a time"),
];

/// How a host call of a capability is made: the link kind that does it, and the link's name.
pub const WAYS: &[(&str, &str)] = &[("net", "http"), ("fs", "file"), ("log", "log")];

/// The capability whose calls are calls of chains.
pub const TOOL: &str = "tool";

/// What grants of a plugin are for, among those for chains and links.
pub fn power_of(plugin: &str) -> String {
    format!("plugin:{plugin}")
}

/// The JSON Schema of `plugin.toml`, for editors.
pub fn manifest_schema() -> serde_json::Value {
    let mut schema = crate::doc::form::table_schema(&[MANIFEST_KEYS]);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".into(), "a Ringmail plugin".into());
    }
    schema
}

/// What a plugin says of itself.
#[derive(Debug)]
pub struct Manifest {
    pub name: Str,
    pub version: Str,
    pub description: Str,
    pub module: String,
    pub input: Option<Schema>,
    pub returns: Option<Schema>,
    pub asks: Vec<Ask>,
    /// Plugins it is of no use without.
    pub needs: Vec<Needed>,
    pub limits: Use,
}

/// A plugin that it is of no use without, and why.
#[derive(Clone, Debug)]
pub struct Needed {
    pub need: PluginNeed,
    pub reason: Str,
}

/// One power a manifest asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub what: Asked,
    pub reason: Str,
}

#[derive(Clone, Debug)]
pub enum Asked {
    Net(Pattern, Vec<Str>),
    Fs(Str, Access),
    Log,
    Secret(Str),
    Env(Str),
    Kv,
    Clock,
    Random,
    Tool(Str),
}

impl Asked {
    /// The capability it belongs to.
    pub fn capability(&self) -> &'static str {
        match self {
            Asked::Net(..) => "net",
            Asked::Fs(..) => "fs",
            Asked::Log => "log",
            Asked::Secret(_) => "secret",
            Asked::Env(_) => "env",
            Asked::Kv => "kv",
            Asked::Clock => "clock",
            Asked::Random => "random",
            Asked::Tool(_) => "tool",
        }
    }

    /// Which of its kind.
    pub fn words(&self) -> String {
        match self {
            Asked::Net(pattern, methods) => format!("{} {}", methods.join("/"), pattern.as_str()),
            Asked::Fs(mount, access) => format!("{} {mount}", access.name()),
            Asked::Secret(name) | Asked::Env(name) | Asked::Tool(name) => name.to_string(),
            Asked::Log | Asked::Kv | Asked::Clock | Asked::Random => String::new(),
        }
    }
}

/// What one call may use, as far as somebody said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    pub memory_bytes_max: Option<u64>,
    pub time_ms_max: Option<u64>,
    pub fuel_max: Option<u64>,
    pub output_bytes_max: Option<u64>,
    pub asks_max: Option<u64>,
    pub data_out_bytes_max: Option<u64>,
    pub data_in_bytes_max: Option<u64>,
}

impl Use {
    /// What one call of a guest may use where nobody said otherwise.
    pub const STANDARD: Use = Use {
        memory_bytes_max: Some(64 << 20),
        time_ms_max: Some(5_000),
        fuel_max: Some(100_000_000_000),
        output_bytes_max: Some(8 << 20),
        asks_max: Some(1_000),
        data_out_bytes_max: None,
        data_in_bytes_max: None,
    };

    /// What was said, and the other's where nothing was.
    #[must_use]
    pub fn or(self, other: Use) -> Use {
        Use {
            memory_bytes_max: self.memory_bytes_max.or(other.memory_bytes_max),
            time_ms_max: self.time_ms_max.or(other.time_ms_max),
            fuel_max: self.fuel_max.or(other.fuel_max),
            output_bytes_max: self.output_bytes_max.or(other.output_bytes_max),
            asks_max: self.asks_max.or(other.asks_max),
            data_out_bytes_max: self.data_out_bytes_max.or(other.data_out_bytes_max),
            data_in_bytes_max: self.data_in_bytes_max.or(other.data_in_bytes_max),
        }
    }

    /// What is more than the standard, with the standard, as `limits` writes it: nobody has it unless an operator says so.
    pub fn beyond_standard(self) -> Vec<(&'static str, Value, Value)> {
        const SIZES: &[(u64, &str)] = &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")];
        const TIMES: &[(u64, &str)] = &[(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
        let shown = |amount: u64, units: &[(u64, &str)]| {
            let fits = units.iter().find(|(factor, _)| amount.is_multiple_of(*factor));
            let text = fits.map(|(factor, unit)| Value::from(format!("{}{unit}", amount / factor)));
            text.unwrap_or_else(|| Value::Int(i64::try_from(amount).unwrap_or(i64::MAX)))
        };
        let (own, all) = (self, Use::STANDARD);
        let named = [
            ("memory", own.memory_bytes_max, all.memory_bytes_max, SIZES),
            ("time", own.time_ms_max, all.time_ms_max, TIMES),
            ("fuel", own.fuel_max, all.fuel_max, &[]),
            ("output", own.output_bytes_max, all.output_bytes_max, SIZES),
            ("asks", own.asks_max, all.asks_max, &[]),
        ];
        let more = named.into_iter().filter(|(_, own, all, _)| own.is_some() && own > all);
        more.filter_map(|(name, own, all, units)| Some((name, shown(own?, units), shown(all?, units))))
            .collect()
    }

    /// The narrower of both, limit by limit.
    #[must_use]
    pub fn within(self, other: Use) -> Use {
        let narrower = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Use {
            memory_bytes_max: narrower(self.memory_bytes_max, other.memory_bytes_max),
            time_ms_max: narrower(self.time_ms_max, other.time_ms_max),
            fuel_max: narrower(self.fuel_max, other.fuel_max),
            output_bytes_max: narrower(self.output_bytes_max, other.output_bytes_max),
            asks_max: narrower(self.asks_max, other.asks_max),
            data_out_bytes_max: narrower(self.data_out_bytes_max, other.data_out_bytes_max),
            data_in_bytes_max: narrower(self.data_in_bytes_max, other.data_in_bytes_max),
        }
    }
}

/// What all calls of a plugin together may use within a time, as far as somebody said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    pub every_ms: u64,
    pub requests_max: Option<u64>,
    pub data_out_bytes_max: Option<u64>,
    pub data_in_bytes_max: Option<u64>,
    pub writes_max: Option<u64>,
    pub written_bytes_max: Option<u64>,
    pub lines_max: Option<u64>,
    pub logged_bytes_max: Option<u64>,
}

/// How much a plugin may keep for one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeps {
    pub bytes_max: u64,
    pub entries_max: u64,
    pub value_bytes_max: u64,
}

/// What no setting raises.
const KEPT_BYTES_MAX: u64 = 1 << 30;
const QUOTA_EVERY_MS: u64 = 60_000;

/// What an operator lets a plugin be and do.
#[derive(Debug)]
pub struct Setting {
    pub name: Str,
    pub place: PluginPlace,
    pub digest: Str,
    /// `net`, `fs` and `log`, as for links.
    pub grant: Arc<Grant>,
    pub secrets: Vec<Str>,
    pub env: Vec<(Str, Str)>,
    pub kv: Option<Keeps>,
    pub clock: bool,
    pub random: bool,
    pub tools: Vec<Str>,
    /// Whether it runs in processes of its own.
    pub isolated: bool,
    pub limits: Use,
    pub quota: Quota,
    /// How many of its crashes leave a dump.
    pub dumps_max: u64,
    pub span: Span,
    /// The table as it was written, places forgotten.
    pub written: Value,
}

/// Where a plugin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginPlace {
    /// In a folder; whoever pins its digest vouches for it.
    Folder(String),
    /// Among the installed, under the signature of this publisher.
    Installed(Str),
}

/// A plugin of a project: what it is, and what it may.
#[derive(Debug)]
pub struct Plugin {
    pub manifest: Manifest,
    pub powers: Powers,
    pub digest: Str,
    /// Who published it, or where it lies: a name alone is nobody.
    pub origin: Str,
    /// Milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// Why nothing of it holds any more; once set, it stays.
    pub revoked: OnceLock<Str>,
}

impl Manifest {
    pub fn load(node: &Node, source: &Arc<Source>, tags: &mut TagTable) -> Result<Manifest, Problems> {
        let mut problems = Problems::default();
        conform(node, &Form::Table(MANIFEST_KEYS), "the manifest", source, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
        let version = node.get("version").filter(|version| !is_version(version.text().unwrap_or_default()));
        if let Some(version) = version {
            problems.add(source, version.span, "a version is written `MAJOR.MINOR.PATCH`");
        }
        let module = match node.get("module") {
            Some(module) => {
                let name = module.text().unwrap_or_default();
                if name.contains(['/', '\\']) || name.starts_with('.') || name.is_empty() {
                    problems.add(source, module.span, "`module` names a file in the manifest's own folder");
                }
                name.to_string()
            }
            None => "plugin.wasm".into(),
        };
        let mut schema =
            |key: &str| node.get(key).and_then(|node| Schema::load(node, source, tags, &mut problems));
        let (input, returns) = (schema("input"), schema("returns"));
        let asks = asks(node, source, &mut problems);
        let mut needs = Vec::new();
        for item in node.get("needs").map_or(&[][..], Node::items) {
            let text = |key: &str| item.get(key).and_then(Node::text).unwrap_or_default();
            match PluginNeed::new(text("plugin"), text("version")) {
                Ok(need) => needs.push(Needed { need, reason: text("reason").into() }),
                Err(message) => problems.add(source, item.span, message),
            }
        }
        problems.or(Manifest {
            name: text("plugin").into(),
            version: text("version").into(),
            description: text("description").into(),
            module,
            input,
            returns,
            asks,
            needs,
            limits: usage(node.get("limits")),
        })
    }

    /// Whether it asks to call this address this way.
    pub fn asks_net(&self, target: &Target, method: &str) -> bool {
        self.asks.iter().any(|ask| {
            matches!(&ask.what, Asked::Net(pattern, methods)
                if pattern.takes(target) && methods.iter().any(|known| &**known == method))
        })
    }

    /// Whether it may ask for something that this rule allows.
    pub(crate) fn may_ask_net(&self, rule: &NetRule) -> bool {
        self.asks.iter().any(|ask| {
            matches!(&ask.what, Asked::Net(pattern, methods)
                if pattern.meets(&rule.address) && methods.iter().any(|method| rule.methods.contains(method)))
        })
    }

    /// Whether it asks for this much of a mount.
    pub fn asks_fs(&self, mount: &str, access: Access) -> bool {
        self.asks
            .iter()
            .any(|ask| matches!(&ask.what, Asked::Fs(known, most) if &**known == mount && *most >= access))
    }
}

/// What is pinned: manifest and module, neither without the other.
pub fn digest(manifest: &[u8], module: &[u8]) -> Str {
    let mut whole = Sha256::new();
    whole.update(b"ringmail plugin 1\n");
    whole.update(Sha256::digest(manifest));
    whole.update(Sha256::digest(module));
    let hex: String = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}").into()
}

fn size(node: Option<&Node>, key: &str) -> Option<u64> {
    node?.get(key).and_then(Node::text).and_then(|text| size_bytes(text).ok())
}

pub(crate) fn int(node: Option<&Node>, key: &str) -> Option<u64> {
    match node?.get(key)?.data {
        Data::Int(int) => u64::try_from(int).ok(),
        _ => None,
    }
}

fn time_ms(node: Option<&Node>, key: &str) -> Option<u64> {
    node?.get(key).and_then(Node::text).and_then(|text| duration_ms(text).ok())
}

/// The quota a table names.
pub(crate) fn quota(node: Option<&Node>) -> Quota {
    Quota {
        every_ms: time_ms(node, "every").unwrap_or(QUOTA_EVERY_MS),
        requests_max: int(node, "requests"),
        data_out_bytes_max: size(node, "data_out"),
        data_in_bytes_max: size(node, "data_in"),
        writes_max: int(node, "writes"),
        written_bytes_max: size(node, "written"),
        lines_max: int(node, "lines"),
        logged_bytes_max: size(node, "logged"),
    }
}

/// How much may be kept, where a table is.
pub(crate) fn keeps(node: Option<&Node>) -> Option<Keeps> {
    node.map(|_| Keeps {
        bytes_max: size(node, "quota").unwrap_or(1 << 20).min(KEPT_BYTES_MAX),
        entries_max: int(node, "entries").unwrap_or(10_000),
        value_bytes_max: size(node, "value").unwrap_or(64 << 10),
    })
}

/// The limits a table names.
pub fn usage(node: Option<&Node>) -> Use {
    let (size, int) = (|key: &str| size(node, key), |key: &str| int(node, key));
    Use {
        memory_bytes_max: size("memory"),
        time_ms_max: time_ms(node, "time"),
        fuel_max: int("fuel"),
        output_bytes_max: size("output"),
        asks_max: int("asks"),
        data_out_bytes_max: size("data_out"),
        data_in_bytes_max: size("data_in"),
    }
}

pub(crate) fn is_version(text: &str) -> bool {
    let number = |part: &str| {
        !part.is_empty()
            && part.len() <= 9
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    text.split('.').count() == 3 && text.split('.').all(number)
}

fn asks(node: &Node, source: &Arc<Source>, problems: &mut Problems) -> Vec<Ask> {
    let items = |key: &str| node.get(key).map_or(&[][..], Node::items);
    let text = |node: &Node, key: &str| Str::from(node.get(key).and_then(Node::text).unwrap_or_default());
    let ask = |node: &Node, what: Asked| Ask { what, reason: text(node, "reason") };
    let mut out = Vec::new();
    for item in items("net") {
        let address = item.get("address").unwrap_or(item);
        match Pattern::parse(address.text().unwrap_or_default()) {
            Ok(pattern) => {
                let written = item
                    .get("methods")
                    .map(|list| list.items().iter().filter_map(Node::text).map(Str::from).collect());
                let methods = written.unwrap_or_else(|| vec!["GET".into(), "HEAD".into()]);
                out.push(ask(item, Asked::Net(pattern, methods)));
            }
            Err(message) => problems.add(source, address.span, message),
        }
    }
    for item in items("fs") {
        let access = if item.get("access").and_then(Node::text) == Some("write") {
            Access::Write
        } else {
            Access::Read
        };
        out.push(ask(item, Asked::Fs(text(item, "mount"), access)));
    }
    out.extend(node.get("log").map(|item| ask(item, Asked::Log)));
    out.extend(items("secret").iter().map(|item| ask(item, Asked::Secret(text(item, "name")))));
    out.extend(items("env").iter().map(|item| ask(item, Asked::Env(text(item, "name")))));
    out.extend(node.get("kv").map(|item| ask(item, Asked::Kv)));
    out.extend(node.get("clock").map(|item| ask(item, Asked::Clock)));
    out.extend(node.get("random").map(|item| ask(item, Asked::Random)));
    out.extend(items("tool").iter().map(|item| ask(item, Asked::Tool(text(item, "name")))));
    out
}
