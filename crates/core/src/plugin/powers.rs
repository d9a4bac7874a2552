//! What a plugin may in the end: its manifest, its grant and the host's ceiling held against each other. This is the one
//! place that says so, for the loader, for calls of the host, and for whoever asks before or afterwards.

use super::{Asked, Keeps, Manifest, Quota, Setting, Use};
use crate::grant::Ceiling;
use crate::value::Str;

const CAPABILITIES: [&str; 9] = ["net", "fs", "log", "secret", "env", "kv", "clock", "random", "tool"];

/// What is left of manifest, grant and ceiling.
#[derive(Clone, Debug, Default)]
pub struct Powers {
    /// Asked for and granted; these are linked, and nothing else.
    pub capabilities: Vec<&'static str>,
    pub secrets: Vec<Str>,
    pub env: Vec<(Str, Str)>,
    /// The chains it may call.
    pub tools: Vec<Str>,
    pub kv: Option<Keeps>,
    pub limits: Use,
    pub quota: Quota,
    /// All it may, one by one, as the manifest asks for it.
    pub in_effect: Vec<Power>,
    /// What the manifest asks for and does not get: not at all, or, but for addresses, not as much.
    pub lacking: Vec<Power>,
    /// Granted and never asked for: a setting that changes nothing.
    pub unasked: Vec<String>,
}

/// One thing that a plugin may, or would like to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    /// Capability and what of its kind, such as `net GET https://a.example`.
    pub what: String,
    /// Why the manifest asks for it.
    pub reason: Str,
}

impl Powers {
    /// The intersection of what is asked, what is granted and what this host allows at most.
    pub fn new(manifest: &Manifest, setting: &Setting, ceiling: &Ceiling) -> Powers {
        // A manifest is its maker's word: it may lower what a call may use, and raise nothing by itself.
        let limits = manifest.limits.within(setting.limits.or(Use::STANDARD));
        let mut out = Powers { limits, ..Powers::default() };
        for ask in &manifest.asks {
            let power = |words: &str| Power {
                what: format!("{} {words}", ask.what.capability()).trim_end().into(),
                reason: ask.reason.clone(),
            };
            let (left, whole) = left_of(&ask.what, setting, ceiling);
            for power in left.iter().map(|words| power(words)) {
                if !out.in_effect.iter().any(|known| known.what == power.what) {
                    out.in_effect.push(power);
                }
            }
            if !whole {
                out.lacking.push(power(&ask.what.words()));
            }
        }
        let asked = |capability: &str| manifest.asks.iter().any(|ask| ask.what.capability() == capability);
        let names = CAPABILITIES.into_iter();
        let own = |name: &Str, capability: &str| names_one(manifest, capability, name);
        Powers {
            capabilities: names.filter(|name| asked(name) && is_granted(setting, name)).collect(),
            secrets: setting.secrets.iter().filter(|name| own(name, "secret")).cloned().collect(),
            env: setting.env.iter().filter(|(name, _)| own(name, "env")).cloned().collect(),
            tools: setting.tools.iter().filter(|name| own(name, "tool")).cloned().collect(),
            kv: setting.kv.filter(|_| asked("kv")),
            quota: setting.quota,
            unasked: unasked(manifest, setting),
            ..out
        }
    }

    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Whether it has some of an address, or all of what else a manifest asks for.
    pub fn gives(&self, asked: &Asked) -> bool {
        let what = format!("{} {}", asked.capability(), asked.words());
        !self.lacking.iter().any(|lacking| lacking.what == what.trim_end())
    }
}

fn is_granted(setting: &Setting, capability: &str) -> bool {
    let grant = &setting.grant;
    match capability {
        "net" => !grant.net.is_empty(),
        "fs" => !grant.fs.is_empty(),
        "log" => grant.log.is_some(),
        "secret" => !setting.secrets.is_empty(),
        "env" => !setting.env.is_empty(),
        "kv" => setting.kv.is_some(),
        "clock" => setting.clock,
        "random" => setting.random,
        _ => !setting.tools.is_empty(),
    }
}

/// Whether a manifest asks for the secret, setting or tool of this name.
fn names_one(manifest: &Manifest, capability: &str, name: &Str) -> bool {
    manifest.asks.iter().any(|ask| ask.what.capability() == capability && ask.what.words() == **name)
}

/// What is left of one thing that was asked for, in words, and whether that is enough.
fn left_of(asked: &Asked, setting: &Setting, ceiling: &Ceiling) -> (Vec<String>, bool) {
    let grant = &setting.grant;
    let mut out = Vec::new();
    match asked {
        Asked::Net(pattern, methods) => {
            for rule in &grant.net {
                let both: Vec<&str> =
                    methods.iter().filter(|method| rule.methods.contains(method)).map(|one| &**one).collect();
                let Some(left) = pattern.within(&rule.address).filter(|_| !both.is_empty()) else { continue };
                let most = match &ceiling.net {
                    Some(most) => most.iter().filter_map(|most| left.within(most)).collect(),
                    None => vec![left],
                };
                out.extend(most.iter().map(|left| format!("{} {}", both.join("/"), left.as_str())));
            }
            let some = !out.is_empty();
            (out, some)
        }
        Asked::Fs(mount, access) => {
            let allowed = ceiling.mounts.as_ref().is_none_or(|mounts| mounts.contains(mount));
            let rules = grant.fs.iter().filter(|rule| allowed && rule.mount == *mount);
            let most = rules.map(|rule| rule.access.min(*access)).max();
            (most.iter().map(|access| format!("{} {mount}", access.name())).collect(), most == Some(*access))
        }
        Asked::Secret(name) | Asked::Env(name) | Asked::Tool(name) => {
            let granted = match asked {
                Asked::Secret(_) => setting.secrets.contains(name),
                Asked::Env(_) => setting.env.iter().any(|(known, _)| known == name),
                _ => setting.tools.contains(name),
            };
            (granted.then(|| name.to_string()).into_iter().collect(), granted)
        }
        Asked::Log | Asked::Kv | Asked::Clock | Asked::Random => {
            let granted = is_granted(setting, asked.capability());
            (granted.then(String::new).into_iter().collect(), granted)
        }
    }
}

fn unasked(manifest: &Manifest, setting: &Setting) -> Vec<String> {
    let grant = &setting.grant;
    let asked = |capability: &str| manifest.asks.iter().any(|ask| ask.what.capability() == capability);
    let whole = CAPABILITIES.into_iter().filter(|name| is_granted(setting, name) && !asked(name));
    let mut out: Vec<String> = whole.map(String::from).collect();
    let mut more = |capability: &str, names: &mut dyn Iterator<Item = &Str>| {
        let names = names.filter(|name| asked(capability) && !names_one(manifest, capability, name));
        out.extend(names.map(|name| format!("{capability} {name}")));
    };
    more("secret", &mut setting.secrets.iter());
    more("env", &mut setting.env.iter().map(|(name, _)| name));
    more("tool", &mut setting.tools.iter());
    let more = grant.fs.iter().filter(|rule| !manifest.asks_fs(&rule.mount, rule.access));
    let more = more.map(|rule| format!("fs {} {}", rule.access.name(), rule.mount));
    out.extend(more.filter(|_| asked("fs")));
    let more = grant.net.iter().filter(|rule| !manifest.may_ask_net(rule));
    let more = more.map(|rule| format!("net {} {}", rule.methods.join("/"), rule.address.as_str()));
    out.extend(more.filter(|_| asked("net")));
    out
}
