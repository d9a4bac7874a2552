//! Names inside a chain: links, what is always there, variables of a body, and what surrounds the body.

use super::{Detail, Root};
use crate::doc::{Data, Node, Problems, Source, suggest};
use crate::expr::{Names, Slot};
use crate::upstream::{Upstream, UpstreamAt};
use crate::value::Str;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names no link may have, because expressions use them for something else.
pub(crate) const RESERVED: &[&str] =
    &["input", "run", "secrets", "error", "exception", "value", "true", "false", "null", "in"];

/// The names of one plan while it is loaded; grows by what is used.
pub(crate) struct PlanNames<'p> {
    pub(crate) links: Vec<Str>,
    pub(crate) roots: Vec<(Str, Root)>,
    /// Variables of this body, such as `item`.
    pub(crate) locals: Vec<Str>,
    /// Whether `error` has a meaning where the expression stands.
    pub(crate) error: bool,
    pub(crate) outer: Option<&'p mut dyn Names>,
}

impl PlanNames<'_> {
    fn add(&mut self, name: &str, root: Root) -> Slot {
        let at = self.roots.iter().position(|(_, known)| *known == root).unwrap_or_else(|| {
            self.roots.push((name.into(), root));
            self.roots.len() - 1
        });
        slot(self.links.len() + at)
    }
}

fn slot(at: usize) -> Slot {
    Slot(u32::try_from(at).unwrap_or(u32::MAX))
}

impl Names for PlanNames<'_> {
    fn slot(&mut self, name: &str) -> Option<Slot> {
        if let Some(at) = self.links.iter().position(|known| &**known == name) {
            return Some(slot(at));
        }
        if let Some(local) = self.locals.iter().find(|known| &***known == name).cloned() {
            return Some(self.add(name, Root::Local(local)));
        }
        match name {
            "error" if self.error => Some(self.add(name, Root::Error)),
            "error" => None,
            _ => match &mut self.outer {
                Some(outer) => {
                    let outside = outer.slot(name)?;
                    Some(self.add(name, Root::Outer(outside)))
                }
                None => match name {
                    "input" => Some(self.add(name, Root::Input)),
                    "run" => Some(self.add(name, Root::Run)),
                    "secrets" => Some(self.add(name, Root::Secrets)),
                    _ => None,
                },
            },
        }
    }

    fn known(&self) -> Vec<Str> {
        let mut known: Vec<Str> = self.links.iter().chain(&self.locals).cloned().collect();
        match &self.outer {
            Some(outer) => known.extend(outer.known()),
            None => known.extend(["input", "run", "secrets"].map(Str::from)),
        }
        if self.error {
            known.push("error".into());
        }
        known
    }
}

/// A fixed list of names, each its own slot: what a scope or an `until` may read.
pub(crate) struct ListNames(pub(crate) &'static [&'static str]);

impl Names for ListNames {
    fn slot(&mut self, name: &str) -> Option<Slot> {
        self.0.iter().position(|known| *known == name).map(slot)
    }

    fn known(&self) -> Vec<Str> {
        self.0.iter().map(|name| Str::from(*name)).collect()
    }
}

/// What to say of a name that leads nowhere.
pub(crate) fn meant(name: &str, known: &[&str], otherwise: &str) -> String {
    let near = suggest(name, known.iter().copied());
    near.map_or_else(|| otherwise.into(), |near| format!("did you mean `{near}`?"))
}

/// The program that a link names.
pub(crate) fn command(known: &[Str], node: &Node, source: &Arc<Source>, problems: &mut Problems) -> Detail {
    let Some(named) = node.get("command") else { return Detail::Nothing };
    let name = named.text().unwrap_or_default();
    let known: Vec<&str> = known.iter().map(|known| &**known).collect();
    if !known.contains(&name) {
        let help = meant(name, &known, "a project names its programs: `[command.NAME]` in `ringmail.toml`");
        let message = format!("there is no command `{}`", crate::json::shorten(name));
        problems.add_help(source, named.span, message, help);
    }
    Detail::Command(name.into())
}

/// What of a server a link names, as `SERVER/NAME`, or a server, to be asked what it offers.
pub(crate) fn tool(
    known: &BTreeMap<Str, Arc<Upstream>>,
    node: &Node,
    source: &Arc<Source>,
    problems: &mut Problems,
) -> Detail {
    let Some(named) = node.get("tool") else { return Detail::Nothing };
    let text = named.text().unwrap_or_default();
    let (server, tool) = match text.split_once('/') {
        Some((server, tool)) => (server, Some(tool)),
        None => (text, None),
    };
    let mut wrong = |message: String, help: String| problems.add_help(source, named.span, message, help);
    let Some(upstream) = known.get(server) else {
        let names: Vec<&str> = known.keys().map(|known| &**known).collect();
        let help = meant(server, &names, "a project names its servers: `[upstream.NAME]` in `ringmail.toml`");
        wrong(format!("there is no upstream `{}`", crate::json::shorten(server)), help);
        return Detail::Nothing;
    };
    if let (None, UpstreamAt::Http(http)) = (tool, &upstream.setting.at)
        && let Some(file) = &http.openapi
    {
        wrong(
            format!("`{server}` has no list of tools but `{file}`"),
            format!("what is in it: ringmail tool list {server}"),
        );
        return Detail::Nothing;
    }
    let Some(tool) = tool else { return Detail::Tool { upstream: upstream.clone(), card: None } };
    let shown = crate::json::shorten(tool);
    if let Some(why) = upstream.unusable.get(tool) {
        wrong(
            format!("`{shown}` of `{server}` cannot be used: {why}"),
            "its server has to say it otherwise".into(),
        );
        return Detail::Nothing;
    }
    let Some(card) = upstream.cards.get(tool) else {
        let names: Vec<&str> = upstream.cards.keys().map(|known| &**known).collect();
        let help = match names.is_empty() {
            true => format!("look at what it offers, and pin it: ringmail tool pin {server}"),
            false => meant(tool, &names, &format!("what is there now shows: ringmail tool diff {server}")),
        };
        wrong(format!("no `{shown}` of `{server}` is pinned"), help);
        return Detail::Nothing;
    };
    if !upstream.allows(tool) {
        wrong(
            format!("`{shown}` is not among the `tools` of `{server}`"),
            format!("add it to `[upstream.{server}]`"),
        );
        return Detail::Nothing;
    }
    if let Some(completes) = node.get("complete").filter(|node| node.data == Data::Bool(true))
        && !card.can_complete()
    {
        let message = format!("`{shown}` has no arguments that could be completed");
        problems.add(source, completes.span, message);
    }
    Detail::Tool { upstream: upstream.clone(), card: Some(card.clone()) }
}
