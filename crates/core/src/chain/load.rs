//! Documents to plans. One pass reads a chain and all bodies in it, and reports everything that is wrong at once.

mod guests;
mod scripts;

use super::extract::{DROP_VALUES_MAX, Range};
use super::graph::{self, Graph};
use super::keys::*;
use super::mcp::{self, McpSetting};
use super::names::{ListNames, PlanNames, RESERVED, command, meant, tool};
use super::{Act, Cache, Case, Consent, Detail, Edge, Link, On, Plan, Retry};
use crate::answer::AnswerForm;
use crate::checks::TextCheck;
use crate::doc::form::{Form, Key, conform, conform_table, duration_ms, size_bytes};
use crate::doc::{Data, Node, NodeKey, Problems, Source, Span, suggest};
use crate::expr::{Expr, Names};
use crate::failure::FailureKind;
use crate::kind::{Kind, Reach, Role, With};
use crate::label::{TagTable, Tags};
use crate::plugin::{Plugin, Use};
use crate::run::Limits;
use crate::schema::{Schema, is_tag_name};
use crate::template::{Place, Template, expression};
use crate::upstream::Upstream;
use crate::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long persons may take who are asked.
const WITHIN_MS: u64 = 24 * 3_600_000;

/// What a chain is loaded into: the kinds, functions and names its engine has.
pub struct Surroundings<'a> {
    pub kinds: &'a [&'static Kind],
    /// Native functions with the effect each declares.
    pub natives: &'a BTreeMap<Str, Option<Str>>,
    pub middleware: &'a [Str],
    pub secrets: &'a [Str],
    pub plugins: &'a BTreeMap<Str, Arc<Plugin>>,
    /// Reads a file of the project.
    pub files: &'a dyn Fn(&str) -> Result<Arc<Source>, String>,
    /// Programs of the project.
    pub commands: &'a [Str],
    pub upstreams: &'a BTreeMap<Str, Arc<Upstream>>,
    /// What one run of a Python program may use; nothing where there is no interpreter.
    pub python: Option<Use>,
    pub tags: &'a mut TagTable,
    pub limits: Limits,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("natives", self.natives).finish_non_exhaustive()
    }
}

/// Loads a chain from its document.
pub fn load(node: &Node, source: &Arc<Source>, around: &mut Surroundings<'_>) -> Result<Plan, Problems> {
    let mut problems = Problems::default();
    conform(node, &Form::Table(CHAIN_KEYS), "the chain", source, &mut problems);
    let name: Str = node.get("chain").and_then(Node::text).unwrap_or("chain").into();
    let mut loader = Loader { source, around, problems: &mut problems, power: None };
    let input = node.get("input").and_then(|node| loader.schema(node));
    let returns = node.get("returns").and_then(|node| loader.schema(node));
    let body = Body { name, links: node.get("links"), output: node.get("output"), locals: Vec::new() };
    let mut plan = loader.plan(body, None);
    plan.named = node.get("chain").map_or(node.span, |name| name.span);
    plan.description = node.get("description").and_then(Node::text).unwrap_or_default().into();
    plan.limits = limits(node.get("limits"), loader.around.limits);
    plan.middleware = loader.middleware(node.get("middleware"));
    plan.stream = node.get("stream").and_then(|stream| loader.stream(stream, &plan));
    let mcp = node.get("mcp").and_then(|node| {
        let problems = &mut *loader.problems;
        mcp::load(node, input.as_ref(), &mut |span, message| problems.add(source, span, message))
    });
    plan.mcp = mcp.unwrap_or_default();
    plan.input = input;
    plan.returns = returns;
    let digest = Sha256::digest(source.text.as_bytes());
    plan.digest = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    problems.or(plan)
}

/// Limits as written, never wider than the host's.
fn limits(node: Option<&Node>, host: Limits) -> Limits {
    let Some(node) = node else { return host };
    let int = |key: &str| match node.get(key).map(|node| &node.data) {
        Some(Data::Int(int)) => u64::try_from(*int).ok(),
        _ => None,
    };
    let text = |key: &str| node.get(key).and_then(Node::text);
    Limits {
        steps_max: int("steps").unwrap_or(host.steps_max),
        time_ms_max: text("time").and_then(|text| duration_ms(text).ok()).unwrap_or(host.time_ms_max),
        depth_max: int("depth").unwrap_or(host.depth_max),
        bytes_max: text("bytes").and_then(|text| size_bytes(text).ok()).unwrap_or(host.bytes_max),
    }
    .within(host)
}

struct Loader<'l, 'a> {
    source: &'l Arc<Source>,
    around: &'l mut Surroundings<'a>,
    problems: &'l mut Problems,
    /// Whom the grants of the links that are read now are for, if not themselves.
    power: Option<Str>,
}

struct Body<'n> {
    name: Str,
    links: Option<&'n Node>,
    output: Option<&'n Node>,
    locals: Vec<Str>,
}

impl<'l> Loader<'l, '_> {
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.problems.add(self.source, span, message);
    }

    fn schema(&mut self, node: &Node) -> Option<Schema> {
        Schema::load(node, self.source, self.around.tags, self.problems)
    }

    fn plan(&mut self, body: Body<'_>, outer: Option<&mut dyn Names>) -> Plan {
        let mut entries: Vec<(NodeKey, Node)> =
            body.links.map_or(Vec::new(), |links| links.entries().to_vec());
        self.link_names(&entries, &body.locals);
        let mut hidden = Vec::new();
        for (key, node) in &entries {
            hidden.extend(edge_chains(key, node));
        }
        entries.extend(hidden);
        let links = entries.iter().map(|(key, _)| Str::from(key.name.as_str())).collect();
        let mut names = PlanNames { links, roots: Vec::new(), locals: body.locals, error: false, outer };
        let targets: Vec<usize> = entries
            .iter()
            .flat_map(|(key, node)| edge_targets(key, node))
            .filter_map(|target| entries.iter().position(|(key, _)| key.name == target))
            .collect();
        let mut plan_links = Vec::with_capacity(entries.len());
        let mut after = Vec::with_capacity(entries.len());
        for (at, (key, node)) in entries.iter().enumerate() {
            names.error = targets.contains(&at);
            let link = self.link(&body.name, key, node, &mut names);
            after.push(self.after(node, &names.links));
            plan_links.push(link);
        }
        names.error = false;
        for (at, (_, node)) in entries.iter().enumerate() {
            names.error = true;
            let edges = self.edges(node, &entries, &mut names);
            if let Some(link) = plan_links.get_mut(at) {
                link.edges = edges;
            }
        }
        names.error = false;
        let output = match body.output {
            Some(node) => Template::load(node, &mut self.place(&mut names)),
            None => Template::fixed(Value::Null),
        };
        let graph = Graph::new(&plan_links, &after);
        graph::check(&plan_links, &graph, self.source, self.problems);
        Plan {
            named: Span::default(),
            name: body.name,
            description: "".into(),
            source: self.source.clone(),
            input: None,
            returns: None,
            links: plan_links,
            roots: names.roots.into_iter().map(|(_, root)| root).collect(),
            output,
            limits: self.around.limits,
            middleware: Vec::new(),
            stream: None,
            mcp: McpSetting::default(),
            graph,
            digest: "".into(),
        }
    }

    fn place<'p>(&'p mut self, names: &'p mut PlanNames<'_>) -> Place<'p> {
        Place { source: self.source, names, problems: self.problems }
    }

    fn link_names(&mut self, entries: &[(NodeKey, Node)], locals: &[Str]) {
        for (key, _) in entries {
            let taken =
                RESERVED.contains(&key.name.as_str()) || locals.iter().any(|local| **local == *key.name);
            if taken || key.name.starts_with("__") {
                self.problems.add_help(
                    self.source,
                    key.span,
                    format!("a link cannot be called `{}`", crate::json::shorten(&key.name)),
                    "expressions use this name for something else",
                );
            }
        }
    }

    fn link(&mut self, plan: &str, key: &NodeKey, node: &Node, names: &mut PlanNames<'_>) -> Link {
        let what = format!("link `{}`", crate::json::shorten(&key.name));
        let kind = self.kind(node, &what);
        conform_table(node, &[LINK_KEYS, kind.settings], &what, self.source, self.problems);
        let full: Str = format!("{plan}.{}", key.name).into();
        let with = self.with(node, kind, &what, names);
        let when = node.get("when").and_then(|node| expression(node, &mut self.place(names)));
        let fallback = node.get("fallback").map(|node| Template::load(node, &mut self.place(names)));
        let idempotency_key =
            node.get("idempotency_key").map(|node| Template::load(node, &mut self.place(names)));
        let cache = node.get("cache").map(cache);
        let detail = self.detail(&full, kind, node, names);
        let alone = matches!(kind.role, Role::Step | Role::Native | Role::Script);
        if cache.is_some() && !(alone && kind.reach != Reach::Caller) {
            let why = if alone { "asks whoever calls" } else { "holds other links or labels" };
            self.wrong(node.span, format!("{what} cannot be cached: a `{}` link {why}", kind.name));
        }
        let duration = |key: &str| node.get(key).and_then(Node::text).and_then(|text| duration_ms(text).ok());
        let settings =
            kind.settings.iter().filter_map(|key| Some((key.name, node.get(key.name)?.to_value())));
        Link {
            name: key.name.as_str().into(),
            power: self.power.clone().unwrap_or_else(|| full.clone()),
            full,
            kind,
            span: key.span,
            with,
            when,
            settings: Value::map(settings),
            detail,
            edges: Vec::new(),
            timeout_ms: duration("timeout").or((!kind.patient).then_some(TIMEOUT_MS)),
            retry: node.get("retry").map_or_else(Retry::default, retry),
            fallback,
            cache,
            idempotency_key,
            repeatable: node.get("repeatable").is_some_and(|node| node.data == Data::Bool(true)),
            concurrency: int(node.get("concurrency")).and_then(|int| u32::try_from(int).ok()),
            middleware: self.middleware(node.get("middleware")),
            returns: node.get("returns").and_then(|node| self.schema(node)),
        }
    }

    fn kind(&mut self, node: &Node, what: &str) -> &'static Kind {
        static NONE: Kind = Kind {
            name: "none",
            doc: "",
            settings: &[],
            with: With::Anything,
            role: Role::Step,
            source: false,
            patient: false,
            passes: None,
            needs: crate::kind::no_needs,
            reach: crate::kind::Reach::Nothing,
        };
        let Some(kind) = node.get("kind") else { return &NONE };
        let name = kind.text().unwrap_or_default();
        match self.around.kinds.iter().find(|known| known.name == name) {
            Some(known) => known,
            None => {
                let known = self.around.kinds.iter().map(|kind| kind.name);
                let help = match suggest(name, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known kinds: {}", known.collect::<Vec<_>>().join(", ")),
                };
                let message = format!("{what} has the unknown kind `{}`", crate::json::shorten(name));
                self.problems.add_help(self.source, kind.span, message, help);
                &NONE
            }
        }
    }

    fn with(&mut self, node: &Node, kind: &Kind, what: &str, names: &mut PlanNames<'_>) -> Template {
        let body_input = matches!(kind.role, Role::Each | Role::Repeat);
        let Some(with) = node.get("with").filter(|_| !body_input) else {
            if let With::Fields(keys) = kind.with
                && let Some(key) = keys.iter().find(|key| key.required)
            {
                self.problems.add_help(
                    self.source,
                    node.span,
                    format!("{what} lacks `with.{}`", key.name),
                    key.doc,
                );
            }
            return Template::fixed(Value::map::<&str>([]));
        };
        match (kind.with_keys(), &with.data) {
            (Some([]), _) => self.wrong(with.span, format!("a `{}` link takes no `with`", kind.name)),
            // The forms of computed members are judged when they have values; here only the keys are.
            (Some(keys), Data::Map(entries)) => {
                let open: Vec<Key> = keys.iter().map(|key| Key { form: Form::Template, ..*key }).collect();
                conform_table(with, &[&open], &format!("`with` of {what}"), self.source, self.problems);
                for (key, member) in entries {
                    let plain = member.text().is_none_or(|text| !text.contains("${"));
                    if let Some(known) = keys.iter().find(|known| known.name == key.name).filter(|_| plain) {
                        conform(member, &known.form, &format!("`{}`", key.name), self.source, self.problems);
                    }
                }
            }
            (Some(_), Data::Text(text)) if text.contains("${") => {}
            (Some(_), _) => self.wrong(with.span, format!("`with` of {what} must be a map")),
            (None, _) => {}
        }
        let loaded = Template::load(with, &mut self.place(names));
        if kind.reach == Reach::Caller {
            self.asked(with, &loaded);
        }
        loaded
    }

    /// What somebody will be asked for, where that is written down.
    fn asked(&mut self, with: &Node, loaded: &Template) {
        let (Some(node), Some(schema)) = (with.get("schema"), loaded.get("schema")) else { return };
        if let Some(Err(why)) = schema.as_fixed().map(|schema| AnswerForm::read(&schema)) {
            self.wrong(node.span, why);
        }
    }

    fn after(&mut self, node: &Node, links: &[Str]) -> Vec<usize> {
        let mut after = Vec::new();
        for item in node.get("after").map_or(&[][..], Node::items) {
            let name = item.text().unwrap_or_default();
            match links.iter().position(|known| &**known == name) {
                Some(at) => after.push(at),
                None => self.unknown_link(item.span, name, links),
            }
        }
        after
    }

    fn unknown_link(&mut self, span: Span, name: &str, links: &[Str]) {
        let message = format!("there is no link `{}`", crate::json::shorten(name));
        match suggest(name, links.iter().map(|known| &**known)) {
            Some(near) => {
                self.problems.add_help(self.source, span, message, format!("did you mean `{near}`?"))
            }
            None => self.wrong(span, message),
        }
    }

    fn edges(&mut self, node: &Node, entries: &[(NodeKey, Node)], names: &mut PlanNames<'_>) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (position, item) in node.get("edges").map_or(&[][..], Node::items).iter().enumerate() {
            let on = match item.get("on").and_then(Node::text) {
                Some("error") => On::Error,
                Some("refused") => On::Refused,
                _ => On::Success,
            };
            names.error = on != On::Success;
            let when = item.get("if").and_then(|node| expression(node, &mut self.place(names)));
            let target = match (item.get("to").and_then(Node::text), item.get("chain")) {
                (Some(name), None) => name.to_string(),
                (None, Some(_)) => hidden_name(entries, node, position),
                _ => {
                    self.wrong(item.span, "an edge leads `to` one link or to one `chain`");
                    continue;
                }
            };
            if item.get("with").is_some() && item.get("chain").is_none() {
                self.wrong(
                    item.span,
                    "`with` of an edge is the input of its `chain`; a link has its own `with`",
                );
            }
            match entries.iter().position(|(key, _)| key.name == target) {
                Some(to) => edges.push(Edge { on, when, to }),
                None => {
                    let links = names.links.clone();
                    self.unknown_link(item.get("to").map_or(item.span, |to| to.span), &target, &links);
                }
            }
        }
        edges
    }

    fn middleware(&mut self, node: Option<&Node>) -> Vec<Str> {
        let mut names = Vec::new();
        for item in node.map_or(&[][..], Node::items) {
            let name = item.text().unwrap_or_default();
            if self.around.middleware.iter().any(|known| &**known == name) {
                names.push(name.into());
            } else {
                let known = self.around.middleware.iter().map(|known| &**known);
                let help = match suggest(name, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known: {}", known.collect::<Vec<_>>().join(", ")),
                };
                let message = format!("there is no middleware `{}`", crate::json::shorten(name));
                self.problems.add_help(self.source, item.span, message, help);
            }
        }
        names
    }

    fn stream(&mut self, node: &Node, plan: &Plan) -> Option<usize> {
        let name = node.text().unwrap_or_default();
        let links: Vec<Str> = plan.links.iter().map(|link| link.name.clone()).collect();
        let found = links.iter().position(|known| &**known == name);
        if found.is_none() {
            self.unknown_link(node.span, name, &links);
        }
        found
    }

    fn detail(&mut self, full: &Str, kind: &Kind, node: &Node, names: &mut PlanNames<'_>) -> Detail {
        let text = |key: &str| node.get(key).and_then(Node::text).map(Str::from);
        match kind.role {
            Role::Step => Detail::Nothing,
            Role::Native => self.native(node),
            Role::Chain => Detail::Chain {
                chain: text("chain").unwrap_or_default(),
                depth_max: int(node.get("depth"))
                    .and_then(|int| u64::try_from(int).ok())
                    .unwrap_or(CHAIN_DEPTH),
            },
            Role::Each => self.each(full, node, names),
            Role::Repeat => self.repeat(full, node, names),
            Role::Choice => self.choice(full, node, names),
            Role::Extract => self.extract(node),
            Role::Endorse | Role::Declassify => self.act(node, kind.role),
            Role::Approve => Detail::Approve(Consent {
                reason: node.get("reason").and_then(Node::text).unwrap_or_default().into(),
                people: int(node.get("people")).and_then(|int| usize::try_from(int).ok()).unwrap_or(1),
                within_ms: node
                    .get("within")
                    .and_then(Node::text)
                    .and_then(|text| duration_ms(text).ok())
                    .unwrap_or(WITHIN_MS),
            }),
            Role::Validate => self.validate(node),
            Role::Plugin => self.plugin(full, node, names),
            Role::Script => self.script(node),
            Role::Command => command(self.around.commands, node, self.source, self.problems),
            Role::Tool => tool(self.around.upstreams, node, self.source, self.problems),
            Role::Python => self.python(full, node, names),
        }
    }

    fn native(&mut self, node: &Node) -> Detail {
        let call: Str = node.get("call").and_then(Node::text).unwrap_or_default().into();
        let effect = self.around.natives.get(&call).cloned();
        if let (None, Some(name)) = (&effect, node.get("call")) {
            let known = self.around.natives.keys().map(|known| &**known);
            let known: Vec<&str> = known.filter(|known| !known.starts_with('#')).collect();
            let help = meant(&call, &known, &format!("known: {}", known.join(", ")));
            let message = format!("there is no native function `{}`", crate::json::shorten(&call));
            self.problems.add_help(self.source, name.span, message, help);
        }
        Detail::Native { call, effect: effect.flatten() }
    }

    /// Loads what stands under `do`, `chain` or `value` as a plan of its own.
    fn body(&mut self, name: Str, node: &Node, locals: &[&str], names: &mut PlanNames<'_>) -> Arc<Plan> {
        let given: Vec<&str> =
            ["do", "chain", "value"].into_iter().filter(|key| node.get(key).is_some()).collect();
        if given.len() != 1 {
            let span = Span { start: node.span.start, end: node.span.start };
            self.wrong(span, format!("`{name}` needs exactly one of `do`, `chain` or, in a choice, `value`"));
        }
        if node.get("with").is_some() && node.get("chain").is_none() {
            self.wrong(node.span, "`with` here is the input of `chain`; links inside `do` have their own");
        }
        let inner = match (node.get("do"), node.get("chain"), node.get("value")) {
            (Some(body), _, _) => body.clone(),
            (None, Some(chain), _) => chain_body(chain, node.get("with")),
            (None, None, value) => value_body(value.unwrap_or(node)),
        };
        let locals = locals.iter().map(|local| Str::from(*local)).collect();
        let body = Body { name, links: inner.get("links"), output: inner.get("output"), locals };
        Arc::new(self.plan(body, Some(names)))
    }

    fn each(&mut self, full: &Str, node: &Node, names: &mut PlanNames<'_>) -> Detail {
        let item = node.get("as").and_then(Node::text).unwrap_or("item");
        let body = self.body(full.clone(), node, &[item, "index"], names);
        let over = node.get("over").and_then(|node| expression(node, &mut self.place(names)));
        let Some(over) = over else { return Detail::Nothing };
        Detail::Each {
            over,
            body,
            items_max: int(node.get("at_most"))
                .and_then(|int| usize::try_from(int).ok())
                .unwrap_or(EACH_ITEMS),
            parallel: int(node.get("parallel")).and_then(|int| usize::try_from(int).ok()).unwrap_or(1),
        }
    }

    fn repeat(&mut self, full: &Str, node: &Node, names: &mut PlanNames<'_>) -> Detail {
        let body = self.body(full.clone(), node, &["state", "index"], names);
        let start = match node.get("start") {
            Some(node) => Template::load(node, &mut self.place(names)),
            None => Template::fixed(Value::Null),
        };
        let until = node.get("until").and_then(|node| {
            let mut names = ListNames(&["state", "index"]);
            expression(node, &mut Place { source: self.source, names: &mut names, problems: self.problems })
        });
        let rounds_max = int(node.get("at_most")).and_then(|int| u64::try_from(int).ok()).unwrap_or(1);
        match until {
            Some(until) => Detail::Repeat { start, until, body, rounds_max },
            None => Detail::Nothing,
        }
    }

    fn choice(&mut self, full: &Str, node: &Node, names: &mut PlanNames<'_>) -> Detail {
        let mut cases = Vec::new();
        for case in node.get("cases").map_or(&[][..], Node::items) {
            let when = case.get("when").and_then(|node| expression(node, &mut self.place(names)));
            let body = self.body(full.clone(), case, &[], names);
            if when.is_some() {
                cases.push(Case { when, body });
            }
        }
        if let Some(otherwise) = node.get("otherwise") {
            let body = self.body(full.clone(), otherwise, &[], names);
            cases.push(Case { when: None, body });
        }
        if cases.is_empty() && self.problems.is_empty() {
            self.wrong(node.span, "a choice needs `cases`");
        }
        self.names_of_cases(&cases);
        Detail::Choice { cases }
    }

    /// Grants and policies name a link by its path, so no two cases may have links of one name.
    fn names_of_cases(&mut self, cases: &[Case]) {
        let mut seen: Vec<&Str> = Vec::new();
        for link in cases.iter().flat_map(|case| &case.body.links) {
            if seen.contains(&&link.full) {
                let message = format!("two cases have a link `{}`", link.name);
                let help = "give each a name of its own, so that grants and policies can tell them apart";
                self.problems.add_help(self.source, link.span, message, help);
            }
            seen.push(&link.full);
        }
    }

    fn extract(&mut self, node: &Node) -> Detail {
        let span = node.get("as").map_or(node.span, |node| node.span);
        let kind = node.get("as").and_then(Node::text).unwrap_or_default();
        let bounds = (int(node.get("min")), int(node.get("max")));
        let values: Vec<Str> = node
            .get("values")
            .map_or(&[][..], Node::items)
            .iter()
            .filter_map(Node::text)
            .map(Str::from)
            .collect();
        let given = |key: &str| node.get(key).is_some();
        let among = node.get("with").is_some_and(|with| with.get("among").is_some());
        let range = match kind {
            "enum" if values.is_empty() => Err("an `enum` needs its `values`"),
            "enum" => Ok(Range::Enum(values)),
            "int" => match bounds {
                (Some(min), Some(max)) if min <= max => Ok(Range::Int { min, max }),
                _ => Err("an `int` needs `min` and `max`, in this order"),
            },
            "id" if !among => Err("an `id` needs the trusted list `with.among`"),
            "id" => Ok(Range::Id),
            "date" => Ok(Range::Date),
            _ => Ok(Range::Bool),
        };
        for (key, user) in [("values", "enum"), ("min", "int"), ("max", "int")] {
            if given(key) && kind != user {
                self.wrong(span, format!("`{key}` belongs to `as: {user}`"));
            }
        }
        if among && kind != "id" {
            self.wrong(span, "`among` belongs to `as: id`");
        }
        let drop = self.tags(node.get("drop"));
        match range {
            Ok(range) => {
                let few = range.count().is_some_and(|count| count <= DROP_VALUES_MAX);
                if !drop.is_empty() && !few {
                    let message = format!("`drop` needs a range of at most {DROP_VALUES_MAX} values");
                    let help = "a wider one tells too much; drop the tag in a `declassify` link";
                    self.problems.add_help(
                        self.source,
                        node.get("drop").map_or(span, |drop| drop.span),
                        message,
                        help,
                    );
                }
                Detail::Extract(range, drop)
            }
            Err(message) => {
                self.wrong(span, message);
                Detail::Nothing
            }
        }
    }

    fn act(&mut self, node: &Node, role: Role) -> Detail {
        let scope = node.get("scope").and_then(|node| {
            expression(
                node,
                &mut Place {
                    source: self.source,
                    names: &mut ListNames(&["value"]),
                    problems: self.problems,
                },
            )
        });
        let expires = node.get("expires").and_then(Node::text);
        let drop = self.tags(node.get("drop"));
        if role == Role::Declassify && drop.is_empty() {
            self.wrong(node.span, "a declassify link names the tags to `drop`");
        }
        Detail::Act(Act {
            reason: node.get("reason").and_then(Node::text).unwrap_or_default().into(),
            scope,
            expires_ms: expires.and_then(|text| crate::doc::form::date_ms(text).ok()),
            drop,
            required: !matches!(node.get("required").map(|node| &node.data), Some(Data::Bool(false))),
        })
    }

    fn validate(&mut self, node: &Node) -> Detail {
        let schema = node.get("schema").and_then(|node| self.schema(node));
        let check = node.get("check").and_then(Node::text).and_then(TextCheck::find);
        if let Some(asked) = node.get("check").filter(|_| check.is_none()) {
            let known = crate::checks::CHECKS.iter().map(|check| check.name).collect::<Vec<_>>().join(", ");
            self.wrong(asked.span, format!("unknown check; known: {known}"));
        }
        if node.get("schema").is_none() && node.get("check").is_none() {
            self.wrong(node.span, "a validate link needs a `schema` or a `check`");
        }
        Detail::Validate(schema, check)
    }

    fn tags(&mut self, node: Option<&Node>) -> Tags {
        let mut tags = Tags::NONE;
        for item in node.map_or(&[][..], Node::items) {
            let name = item.text().unwrap_or_default();
            let tag = if is_tag_name(name) { self.around.tags.intern(name) } else { None };
            match tag {
                Some(tag) => tags = tags.with(tag),
                None => self.wrong(item.span, format!("`{}` is not a tag", crate::json::shorten(name))),
            }
        }
        tags
    }
}

impl Kind {
    fn with_keys(&self) -> Option<&'static [Key]> {
        match self.with {
            With::Nothing => Some(&[]),
            With::Anything => None,
            With::Fields(keys) => Some(keys),
        }
    }
}

fn int(node: Option<&Node>) -> Option<i64> {
    match node.map(|node| &node.data) {
        Some(Data::Int(int)) => Some(*int),
        _ => None,
    }
}

fn cache(node: &Node) -> Cache {
    let ttl_ms = node.get("ttl").and_then(Node::text).and_then(|text| duration_ms(text).ok()).unwrap_or(0);
    let entries_max =
        int(node.get("entries")).and_then(|int| usize::try_from(int).ok()).unwrap_or(CACHE_ENTRIES);
    Cache { ttl_ms, entries_max }
}

fn retry(node: &Node) -> Retry {
    let standard = Retry::default();
    let duration = |key: &str| node.get(key).and_then(Node::text).and_then(|text| duration_ms(text).ok());
    let named = |id: &str| FailureKind::ALL.iter().find(|kind| kind.id() == id).copied();
    Retry {
        attempts: int(node.get("attempts")).and_then(|int| u32::try_from(int).ok()).unwrap_or(1),
        backoff_ms: duration("backoff").unwrap_or(standard.backoff_ms),
        backoff_ms_max: duration("backoff_max").unwrap_or(standard.backoff_ms_max),
        jitter: !matches!(node.get("jitter").map(|node| &node.data), Some(Data::Bool(false))),
        on: match node.get("on") {
            Some(list) => list.items().iter().filter_map(Node::text).filter_map(named).collect(),
            None => standard.on,
        },
    }
}

fn edge_targets(key: &NodeKey, node: &Node) -> Vec<String> {
    let edges = node.get("edges").map_or(&[][..], Node::items);
    let named = edges.iter().filter_map(|edge| edge.get("to").and_then(Node::text)).map(String::from);
    named.chain(edge_chains(key, node).into_iter().map(|(key, _)| key.name)).collect()
}

/// The chain links that edges to chains stand for.
fn edge_chains(key: &NodeKey, node: &Node) -> Vec<(NodeKey, Node)> {
    let edges = node.get("edges").map_or(&[][..], Node::items).iter().enumerate();
    edges
        .filter_map(|(position, edge)| {
            let chain = edge.get("chain")?;
            let name = NodeKey { name: chain_link_name(&key.name, position), span: edge.span };
            Some((name, chain_link(chain, edge.get("with"))))
        })
        .collect()
}

fn chain_link_name(link: &str, position: usize) -> String {
    format!("{link}_edge_{}", position + 1)
}

fn hidden_name(entries: &[(NodeKey, Node)], node: &Node, position: usize) -> String {
    let owner =
        entries.iter().find(|(_, known)| std::ptr::eq(known, node)).map_or("", |(key, _)| key.name.as_str());
    chain_link_name(owner, position)
}

fn text_node(text: &str, span: Span) -> Node {
    Node { span, data: Data::Text(text.into()) }
}

fn entry(name: &str, node: Node) -> (NodeKey, Node) {
    (NodeKey { name: name.into(), span: node.span }, node)
}

fn chain_link(chain: &Node, with: Option<&Node>) -> Node {
    let mut members = vec![entry("kind", text_node("chain", chain.span)), entry("chain", chain.clone())];
    members.extend(with.map(|with| entry("with", with.clone())));
    Node { span: chain.span, data: Data::Map(members) }
}

/// `chain: name` as a body: one link that calls it, and its output.
fn chain_body(chain: &Node, with: Option<&Node>) -> Node {
    let call = chain_link(chain, with);
    let links = Node { span: chain.span, data: Data::Map(vec![entry("call", call)]) };
    let output = text_node("${call}", chain.span);
    Node { span: chain.span, data: Data::Map(vec![entry("links", links), entry("output", output)]) }
}

/// `value: ...` as a body without links.
fn value_body(value: &Node) -> Node {
    Node { span: value.span, data: Data::Map(vec![entry("output", value.clone())]) }
}

impl Link {
    /// Everything the link reads before it runs.
    pub fn refs(&self) -> Vec<crate::expr::Ref> {
        let of = |expr: &Option<Expr>| expr.as_ref().map_or(Vec::new(), |expr| expr.refs().to_vec());
        let mut refs = self.with.refs();
        refs.extend(of(&self.when));
        refs.extend(self.fallback.as_ref().map_or(Vec::new(), Template::refs));
        refs.extend(self.idempotency_key.as_ref().map_or(Vec::new(), Template::refs));
        match &self.detail {
            Detail::Each { over, body, .. } => {
                refs.extend(over.refs().iter().cloned());
                refs.extend(body.outer_refs());
            }
            Detail::Repeat { start, body, .. } => {
                refs.extend(start.refs());
                refs.extend(body.outer_refs());
            }
            Detail::Choice { cases } => {
                for case in cases {
                    refs.extend(of(&case.when));
                    refs.extend(case.body.outer_refs());
                }
            }
            _ => {}
        }
        refs.sort();
        refs.dedup();
        refs
    }
}

impl Plan {
    /// What a body reads of the plan around it.
    fn outer_refs(&self) -> Vec<crate::expr::Ref> {
        use super::Root;
        use crate::expr::{Read, Ref};
        let outer = self.roots.iter().filter_map(|root| match root {
            Root::Outer(slot) => Some(Ref { slot: *slot, path: Vec::new(), read: Read::Whole }),
            _ => None,
        });
        outer.collect()
    }
}
