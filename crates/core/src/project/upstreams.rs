//! The servers of MCP that a project names, and what their names, secrets and addresses lead to.

use super::{Loader, Project, items, texts};
use crate::address::Target;
use crate::doc::form::{duration_ms, size_bytes};
use crate::doc::{Data, Node, Span};
use crate::grant::NetRule;
use crate::upstream::{HttpUpstream, POWER_OF_SERVER, UpstreamAt, UpstreamSetting};
use crate::value::Str;
use std::sync::Arc;

const TIMEOUT_MS: u64 = 30_000;
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const SESSIONS_MAX: usize = 16;
const IDLE_MS: u64 = 300_000;
const CHECK_MS: u64 = 300_000;
/// Headers that say what a request is.
const OWN_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

impl Loader<'_> {
    pub(super) fn upstreams(&mut self, node: &Node) -> Vec<UpstreamSetting> {
        let all = node.get("upstream").map_or(&[][..], Node::entries);
        all.iter().filter_map(|(key, item)| self.upstream(&key.name, item)).collect()
    }

    fn upstream(&mut self, name: &str, node: &Node) -> Option<UpstreamSetting> {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let time =
            |key: &str, standard| text(key).and_then(|text| duration_ms(text).ok()).unwrap_or(standard);
        let list = |key: &str| texts(Some(node), key).map(|(text, _)| Str::from(text)).collect::<Vec<_>>();
        let answer_bytes_max = text("answer").and_then(|text| size_bytes(text).ok());
        let answer_bytes_max = answer_bytes_max.unwrap_or(ANSWER_BYTES_MAX);
        let at = match (node.get("command"), node.get("url")) {
            (Some(command), None) => {
                for foreign in ["openapi", "bearer", "headers", "resolves_to", "pins"]
                    .iter()
                    .filter_map(|key| node.get(key))
                {
                    self.wrong(foreign.span, "this is for a server with a `url`");
                }
                UpstreamAt::Command(command.text().unwrap_or_default().into())
            }
            (None, Some(_)) => UpstreamAt::Http(Box::new(self.at_url(node, answer_bytes_max)?)),
            _ => {
                self.wrong(node.span, format!("`{name}` needs a `command` or a `url`, and not both"));
                return None;
            }
        };
        Some(UpstreamSetting {
            name: name.into(),
            at,
            tools: node.get("tools").map(|_| list("tools")),
            serve: list("serve"),
            prefix: text("prefix").map_or_else(|| format!("{name}_").into(), Str::from),
            timeout_ms: time("timeout", TIMEOUT_MS),
            answer_bytes_max,
            sessions_max: match node.get("sessions").map(|node| &node.data) {
                Some(Data::Int(int)) => usize::try_from(*int).unwrap_or(SESSIONS_MAX),
                _ => SESSIONS_MAX,
            },
            idle_ms: time("idle", IDLE_MS),
            check_ms: time("check", CHECK_MS),
            span: node.span,
        })
    }

    fn at_url(&mut self, node: &Node, answer_bytes_max: u64) -> Option<HttpUpstream> {
        let url = node.get("url")?;
        let target = match Target::parse(url.text().unwrap_or_default()) {
            Ok(target) => target,
            Err(why) => {
                self.wrong(url.span, why);
                return None;
            }
        };
        let address = self.pattern(&target.origin(), url.span)?;
        let rule = NetRule {
            // What a call asks of its server is no choice of the call.
            methods: Vec::new(),
            flow: Default::default(),
            consequential: None,
            label: Default::default(),
            resolves_to: self.ranges(node),
            response_bytes_max: answer_bytes_max,
            pins: self.fingerprints(node, address.is_tls()),
            address,
        };
        let bearer = node.get("bearer").and_then(Node::text).map(Str::from);
        let openapi = node.get("openapi").and_then(Node::text).map(Str::from);
        let headers = self.headers(node);
        Some(HttpUpstream { target, rule: Arc::new(rule), bearer, headers, openapi })
    }

    /// Headers that a server is shown. Those that say what a request is are not the project's to choose.
    fn headers(&mut self, node: &Node) -> Vec<(Str, Str)> {
        let mut all: Vec<(Str, Str)> = Vec::new();
        for item in items(node, "headers") {
            let text = |key: &str| item.get(key).and_then(Node::text).unwrap_or_default();
            let name = text("name").to_ascii_lowercase();
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if name.is_empty() || !name.chars().all(plain) {
                self.wrong(item.span, "a header's name has letters, digits, `-` and `_` only");
            } else if name.starts_with("mcp-") || OWN_HEADERS.contains(&&*name) {
                self.wrong(item.span, format!("the header `{name}` is not the project's to set"));
            } else if name == "authorization" && node.get("bearer").is_some()
                || all.iter().any(|(known, _)| **known == *name)
            {
                self.wrong(item.span, format!("the header `{name}` is set twice"));
            } else {
                all.push((name.into(), text("secret").into()));
            }
        }
        all
    }

    /// Whether a secret that a server is shown may go there.
    fn check_shown(&mut self, project: &Project, http: &HttpUpstream, name: &str, span: Span) {
        match project.secrets.iter().find(|secret| &*secret.name == name) {
            None => self.wrong(span, format!("there is no secret `{name}`")),
            Some(secret) if !secret.bound_to.iter().any(|to| to.takes(&http.target)) => {
                let help = format!("bound_to = [\"{}\"]", http.target.origin());
                let message = format!("the secret `{name}` is not bound to this server");
                self.problems.add_help(self.source, span, message, help);
            }
            Some(_) => {}
        }
    }

    pub(super) fn check_upstreams(&mut self, project: &Project, node: &Node) {
        let known = |name: &str| project.upstreams.iter().any(|upstream| &*upstream.name == name);
        let granted = items(node, "grant").iter().flat_map(|grant| items(grant, "tool"));
        let granted = granted.filter_map(|rule| rule.get("upstream"));
        let granted = granted.filter_map(|name| Some((name.text()?, name.span)));
        let to = items(node, "grant").iter().filter_map(|grant| grant.get("to"));
        let to = to.filter_map(|to| Some((to.text()?.strip_prefix(POWER_OF_SERVER)?, to.span)));
        let most = texts(node.get("ceiling"), "upstreams");
        for (name, span) in granted.chain(most).chain(to).filter(|(name, _)| !known(name)) {
            let help = format!("add:\n[upstream.{name}]\nurl = \"https://...\"");
            self.problems.add_help(self.source, span, format!("there is no upstream `{name}`"), help);
        }
        for setting in &project.upstreams {
            let entry = node.get("upstream").and_then(|all| all.get(&setting.name));
            let span =
                |key: &str| entry.and_then(|entry| entry.get(key)).map_or(setting.span, |node| node.span);
            match &setting.at {
                UpstreamAt::Command(command) => {
                    if !project.commands.iter().any(|known| known.name == *command) {
                        let help = format!("add:\n[command.{command}]\nprogram = \"...\"");
                        let message = format!("there is no command `{command}`");
                        self.problems.add_help(self.source, span("command"), message, help);
                    }
                    let limits = node.get("command").and_then(|all| all.get(command)?.get("limits"));
                    for (key, own) in [("time", "timeout"), ("output", "answer")] {
                        if let Some(written) = limits.and_then(|limits| limits.get(key)) {
                            let help = format!("say it in `[upstream.{}]`: {own}", setting.name);
                            let message =
                                "this bounds a program that ends with its call, and a server does not";
                            self.problems.add_help(self.source, written.span, message, help);
                        }
                    }
                    if project.ceiling.commands.as_ref().is_some_and(|most| !most.contains(command)) {
                        self.wrong(
                            span("command"),
                            format!("the ceiling does not allow the command `{command}`"),
                        );
                    }
                }
                UpstreamAt::Http(http) => {
                    let most = project.ceiling.net.as_ref();
                    if most.is_some_and(|most| !most.iter().any(|pattern| pattern.takes(&http.target))) {
                        self.wrong(span("url"), "the ceiling does not allow this address");
                    }
                    let bearer = http.bearer.iter().map(|name| (name, span("bearer")));
                    let shown = bearer.chain(http.headers.iter().map(|(_, name)| (name, span("headers"))));
                    for (name, span) in shown {
                        self.check_shown(project, http, name, span);
                    }
                }
            }
        }
    }
}
