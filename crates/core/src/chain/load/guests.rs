//! Links whose work is done by a guest: plugins and programs, each with a body for every way out it has.

use super::{Loader, entry, text_node};
use crate::chain::names::{PlanNames, meant};
use crate::chain::{Detail, Outlet};
use crate::doc::{Data, Node, NodeKey, Span};
use crate::plugin::{TOOL, WAYS, power_of, usage};
use crate::program::Program;
use crate::python::KEYWORDS;
use crate::value::Str;

impl Loader<'_, '_> {
    /// A plugin, with a body of one link for each way out that it has: what it asks of the host is a call like any other.
    pub(super) fn plugin(&mut self, full: &Str, node: &Node, names: &mut PlanNames<'_>) -> Detail {
        let Some(named) = node.get("plugin") else { return Detail::Nothing };
        let name = named.text().unwrap_or_default();
        let Some(plugin) = self.around.plugins.get(name).cloned() else {
            let known: Vec<&str> = self.around.plugins.keys().map(|known| &**known).collect();
            let help = meant(name, &known, "a project names its plugins: `[plugin.NAME]` in `ringmail.toml`");
            let message = format!("there is no plugin `{}`", crate::json::shorten(name));
            self.problems.add_help(self.source, named.span, message, help);
            return Detail::Nothing;
        };
        self.power = Some(power_of(name).into());
        let ways = WAYS.iter().filter(|(capability, _)| plugin.powers.has(capability));
        let mut ways: Vec<Outlet> = ways
            .map(|(capability, kind)| {
                let body = self.body(full.clone(), &way_body(kind, kind, &[], named.span), &["call"], names);
                Outlet { capability, tool: None, body }
            })
            .collect();
        self.power = None;
        ways.extend(plugin.powers.tools.iter().map(|tool| self.tool(full, tool, named.span, names)));
        Detail::Plugin { ways, plugin }
    }

    /// A chain that a guest may call: a link of its own, named after it.
    fn tool(&mut self, full: &Str, tool: &Str, span: Span, names: &mut PlanNames<'_>) -> Outlet {
        let settings = [entry("chain", text_node(tool, span))];
        let body = way_body(&format!("{TOOL}_{tool}"), "chain", &settings, span);
        Outlet {
            capability: TOOL,
            tool: Some(tool.clone()),
            body: self.body(full.clone(), &body, &["call"], names),
        }
    }

    /// A program, with a body for each tool and for what it prints.
    pub(super) fn python(&mut self, full: &Str, node: &Node, names: &mut PlanNames<'_>) -> Detail {
        let start = Span { start: node.span.start, end: node.span.start };
        let program = self.program(node);
        let Some(ceiling) = self.around.python else {
            let help = "make it part of this project: ringmail python setup";
            self.problems.add_help(self.source, start, format!("`{full}` needs a Python interpreter"), help);
            return Detail::Nothing;
        };
        let limits = usage(node.get("limits")).within(ceiling);
        let mut ways = Vec::new();
        if matches!(node.get("log").map(|node| &node.data), Some(Data::Bool(true))) {
            let body = self.body(full.clone(), &way_body("log", "log", &[], start), &["call"], names);
            ways.push(Outlet { capability: "log", tool: None, body });
        }
        for item in node.get("tools").map_or(&[][..], Node::items) {
            let name: Str = item.text().unwrap_or_default().into();
            if KEYWORDS.contains(&&*name) || matches!(&*name, "input" | "result") {
                self.wrong(
                    item.span,
                    format!("`{name}` means something else in a program, so no tool can be called that"),
                );
            }
            if ways.iter().any(|way: &Outlet| way.tool.as_ref() == Some(&name)) {
                self.wrong(item.span, format!("the tool `{name}` stands twice"));
            }
            let way = self.tool(full, &name, item.span, names);
            ways.push(way);
        }
        Detail::Python { program, limits, ways }
    }

    /// The program of a link, from the one place where it stands.
    fn program(&mut self, node: &Node) -> Option<Program> {
        let with = node.get("with");
        let argument = match with {
            Some(with) => with.get("code").is_some() || with.text().is_some(),
            None => false,
        };
        let (code, file) = (node.get("code"), node.get("file"));
        let named = with.is_some_and(|with| with.get("code").is_some());
        match [code.is_some(), file.is_some(), named].iter().filter(|named| **named).count() {
            0 if !argument => {
                let help = "write it under `code`, name a `file`, or hand it over as `with.code`";
                self.problems.add_help(self.source, node.span, "the link has no program", help);
            }
            0 | 1 => {}
            _ => self.wrong(node.span, "a program stands in one of `code`, `file` and `with.code`"),
        }
        let given = match with.map(|with| &with.data) {
            None => Some(Vec::new()),
            Some(Data::Map(entries)) => {
                Some(entries.iter().map(|(key, _)| key.name.as_str().into()).collect())
            }
            Some(_) => None,
        };
        if let Some(code) = code {
            let text = code.text().unwrap_or_default();
            return Some(Program::inline(text, self.source, code.span).given(given));
        }
        let file = file?;
        match (self.around.files)(file.text().unwrap_or_default()) {
            Ok(source) => Some(Program::of_file(source).given(given)),
            Err(message) => {
                self.wrong(file.span, message);
                None
            }
        }
    }
}

/// One link of this kind, which takes what it is handed as it is.
fn way_body(name: &str, kind: &str, settings: &[(NodeKey, Node)], span: Span) -> Node {
    let mut link = vec![entry("kind", text_node(kind, span)), entry("with", text_node("${call}", span))];
    link.extend(settings.iter().cloned());
    let links = Node { span, data: Data::Map(vec![entry(name, Node { span, data: Data::Map(link) })]) };
    let output = text_node(&format!("${{{name}}}"), span);
    let body = Node { span, data: Data::Map(vec![entry("links", links), entry("output", output)]) };
    Node { span, data: Data::Map(vec![entry("do", body)]) }
}
