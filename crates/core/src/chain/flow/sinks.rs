//! The sinks a link may turn out to reach, as far as its written arguments tell, before anything runs.

use super::Ahead;
use crate::address::Target;
use crate::chain::{Detail, Link};
use crate::gate::{Authority, CALLER, COMMAND_STEERING, Sink, tool_sink};
use crate::grant::{
    Access, Effective, Flow, LOG_POWER, command_power, effect_power, fs_power, net_power, to_add, tool_power,
};
use crate::kind::Reach;
use crate::label::Tags;
use crate::refusal::Rule;
use crate::template::Template;

/// What a call would reach, and whether it changes something there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    pub sinks: Vec<String>,
    pub consequential: bool,
}

/// What a call of a link would reach and whether it is consequential, where its file and grants tell exactly; what is
/// not known of an act counts as consequential.
pub fn reach(link: &Link, authority: &Authority, now_ms: u64) -> Option<Reached> {
    let ahead = Ahead::new(authority, now_ms, &|_| None);
    let effective = authority.grants.effective(&link.power).current(now_ms);
    let found = match ahead.candidates(link, &effective) {
        Ok(found) => found,
        Err(missing) => {
            return missing.exact.then(|| Reached { sinks: vec![missing.sink], consequential: true });
        }
    };
    let Some(first) = found.first() else { return Some(Reached::default()) };
    let exact = !first.name.contains('*') && found.iter().all(|candidate| candidate.name == first.name);
    let consequential = found.iter().any(|candidate| candidate.consequential.unwrap_or(true));
    exact.then(|| Reached { sinks: vec![first.name.clone()], consequential })
}

impl Ahead<'_> {
    /// The sinks a link may turn out to reach, as far as its written arguments tell.
    pub(super) fn candidates(&self, link: &Link, effective: &Effective) -> Result<Vec<Candidate>, Missing> {
        let missing = |sink: String, power: String| Err(Missing::grant(link, sink, "", &power));
        match link.kind.reach {
            Reach::Nothing => Ok(Vec::new()),
            Reach::Log => match effective.log(0) {
                Ok(fit) => Ok(vec![Candidate::new("log", fit.rule, Some(false), &[])]),
                Err(_) => missing("log".into(), LOG_POWER.into()),
            },
            // Which chain's caller it is, is known when it runs.
            Reach::Caller => {
                let flow = Flow { clearance: Tags::ALL, ..Flow::default() };
                Ok(vec![Candidate::new(CALLER, &flow, Some(false), &[])])
            }
            Reach::Effect => {
                let Detail::Native { effect: Some(name), .. } = &link.detail else { return Ok(Vec::new()) };
                match effective.effect(name, 0) {
                    Ok(fit) => {
                        Ok(vec![Candidate::new(&format!("effect:{name}"), &fit.rule.flow, Some(true), &[])])
                    }
                    Err(_) => missing(format!("effect:{name}"), effect_power(name)),
                }
            }
            Reach::Command => {
                let Detail::Command(name) = &link.detail else { return Ok(Vec::new()) };
                let sink = format!("command:{name}");
                match effective.command(name, 0) {
                    Ok(fit) => Ok(vec![Candidate::new(&sink, &fit.rule.flow, Some(true), COMMAND_STEERING)]),
                    Err(_) => missing(sink, command_power(name)),
                }
            }
            Reach::Tool => {
                let Detail::Tool { upstream, card } = &link.detail else { return Ok(Vec::new()) };
                let tool = card.as_ref().map(|card| &*card.name);
                let sink = tool_sink(&upstream.setting.name, tool);
                match effective.tool(&upstream.setting.name, tool, 0) {
                    Ok(fit) => {
                        let consequential = fit.rule.consequential && tool.is_some();
                        let mut candidate = Candidate::new(&sink, &fit.rule.flow, Some(consequential), &[]);
                        candidate.also = upstream.bound_tags(&self.authority.secrets);
                        Ok(vec![candidate])
                    }
                    Err(_) => missing(sink, tool_power(&upstream.setting.name, tool.unwrap_or("*"))),
                }
            }
            Reach::Net { method, url } => self.net(link, effective, method, url),
            Reach::Fs { path, op } => {
                let prefix = link.with.get(path).map_or_else(|| "".into(), |path| path.fixed_prefix());
                let mount = prefix.split_once(':').map(|(mount, _)| mount);
                let op = link.with.get(op).and_then(|op| op.as_fixed());
                let access = match (op.as_ref(), op.as_ref().and_then(|op| op.as_str())) {
                    (_, Some("list")) => Some(Access::List),
                    (_, Some("read")) => Some(Access::Read),
                    (Some(_), _) => Some(Access::Write),
                    (None, _) => None,
                };
                let rules = effective.grants().iter().flat_map(|grant| &grant.fs);
                let fits = rules.filter(|rule| {
                    mount.is_none_or(|mount| &*rule.mount == mount)
                        && rule.access >= access.unwrap_or(Access::List)
                });
                let found: Vec<Candidate> = fits
                    .map(|rule| {
                        Candidate::new(
                            &format!("mount:{}", rule.mount),
                            &rule.flow,
                            access.map(|access| access == Access::Write),
                            &["path", "op"],
                        )
                    })
                    .collect();
                if found.is_empty() {
                    let power = fs_power(mount.unwrap_or("..."), access.unwrap_or(Access::Write));
                    let none = Missing::grant(link, format!("mount:{}", mount.unwrap_or("any")), "", &power);
                    Err(Missing { exact: mount.is_some(), ..none })
                } else {
                    Ok(found)
                }
            }
        }
    }

    fn net(
        &self,
        link: &Link,
        effective: &Effective,
        method: &str,
        url: &str,
    ) -> Result<Vec<Candidate>, Missing> {
        let written = link.with.get(method).and_then(|method| method.as_fixed());
        let method = match &written {
            Some(value) => value.as_str().map(str::to_ascii_uppercase),
            None if link.with.lacks(method) => Some("GET".into()),
            None => None,
        };
        let template = link.with.get(url);
        let prefix = template.as_ref().map_or_else(|| "".into(), Template::fixed_prefix);
        let whole = template.as_ref().is_some_and(|template| template.as_fixed().is_some());
        let target = known_target(&prefix, whole);
        if let Some(Err(message)) = &target {
            let changes = vec!["write `https://host/path`".into()];
            let message = message.clone();
            let sink = prefix.to_string();
            return Err(Missing { sink, exact: false, rule: Rule::BadAddress, message, changes });
        }
        let target = target.and_then(Result::ok);
        let fits = effective.net_rules().filter(|fit| {
            effective.may_ask_net(fit.rule)
                && target.as_ref().is_none_or(|target| fit.rule.address.takes(target))
                && method
                    .as_ref()
                    .is_none_or(|method| fit.rule.methods.iter().any(|known| **known == **method))
        });
        let found: Vec<Candidate> = fits
            .map(|fit| {
                let consequential = method.as_deref().map(|method| fit.rule.is_consequential(method));
                let name =
                    target.as_ref().map_or_else(|| fit.rule.address.as_str().to_string(), Target::origin);
                let mut candidate =
                    Candidate::new(&name, &fit.rule.flow, consequential, &["url", "method", "headers"]);
                let bound = self
                    .authority
                    .secrets
                    .iter()
                    .filter(|secret| target.as_ref().is_none_or(|target| secret.is_bound_to(target)));
                candidate.also = bound.fold(Tags::NONE, |tags, secret| tags.with(secret.tag));
                candidate
            })
            .collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let address = target.as_ref().map_or_else(|| "https://...".to_string(), Target::origin);
        let power = net_power(&address, method.as_deref().unwrap_or("..."));
        let exact = target.is_some();
        let sink = target.map_or_else(|| "any address".to_string(), |target| target.origin());
        let method = method.map_or(String::new(), |method| format!(" with {method}"));
        Err(Missing { exact, ..Missing::grant(link, sink, &method, &power) })
    }
}

/// A sink that nothing lets a link reach.
pub(super) struct Missing {
    pub(super) sink: String,
    /// Whether the sink is the one that would be reached.
    exact: bool,
    pub(super) rule: Rule,
    pub(super) message: String,
    pub(super) changes: Vec<String>,
}

impl Missing {
    fn grant(link: &Link, sink: String, how: &str, power: &str) -> Missing {
        let message = format!("nothing grants `{}` the use of `{sink}`{how}", link.full);
        Missing { sink, exact: true, rule: Rule::NoGrant, message, changes: vec![to_add(&link.power, power)] }
    }
}

/// The address in the fixed start of a URL; nothing while the host may still be continued.
fn known_target(prefix: &str, whole: bool) -> Option<Result<Target, String>> {
    let complete = whole || prefix.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']));
    complete.then(|| Target::parse(prefix))
}

pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) flow: Flow,
    pub(super) also: Tags,
    /// Nothing while the method or operation is not known.
    pub(super) consequential: Option<bool>,
    pub(super) steering: &'static [&'static str],
}

impl Candidate {
    fn new(
        name: &str,
        flow: &Flow,
        consequential: Option<bool>,
        steering: &'static [&'static str],
    ) -> Candidate {
        Candidate { name: name.into(), flow: flow.clone(), also: Tags::NONE, consequential, steering }
    }

    pub(super) fn sink(&self, worst: bool) -> Sink<'_> {
        Sink {
            flow: &self.flow,
            also: self.also,
            consequential: self.consequential.unwrap_or(worst),
            steering: self.steering,
        }
    }
}
